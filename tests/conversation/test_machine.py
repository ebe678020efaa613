"""The session, a whole turn, and a transcription: lists of what happens, lists of what is asked for."""

from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.machine import Conversation, Rules
from rtchat.conversation.notices import (
    AssistantSaid,
    ErrorTold,
    SessionStarted,
    StateChanged,
    TurnEnded,
    UserSaid,
)
from rtchat.conversation.signals import (
    Announced,
    Captured,
    Drain,
    Drained,
    End,
    Heard,
    InputEnded,
    InterruptPressed,
    Play,
    Refuse,
    Send,
    Show,
    TalkPressed,
    TalkReleased,
    Typed,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol.config import (
    AudioConfig,
    AudioInput,
    AudioOutput,
    RealtimeSession,
    ResponseParams,
    Transcription,
    TranscriptionSession,
)
from rtchat.protocol.items import user_text
from rtchat.protocol.server_events import RateLimitsUpdated, SessionCreated, SessionUpdated, UnknownEvent

VOICE = b"\x01\x02" * WIRE.samples_in(20)


def create(number, **fields):
    return Send(ask.ResponseCreate(event_id=f"event_rtchat_response_{number}", **fields))


def put(text, number=1):
    item_id = f"item_typed_{number}"
    return Send(ask.ItemCreate(item=user_text(text, item_id=item_id)))


def state(name):
    return Show(StateChanged(name))


def user(text, *, final, item="U"):
    return Show(UserSaid(item, text, final))


def said(text, heard_text="", *, heard=0, made=0, status="in_progress", item="A"):
    return Show(AssistantSaid(item, text, heard_text, heard, made, status, status != "in_progress"))


def turn(**usage):
    return Show(TurnEnded({}, usage, 0.0))


def spoken_turn(says, item="U"):
    """The user's turn up to the server's response, as recorded (docs/protocol.md)."""
    return [says.speech_started(item), says.speech_stopped(item), says.committed(item), says.spoken(item)]


def answer(says, *, ms=1000, words="One two three four", item="A", response="R"):
    """A whole spoken answer, but for its response.done."""
    return [
        says.created(response),
        says.begins(item, response),
        says.words(words, item, response),
        says.sound(ms, item, response),
        says.sound_done(item, response),
        says.words_done(words, item, response),
        says.made(item, response),
    ]


# --- session ----------------------------------------------------------------------------------------------


def test_handshake(says):
    session = RealtimeSession(instructions="Be brief.")
    conversation = Conversation(Rules(session=session, server="OpenAI", mode="tools", echo="half-duplex"))
    assert conversation.state is State.CONNECTING
    update = ask.SessionUpdate(event_id="event_rtchat_session", session=session)
    assert conversation.receive(says.session_created()) == [Send(update)]
    audio = AudioConfig(output=AudioOutput(voice="marin"))
    assert conversation.receive(says.session_updated(model="gpt-realtime-2.1", audio=audio)) == [
        Show(SessionStarted("OpenAI", "gpt-realtime-2.1", "marin", "sess_1", "half-duplex", "tools")),
        state("listening"),
    ]
    assert conversation.receive(says.session_updated()) == []


def test_a_session_of_unknown_shape_still_begins():
    conversation = Conversation(Rules(session=RealtimeSession(model="m")))
    effects = conversation.receive(SessionUpdated(session={"odd": True}))
    assert effects[0] == Show(SessionStarted("", "m", "", "", "none", "interactive"))


def test_refused_settings_end_the_session(says):
    conversation = Conversation()
    error = says.error("invalid_value", event_id="event_rtchat_session", message="No such voice.")
    assert conversation.receive(error) == [Refuse("invalid_value", "No such voice.")]


def test_refused_before_it_began(says):
    assert Conversation().receive(says.error("invalid_model", message="No such model.")) == [
        Refuse("invalid_model", "No such model.")
    ]


def test_permanent_errors_end_it_later_too(talk, says):
    assert talk().receive(says.error("session_expired", message="60 minutes.")) == [
        Refuse("session_expired", "60 minutes.")
    ]


def test_other_errors_are_told_and_survived(talk, says):
    conversation = talk()
    told = ErrorTold("invalid_value", "Bad.", "The conversation goes on.", fatal=False)
    assert conversation.receive(says.error("invalid_value", message="Bad.")) == [Show(told)]
    assert conversation.state is State.LISTENING


@pytest.mark.parametrize("code", ["input_audio_buffer_commit_empty", "response_cancel_not_active"])
def test_harmless_errors(talk, says, code):
    assert talk().receive(says.error(code)) == []


def test_what_means_nothing_here_asks_for_nothing(talk):
    conversation = talk()
    assert conversation.receive(RateLimitsUpdated(rate_limits=[])) == []
    assert conversation.receive(UnknownEvent(type="conversation.mood", raw={})) == []
    assert conversation.receive("nonsense") == []


def test_nothing_is_sent_before_the_session_is_there(says, tell, sent):
    conversation = Conversation(Rules(push_to_talk=True))
    early = [Captured(VOICE), TalkPressed(), TalkReleased(), InterruptPressed(), Announced("Ding."), InputEnded()]
    assert tell(conversation, *early) == []
    assert sent(conversation.receive(Typed("hi"))) == []


def test_lines_typed_while_connecting_are_sent_then(says):
    conversation = Conversation()
    assert conversation.receive(Typed("hi")) == [user("hi", final=True, item="item_typed_1")]
    conversation.receive(says.session_created())
    effects = conversation.receive(says.session_updated())
    assert effects[1:] == [state("listening"), put("hi"), create(1), state("thinking")]


def test_greeting(says):
    conversation = Conversation(Rules(greeting="Say hello."))
    conversation.receive(says.session_created())
    effects = conversation.receive(says.session_updated())
    params = ResponseParams(instructions="Say hello.")
    assert effects[1:] == [state("listening"), create(1, response=params), state("thinking")]


# --- a spoken turn ----------------------------------------------------------------------------------------


def test_a_spoken_turn(talk, says, tell):
    conversation = talk()
    assert tell(conversation, says.speech_started()) == [state("hearing"), user("", final=False)]
    assert tell(conversation, says.speech_stopped()) == [state("thinking")]
    assert tell(conversation, says.committed(), says.spoken(), says.created(), says.begins()) == []
    assert tell(conversation, says.words("It is noon.")) == [said("It is noon."), state("speaking")]
    assert tell(conversation, says.sound(200)) == [Play("A", 0, WIRE.silence(200))]
    assert tell(conversation, says.heard_as("What time is it?")) == [user("What time is it?", final=True)]
    assert tell(conversation, says.sound_done(), says.made(), says.done(tokens=7)) == [Drain("A")]
    assert conversation.state is State.SPEAKING, "response.done is not the end of playback"
    assert tell(conversation, Heard("A", 0, 200), Drained()) == [
        said("It is noon.", "It is noon.", heard=200, made=200, status="completed"),
        turn(total_tokens=7),
        state("listening"),
    ]


@pytest.mark.parametrize("position", range(9))
def test_the_transcript_may_come_anywhere(talk, says, tell, shown, position):
    conversation = talk()
    events = [*spoken_turn(says), *answer(says), says.done(), Drained()]
    events.insert(position, says.heard_as("What time is it?"))
    effects = tell(conversation, *events)
    lines = shown(effects, UserSaid)
    assert lines[-1] == UserSaid("U", "What time is it?", final=True)
    assert [line.final for line in lines].count(True) == 1 or position == 0
    assert conversation.state is State.LISTENING
    assert len(shown(effects, TurnEnded)) == 1


def test_words_in_the_middle_of_a_written_answer_do_not_make_the_state_flicker(talk, says, tell):
    conversation = talk()
    tell(conversation, *spoken_turn(says), says.created(), says.writes("It is "))
    assert tell(conversation, says.heard_as("What time is it?"), says.writes("noon.")) == [
        user("What time is it?", final=True),
        said("It is noon.", "It is noon."),
    ]


def test_a_transcript_that_never_comes_stops_nothing(talk, says, tell):
    conversation = talk()
    effects = tell(conversation, *spoken_turn(says), *answer(says), says.done(), Drained(), InputEnded())
    assert effects[-1] == End("done")
    assert conversation.close() == [user("", final=True), state("closed")]


def test_a_transcript_that_fails(talk, says, tell, shown):
    conversation = talk()
    effects = tell(conversation, *spoken_turn(says), says.not_heard(), *answer(says), says.done(), Drained())
    assert shown(effects, ErrorTold)[0].hint == "The answer comes all the same."
    assert conversation.state is State.LISTENING


def test_items_are_in_their_order_whatever_came_first(talk, says, tell):
    conversation = talk()
    tell(
        conversation,
        says.speech_started("U1"),
        says.heard_as("One.", "U1"),
        says.words("Two.", "A1"),
        says.item("A1", "U1", role="assistant", status="in_progress"),
        says.spoken("U2", "A1"),
        says.spoken("U1", None),
        says.item("A1", None, role="assistant", text="Two.", done=True),
    )
    assert [entry.item_id for entry in conversation.items.ordered()] == ["U1", "A1", "U2"]


def test_speech_that_came_to_nothing(talk, says, tell):
    conversation = talk()
    assert tell(conversation, says.speech_started(), says.cleared())[-1] == state("listening")


def test_speech_that_nobody_answers(talk, says, tell):
    conversation = talk(server_answers=False)
    effects = tell(conversation, *spoken_turn(says), says.heard_as("Hello."))
    assert effects == [
        state("hearing"),
        user("", final=False),
        state("listening"),
        user("Hello.", final=True),
    ]


def test_the_answer_to_silence(talk, says, tell):
    """Idle timeout: the server commits and answers by itself (docs/protocol.md)."""
    conversation = talk()
    effects = tell(
        conversation,
        says.item("S", None, role="system", text="No user speech was detected."),
        says.committed("U", "S"),
        says.spoken("U", "S"),
        *answer(says),
        says.done(),
        says.heard_as(""),
        Drained(),
    )
    assert turn() in effects
    assert conversation.state is State.LISTENING


# --- a transcription session --------------------------------------------------------------------------------


@pytest.fixture
def scribe():
    """A transcription session that has begun; nobody answers in it."""

    def begin(**rules):
        written = Transcription(model="w")
        session = TranscriptionSession(audio=AudioConfig(input=AudioInput(transcription=written)))
        machine = Conversation(Rules(session=session, server_answers=False, **rules))
        machine.receive(SessionCreated(session=session))
        return machine, machine.receive(SessionUpdated(session=session))

    return begin


def test_a_transcription_names_the_model_that_writes(scribe):
    _, effects = scribe(mode="transcribe")
    assert effects[0] == Show(SessionStarted("", "w", "", "", "none", "transcribe"))


def test_a_transcription_ends_when_all_words_are_known(scribe, says):
    machine, _ = scribe()
    for event in (says.speech_started(), says.speech_stopped(), says.committed(), says.spoken()):
        machine.receive(event)
    assert End("done") not in machine.receive(InputEnded())
    assert machine.receive(says.heard_as("hello"))[-1] == End("done")


def test_a_turn_of_push_to_talk_in_a_transcription_asks_for_no_answer_and_waits_for_its_words(scribe, says):
    machine, _ = scribe(push_to_talk=True)
    machine.receive(TalkPressed())
    for _ in range(10):
        machine.receive(Captured(bytes(960)))
    assert Send(ask.InputAudioCommit()) in (effects := machine.receive(TalkReleased()))
    assert not any(isinstance(e, Send) and isinstance(e.event, ask.ResponseCreate) for e in effects)
    assert machine.receive(InputEnded()) == []
    machine.receive(says.spoken())
    assert machine.receive(says.heard_as("hello"))[-1] == End("done")
