import base64
import itertools
import json

import pytest
from openai.types.realtime import RealtimeTranslationServerEvent
from pydantic import TypeAdapter

from rtchat.protocol import wire
from rtchat.server.dialogue import signals as sig
from rtchat.server.run import embedded
from rtchat.server.translation import PROBE, Translation

ORACLE = TypeAdapter(RealtimeTranslationServerEvent)


class Talk:
    """One session without a network; events come out as JSON, checked against the openai package."""

    def __init__(self, model: str = "gpt-realtime-translate", target: str | None = "es") -> None:
        numbers = itertools.count(1)
        self.machine = Translation(model=model, new_id=lambda prefix: f"{prefix}_{next(numbers)}", expires_at=1)
        (self.created,) = self._shown(self.machine.start())
        if target:
            self.update(target)
            self.tell(sig.Translated(PROBE, "Hola."))

    def send(self, kind, **fields):
        return self.tell(sig.Frame(json.dumps({"type": kind, **fields})))

    def update(self, language):
        return self.send("session.update", event_id="mine", session={"audio": {"output": {"language": language}}})

    def hear(self, *probabilities):
        sound = base64.b64encode(b"\1\0" * (32 * 24 * len(probabilities))).decode()
        *_prepare, detect = self.send("session.input_audio_buffer.append", audio=sound)
        assert len(detect.pcm) == 32 * 48 * len(probabilities)
        return self.tell(sig.Detected(probabilities))

    def stretch(self):
        (asked,) = self.hear(*[0.9] * 10, *[0.0] * 13)
        return asked

    def tell(self, told):
        return self._shown(self.machine.receive(told))

    def _shown(self, effects):
        shown = []
        for effect in effects:
            if isinstance(effect, sig.Emit):
                event = json.loads(wire.encode(effect.event))
                ORACLE.validate_python(event)
                shown.append(event)
            else:
                shown.append(effect)
        return shown


def test_the_session():
    session = Talk(target=None).created["session"]
    assert session["type"] == "translation"
    assert session["model"] == "gpt-realtime-translate"
    assert session["audio"]["output"] == {"language": None}


def test_one_stretch_of_speech():
    talk = Talk()
    asked = talk.stretch()
    assert (asked.language, asked.prompt) == ("en", None)
    delta, translate = talk.tell(sig.Recognised(asked.key, "good morning"))
    assert (delta["type"], delta["delta"]) == ("session.input_transcript.delta", "good morning ")
    assert delta["elapsed_ms"] == 23 * 32
    assert translate == sig.Translate(asked.key, "good morning", "en", "es")
    *words, speak = talk.tell(sig.Translated(asked.key, "Buenos días."))
    assert "".join(word["delta"] for word in words) == "Buenos días. "
    assert speak == sig.Speak(asked.key, "Buenos días.", "marin", 1.0, "es")
    for expected in (736, 836):
        (sound,) = talk.tell(sig.Spoke(asked.key, b"\1\0" * 2400))
        assert sound["type"] == "session.output_audio.delta"
        assert (sound["elapsed_ms"], sound["sample_rate"], sound["channels"]) == (expected, 24_000, 1)
    assert talk.tell(sig.SpeechEnded(asked.key)) == [sig.Abort(asked.key)]


def test_stretches_are_spoken_in_their_order():
    talk = Talk()
    first, second = talk.stretch(), talk.stretch()
    assert talk.tell(sig.Recognised(second.key, "two")) == []
    assert talk.tell(sig.Recognised(first.key, "one"))[1].key == first.key
    talk.tell(sig.Translated(first.key, "uno"))
    _abort, delta, translate = talk.tell(sig.SpeechEnded(first.key))
    assert (delta["delta"], translate.key) == ("two ", second.key)


def test_what_was_not_understood_is_passed_over():
    talk = Talk()
    first, second = talk.stretch(), talk.stretch()
    talk.tell(sig.Recognised(second.key, "two"))
    events = talk.tell(sig.Recognised(first.key, ""))
    assert events[0]["delta"] == "two "


@pytest.mark.parametrize("failure", [sig.NotTranslated, sig.SpeechEnded])
def test_a_failing_engine_is_told_and_the_session_goes_on(failure):
    talk = Talk()
    asked = talk.stretch()
    talk.tell(sig.Recognised(asked.key, "one"))
    _abort, error = talk.tell(failure(asked.key, "It broke."))
    assert error["error"]["message"] == "It broke."
    assert talk.tell(sig.Recognised(talk.stretch().key, "two"))[0]["delta"] == "two "


def test_a_recogniser_that_fails():
    talk = Talk()
    (error,) = talk.tell(sig.NotRecognised(talk.stretch().key, "It broke."))
    assert error["error"]["message"] == "It broke."


def test_a_detector_that_does_not_load_is_told_once():
    talk = Talk()
    sound = base64.b64encode(bytes(48_000)).decode()
    *_prepare, detect = talk.send("session.input_audio_buffer.append", audio=sound)
    assert isinstance(detect, sig.Detect)
    assert [error["error"]["message"] for error in talk.tell(sig.Deaf("No model."))] == ["No model."]
    assert talk.send("session.input_audio_buffer.append", audio=sound) == []


def test_speech_without_a_pause_is_cut():
    talk = Talk()
    (asked,) = talk.hear(*[0.9] * 480)
    assert len(asked.pcm) == 469 * 32 * 48  # the first window boundary past 15 s
    (rest,) = talk.hear(*[0.0] * 13)
    assert len(rest.pcm) == (480 + 13 - 469) * 32 * 48


