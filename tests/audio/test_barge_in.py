import numpy as np
import pytest

from rtchat.audio.barge_in import BargeIn
from rtchat.audio.clues import Clues
from rtchat.audio.speech import Speech
from rtchat.chunk import WIRE, to_float, to_pcm16
from rtchat.conversation.signals import VoiceConfirmed, VoiceDismissed, VoiceEnded, VoiceSuspected

CHUNK = WIRE.bytes_in(20)
RATE = WIRE.rate


class Loud:
    """A detector to which all that is loud is speech, and whatever is noisy is half of it."""

    def __init__(self) -> None:
        self.asked = 0
        self.loud = 0.98

    def probability(self, window: bytes) -> float:
        self.asked += 1
        samples = to_float(window)
        if np.sqrt(np.mean(samples**2)) < 0.005:
            return 0.02
        return 0.6 if np.mean(np.diff(samples) ** 2) > np.mean(samples**2) else self.loud

    def reset(self) -> None:
        pass


class Open:
    """In place of the perceptron: what is speech for sure, with a mouth that is not closed, is a voice."""

    def feed(self, row: np.ndarray) -> float:
        probability, open_db = row[0], 20 * (row[12] - 1.5)
        return min(probability, 0.98 if open_db > -24 else 0.5)

    def reset(self) -> None:
        pass


class Nobody(Open):
    """To which nothing is a voice."""

    def feed(self, row: np.ndarray) -> float:
        return 0.0


def overtones(ms: float, pitch: float, sizes: np.ndarray) -> bytes:
    """A voice; `sizes` of its overtones go from the first row to the last."""
    at = np.arange(WIRE.samples_in(ms)) / RATE
    rows = np.array([np.interp(at, np.linspace(0, at[-1], len(sizes)), column) for column in sizes.T])
    turns = np.cumsum(pitch * (1 + 0.12 * np.sin(pitch * at / 20))) / RATE
    waves = np.array([np.sin(2 * np.pi * n * turns) for n in range(1, len(rows) + 1)])
    return to_pcm16((0.1 * (rows * waves).sum(axis=0)).astype(np.float32))


NASAL = np.array([1, 0.5, 0.1, *[0.002] * 17])
FRONT = np.array([1, 1, 0.2, *[0.02] * 10, 0.5, 0.5, *[0.1] * 5])
BACK = np.array([0.5, 1, 1, 1, 1, 0.5, 0.3, *[0.05] * 13])


def word(ms: float, pitch: float = 140.0) -> bytes:
    return overtones(ms, pitch, np.array([BACK, FRONT, BACK, FRONT]))


def hum(ms: float) -> bytes:
    return overtones(ms, 140.0, np.array([NASAL, NASAL]))


def cough(ms: float) -> bytes:
    return to_pcm16(0.1 * np.random.default_rng(1).standard_normal(WIRE.samples_in(ms)).astype(np.float32))


class Heard:
    """A policy that has been told chunk after chunk; `told` is [(ms since the start, signal)]."""

    def __init__(self, sensitivity="medium", perceptron=None) -> None:
        self.detector = Loud()
        self.policy = BargeIn(sensitivity, Clues(Speech(self.detector)), perceptron or Open())
        self.told: list[tuple[int, object]] = []
        self.ms = 0

    def hear(
        self, pcm: bytes, *, sounding=True, raw: bytes | None = None, far: bytes | None = None, converged=True
    ):
        for at in range(0, len(pcm) - len(pcm) % CHUNK, CHUNK):
            chunk = pcm[at : at + CHUNK]
            signals = self.policy.feed(
                self.ms / 1000,
                chunk,
                sounding=sounding,
                raw=chunk if raw is None else raw[at : at + CHUNK],
                far=bytes(CHUNK) if far is None else far[at : at + CHUNK],
                converged=converged,
            )
            self.ms += 20
            self.told += [(self.ms, signal) for signal in signals]
        return self

    def kinds(self) -> list[type]:
        return [type(signal) for _, signal in self.told]

    def when(self, kind: type) -> int:
        return next(ms for ms, signal in self.told if isinstance(signal, kind))


QUIET = WIRE.silence(1000)


def test_a_word_is_suspected_within_two_windows_and_confirmed_when_it_has_gone_on():
    heard = Heard().hear(QUIET + word(800) + QUIET)
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed, VoiceEnded]
    assert heard.when(VoiceSuspected) <= 1000 + 64 + 20
    assert 1000 + 100 <= heard.when(VoiceConfirmed) <= 1000 + 300
    assert 1800 + 400 <= heard.when(VoiceEnded) <= 1800 + 600


def test_suspicion_tells_how_long_ago_the_sound_began():
    heard = Heard().hear(QUIET + word(400))
    ms, suspected = heard.told[0]
    assert isinstance(suspected, VoiceSuspected)
    assert ms - suspected.since_ms == pytest.approx(1000, abs=33)


@pytest.mark.parametrize("ms", [200, 300, 400, 480])
def test_a_hum_is_dismissed_as_soon_as_it_has_stopped(ms):
    heard = Heard().hear(QUIET + hum(ms) + QUIET)
    assert heard.kinds() == [VoiceSuspected, VoiceDismissed]
    assert heard.when(VoiceDismissed) <= 1000 + ms + 200


