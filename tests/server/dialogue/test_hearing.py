"""Words may be found in the silence that ends the turn."""

import base64

import numpy as np
import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.turns import PAUSE_WINDOWS
from rtchat.server.engines.base import Partial

MS = 48  # bytes of a millisecond
KIND = "conversation.item.input_audio_transcription"


@pytest.fixture
def pause(talk, of_type):
    """Speech, and a pause; gives the recognition that runs ahead."""
    talk.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    talk.hear(*[0.9] * 10)

    def pausing():
        return of_type(talk.hear(*[0.0] * PAUSE_WINDOWS), sig.Transcribe)

    return pausing


def test_words_found_before_the_turn_is_over_are_there_at_once(talk, pause, names, of_type):
    ahead = pause()
    assert talk.tell(sig.Recognised(ahead.key, "stop")) == []
    events = talk.hear(*[0.0] * (16 - PAUSE_WINDOWS))
    assert names(events)[-4:] == [f"{KIND}.delta", f"{KIND}.completed", "response.created", "Think"]
    assert of_type(events, f"{KIND}.completed")["item_id"] == events[0]["item_id"]


def test_words_found_after_the_turn_is_over(talk, pause, names):
    ahead = pause()
    assert names(talk.hear(*[0.0] * (16 - PAUSE_WINDOWS)))[-1] == "response.created"
    assert names(talk.tell(sig.Recognised(ahead.key, "stop"))) == [f"{KIND}.delta", f"{KIND}.completed", "Think"]
    assert talk.tell(sig.Recognised(ahead.key, "stop")) == []  # nothing is kept of a turn whose words are known


@pytest.mark.parametrize("way", ["commit", "item", "beside"])
def test_more_sound_than_waits_for_its_words_is_refused_and_nothing_of_it_is_lost(talk, of_type, monkeypatch, way):
    monkeypatch.setattr("rtchat.server.dialogue.hearing.MAX_WAITING", 300 * MS)
    talk.update(audio={"input": {"turn_detection": None}})

    def asked():
        if way == "commit":
            return talk.send("input_audio_buffer.commit")
        sound = {"type": "input_audio", "audio": base64.b64encode(bytes(200 * MS)).decode()}
        item = {"type": "message", "role": "user", "content": [sound]}
        if way == "item":
            return talk.send("conversation.item.create", item=item)
        return talk.send("response.create", response={"conversation": "none", "input": [item]})

    talk.append(200)
    first = of_type(asked(), sig.Transcribe)
    talk.append(200)
    (refused,) = asked()
    assert refused["error"]["code"] == "input_audio_transcription_full"
    talk.tell(sig.Recognised(first.key, "hello"))
    assert len(of_type(asked(), sig.Transcribe).pcm) == 200 * MS


