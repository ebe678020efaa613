from rtchat.server.ears import Ears


class Detector:
    rate, window_samples = 16_000, 512

    def __init__(self):
        self.resets = 0

    def reset(self):
        self.resets += 1


def test_sound_of_any_length_becomes_whole_windows():
    ears = Ears(Detector())
    got = [window for _ in range(50) for window in ears.windows(bytes(2 * 501))]  # 1.04 s of 24 kHz, in odd pieces
    assert {len(window) for window in got} == {1024}
    assert 31 <= len(got) <= 32


def test_a_reset_forgets_what_was_left_over():
    ears = Ears(Detector())
    ears.windows(bytes(2 * 700))
    ears.reset()
    assert ears.detector.resets == 2
    assert ears.windows(bytes(2 * 300)) == []
