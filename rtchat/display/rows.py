"""What the live view looks like: lines and status as rows of Rich text.

Nothing that was said is parsed as Rich markup, and no row is wider than asked. Colours are the terminal's own
sixteen, and nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from rtchat.conversation.notices import AssistantSaid, ErrorTold, ToolCalled, UserSaid
from rtchat.display.bindings import Talk, help_lines
from rtchat.display.listening import Listening, listening
from rtchat.display.transcript import Line, Status, Told, Transcript
from rtchat.display.words import (
    clock,
    count,
    dollars,
    echo_text,
    seconds,
    session_summary,
    short,
    tool_result,
    underruns_text,
)

WIDE = 56
"""From this many columns on, labels are written out."""
LABEL_COLUMNS = 11
METER_FLOOR_DBFS = -60.0
"""The level at which a meter shows its first step."""

STATES = {
    "connecting": ("◌", "yellow"),
    "listening": ("●", "green"),
    "hearing": ("●", "cyan"),
    "thinking": ("◐", "yellow"),
    "speaking": ("●", "magenta"),
    "muted": ("○", "red"),
    "push to talk": ("○", "green"),
    "no microphone": ("○", "red"),
    "reconnecting": ("◌", "yellow"),
    "closed": ("○", "dim"),
}

Ranked = tuple[int, Text]
"""A field of the status line; the higher the rank, the sooner it is left out."""


def line_rows(console: Console, transcript: Transcript, line: Line, width: int) -> list[Text]:
    """One line of the conversation, wrapped to `width` columns, its label in a column of its own."""
    wide = width >= WIDE
    match line:
        case UserSaid():
            label = Text("you" if wide else "›", "bold cyan")
            empty = "(no words recognised)" if line.final else "…"
            body = Text(line.text.strip()) if line.text.strip() else Text(empty, "dim")
        case AssistantSaid():
            label = Text("assistant" if wide else "●", "bold magenta")
            body = _answer(transcript, line)
        case ToolCalled():
            label = Text("tool" if wide else "⚙", "yellow")
            body = _tool(line)
        case ErrorTold():
            label = Text("error" if wide else "!", "bold red")
            body = Text.assemble((line.message, "red"), f"\n{line.hint}" if line.hint else "")
        case Told():
            label, body = Text(), Text(line.text, "dim")
            return _wrap(console, body, width)
    indent = LABEL_COLUMNS if wide else 2
    rows = _wrap(console, body, width - indent)
    return [_labelled(label if index == 0 else Text(), row, indent) for index, row in enumerate(rows)]


def conversation_rows(
    console: Console, transcript: Transcript, lines: Iterable[Line], width: int, *, first: bool
) -> list[Text]:
    """Several lines, with an empty row before each turn of the user; `first` when nothing was printed before."""
    rows: list[Text] = []
    for line in lines:
        if isinstance(line, UserSaid) and (rows or not first):
            rows.append(Text())
        rows += line_rows(console, transcript, line, width)
    return rows


def header_row(status: Status) -> str:
    """What answers: `rtchat interactive · gpt-realtime-2.1 · marin · api.openai.com`."""
    return " · ".join(part for part in (f"rtchat {status.mode}", status.model, status.voice, status.server) if part)


def status_rows(
    status: Status, levels: tuple[int | None, int | None], t: float, width: int, rows: int
) -> list[Text]:
    """The status line: at most `rows` rows; what matters least is left out where there is no room.

    Args:
        status: What to say.
        levels: Microphone and loudspeaker in half cells of the widest meter (`meter_steps`); None: no device.
        t: Seconds since the session started.
        width: Columns.
        rows: Rows that may be used.
    """
    heard = listening(status)
    glyph, colour = STATES.get(heard.word, ("○", "dim"))
    cells = 8 if width >= 72 else 4
    microphone, loudspeaker = levels
    word = f"{heard.word:<12}" if levels != (None, None) else heard.word
    state: list[Ranked] = [(0, Text(f"{glyph} {word}", f"bold {colour}"))]
    if microphone is not None:
        state.append((1, Text.assemble(("mic ", "dim"), _microphone(heard, microphone, cells))))
    if loudspeaker is not None:
        state.append((1, Text.assemble(("out ", "dim"), _meter(loudspeaker, cells))))
    if heard.hint and (microphone is not None or not status.microphone):
        state.append((2, Text(heard.hint)))
    hears_all_along = microphone is not None and status.talk in (None, Talk.OPEN)
    facts = [
        (5, echo_text(status.echo, status.erle_db) if hears_all_along else ""),
        (3, f"{status.latency_ms} ms" if status.latency_ms is not None else ""),
        (7, f"{count(status.tokens)} tokens" if status.tokens else ""),
        (6, dollars(status.cost_usd) if status.cost_usd else ""),
        (4, clock(t)),
        (9, underruns_text(status.underruns)),
        (8, "? keys"),
    ]
    details = [(rank, Text(text, "dim")) for rank, text in facts if text]
    if rows == 1 or width < 20 or sum(text.cell_len + 3 for _, text in [*state, *details]) <= width:
        return [_fit([*state, *details], width)]
    return [_fit(state, width), Text("  ").append_text(_fit(details, width - 2))]


def meter_steps(dbfs: float | None, steps: int = 16) -> int | None:
    """A level as a number of steps, 0 at `METER_FLOOR_DBFS` and below, `steps` at full scale."""
    if dbfs is None:
        return None
    return max(0, min(steps, round((1 - dbfs / METER_FLOOR_DBFS) * steps)))


def help_rows(console: Console, width: int, playback: str, talk: Talk | None = None) -> list[Text]:
    """The keys and what they do, and how the loudspeaker is supplied."""
    keys = help_lines(talk or Talk.OPEN)
    column = max(len(shown) for shown, _ in keys) + 2
    rows: list[Text] = []
    for shown, does in keys:
        if width < WIDE:
            rows += _wrap(console, Text(f"{shown} ", "bold").append(does, "dim"), width)
            continue
        wrapped = _wrap(console, Text(does, "dim"), width - column)
        rows += [
            _labelled(Text(shown if index == 0 else "", "bold"), row, column) for index, row in enumerate(wrapped)
        ]
    return [*rows, *_wrap(console, Text(playback, "dim"), width)]


def typing_row(text: str, cursor: int, width: int) -> Text:
    """The line being typed, scrolled so that the cursor is in sight."""
    room = max(4, width - 4)
    start = max(0, cursor - room + 1)
    row = Text("› ", "bold cyan").append(text[start:cursor])
    row.append(text[cursor : cursor + 1] or " ", "reverse")
    row.append(text[cursor + 1 : start + room])
    row.truncate(width)
    return row


def end_row(status: Status, t: float) -> str:
    """The last row of a session."""
    return f"{session_summary(status)}, {clock(t)}"


def _answer(transcript: Transcript, line: AssistantSaid) -> Text:
    """Heard text plainly; text still to be heard dim; text that never was heard struck through."""
    unheard = transcript.unheard(line)
    never = transcript.never_heard(line)
    if not line.text.strip():
        return Text({"in_progress": "…", "completed": ""}.get(line.status, f"({line.status})"), "dim")
    if line.final and not never:
        return Text(line.text.strip())
    body = Text(line.text[: len(line.text) - len(unheard)])
    body.append(unheard, "dim strike" if never else "dim")
    body.rstrip()
    if never:
        body.append(f"  ({line.status} after {seconds(line.heard_ms)})", "dim italic")
    return body


def _tool(tool: ToolCalled) -> Text:
    body = Text(tool.name, "yellow").append(f" {short(tool.arguments)} ", "dim")
    return body.append(tool_result(tool), "dim" if tool.status in ("ok", "running") else "red")


def _microphone(heard: Listening, level: int, cells: int) -> Text:
    """The meter, or the word for a microphone that nobody listens to, as wide."""
    match heard.microphone:
        case "open":
            return _meter(level, cells)
        case "muted":
            return Text("MUTED"[:cells], "bold red reverse").append(" " * max(0, cells - 5))
        case "shut":
            return Text(f"{'off':<{cells}}", "dim")


def _meter(level: int, cells: int) -> Text:
    """`━━━╾────`: heavy is loud, so that it reads without colour; red in the top eighth."""
    level = round(level * cells / 8)
    heavy, half = divmod(level, 2)
    bar = Text("━" * heavy + "╾" * half, "red" if level > cells * 2 * 7 / 8 else "green")
    return bar.append("─" * (cells - heavy - half), "dim")


def _fit(fields: list[Ranked], width: int) -> Text:
    """The fields in order on one row; those of the highest rank are left out until it fits."""
    fields = list(fields)
    while True:
        row = Text()
        for rank, text in fields:
            if row:
                row.append("  " if rank <= 1 else " · ", "dim")
            row.append_text(text)
        if row.cell_len <= width or len(fields) == 1:
            row.truncate(width)
            return row
        fields.remove(max(fields, key=lambda field: field[0]))


def _labelled(label: Text, row: Text, columns: int) -> Text:
    return Text.assemble(label, " " * (columns - label.cell_len), row)


def _wrap(console: Console, text: Text, width: int) -> list[Text]:
    rows = list(text.wrap(console, max(1, width), overflow="fold"))
    for row in rows:
        row.rstrip()
    return rows or [Text()]
