"""Everything that can go wrong, as one tree.

::

    RtchatError                 exit code 1: it failed
    ├── UsageError              2: wrong usage, settings, file or profile
    │   └── ProfileError           a profile that cannot be used; says file and line
    ├── LinkError               3: could not connect, or lost for good
    │   ├── ConnectFailed          nobody answered at that address
    │   └── ConnectionLost         the server closed, vanished or stopped talking
    ├── Refused                 4: the server said no (key, model, quota)
    ├── DeviceError             5: no usable sound device
    ├── WireError               a frame that is not an event (told and survived)
    ├── ServerReported          an `error` event of the server
    ├── ToolError               a tool that cannot be loaded or called
    └── EngineError             a speech detector, recogniser, voice or model on this machine that cannot work

Each error is one sentence that a user can read, with a `hint` that says what to do next. A library's
exceptions become one of these in the module that imports the library, and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a mistyped name: the nearest known one, or all of them.

    Args:
        word: What was given.
        known: What would have been right.

    Returns:
        `Did you mean marin?`, or `Known: alloy, ash, …` when nothing is near; empty when nothing is known.
    """
    from difflib import get_close_matches  # 5 ms, and needed only when something went wrong

    names = sorted(known)
    near = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Known: {', '.join(names)}." if names else ""


class RtchatError(Exception):
    """Base of the tree.

    Args:
        message: One sentence, without a final newline: what is wrong.
        hint: One sentence: what to do next. Empty only where nothing can be done.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(RtchatError):
    """Wrong flags, settings or input files."""

    exit_code = 2


class ProfileError(UsageError):
    """A profile that cannot be used.

    Args:
        message: What is wrong.
        path: The profile's file.
        line: 1-based line of the mistake, where it is known.
        hint: What to do next.
    """

    def __init__(self, message: str, *, path: str, line: int | None = None, hint: str = "") -> None:
        where = f"{path}:{line}" if line is not None else path
        super().__init__(f"{where}: {message}", hint=hint)
        self.path = path
        self.line = line


class LinkError(RtchatError):
    """The connection could not be made, or is lost for good."""

    exit_code = 3


class ConnectFailed(LinkError):
    """Nobody answered, or what answered does not speak WebSocket, or never says a word."""


class ConnectionLost(LinkError):
    """An open connection ended without being asked to.

    Args:
        message: What happened.
        close_code: The WebSocket close code (RFC 6455 section 7.4), None when there was no close frame.
        hint: What to do next.
        temporary: Dialling again may well help: the network failed, or the server restarts.
    """

    def __init__(
        self, message: str, *, close_code: int | None = None, hint: str = "", temporary: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.close_code = close_code
        self.temporary = temporary


class Refused(RtchatError):
    """The server said no: key, model, quota, or the shape of the API.

    Args:
        message: The server's own sentence.
        code: The API's `error.code`, for example `invalid_api_key`; None where it gave none.
        hint: What to do next.
    """

    exit_code = 4

    def __init__(self, message: str, *, code: str | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code


class DeviceError(RtchatError):
    """No usable sound device."""

    exit_code = 5


class WireError(RtchatError):
    """A frame that is not an event: not JSON, no `type`, or a known type with wrong fields.

    Args:
        message: What is wrong with it.
        frame: The start of the frame, for the log.
    """

    def __init__(self, message: str, *, frame: str = "") -> None:
        super().__init__(message)
        self.frame = frame


class ServerReported(RtchatError):
    """An `error` event of the server.

    Args:
        message: The server's own sentence.
        code: `error.code`.
        param: `error.param`, the field that it is about.
        event_id: The client event that caused it.
        hint: What to do next.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        event_id: str | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.param = param
        self.event_id = event_id


class ToolError(RtchatError):
    """A tool that cannot be loaded or called."""


class EngineError(RtchatError):
    """A speech detector, recogniser, voice or model on this machine that cannot work, for want of a package say."""
