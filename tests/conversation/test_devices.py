from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.devices import trailing_silence
from rtchat.conversation.notices import AssistantSaid, DeviceTold, ErrorTold, Interruption
from rtchat.conversation.signals import (
    Captured,
    DeviceFound,
    DeviceLost,
    Disconnected,
    Duck,
    Flush,
    Heard,
    Play,
    Restore,
    Send,
    Show,
    Typed,
    VoiceConfirmed,
    VoiceSuspected,
)
from rtchat.conversation.state import State
from rtchat.protocol import client_events as ask
from rtchat.protocol.config import AudioConfig, AudioInput, RealtimeSession, SemanticVad, ServerVad

NO_LOUDSPEAKER, LOUDSPEAKER = DeviceLost("loudspeaker"), DeviceFound("loudspeaker", "Headset")
NO_MICROPHONE, MICROPHONE = DeviceLost("microphone"), DeviceFound("microphone", "Headset")
VOICE = Captured(b"\x01\x02" * WIRE.samples_in(20))
TEXT = ask.SessionUpdate(session=RealtimeSession(output_modalities=["text"]))
AUDIO = ask.SessionUpdate(session=RealtimeSession(output_modalities=["audio"]))
SPOKEN = RealtimeSession(output_modalities=["audio"], instructions="Be brief.")


@pytest.fixture
def speaking(talk, says, tell):
    """In the middle of an answer, 480 of 1000 ms heard."""
    conversation = talk(session=SPOKEN)
    tell(conversation, Typed("hi"), says.created(), says.begins(), says.words("One two three four"))
    tell(conversation, says.sound(1000), Heard("A", 0, 480))
    return conversation


def test_without_a_loudspeaker_answers_are_written(talk, tell, says, sent, shown):
    conversation = talk(session=SPOKEN)
    effects = tell(conversation, NO_LOUDSPEAKER)
    assert shown(effects) == [
        ErrorTold(
            "loudspeaker_lost",
            "The loudspeaker is gone.",
            "Connect one, and it is used at once; until then, read what is said.",
            fatal=False,
        )
    ]
    assert sent(effects) == [TEXT]
    assert sent(tell(conversation, NO_LOUDSPEAKER)) == []


def test_what_was_not_heard_is_asked_for_in_writing(speaking, tell, says, sent, shown):
    effects = tell(speaking, NO_LOUDSPEAKER)
    truncate = ask.ItemTruncate(item_id="A", content_index=0, audio_end_ms=480)
    assert sent(effects) == [ask.ResponseCancel(response_id="R"), truncate, TEXT]
    assert Flush() in effects
    assert shown(effects, Interruption) == []
    (request,) = sent(tell(speaking, says.done(status="cancelled", reason="client_cancelled")))
    assert 'Not heard yet: "three four"' in request.response.instructions


def test_no_server_is_blamed_for_sound_that_nobody_can_hear(speaking, tell, says):
    tell(speaking, says.sound_done(), says.made(), says.done())
    assert speaking.state is State.SPEAKING
    tell(speaking, NO_LOUDSPEAKER)
    assert speaking.state is not State.SPEAKING, "in which it would owe something (rtchat/watch.py)"


def test_with_a_loudspeaker_answers_are_spoken_again(talk, tell, says, sent, shown):
    conversation = talk(session=SPOKEN)
    tell(conversation, NO_LOUDSPEAKER)
    effects = tell(conversation, LOUDSPEAKER)
    assert shown(effects) == [DeviceTold("loudspeaker", "Headset")]
    assert sent(effects) == [AUDIO]
    tell(conversation, Typed("hi"), says.created())
    assert Play("A", 0, WIRE.silence(100)) in tell(conversation, says.sound(100))


def test_another_loudspeaker_is_only_told(speaking, tell):
    assert tell(speaking, LOUDSPEAKER) == [Show(DeviceTold("loudspeaker", "Headset"))]


def test_sound_that_comes_all_the_same_is_read(talk, tell, says):
    conversation = talk(session=SPOKEN)
    tell(conversation, Typed("hi"), NO_LOUDSPEAKER, says.created(), says.done(status="cancelled"))
    tell(conversation, says.created("R2"))
    said = AssistantSaid("B", "Hello.", "Hello.", 0, 0, "in_progress", final=False)
    assert tell(conversation, says.words("Hello.", "B", "R2"))[0] == Show(said)
    assert tell(conversation, says.sound(500, "B", "R2")) == []
    tell(conversation, LOUDSPEAKER)
    assert tell(conversation, says.sound(500, "B", "R2")) == [], "not from its middle"
    tell(conversation, says.sound_done("B", "R2"), says.made("B", "R2"), says.done("R2"))
    assert conversation.state is State.LISTENING


def test_a_session_that_is_written_anyway_stays_so(talk, tell, sent):
    conversation = talk(session=RealtimeSession(output_modalities=["text"]))
    assert sent(tell(conversation, NO_LOUDSPEAKER, LOUDSPEAKER)) == []


def test_the_next_server_is_asked_for_text_too(talk, tell, says, sent):
    conversation = talk(session=SPOKEN)
    tell(conversation, Disconnected())
    assert sent(tell(conversation, NO_LOUDSPEAKER)) == []
    (update,) = sent(tell(conversation, says.session_created()))
    assert (update.session.output_modalities, update.session.instructions) == (["text"], "Be brief.")


def test_without_a_microphone_a_turn_that_is_being_spoken_ends(talk, tell, says, sent, shown):
    conversation = talk()
    tell(conversation, says.speech_started())
    effects = tell(conversation, NO_MICROPHONE)
    assert [notice.hint for notice in shown(effects)] == ["Connect one, and it is used at once; until then, type."]
    silence = sent(effects)
    assert all(isinstance(event, ask.InputAudioAppend) and not any(event.audio) for event in silence)
    assert sum(WIRE.ms(event.audio) for event in silence) == 700
    assert tell(conversation, MICROPHONE) == [Show(DeviceTold("microphone", "Headset"))]
    assert tell(conversation, VOICE) == [Send(ask.InputAudioAppend(audio=VOICE.pcm))]


def test_in_push_to_talk_nothing_is_sent(talk, tell, sent):
    assert sent(tell(talk(push_to_talk=True), NO_MICROPHONE)) == []


def test_the_microphone_goes_in_the_middle_of_a_suspicion(speaking, tell):
    assert tell(speaking, VOICE, VoiceSuspected(96), VOICE) == [Duck()]
    effects = tell(speaking, NO_MICROPHONE)
    silent = Send(ask.InputAudioAppend(audio=bytes(len(VOICE.pcm))))
    assert effects[1:4] == [Restore(), silent, silent]


def test_and_after_it_was_confirmed(speaking, tell, says):
    tell(speaking, VoiceSuspected(96), VoiceConfirmed(), NO_MICROPHONE)
    tell(speaking, says.done(status="cancelled"))
    assert speaking.state is State.LISTENING


@pytest.mark.parametrize(
    ("detection", "ms"),
    [
        (None, 700),
        (ServerVad(silence_duration_ms=1150), 1400),
        (SemanticVad(eagerness="high"), 2200),
        (SemanticVad(), 4200),
    ],
    ids=str,
)
def test_so_much_silence_ends_any_turn(detection, ms):
    session = RealtimeSession(audio=AudioConfig(input=AudioInput(turn_detection=detection)))
    assert WIRE.ms(b"".join(trailing_silence(session))) == ms
