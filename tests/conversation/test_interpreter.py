from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.interpreter import Interpreter
from rtchat.conversation.notices import (
    AssistantSaid,
    DeviceTold,
    EchoTold,
    ErrorTold,
    SessionStarted,
    StateChanged,
    UserSaid,
)
from rtchat.conversation.rules import Rules
from rtchat.conversation.signals import (
    Captured,
    DeviceFound,
    DeviceLost,
    Disconnected,
    Drain,
    Drained,
    EchoChanged,
    End,
    Flush,
    Heard,
    InputEnded,
    InterruptPressed,
    MuteToggled,
    Play,
    Refuse,
    Send,
    Show,
    Typed,
    VoiceConfirmed,
    VoiceDismissed,
    VoiceEnded,
    VoiceSuspected,
)
from rtchat.conversation.state import State
from rtchat.protocol import translation as wire

SESSION = wire.TranslationSession(audio=wire.TranslationAudio(output=wire.TranslationAudioOutput(language="es")))
VOICE = b"\x01\x02" * WIRE.samples_in(20)
SILENCE = bytes(len(VOICE))
PCM = WIRE.silence(200)


def heard(delta):
    return wire.TranslationInputTranscriptDelta(delta=delta)


def spoke(delta):
    return wire.TranslationOutputTranscriptDelta(delta=delta)


def sound(pcm=PCM):
    return wire.TranslationOutputAudioDelta(delta=pcm)


def source(text, *, final=False, n=1):
    return Show(UserSaid(f"source_{n}", text, final))


def target(text, *, final=False, n=1):
    return Show(AssistantSaid(f"target_{n}", text, text, 0, 0, "completed" if final else "in_progress", final))


def state(name):
    return Show(StateChanged(name))


@pytest.fixture
def begin():
    def begun(**rules):
        interpreter = Interpreter(Rules(**rules), SESSION)
        interpreter.receive(wire.TranslationCreated(session=wire.TranslationSession(id="sess_1")))
        interpreter.receive(wire.TranslationUpdated(session=wire.TranslationSession(id="sess_1")))
        return interpreter

    return begun


def test_handshake():
    interpreter = Interpreter(Rules(server="OpenAI", mode="translator", echo="off"), SESSION)
    assert interpreter.receive(Captured(VOICE)) == []
    update = wire.TranslationUpdate(event_id="event_rtchat_session", session=SESSION)
    assert interpreter.receive(wire.TranslationCreated(session={})) == [Send(update)]
    session = wire.TranslationSession(id="sess_1", model="gpt-realtime-translate")
    updated = wire.TranslationUpdated(session=session)
    assert interpreter.receive(updated) == [
        Show(SessionStarted("OpenAI", "gpt-realtime-translate", "", "sess_1", "off", "translator")),
        state("listening"),
    ]
    assert interpreter.receive(updated) == []


def test_refused_settings(says):
    interpreter = Interpreter(Rules(), SESSION)
    error = says.error("invalid_value", event_id="event_rtchat_session", message="No such language.")
    assert interpreter.receive(error) == [Refuse("invalid_value", "No such language.")]


def test_errors_later(begin, says):
    interpreter = begin()
    assert interpreter.receive(says.error("input_audio_buffer_commit_empty")) == []
    told = ErrorTold("odd", "Odd.", "The conversation goes on.", fatal=False)
    assert interpreter.receive(says.error("odd", message="Odd.")) == [Show(told)]
    assert interpreter.receive(says.error("session_expired", message="Over.")) == [
        Refuse("session_expired", "Over.")
    ]


def test_a_line_ends_with_its_sentence(begin, tell):
    interpreter = begin()
    assert tell(interpreter, heard("Where is"), heard(" the station?"), heard(" ")) == [
        state("hearing"),
        source("Where is"),
        source("Where is the station?", final=True),
    ]
    assert tell(interpreter, spoke("¿Dónde está"), spoke(" la estación?")) == [
        target("¿Dónde está", n=2),
        target("¿Dónde está la estación?", final=True, n=2),
        state("listening"),
    ]


