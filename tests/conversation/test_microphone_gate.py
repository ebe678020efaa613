from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.microphone_gate import LOOK_BACK_MS, PRE_ROLL_MS, TAIL_MS, MicrophoneGate

VOICE = b"\x01\x02" * WIRE.samples_in(20)
SILENCE = bytes(len(VOICE))


def gate(**options):
    return MicrophoneGate(**{"half_duplex": False, "push_to_talk": False, **options})


def numbered(count):
    """Chunks that can be told apart."""
    return [bytes([number, 1]) * WIRE.samples_in(20) for number in range(count)]


def feed(gate, chunks):
    return [out for chunk in chunks for out in gate.pass_through(chunk, sounding=True)]


def test_full_duplex_passes_everything():
    assert gate().pass_through(VOICE, sounding=True) == [VOICE]


def test_mute_sends_silence_so_that_the_server_counts_on():
    muted = gate()
    muted.muted = True
    assert muted.pass_through(VOICE, sounding=False) == [SILENCE]
    muted.muted = False
    assert muted.pass_through(VOICE, sounding=False) == [VOICE]


def test_half_duplex_is_shut_while_the_assistant_sounds_and_for_the_tail():
    half = gate(half_duplex=True)
    assert half.pass_through(VOICE, sounding=False) == [VOICE]
    assert half.pass_through(VOICE, sounding=True) == [SILENCE]
    after = [out for _ in range(20) for out in half.pass_through(VOICE, sounding=False)]
    shut = after.count(SILENCE)
    assert after == [SILENCE] * shut + [VOICE] * (20 - shut)
    assert TAIL_MS - 20 <= shut * 20 <= TAIL_MS


def test_sound_in_the_tail_starts_it_again():
    half = gate(half_duplex=True)
    half.pass_through(VOICE, sounding=True)
    for _ in range(10):
        half.pass_through(VOICE, sounding=False)
    half.pass_through(VOICE, sounding=True)
    assert [half.pass_through(VOICE, sounding=False) for _ in range(12)] == [[SILENCE]] * 12


def test_push_to_talk_sends_nothing_between_presses():
    key = gate(push_to_talk=True)
    assert key.pass_through(VOICE, sounding=False) == []
    key.talk()
    assert key.pass_through(VOICE, sounding=True) == [VOICE]
    assert key.let_go() == 20.0
    assert key.pass_through(VOICE, sounding=False) == []


def test_a_press_brings_the_moment_before_it():
    key, chunks = gate(push_to_talk=True), numbered(30)
    assert feed(key, chunks) == []
    before = key.talk()
    assert before == chunks[-len(before) :]
    assert PRE_ROLL_MS <= WIRE.ms(b"".join(before)) < PRE_ROLL_MS + 20
    assert key.let_go() == 0.0
    assert key.talk() == []


@pytest.mark.parametrize(("option", "sounding"), [("muted", False), ("half_duplex", True)])
def test_nothing_from_before_a_press_that_was_not_to_be_heard(option, sounding):
    key = gate(push_to_talk=True)
    key.pass_through(VOICE, sounding=False)
    setattr(key, option, True)
    key.pass_through(VOICE, sounding=sounding)
    assert key.talk() == []


def test_what_is_forgotten_is_never_sent():
    key = gate(push_to_talk=True)
    key.pass_through(VOICE, sounding=False)
    key.forget()
    assert key.talk() == []
    key.forget()
    assert key.let_go() is None


def test_release_without_press():
    assert gate(push_to_talk=True).let_go() is None


def test_each_press_counts_anew():
    key = gate(push_to_talk=True)
    for _ in range(2):
        key.talk()
        for _ in range(5):
            key.pass_through(VOICE, sounding=False)
        assert key.let_go() == 100.0


def test_mute_holds_in_push_to_talk_too():
    key = gate(push_to_talk=True)
    key.muted = True
    key.talk()
    assert key.pass_through(VOICE, sounding=False) == [SILENCE]


def test_without_a_detector_nothing_is_late():
    chunks = numbered(10)
    assert feed(gate(), chunks) == chunks


def test_looking_back_sends_late_while_the_assistant_sounds_and_at_once_else():
    late, chunks = gate(looks_back=True), numbered(20)
    sent = feed(late, chunks)
    assert sent == chunks[: len(sent)]
    behind = WIRE.ms(b"".join(chunks)) - WIRE.ms(b"".join(sent))
    assert LOOK_BACK_MS <= behind < LOOK_BACK_MS + 20
    assert late.release() == chunks[len(sent) :]
    assert late.pass_through(VOICE, sounding=False) == [VOICE]


def test_what_is_late_goes_first_when_it_gets_quiet():
    late, chunks = gate(looks_back=True), numbered(3)
    assert feed(late, chunks) == []
    assert late.pass_through(VOICE, sounding=False) == [*chunks, VOICE]


def test_held_back_until_it_is_decided():
    late, chunks = gate(looks_back=True), numbered(30)
    late.hold()
    assert feed(late, chunks) == []
    assert late.release() == chunks
    assert feed(late, chunks[:7]) == chunks[:1], "it does not hold any more"


def test_silence_of_the_same_length_in_place_of_what_was_held():
    late, chunks = gate(looks_back=True), numbered(30)
    late.hold()
    feed(late, chunks)
    assert late.silence() == [SILENCE] * 30
    assert late.release() == []


def test_muting_silences_what_has_not_left():
    late = gate(looks_back=True)
    late.hold()
    feed(late, numbered(5))
    late.muted = True
    assert late.pass_through(VOICE, sounding=True) == [SILENCE] * 6


def test_a_gate_that_shuts_silences_what_has_not_left():
    late = gate(looks_back=True)
    feed(late, numbered(5))
    late.half_duplex = True
    assert late.pass_through(VOICE, sounding=True) == [SILENCE] * 6
