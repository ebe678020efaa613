from __future__ import annotations

from rtchat.chunk import WIRE
from rtchat.conversation.barge_in import BargeIn
from rtchat.conversation.microphone_gate import MicrophoneGate
from rtchat.conversation.signals import Duck, Restore, Send
from rtchat.protocol.client_events import InputAudioAppend

VOICE = b"\x01\x02" * WIRE.samples_in(20)
SILENCE = bytes(len(VOICE))


def microphone():
    return BargeIn(MicrophoneGate(half_duplex=False, push_to_talk=False, looks_back=True))


def append(pcm):
    return Send(InputAudioAppend(audio=pcm))


def listen(barge_in, count=5):
    return [effect for _ in range(count) for effect in barge_in.captured(VOICE, sounding=True)]


def test_a_suspicion_ducks_and_holds_the_microphone_back():
    barge_in = microphone()
    assert barge_in.suspected() == [Duck()]
    assert listen(barge_in, 30) == []


def test_it_is_ducked_once():
    barge_in = microphone()
    barge_in.suspected()
    assert barge_in.suspected() == []


def test_dismissed():
    barge_in = microphone()
    barge_in.suspected()
    listen(barge_in)
    assert barge_in.dismissed() == [Restore(), *[append(SILENCE)] * 5]
    assert barge_in.dismissed() == []
    assert barge_in.suspected() == [Duck()]


def test_a_flush_ends_ducking():
    barge_in = microphone()
    barge_in.suspected()
    listen(barge_in)
    assert barge_in.stopped(flushed=True) == [append(VOICE)] * 5
    assert barge_in.stopped(flushed=False) == []


def test_the_end_of_the_answer_in_the_middle_of_a_suspicion():
    barge_in = microphone()
    barge_in.suspected()
    listen(barge_in)
    assert barge_in.stopped(flushed=False) == [Restore(), *[append(VOICE)] * 5]


def test_the_end_of_the_answer_sends_what_was_late():
    barge_in = microphone()
    listen(barge_in, 3)
    assert barge_in.stopped(flushed=False) == [append(VOICE)] * 3