def test_both_speak_at_once(begin, tell):
    interpreter = begin()
    assert tell(interpreter, sound(), heard("Thank"), sound(), heard(" you")) == [
        Play("translation_0", 0, PCM),
        state("speaking"),
        source("Thank"),
        Play("translation_0", 0, PCM),
        source("Thank you"),
    ]
    assert tell(interpreter, Drained()) == [state("hearing")], "in the middle of a sentence"
    assert tell(interpreter, spoke("Hola."), heard(".")) == [
        target("Hola.", final=True, n=2),
        source("Thank you.", final=True),
    ]
    assert tell(interpreter, sound(), Drained())[-1] == state("listening")


def test_lines_stay_in_the_order_in_which_they_began(begin, tell):
    interpreter = begin()
    tell(interpreter, heard("One"), spoke("Uno"), heard("."), heard("Two"), spoke("."), spoke("Dos"), heard("."))
    lines = [(entry.item_id, entry.text) for entry in interpreter.items.ordered()]
    assert lines == [("source_1", "One."), ("target_2", "Uno."), ("source_3", "Two."), ("target_4", "Dos")]


def test_names_of_lines_never_come_back(begin, tell):
    interpreter = begin()
    for number in range(50):
        tell(interpreter, heard(f"{number}."), spoke(f"{number}."), sound(), InterruptPressed())
    assert len({entry.item_id for entry in interpreter.items}) == 100


def test_sound_is_played_as_one_stream(begin, tell):
    interpreter = begin()
    assert tell(interpreter, sound(), sound()) == [
        Play("translation_0", 0, PCM),
        state("speaking"),
        Play("translation_0", 0, PCM),
    ]
    assert tell(interpreter, Heard("translation_0", 0, 400), Drained()) == [state("listening")]
    assert tell(interpreter, sound(b"")) == []


def test_the_key_stops_the_sound_and_the_next_is_another_stream(begin, tell):
    interpreter = begin()
    assert tell(interpreter, InterruptPressed()) == []
    tell(interpreter, sound())
    assert tell(interpreter, InterruptPressed()) == [Flush(), state("listening")]
    assert tell(interpreter, InterruptPressed()) == []
    assert tell(interpreter, sound())[0] == Play("translation_1", 0, PCM)


def test_the_microphone(begin, tell):
    interpreter = begin()
    assert tell(interpreter, Captured(VOICE)) == [Send(wire.TranslationAppend(audio=VOICE))]
    assert tell(interpreter, MuteToggled(), Captured(VOICE)) == [
        state("muted"),
        Send(wire.TranslationAppend(audio=SILENCE)),
    ]
    assert tell(interpreter, MuteToggled()) == [state("listening")]


def test_half_duplex(begin, tell):
    interpreter = begin(echo="half-duplex")
    tell(interpreter, sound())
    assert tell(interpreter, Captured(VOICE)) == [Send(wire.TranslationAppend(audio=SILENCE))]


def test_the_end_of_the_input_closes_and_the_rest_is_heard(begin, tell):
    interpreter = begin()
    assert tell(interpreter, heard("Good bye"), InputEnded()) == [
        state("hearing"),
        source("Good bye"),
        Send(wire.TranslationClose()),
    ]
    assert tell(interpreter, InputEnded(), Captured(VOICE)) == []
    tell(interpreter, spoke("Adiós"), sound())
    assert tell(interpreter, wire.TranslationClosed()) == [
        source("Good bye", final=True),
        target("Adiós", final=True, n=2),
        Drain("translation_0"),
    ]
    assert tell(interpreter, Drained()) == [state("listening"), End("done")]
    assert tell(interpreter, Drained()) == []


def test_closed_with_nothing_left_to_hear(begin, tell):
    assert tell(begin(), InputEnded(), wire.TranslationClosed()) == [Send(wire.TranslationClose()), End("done")]


def test_closed_and_the_rest_is_not_wanted(begin, tell):
    interpreter = begin()
    tell(interpreter, sound(), InputEnded(), wire.TranslationClosed())
    assert tell(interpreter, InterruptPressed()) == [Flush(), state("listening"), End("done")]