def test_a_detected_turn_beyond_that_has_no_words(talk, names, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.hearing.AHEAD_MAX_MS", 0)
    monkeypatch.setattr("rtchat.server.dialogue.hearing.MAX_WAITING", 1000 * MS)
    detection = {"type": "server_vad", "create_response": False}
    talk.update(audio={"input": {"transcription": {"model": "whisper-1"}, "turn_detection": detection}})
    assert names(talk.speak())[-1] == "Transcribe"
    assert names(talk.speak())[-2:] == ["Abandon", f"{KIND}.failed"]


def test_sound_of_a_response_that_is_over_is_not_recognised_any_more(talk, of_type):
    sound = {"type": "input_audio", "audio": base64.b64encode(bytes(200 * MS)).decode()}
    item = {"type": "message", "role": "user", "content": [sound]}
    first = of_type(talk.send("response.create", response={"input": [item]}), sig.Transcribe)
    beside = {"conversation": "none", "input": [item]}
    other = of_type(talk.send("response.create", response=beside), sig.Transcribe)
    assert of_type(talk.send("response.cancel"), sig.Abandon).key == first.key
    assert of_type(talk.tell(sig.Recognised(other.key, "hello")), sig.Think)


def test_the_user_goes_on(talk, pause):
    ahead = pause()
    assert talk.hear(0.9) == [sig.Abandon(ahead.key)]
    assert talk.tell(sig.Recognised(ahead.key, "stop")) == []
    again = pause()
    assert len(again.pcm) > len(ahead.pcm)
    talk.tell(sig.Recognised(again.key, "stop it"))
    think = talk.hear(*[0.0] * (16 - PAUSE_WINDOWS))[-1]
    assert [message.text for message in think.prompt.messages] == ["stop it"]


def test_a_failure_ahead_is_tried_again_with_the_whole_turn(talk, pause, of_type):
    talk.tell(sig.NotRecognised(pause().key, "It broke."))
    events = talk.hear(*[0.0] * (16 - PAUSE_WINDOWS))
    item = of_type(events, "input_audio_buffer.committed")["item_id"]
    assert of_type(events, sig.Transcribe).key == item
    assert (
        of_type(talk.tell(sig.NotRecognised(item, "It broke.")), "response.done")["response"]["status"] == "failed"
    )


def test_long_speech_is_heard_once_when_it_is_over(talk, names, of_type):
    talk.hear(*[0.9] * 260)
    assert talk.hear(*[0.0] * (16 - 1)) == []
    events = talk.hear(0.0)
    assert of_type(events, sig.Transcribe).key == of_type(events, "input_audio_buffer.committed")["item_id"]


@pytest.mark.parametrize("kind", ["commit", "clear"])
def test_the_client_decides_otherwise(talk, pause, of_type, kind):
    ahead = pause()
    assert of_type(talk.send(f"input_audio_buffer.{kind}"), sig.Abandon).key == ahead.key
    assert talk.tell(sig.Recognised(ahead.key, "stop")) == []


def test_log_probabilities_may_be_asked_for_and_are_left_out(talk, pause, of_type):
    asked = ["item.input_audio_transcription.logprobs"]
    (updated,) = talk.update(include=asked)
    assert updated["session"]["include"] == asked
    talk.tell(sig.Recognised(pause().key, "stop"))
    events = talk.hear(*[0.0] * (16 - PAUSE_WINDOWS))
    for kind in ("delta", "completed"):
        assert "logprobs" not in of_type(events, f"{KIND}.{kind}")


# --- a recogniser that listens while the user speaks -----------------------------------------------------------


@pytest.fixture
def listened(new_talk):
    """A conversation whose recogniser listens, and the sound that it was given, by turn."""

    class Listened(new_talk):
        def __init__(self, **options):
            self.given = {}
            super().__init__(listens=True, **options)

        def tell(self, told):
            effects = super().tell(told)
            for effect in effects:
                if isinstance(effect, sig.Listen):
                    assert (effect.prompt is None) is (effect.key in self.given or self.kind == "transcription")
                    self.given[effect.key] = self.given.get(effect.key, b"") + effect.pcm
                elif isinstance(effect, sig.Abandon):
                    self.given.pop(effect.key, None)
            return effects

        def so_far(self, text, ms=60_000, sure=None):
            (key,) = self.given
            return self.tell(sig.SoFar(key, Partial(text, ms, len(text) if sure is None else sure)))

        def transcription(self, model, **listening):
            kind = {"type": self.kind} if self.kind == "transcription" else {}
            return self.update(audio={"input": {"transcription": {"model": model}, **listening}}, **kind)

        def append_noise(self, ms, seed):
            noise = np.random.default_rng(seed).bytes(int(ms * 24) * 2)
            return self.send("input_audio_buffer.append", audio=base64.b64encode(noise).decode())

    def made(kind="realtime"):
        Listened.kind = kind
        return Listened(**({"kind": kind, "model": ""} if kind == "transcription" else {}))

    return made


def test_a_turn_is_listened_to_from_its_padding_to_its_end_and_no_further(listened, of_type, names):
    talk = listened()
    for seed in range(25):  # more than the detector has heard: the client is ahead of it
        talk.append_noise(64, seed)
    talk.tell(sig.Detected((0.0,) * 12))
    started = of_type(talk.tell(sig.Detected((0.9,) * 8)), "input_audio_buffer.speech_started")
    assert started["audio_start_ms"] == 12 * 32 - 300
    events = (
        talk.tell(sig.Detected((0.0,) * 3)) + talk.tell(sig.Detected((0.9,))) + talk.tell(sig.Detected((0.0,) * 16))
    )
    assert names(events)[:5] == ["Listen"] * 5  # no recognition ahead, and none to abandon
    asked = of_type(events, sig.Transcribe)
    assert asked.key == started["item_id"] == of_type(events, "input_audio_buffer.committed")["item_id"]
    assert talk.given == {asked.key: asked.pcm}
    assert len(asked.pcm) == (40 * 32 - started["audio_start_ms"]) * MS
    assert names(events).index("Transcribe") > max(n for n, name in enumerate(names(events)) if name == "Listen")
    assert not [event for event in talk.tell(sig.Detected((0.0,) * 9)) if isinstance(event, sig.Listen)]


def test_in_a_conversation_the_words_are_told_after_the_turn(listened, names):
    talk = listened()
    talk.transcription("gpt-4o-mini-transcribe")
    talk.hear(*[0.9] * 10)
    assert talk.so_far("What is the") == []
    talk.hear(*[0.0] * 16)
    assert talk.so_far("What is the time?") == []
    (item,) = talk.given
    events = talk.tell(sig.Recognised(item, "What is the time?"))
    assert names(events) == [*[f"{KIND}.delta"] * 4, f"{KIND}.completed", "Think"]


@pytest.mark.parametrize("model", ["gpt-realtime-whisper", "gpt-live-transcribe"])
def test_a_streaming_model_tells_what_is_sure_while_the_user_speaks(listened, of_type, names, model):
    talk = listened("transcription")
    talk.transcription(model, turn_detection=None)
    talk.append(200)
    (item,) = talk.given
    first = talk.so_far("What is the tie", sure=11)
    assert [(event["type"], event["delta"], event["item_id"]) for event in first] == [
        (f"{KIND}.delta", "What", item),
        (f"{KIND}.delta", " is", item),
        (f"{KIND}.delta", " the", item),
    ]
    talk.append(200)
    assert talk.so_far("What is the time in", sure=11) == []
    committed = talk.send("input_audio_buffer.commit")
    assert of_type(committed, "input_audio_buffer.committed")["item_id"] == item
    assert talk.given == {item: of_type(committed, sig.Transcribe).pcm}
    assert [event["delta"] for event in talk.so_far("What is the time in Paris?", sure=16)] == [" time"]
    told = talk.tell(sig.Recognised(item, "What is the time in Paris?"))
    assert [event.get("delta") for event in told] == [" in", " Paris?", None]
    assert told[-1]["transcript"] == "What is the time in Paris?"


def test_words_that_changed_although_they_were_sure_are_told_when_the_turn_is_complete(listened, names):
    talk = listened("transcription")
    talk.transcription("gpt-live-transcribe")
    talk.hear(*[0.9] * 10)
    assert names(talk.so_far("two")) == [f"{KIND}.delta"]
    assert talk.so_far("too") == []
    talk.hear(*[0.0] * 16)
    (item,) = talk.given
    assert names(talk.tell(sig.Recognised(item, "To"))) == [f"{KIND}.completed"]


def test_what_is_cleared_is_given_up(listened, of_type, names):
    talk = listened("transcription")
    talk.transcription("gpt-live-transcribe", turn_detection=None)
    talk.append(200)
    (cleared,) = talk.given
    talk.so_far("Wrong")
    assert names(talk.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared", "Abandon"]
    talk.append(300)
    (item,) = talk.given
    assert item != cleared
    asked = of_type(talk.send("input_audio_buffer.commit"), sig.Transcribe)
    assert (asked.key, len(asked.pcm)) == (item, 300 * MS)
    assert talk.given == {item: asked.pcm}
    assert [event["delta"] for event in talk.so_far("Right")] == ["Right"]


def test_a_turn_that_the_client_ends_is_heard_again_with_all_that_is_pending(listened, of_type, names):
    talk = listened()
    talk.transcription("gpt-realtime-whisper")
    talk.hear(*[0.0] * 20, *[0.9] * 10)
    (item,) = talk.given
    talk.so_far("hello")
    events = talk.send("input_audio_buffer.commit")
    assert names(events)[0] == "Abandon"
    asked = of_type(events, sig.Transcribe)
    assert (asked.key, len(asked.pcm), talk.given) == (item, 30 * 32 * MS, {})
    told = talk.tell(sig.Recognised(item, "hello there"))
    assert [event.get("delta") for event in told if isinstance(event, dict)][:2] == [" there", None]


def test_switching_turn_detection_gives_up_what_was_listened_to(listened, of_type):
    talk = listened()
    talk.hear(*[0.9] * 10)
    (item,) = talk.given
    off = talk.update(audio={"input": {"turn_detection": None}})
    assert of_type(off, sig.Abandon).key == item
    talk.append(100)
    assert {key: len(sound) for key, sound in talk.given.items()} == {item: (10 * 32 + 100) * MS}  # all pending
    on = talk.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})
    assert of_type(on, sig.Abandon).key == item


