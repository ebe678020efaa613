import pytest

from rtchat.server.dialogue.checks import Rejected
from rtchat.server.models import check_model, check_translation_model


@pytest.mark.parametrize("model", ["rtchat-assistant", "apertium:en-es", "gpt-realtime-2.1-mini"])
def test_models_that_are_served(model):
    assert check_model(model) == model


@pytest.mark.parametrize("model", ["gpt-4", "gpt-realtime-translate", "whisper-1", "apertium:", "apertium:en"])
def test_models_that_hold_no_conversation(model):
    with pytest.raises(Rejected, match=model):
        check_model(model)


@pytest.mark.parametrize("model", ["", "apertium:en-es", "gpt-realtime-translate"])
def test_models_that_translate(model):
    assert check_translation_model(model) == (model or "gpt-realtime-translate")


def test_a_model_that_does_not_translate():
    with pytest.raises(Rejected, match="translation mode"):
        check_translation_model("gpt-realtime-2.1")
