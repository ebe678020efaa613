import pytest

from rtchat.protocol.config import RetentionRatio, TokenLimits
from rtchat.server.dialogue.window import SMALL_WINDOW, TooLong, input_limit, kept


def first(sizes, truncation="auto", fixed=0, model="gpt-realtime"):
    return kept(sizes, lambda size: size, fixed=fixed, truncation=truncation, model=model)


def test_limits_of_the_models():
    assert input_limit("gpt-realtime") == SMALL_WINDOW == 28_224  # as the documentation says
    assert input_limit("rtchat-assistant") == SMALL_WINDOW
    assert input_limit("gpt-realtime-2.1") == 96_000


@pytest.mark.parametrize("truncation", ["auto", "disabled", None, RetentionRatio(retention_ratio=0.5)])
def test_what_fits_stays(truncation):
    assert first([14_000, 14_224], truncation) == 0
    assert first([], truncation, fixed=50_000) == 0


def test_the_oldest_go_until_the_rest_fits():
    assert first([10_000] * 4) == 2
    assert first([10_000] * 4, None) == 2
    assert first([10_000] * 2, fixed=10_000) == 1


def test_the_last_always_stays():
    assert first([1, 50_000]) == 1
    assert first([1, 1], fixed=50_000) == 1


def test_a_retention_ratio_drops_more_at_once():
    assert first([1000] * 29, RetentionRatio(retention_ratio=0.5)) == 15  # 14 of 28,224 are left


def test_a_limit_of_ones_own():
    limits = TokenLimits(post_instructions=500)
    truncation = RetentionRatio(retention_ratio=0.8, token_limits=limits)
    assert first([100] * 5, truncation, fixed=20_000) == 0  # instructions do not count
    assert first([100] * 6, truncation) == 2


def test_disabled_is_an_error():
    with pytest.raises(TooLong):
        first([20_000] * 2, "disabled")