def test_words_told_of_a_turn_count_when_it_is_ended_by_another(listened, of_type):
    talk = listened()
    talk.transcription("gpt-live-transcribe", turn_detection=None)
    talk.append(200)
    (item,) = talk.given
    talk.so_far("hello")
    talk.transcription("gpt-live-transcribe", turn_detection={"type": "server_vad"})
    assert of_type(talk.send("input_audio_buffer.commit"), "input_audio_buffer.committed")["item_id"] == item
    told = talk.tell(sig.Recognised(item, "hello there"))
    assert [event["delta"] for event in told if event["type"] == f"{KIND}.delta"] == [" there"]


def test_words_without_sound_after_them_say_nothing_of_a_pause(listened, names):
    talk = listened()
    talk.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
    talk.hear(*[0.9] * 20)
    talk.so_far("set a timer for five minutes", ms=300)  # of 640 and the padding
    assert not {"input_audio_buffer.speech_stopped"} & set(names(talk.hear(*[0.0] * 20)))
    talk.so_far("set a timer for five minutes and", ms=700)
    assert not {"input_audio_buffer.speech_stopped"} & set(names(talk.hear(*[0.0] * 20)))
    talk.so_far("set a timer for five minutes and stop", ms=1500)
    assert "input_audio_buffer.speech_stopped" in names(talk.hear(0.0))


def test_what_could_not_be_listened_to_fails_its_turn_alone(listened, of_type, names):
    talk = listened()
    talk.transcription("gpt-live-transcribe")
    talk.hear(*[0.9] * 10)
    (item,) = talk.given
    talk.so_far("What")
    talk.hear(*[0.0] * 16)
    events = talk.tell(sig.NotRecognised(item, "It broke."))
    assert of_type(events, f"{KIND}.failed")["item_id"] == item
    assert of_type(events, "response.done")["response"]["status"] == "failed"
    talk.given.clear()
    assert "Listen" in names(talk.hear(*[0.9] * 10))


def test_words_of_an_item_that_was_deleted_are_not_told(listened, of_type):
    talk = listened("transcription")
    talk.transcription("gpt-live-transcribe", turn_detection=None)
    talk.append(200)
    (item,) = talk.given
    talk.send("input_audio_buffer.commit")
    assert of_type(talk.send("conversation.item.delete", item_id=item), sig.Abandon).key == item
    assert talk.tell(sig.SoFar(item, Partial("Gone", 60_000, 4))) == []
    assert talk.tell(sig.Recognised(item, "Gone")) == []