def test_closing_finishes_what_was_begun():
    talk = Talk()
    talk.hear(*[0.9] * 10)
    (asked,) = talk.send("session.close")
    talk.tell(sig.Recognised(asked.key, "good bye"))
    talk.tell(sig.Translated(asked.key, "adiós"))
    assert talk.send("session.input_audio_buffer.append", audio="AAAA") == []
    _abort, closed, close = talk.tell(sig.SpeechEnded(asked.key))
    assert closed["type"] == "session.closed"
    assert close == sig.Close(1000, "")


def test_closing_with_nothing_to_do():
    closed, _close = Talk().send("session.close")
    assert closed["type"] == "session.closed"


def test_a_language_is_tried_before_it_is_taken():
    talk = Talk(target=None)
    (probe,) = talk.update("Spanish")
    assert probe == sig.Translate(PROBE, "Hello.", "en", "es")
    (updated,) = talk.tell(sig.Translated(PROBE, "Hola."))
    assert updated["session"]["audio"]["output"]["language"] == "es"


def test_a_language_that_is_not_there():
    talk = Talk()
    talk.update("fr")
    (error,) = talk.tell(sig.NotTranslated(PROBE, "Install apertium-fr."))
    assert error["error"]["message"] == "Install apertium-fr."
    assert error["error"]["event_id"] == "mine"
    (updated,) = talk.send("session.update", session={"audio": {"input": {"noise_reduction": None}}})
    assert updated["session"]["audio"]["output"]["language"] == "es"


def test_the_model_may_name_the_pair():
    talk = Talk("apertium:es-en", target=None)
    asked = talk.stretch()
    assert asked.language == "es"
    assert talk.tell(sig.Recognised(asked.key, "hola"))[1] == sig.Translate(asked.key, "hola", "es", "en")


def test_closing_waits_for_the_answer_to_an_update():
    talk = Talk(target=None)
    talk.update("es")
    assert talk.send("session.close") == []
    updated, closed, _close = talk.tell(sig.Translated(PROBE, "Hola."))
    assert (updated["type"], closed["type"]) == ("session.updated", "session.closed")
    talk = Talk(target=None)
    talk.update("fr")
    talk.send("session.close")
    error, closed, _close = talk.tell(sig.NotTranslated(PROBE, "Install apertium-fr."))
    assert (error["type"], closed["type"]) == ("error", "session.closed")


def test_no_language_yet():
    talk = Talk(target=None)
    events = talk.tell(sig.Recognised(talk.stretch().key, "hello"))
    assert "set session.audio.output.language" in events[-1]["error"]["message"]


@pytest.mark.parametrize(
    ("event", "code", "param"),
    [
        ({"type": "response.create"}, "invalid_value", "type"),
        ({"type": "session.update", "session": {"voice": "x"}}, "unknown_parameter", "session.voice"),
        ({"type": "session.update", "session": {"model": "x"}}, "unknown_parameter", "session.model"),
        ({"type": "session.update", "session": {"type": "translation"}}, "unknown_parameter", "session.type"),
        ({"type": "session.input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        (
            {"type": "session.update", "session": {"audio": {"output": {"language": "klingon!"}}}},
            "invalid_value",
            "session.audio.output.language",
        ),
    ],
)
def test_what_is_refused(event, code, param):
    (error,) = Talk().tell(sig.Frame(json.dumps({**event, "event_id": "mine"})))
    assert (error["error"]["code"], error["error"]["param"], error["error"]["event_id"]) == (code, param, "mine")


@pytest.mark.parametrize("frame", ["{", '{"type": "session.update", "event_id": 5}', '{"type": "\\ud800"}', "[]"])
def test_garbage(frame):
    (error,) = Talk().tell(sig.Frame(frame))
    assert error["type"] == "error"


async def test_over_a_socket(engines, connect):
    engines.stt.says = "good morning"
    path = "/realtime/translations?model=gpt-realtime-translate"
    async with embedded(engines=engines) as url, connect(url, path=path) as client:
        for language, answer in (("fr", "error"), ("es", "session.updated")):
            await client.send("session.update", session={"audio": {"output": {"language": language}}})
            assert (await client.event())["type"] == answer
        for sound in (b"\1\1" * 24 * 320, bytes(48 * 640)):
            await client.send("session.input_audio_buffer.append", audio=base64.b64encode(sound).decode())
        await client.send("session.close")
        events = await client.until("session.closed")
        assert await client.closed() == (1000, "")
    words = [event["delta"] for event in events if event["type"] == "session.output_transcript.delta"]
    assert "".join(words) == "GOOD MORNING "
    assert sum(event["type"] == "session.output_audio.delta" for event in events) == 2
    assert engines.tts.spoken == [("GOOD MORNING", "marin", 1.0, "es")]


async def test_the_language_that_is_spoken_is_repeated(engines, connect):
    engines.stt.says = "good morning"
    path = "/realtime/translations?model=gpt-realtime-translate"
    async with embedded(engines=engines) as url, connect(url, path=path) as client:
        await client.send("session.update", session={"audio": {"output": {"language": "en"}}})
        assert (await client.event())["type"] == "session.updated"
        for sound in (b"\1\1" * 24 * 320, bytes(48 * 640)):
            await client.send("session.input_audio_buffer.append", audio=base64.b64encode(sound).decode())
        await client.send("session.close")
        await client.until("session.closed")
    assert engines.tts.spoken == [("good morning", "marin", 1.0, "en")]


def test_sound_that_is_none():
    talk = Talk()
    (error,) = talk.send("session.input_audio_buffer.append", audio="", event_id="mine")
    assert error["error"]["message"].endswith("but got empty bytes.")
    assert error["error"]["event_id"] == "mine"
    (error,) = talk.send("session.input_audio_buffer.append", audio="%")
    assert error["error"]["message"].endswith("but got an invalid value.")
    assert talk.hear(0.0) == []
