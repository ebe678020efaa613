import pytest

from rtchat.server.limits import minutes


@pytest.mark.parametrize(
    ("seconds", "told"), [(3600, "60 minutes"), (60, "1 minute"), (90, "1.5 minutes"), (1, "0.0167 minutes")]
)
def test_a_session_s_length_as_the_api_says_it(seconds, told):
    assert minutes(seconds) == told
