"""What the server's errors mean for a conversation: nothing, a line for the user, or its end."""

from __future__ import annotations

from rtchat.conversation.notices import ErrorTold
from rtchat.conversation.signals import Effect, Refuse, Show
from rtchat.protocol.error_codes import Severity, severity
from rtchat.protocol.server_events import ErrorDetail, Response, StatusDetails, StatusError

UPDATE_ID = "event_rtchat_session"
"""Names our `session.update` in the server's error about it."""

_ALREADY_GONE = frozenset({"item_delete_invalid_item_id", "item_truncate_invalid_item_id"})
"""What was interrupted before it was in the conversation cannot be taken out of it, and need not be."""
_AGAIN = "Ask again."


def harmless(error: ErrorDetail) -> bool:
    """It only says that the server was faster."""
    return error.code in _ALREADY_GONE or severity(error) is Severity.HARMLESS


def refusal(error: ErrorDetail, *, connecting: bool) -> list[Effect]:
    """The end of the session, where the error means that.

    Until the session's settings are taken every error is about them, or about who asks. A rejected update is
    dropped whole, so that what follows would be another session than the one asked for.
    """
    if connecting or error.event_id == UPDATE_ID or severity(error).permanent:
        return [Refuse(error.code, error.message or "The server refused the session.")]
    return []


def told(error: ErrorDetail) -> list[Effect]:
    """An error that the conversation survives."""
    message = error.message or "The server reported an error without saying which."
    return [Show(ErrorTold(error.code, message, "The conversation goes on.", fatal=False))]


def failure(response: Response) -> list[Effect]:
    """What the user has to know of an answer that is not whole; nothing of one that was interrupted."""
    details = response.status_details or StatusDetails()
    if response.status == "failed":
        error = details.error or StatusError()
        message = error.message or "The server could not answer."
        if severity(ErrorDetail(type=error.type or "", code=error.code)).permanent:
            return [Refuse(error.code, message)]
        return [Show(ErrorTold(error.code, message, _AGAIN, fatal=False))]
    if response.status == "incomplete":
        reason = details.reason or "incomplete"
        return [Show(ErrorTold(reason, f"The answer was cut short ({reason}).", _AGAIN, fatal=False))]
    return []
