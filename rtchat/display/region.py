"""Rows at the bottom of the terminal that change in place, below text that scrolls away as usual.

Rich's `Live` repaints everything on every refresh and leaves rubbish behind when the terminal gets narrower. This
writes only from the first row that changed, in one write, and knows how many rows the terminal made of the old
ones after it was resized. Rich still does the styling.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

_BEGIN = "\x1b[?2026h"  # synchronised output: terminals that know it show the whole change at once
_END = "\x1b[?2026l"
_CLEAR_BELOW = "\x1b[J"
_CLEAR_RIGHT = "\x1b[K"


class Region:
    """Rows that are drawn, drawn again and at last erased.

    Args:
        console: Styles the rows and knows the terminal's size.
        write: Writes to the terminal, and flushes.
        reflows: True when the terminal wraps old rows anew when it gets narrower (most do); found out when None.
    """

    def __init__(self, console: Console, write: Callable[[str], None], *, reflows: bool | None = None) -> None:
        self._console = console
        self._write = write
        self._reflows = terminal_reflows() if reflows is None else reflows
        self._rows: list[str] = []
        self._cells: list[int] = []
        self._size: tuple[int, int] = (0, 0)

    def draw(self, rows: Sequence[Text], above: Sequence[Text] = ()) -> None:
        """Make the region show `rows`, after printing `above` over it, where it scrolls away.

        Each row must be narrower than the terminal, and there must be fewer of them than it has rows. Writes
        nothing when nothing changed.
        """
        styled = self._styled([*above, *rows])
        printed, new = styled[: len(above)], styled[len(above) :]
        size = self._console.size
        if printed or size != self._size:
            output = self._to_top() + _over([*printed, *(new or [""])])
        else:
            output = self._difference(new)
        self._rows, self._cells, self._size = new, [row.cell_len for row in rows], size
        if output:
            self._write(f"{_BEGIN}{output}{_END}")

    def _difference(self, new: list[str]) -> str:
        """What turns the rows on the screen into `new`; the cursor stands in the last row, before and after."""
        old = self._rows
        if new == old:
            return ""
        if not old or not new:
            return self._to_top() + _over(new or [""])
        same = 0
        while same < min(len(old), len(new)) - 1 and old[same] == new[same]:
            same += 1
        up = len(old) - 1 - same
        return _up(up) + (_over(new[same:]) if len(new) != len(old) else _over(new[same:], rest=False))

    def _to_top(self) -> str:
        """Move to the start of the first row, whatever the terminal made of the rows since they were written."""
        if not self._rows:
            return "\r"
        width, height = self._console.size
        lines = len(self._rows)
        if self._reflows and width < self._size[0]:
            lines = sum(max(1, -(-cells // width)) for cells in self._cells)
        return _up(min(lines, height) - 1)

    def _styled(self, rows: list[Text]) -> list[str]:
        if not rows:
            return []
        with self._console.capture() as capture:
            for row in rows:
                self._console.print(row, soft_wrap=True, highlight=False)
        return capture.get().split("\n")[: len(rows)]


def _up(rows: int) -> str:
    return (f"\x1b[{rows}A" if rows > 0 else "") + "\r"


def _over(rows: list[str], *, rest: bool = True) -> str:
    """Write rows over what is there, and clear what is below them when `rest`.

    Nothing is cleared from the screen's first column: there tmux takes "clear below" for "clear the screen" and
    saves the old rows in its history.
    """
    output = "\n".join(f"{_CLEAR_RIGHT}{row}" for row in rows)
    if not rest:
        return output
    return output + (_CLEAR_BELOW if rows[-1] else f" {_CLEAR_BELOW}\r{_CLEAR_RIGHT}")


def terminal_reflows() -> bool:
    """False for the terminals that cut rows off instead: xterm itself and the Linux console."""
    term = os.environ.get("TERM", "")
    if term.startswith(("tmux", "screen")):
        return True
    return term != "linux" and "XTERM_VERSION" not in os.environ
