"""How things are worded for a person, the same in every display. Pure."""

from __future__ import annotations

from rtchat.conversation.notices import ErrorTold, ToolCalled
from rtchat.display.transcript import Status

MAX_VALUE = 300
"""Characters of a tool's arguments or result that are shown."""


def short(text: str, limit: int = MAX_VALUE) -> str:
    """`text` on one line, at most `limit` characters, cut with an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def seconds(ms: int) -> str:
    """Milliseconds as seconds with one digit: `1.2 s`."""
    return f"{ms / 1000:.1f} s"


def clock(t: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, second = divmod(max(0, int(t)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def count(number: int) -> str:
    """A count that stays short: `840`, `12.3k`."""
    return str(number) if number < 1000 else f"{number / 1000:.1f}k"


def dollars(cost: float) -> str:
    """Dollars, with two digits that matter also below ten cents: `$0.42`, `$0.042`, `$0.0042`."""
    digits = 2 if cost >= 0.1 else 3 if cost >= 0.01 else 4
    return f"${cost:.{digits}f}"


def echo_text(echo: str, erle_db: float | None = None) -> str:
    """How the microphone is kept from hearing the assistant, and whether one may speak meanwhile."""
    if echo == "aec":
        return "AEC · full duplex" if erle_db is None else f"AEC {max(0, round(erle_db))} dB · full duplex"
    return {
        "half-duplex": "half duplex",
        "off": "echo off · full duplex",
        "none": "no echo · full duplex",
    }.get(echo, "")


def underruns_text(underruns: int) -> str:
    """How often the assistant's voice had a gap, because its sound came too late; empty for never."""
    return f"{underruns} underrun{'' if underruns == 1 else 's'}" if underruns else ""


def playback_text(buffered_ms: int, underruns: int) -> str:
    """How much of the assistant's voice waits in the loudspeaker's buffer, and how often it ran dry."""
    return f"{buffered_ms} ms of the voice buffered, {underruns_text(underruns) or 'no underruns'}"


def tool_call(tool: ToolCalled) -> str:
    """`get_weather {"city": "Paris"}`."""
    return f"{tool.name} {short(tool.arguments)}".rstrip()


def tool_result(tool: ToolCalled) -> str:
    """`→ {"celsius": 14} (212 ms)`, or how it failed."""
    match tool.status:
        case "running":
            return "…"
        case "ok":
            return f"→ {short(tool.output)} ({tool.ms} ms)"
        case status:
            return f"→ {f'{status}: {short(tool.output)}'.rstrip(': ')} ({tool.ms} ms)"


def error_text(error: ErrorTold) -> str:
    """What is wrong and what to do next: `error: … …`."""
    return f"error: {error.message} {error.hint}".rstrip()


def session_summary(status: Status) -> str:
    """Why it ended and what it took."""
    parts = [f"ended: {status.reason}" if status.reason else "ended"]
    parts.append(f"{status.turns} turn{'' if status.turns == 1 else 's'}")
    parts += [f"{count(status.tokens)} tokens"] if status.tokens else []
    parts += [dollars(status.cost_usd)] if status.cost_usd else []
    parts += [underruns_text(status.underruns)] if status.underruns else []
    return ", ".join(parts)
