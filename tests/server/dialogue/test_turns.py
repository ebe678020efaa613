import pytest

from rtchat.protocol.config import SemanticVad, ServerVad
from rtchat.server.dialogue.turns import PAUSE_WINDOWS, InputBuffer, Paused, Resumed, Segmenter, Started, Stopped

MS = 48  # bytes


def feed(segmenter, *probabilities):
    return [found for p in probabilities if (found := segmenter.feed(p))]


def test_positions_are_multiples_of_32_ms():
    segmenter = Segmenter(ServerVad(prefix_padding_ms=0, silence_duration_ms=200))
    found = feed(segmenter, *[0.0] * 5, *[0.9] * 4, *[0.0] * 7)
    assert found == [Started(160), Paused((9 + PAUSE_WINDOWS) * 32), Stopped(16 * 32)]


def test_speech_goes_on_through_a_dip():
    segmenter = Segmenter(ServerVad(threshold=0.5, silence_duration_ms=64))
    assert feed(segmenter, 0.9, 0.9, *[0.4] * 20) == [Started(0)]
    assert feed(segmenter, 0.3, 0.3) == [Stopped(24 * 32)]


def test_a_pause_that_is_not_the_end():
    segmenter = Segmenter(ServerVad(silence_duration_ms=500))
    found = feed(segmenter, 0.9, 0.9, *[0.0] * (PAUSE_WINDOWS - 1), 0.9, *[0.0] * 6, 0.9, 0.9)
    assert found == [Started(0), Paused((2 + 2 * PAUSE_WINDOWS) * 32), Resumed()]


def test_the_start_is_never_before_the_beginning():
    assert feed(Segmenter(SemanticVad()), 0.9, 0.9) == [Started(0)]


@pytest.mark.parametrize(("threshold", "probability", "speech"), [(0, 0.0, True), (1, 1.0, True), (1, 0.99, False)])
def test_the_ends_of_the_scale(threshold, probability, speech):
    found = feed(Segmenter(ServerVad(threshold=threshold)), *[probability] * 3)
    assert bool(found) is speech


def test_silence_of_0_ends_at_the_first_silent_window():
    assert feed(Segmenter(ServerVad(silence_duration_ms=0)), 0.9, 0.9, 0.0) == [Started(0), Stopped(96)]


def test_sound_by_position():
    buffer = InputBuffer()
    for value in range(10):
        buffer.append(bytes([value, 0]) * 24 * 100)
    assert buffer.total_ms == buffer.pending_ms == 1000
    assert buffer.take(250, 450)[::4800] == bytes([2, 3])
    assert buffer.pending_ms == 550  # what lies before the turn is committed with it
    assert buffer.take(350, 500)[:2] == bytes([3, 0])  # padding may reach back
    assert len(buffer.pending()) == 500 * MS
    assert len(buffer.take_pending()) == 500 * MS
    assert buffer.pending_ms == 0


def test_sound_of_long_silence_is_let_go():
    buffer = InputBuffer()
    buffer.append(bytes(1000 * MS))
    buffer.forget_before(800)
    assert (buffer.total_ms, buffer.pending_ms) == (1000, 200)
    assert len(buffer.take(0, 1000)) == 200 * MS
    buffer.forget_before(100)
    assert buffer.total_ms == 1000


def test_positions_go_on_after_a_clear():
    buffer = InputBuffer()
    buffer.append(bytes(300 * MS))
    buffer.clear()
    buffer.append(bytes(200 * MS))
    assert (buffer.total_ms, buffer.pending_ms) == (500, 200)


def test_of_a_turn_that_never_ends_the_end_is_kept(monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.turns.LONGEST_MS", 1000)
    buffer = InputBuffer()
    for value in range(50):
        buffer.append(bytes([value]) * 4800)  # 100 ms
    assert buffer.total_ms == 5000
    assert buffer.take(0, 5000) == b"".join(bytes([value]) * 4800 for value in range(40, 50))
