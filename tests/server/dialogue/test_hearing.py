"""Words may be found in the silence that ends the turn."""

import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.turns import PAUSE_WINDOWS

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
