"""How serious an `error` event is, by its code.

The service says so nowhere; the table comes from recorded and measured refusals (docs/protocol.md). What is not in
it is temporary: it is told, and the session goes on, because the server closes the socket where it cannot.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtchat.protocol.server_events import ErrorDetail


class Severity(Enum):
    """What an error means for the session."""

    HARMLESS = "harmless"
    """A race that the API makes unavoidable; not worth telling."""
    TEMPORARY = "temporary"
    """Tell it; the session goes on."""
    EXPIRED = "expired"
    """This session is over; a new one works."""
    REFUSED = "refused"
    """Trying again does not help: key, model, money or permission."""

    @property
    def permanent(self) -> bool:
        """True when the session is over."""
        return self in (Severity.EXPIRED, Severity.REFUSED)


KEY_CODES = frozenset(
    {
        "invalid_api_key",
        "invalid_authentication",
        "authentication_error",
        "token_expired",
        "ephemeral_token_expired",
        "account_deactivated",
        "invalid_organization",
        "mismatched_organization",
        "mismatched_project",
    }
)
"""The key, or what it may do here."""

MODEL_CODES = frozenset({"invalid_model", "missing_model", "model_not_found", "DeploymentNotFound"})
"""The model, or the lack of one."""

QUOTA_CODES = frozenset({"insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached"})
"""Money."""

EXPIRED_CODES = frozenset({"session_expired"})
"""The session's 60 minutes are over."""

_HARMLESS = frozenset({"input_audio_buffer_commit_empty", "response_cancel_not_active"})
_OTHER_REFUSALS = frozenset(
    {"beta_api_shape_disabled", "permission_denied", "unsupported_country_region_territory", "call_id_not_found"}
)
_REFUSALS = KEY_CODES | MODEL_CODES | QUOTA_CODES | _OTHER_REFUSALS


def severity(error: ErrorDetail) -> Severity:
    """How serious `error` is: by its code, and by its type where the code is missing or says nothing."""
    for name in (error.code, error.type):
        if name in _HARMLESS:
            return Severity.HARMLESS
        if name in EXPIRED_CODES:
            return Severity.EXPIRED
        if name in _REFUSALS:
            return Severity.REFUSED
    return Severity.TEMPORARY