def test_input_that_ended_before_the_session_began():
    interpreter = Interpreter(Rules(), SESSION)
    assert interpreter.receive(InputEnded()) == []
    updated = wire.TranslationUpdated(session=wire.TranslationSession())
    assert interpreter.receive(updated)[-1] == Send(wire.TranslationClose())


def test_close(begin, tell):
    interpreter = begin()
    tell(interpreter, heard("One"), spoke("Uno"))
    assert interpreter.close() == [source("One", final=True), target("Uno", final=True, n=2), state("closed")]
    assert interpreter.state is State.CLOSED
    assert tell(interpreter, heard("Two"), Typed("hi")) == []
    assert interpreter.close() == []


def test_what_means_nothing_here(begin):
    assert begin().receive(Typed("hi")) == []


def test_a_voice_neither_turns_it_down_nor_stops_it(begin, tell):
    interpreter = begin()
    tell(interpreter, sound())
    assert tell(interpreter, VoiceSuspected(96), VoiceConfirmed(), VoiceEnded(), VoiceDismissed()) == []
    assert tell(interpreter, Captured(VOICE)) == [Send(wire.TranslationAppend(audio=VOICE))]


def test_the_echo_changes(begin, tell):
    interpreter = begin()
    tell(interpreter, sound())
    assert tell(interpreter, EchoChanged("half-duplex", 2.0)) == [Show(EchoTold("half-duplex", 2.0))]
    assert tell(interpreter, Captured(VOICE)) == [Send(wire.TranslationAppend(audio=SILENCE))]


def test_a_server_that_goes_before_it_takes_the_session_is_followed_by_another(tell):
    interpreter = Interpreter(Rules(), SESSION)
    assert tell(interpreter, Disconnected()) == [state("reconnecting")]
    assert tell(interpreter, Disconnected()) == []
    _, listening = tell(interpreter, wire.TranslationUpdated(session=SESSION))
    assert listening == state("listening")


def test_the_server_is_lost_and_another_takes_over(begin, tell):
    interpreter = begin()
    tell(interpreter, sound(), heard("Thank"))
    assert tell(interpreter, Disconnected()) == [
        source("Thank", final=True),
        Drain("translation_0"),
        state("reconnecting"),
    ]
    assert tell(interpreter, Disconnected(), Captured(VOICE), Drained()) == []
    update = wire.TranslationUpdate(event_id="event_rtchat_session", session=SESSION)
    assert tell(interpreter, wire.TranslationCreated(session={})) == [Send(update)]
    session = wire.TranslationSession(id="sess_2", model="m")
    assert tell(interpreter, wire.TranslationUpdated(session=session)) == [
        Show(SessionStarted("", "m", "", "sess_2", "none", "interactive")),
        state("listening"),
    ]
    assert tell(interpreter, Captured(VOICE)) == [Send(wire.TranslationAppend(audio=VOICE))]


def test_without_a_loudspeaker_the_lines_are_read(begin, tell):
    interpreter = begin()
    tell(interpreter, sound())
    told, *effects = tell(interpreter, DeviceLost("loudspeaker"))
    assert told.notice.code == "loudspeaker_lost"
    (deaf,) = tell(begin(), DeviceLost("microphone"))
    assert deaf.notice.hint == "Connect one, and it is used at once."  # nobody types to an interpreter
    assert effects == [Flush(), state("listening")]
    assert tell(interpreter, sound(), spoke("Hola.")) == [target("Hola.", final=True)]
    assert tell(interpreter, DeviceFound("microphone", "Headset"), sound()) == [
        Show(DeviceTold("microphone", "Headset"))
    ]
    tell(interpreter, DeviceFound("loudspeaker", "Headset"))
    assert tell(interpreter, sound())[0] == Play("translation_1", 0, PCM)


def test_without_a_microphone_the_user_is_told(begin, tell):
    (told,) = tell(begin(), DeviceLost("microphone"))
    assert told.notice.message == "The microphone is gone."