def test_a_hum_that_goes_on_is_meant():
    assert VoiceConfirmed in Heard().hear(QUIET + hum(900)).kinds()


@pytest.mark.parametrize("ms", [40, 150, 300])
def test_a_cough_is_dismissed(ms):
    heard = Heard().hear(QUIET + cough(ms) + QUIET)
    assert VoiceConfirmed not in heard.kinds()


def test_a_stop_within_a_word_does_not_dismiss_it():
    heard = Heard().hear(QUIET + word(100) + WIRE.silence(80) + word(300))
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed]


def test_what_is_dismissed_can_be_suspected_again():
    heard = Heard().hear(QUIET + hum(200) + QUIET + word(400))
    assert heard.kinds() == [VoiceSuspected, VoiceDismissed, VoiceSuspected, VoiceConfirmed]


def test_what_has_ended_can_be_suspected_again_while_the_assistant_sounds_on():
    heard = Heard().hear((word(500) + QUIET) * 2)
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed, VoiceEnded] * 2


def test_a_pause_within_a_sentence_does_not_end_it():
    heard = Heard().hear(QUIET + word(400) + WIRE.silence(300) + word(400))
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed]


def test_the_same_word_is_confirmed_sooner_the_more_sensitive():
    whens = [Heard(name).hear(QUIET + word(900)).when(VoiceConfirmed) for name in ("low", "medium", "high")]
    assert whens[0] > whens[2]
    assert whens == sorted(whens, reverse=True)


def test_what_comes_through_while_the_canceller_looks_for_the_delay_ends_nothing():
    """As recorded: five windows of the assistant's first words."""
    sound = QUIET + word(190) + QUIET
    assert Heard().hear(sound).kinds() == [VoiceSuspected, VoiceConfirmed, VoiceEnded]
    assert Heard().hear(sound, converged=False).kinds() == [VoiceSuspected, VoiceDismissed]


def test_before_the_canceller_knows_the_room_it_takes_longer():
    sound = QUIET + word(900)
    sure, unsure = Heard().hear(sound), Heard().hear(sound, converged=False)
    assert 0 < unsure.when(VoiceConfirmed) - sure.when(VoiceConfirmed) < 200


# --- echo -------------------------------------------------------------------------------------------------


def late(pcm: bytes, ms: float, gain: float = 1.0) -> bytes:
    """As an echo: later, and weaker."""
    return to_pcm16(gain * to_float((WIRE.silence(ms) + pcm)[: len(pcm)]))


def test_what_is_like_the_loudspeakers_sound_is_never_confirmed():
    far = word(3000, pitch=110)
    assert VoiceConfirmed not in Heard().hear(late(far, 130, 0.5), far=far).kinds()


def test_what_is_much_weaker_than_the_microphone_was_is_left_over():
    assert Heard().hear(to_pcm16(0.1 * to_float(word(3000))), raw=word(3000)).kinds() == []


def test_a_voice_over_the_echo_is_confirmed():
    far = overtones(3000, 97.0, np.array([FRONT, BACK, FRONT, FRONT, BACK]))
    voice = WIRE.silence(1500) + word(1500, pitch=171)
    both = to_pcm16(to_float(voice) + to_float(late(far, 90, 0.01)))
    assert Heard().hear(both, far=far).kinds() == [VoiceSuspected, VoiceConfirmed]


def test_what_the_canceller_has_left_is_named_so_that_it_is_not_sent():
    far = overtones(3000, 97.0, np.array([FRONT, BACK, FRONT, FRONT, BACK]))
    heard = Heard()
    heard.hear(late(far, 130, 0.5)[: 100 * CHUNK], far=far)
    assert heard.policy.spurious
    heard.hear(QUIET)
    assert not heard.policy.spurious
    heard.hear(word(300))
    assert not heard.policy.spurious


def test_what_only_the_detector_takes_for_speech_is_not_suspected_and_not_sent():
    heard = Heard(perceptron=Nobody()).hear(QUIET + word(300))
    assert heard.kinds() == [] and heard.policy.spurious
    heard.hear(QUIET)
    assert not heard.policy.spurious


# --- while the assistant is silent ------------------------------------------------------------------------


def test_nothing_is_told_and_nothing_computed_while_it_is_silent():
    heard = Heard().hear(word(2000), sounding=False)
    assert heard.told == []
    assert heard.detector.asked == 0


def test_when_it_stops_while_speech_is_suspected_the_user_has_taken_the_word():
    heard = Heard().hear(QUIET + word(80)).hear(word(100), sounding=False)
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed]
    assert heard.when(VoiceConfirmed) == 1000 + 80 + 20


def test_the_end_of_what_was_confirmed_is_told_after_it_fell_silent():
    heard = Heard().hear(QUIET + word(400)).hear(word(300) + QUIET, sounding=False)
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed, VoiceEnded]
    asked = heard.detector.asked
    heard.hear(word(1000), sounding=False)
    assert heard.detector.asked == asked


def test_it_starts_afresh_when_the_assistant_sounds_again():
    heard = Heard().hear(QUIET + hum(200)).hear(QUIET, sounding=False).hear(word(500))
    assert heard.kinds() == [VoiceSuspected, VoiceConfirmed, VoiceEnded, VoiceSuspected, VoiceConfirmed]
