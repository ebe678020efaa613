import pytest

from rtchat.protocol.error_codes import Severity, severity
from rtchat.protocol.server_events import ErrorDetail


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("input_audio_buffer_commit_empty", Severity.HARMLESS),
        ("response_cancel_not_active", Severity.HARMLESS),
        ("conversation_already_has_active_response", Severity.TEMPORARY),
        ("rate_limit_exceeded", Severity.TEMPORARY),
        ("inference_rate_limit_exceeded", Severity.TEMPORARY),
        ("invalid_value", Severity.TEMPORARY),
        ("something_new", Severity.TEMPORARY),
        (None, Severity.TEMPORARY),
        ("session_expired", Severity.EXPIRED),
        ("invalid_api_key", Severity.REFUSED),
        ("invalid_model", Severity.REFUSED),
        ("missing_model", Severity.REFUSED),
        ("insufficient_quota", Severity.REFUSED),
        ("credit_balance_exhausted", Severity.REFUSED),
        ("beta_api_shape_disabled", Severity.REFUSED),
    ],
)
def test_severity(code: str | None, level: Severity):
    assert severity(ErrorDetail(code=code)) is level
    assert level.permanent == (level in (Severity.EXPIRED, Severity.REFUSED))


def test_the_type_counts_where_the_code_says_nothing():
    assert severity(ErrorDetail(type="insufficient_quota")) is Severity.REFUSED
    assert severity(ErrorDetail(type="authentication_error", code="odd")) is Severity.REFUSED
