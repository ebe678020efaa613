from datetime import date

import pytest

from rtchat import catalog
from rtchat.catalog import (
    DEFAULT_MODEL,
    DEFAULT_TRANSCRIPTION_MODEL,
    DEFAULT_TRANSLATION_MODEL,
    DEFAULT_VOICE,
    MODELS,
    VOICES,
    check_target,
    check_voice,
    cost_usd,
    deprecation,
    find_model,
    language_code,
    language_name,
    model_hint,
)
from rtchat.errors import UsageError

TODAY = date(2026, 11, 20)


def test_the_defaults_are_known_and_do_not_end():
    assert MODELS[DEFAULT_MODEL].kind == "conversation"
    assert MODELS[DEFAULT_TRANSLATION_MODEL].kind == "translation"
    assert MODELS[DEFAULT_TRANSCRIPTION_MODEL].kind == "transcription"
    assert DEFAULT_VOICE in VOICES
    assert len(VOICES) == 10
    assert deprecation(DEFAULT_MODEL, TODAY) is None


def test_a_model_that_ends_names_one_that_does_not():
    for model in MODELS.values():
        if model.shutdown is not None:
            assert MODELS[model.successor].shutdown is None


def test_deprecation_before_and_after():
    assert deprecation("gpt-realtime", date(2027, 1, 19)) == (
        "The model gpt-realtime will be shut down on 2027-01-20; use gpt-realtime-2.1 instead."
    )
    assert deprecation("gpt-realtime", date(2027, 1, 20)) == (
        "The model gpt-realtime was shut down on 2027-01-20; use gpt-realtime-2.1 instead."
    )
    assert deprecation("my-deployment", TODAY) is None


def test_a_dated_snapshot_counts_as_its_model():
    assert find_model("gpt-realtime-2.1-2026-12-24") is MODELS["gpt-realtime-2.1"]
    assert find_model("nothing-2026-12-24") is None


def test_cost_of_the_usage_of_a_real_answer():
    usage = {
        "total_tokens": 254,
        "input_tokens": 140,
        "output_tokens": 114,
        "input_token_details": {
            "text_tokens": 89,
            "audio_tokens": 51,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 54, "audio_tokens": 60, "reasoning_tokens": 27},
    }
    by_hand = (89 * 4 + 51 * 32 + 54 * 24 + 60 * 64) / 1e6
    assert cost_usd("gpt-realtime-2.1", usage) == pytest.approx(by_hand)
    assert cost_usd("gpt-realtime-2.1-mini", usage) < cost_usd("gpt-realtime-2.1", usage)


def test_cached_tokens_are_priced_as_cached():
    usage = {
        "input_token_details": {
            "text_tokens": 200,
            "audio_tokens": 100,
            "cached_tokens": 192,
            "cached_tokens_details": {"text_tokens": 128, "audio_tokens": 64},
        }
    }
    by_hand = (72 * 4 + 128 * 0.4 + 36 * 32 + 64 * 0.4) / 1e6
    assert cost_usd("gpt-realtime-2.1", usage) == pytest.approx(by_hand)


def test_a_bare_total_of_cached_tokens_is_spent_on_text_first():
    usage = {"input_token_details": {"text_tokens": 100, "audio_tokens": 100, "cached_tokens": 128}}
    by_hand = (100 * 0.4 + 28 * 0.4 + 72 * 32) / 1e6
    assert cost_usd("gpt-realtime-2.1", usage) == pytest.approx(by_hand)


def test_usage_without_details_counts_as_text():
    assert cost_usd("gpt-realtime-2.1", {"input_tokens": 10, "output_tokens": 5}) == pytest.approx(160e-6)


def test_models_paid_by_the_minute():
    assert cost_usd("gpt-realtime-translate", {"seconds": 90}) == pytest.approx(0.051)
    assert cost_usd("gpt-realtime-whisper", {"type": "duration", "seconds": 3}) == pytest.approx(0.017 / 20)


def test_cost_of_a_transcription_in_tokens():
    usage = {
        "type": "tokens",
        "total_tokens": 35,
        "input_tokens": 26,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 26},
        "output_tokens": 9,
    }
    assert cost_usd("gpt-4o-mini-transcribe", usage) == pytest.approx((26 * 3 + 9 * 5) / 1e6)


@pytest.mark.parametrize("usage", [None, {}, {"input_token_details": None, "output_token_details": None}])
def test_no_usage_costs_nothing(usage):
    assert cost_usd("gpt-realtime-2.1", usage) == 0.0


def test_an_unknown_model_costs_nothing():
    assert cost_usd("local", {"input_tokens": 1_000_000}) == 0.0


def test_voices_in_any_case_and_custom_ones():
    assert check_voice("Cedar") == "cedar"
    assert check_voice("voice_abc123") == "voice_abc123"


def test_an_unknown_voice_lists_the_voices():
    with pytest.raises(UsageError) as caught:
        check_voice("marvin")
    assert caught.value.message == "There is no voice 'marvin'."
    assert caught.value.hint.startswith("Did you mean marin? The voices are marin, cedar, alloy")
    with pytest.raises(UsageError) as caught:
        check_voice("xyzzy")
    assert caught.value.hint.startswith("The voices are marin")


def test_languages_by_code_and_by_name():
    assert language_code("Spanish") == "es"
    assert language_code("pt-BR") == "pt"
    assert language_code("ca") == language_code("Catalan") == "ca"
    assert language_code("norwegian bokmål") == "nb"
    assert language_code("tlh") == "tlh"
    assert language_code("no such language") is None
    assert (language_name("es"), language_name("pt-BR"), language_name("Klingon")) == (
        "Spanish",
        "Portuguese",
        "Klingon",
    )


def test_a_language_that_is_not_spoken_lists_those_that_are():
    assert check_target("German") == "de"
    with pytest.raises(UsageError) as caught:
        check_target("tlh")
    assert "does not speak 'tlh'" in caught.value.message
    assert "es (Spanish)" in caught.value.hint
    assert len(catalog.TRANSLATION_TARGETS) == 13
    assert all(len(code) in (2, 3) and name.istitle() for code, name in catalog.LANGUAGES.items())


def test_model_hint_names_the_nearest_and_the_list():
    assert model_hint("gpt-realtime-21") == "Did you mean gpt-realtime-2.1? See all with: rtchat models"
