"""A session as a picture: the live view, drawn once, as SVG (for the README)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rtchat.conversation.notices import Notice, SessionStarted
from rtchat.display.rows import conversation_rows, header_row, meter_steps, status_rows
from rtchat.display.transcript import Told, Transcript

_FONT_FACE = re.compile(r"@font-face \{.*?\}", re.DOTALL)
_INDENTED = re.compile(r'x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)"([^>]*)>((?:&#160;)+)')
_COLUMN = 12.2
"""Width of a column in the units of Rich's SVG."""


def export_svg(
    path: Path,
    notices: Iterable[tuple[float, Notice | Told]],
    *,
    width: int = 88,
    title: str = "rtchat interactive",
    levels_dbfs: tuple[float | None, float | None] = (-62.0, -18.0),
) -> None:
    """Write the view that the live display has after `notices`.

    Args:
        path: The SVG file.
        notices: Each with seconds since the session started, as a display was told them.
        width: Columns.
        title: The window's title.
        levels_dbfs: Microphone and loudspeaker, for the meters.
    """
    transcript = Transcript()
    last = 0.0
    for t, notice in notices:
        last = t
        transcript.fold(notice)
        if isinstance(notice, SessionStarted):
            transcript.fold(Told(header_row(transcript.status)))
    console = Console(file=io.StringIO(), record=True, width=width, force_terminal=True, color_system="truecolor")
    rows = conversation_rows(console, transcript, transcript.lines, width - 1, first=True)
    microphone, loudspeaker = levels_dbfs
    levels = (meter_steps(microphone), meter_steps(loudspeaker))
    for row in [*rows, Text(), *status_rows(transcript.status, levels, last, width - 1, rows=2)]:
        console.print(row, soft_wrap=True, highlight=False)
    # Rich's format loads a font from the network; a picture in a page must not.
    svg = _FONT_FACE.sub("", console.export_svg(title=title))
    path.write_text(_INDENTED.sub(_moved, svg), encoding="utf-8")


def _moved(match: re.Match[str]) -> str:
    """A text that starts with spaces, moved right instead: some renderers drop the spaces."""
    x, y, length, rest, spaces = match.groups()
    shift = spaces.count("&#160;") * _COLUMN
    return f'x="{float(x) + shift:.1f}"{y} textLength="{float(length) - shift:.1f}"{rest}>'
