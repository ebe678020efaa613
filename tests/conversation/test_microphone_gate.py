from __future__ import annotations

from rtchat.chunk import WIRE
from rtchat.conversation.microphone_gate import TAIL_MS, MicrophoneGate

VOICE = b"\x01\x02" * WIRE.samples_in(20)
SILENCE = bytes(len(VOICE))


def gate(*, half_duplex=False, push_to_talk=False):
    return MicrophoneGate(half_duplex=half_duplex, push_to_talk=push_to_talk)


def test_full_duplex_passes_everything():
    assert gate().pass_through(VOICE, sounding=True) == VOICE


def test_mute_sends_silence_so_that_the_server_counts_on():
    muted = gate()
    muted.muted = True
    assert muted.pass_through(VOICE, sounding=False) == SILENCE
    muted.muted = False
    assert muted.pass_through(VOICE, sounding=False) == VOICE


def test_half_duplex_is_shut_while_the_assistant_sounds_and_for_the_tail():
    half = gate(half_duplex=True)
    assert half.pass_through(VOICE, sounding=False) == VOICE
    assert half.pass_through(VOICE, sounding=True) == SILENCE
    after = [half.pass_through(VOICE, sounding=False) for _ in range(20)]
    shut = after.count(SILENCE)
    assert after == [SILENCE] * shut + [VOICE] * (20 - shut)
    assert TAIL_MS - 20 <= shut * 20 <= TAIL_MS


def test_sound_in_the_tail_starts_it_again():
    half = gate(half_duplex=True)
    half.pass_through(VOICE, sounding=True)
    for _ in range(10):
        half.pass_through(VOICE, sounding=False)
    half.pass_through(VOICE, sounding=True)
    assert [half.pass_through(VOICE, sounding=False) for _ in range(12)] == [SILENCE] * 12


def test_push_to_talk_sends_nothing_between_presses():
    key = gate(push_to_talk=True)
    assert key.pass_through(VOICE, sounding=False) == b""
    key.talk()
    assert key.pass_through(VOICE, sounding=True) == VOICE
    assert key.release() == 20.0
    assert key.pass_through(VOICE, sounding=False) == b""


def test_release_without_press():
    assert gate(push_to_talk=True).release() is None


def test_each_press_counts_anew():
    key = gate(push_to_talk=True)
    for _ in range(2):
        key.talk()
        for _ in range(5):
            key.pass_through(VOICE, sounding=False)
        assert key.release() == 100.0


def test_mute_holds_in_push_to_talk_too():
    key = gate(push_to_talk=True)
    key.muted = True
    key.talk()
    assert key.pass_through(VOICE, sounding=False) == SILENCE
