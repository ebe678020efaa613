from rtchat.server.detection import BufferedDetector


class Detector:
    rate, window_samples = 16_000, 512

    def __init__(self):
        self.resets = 0

    def reset(self):
        self.resets += 1


def test_sound_of_any_length_becomes_whole_windows():
    buffered = BufferedDetector(Detector())
    got = [window for _ in range(50) for window in buffered.windows(bytes(2 * 501))]
    assert {len(window) for window in got} == {1024}
    assert 31 <= len(got) <= 32


def test_a_reset_forgets_what_was_left_over():
    buffered = BufferedDetector(Detector())
    buffered.windows(bytes(2 * 700))
    buffered.reset()
    assert buffered.detector.resets == 2
    assert buffered.windows(bytes(2 * 300)) == []
