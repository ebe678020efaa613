"""Text that comes in pieces, broken between words at the terminal's edge. Pure."""

from __future__ import annotations

import re

from rich.cells import cell_len

# A row end, spaces, one character of a script that is broken anywhere, or (the start of) a word.
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\U00020000-\U0003fffd"
_PIECES = re.compile(rf"\n|[^\S\n]+|[{_WIDE}]|[^\s{_WIDE}]+")


class WordWrap:
    """Keeps back the word that may go on, and the spaces before it, until it is known where they belong."""

    def __init__(self) -> None:
        self._column = 0
        self._spaces = ""
        self._word = ""

    @property
    def at_row_start(self) -> bool:
        """True when everything is out and the last of it was a newline, or there was nothing yet."""
        return self._column == 0 and not self._word

    def feed(self, text: str, columns: int) -> str:
        """What can be written now that `text` has come, on a terminal of `columns`."""
        out = ""
        for piece in _PIECES.findall(text):
            if piece == "\n":
                out += self._place(columns) + "\n"
                self._column, self._spaces = 0, ""
            elif piece.isspace():
                out += self._place(columns)
                self._spaces += piece
            elif cell_len(piece[0]) == 2:
                out += self._place(columns)
                self._word = piece
                out += self._place(columns)
            else:
                self._word += piece
        return out

    def end(self, columns: int) -> str:
        """What was kept back; the next text starts on a new row."""
        out = self._place(columns)
        self._column, self._spaces = 0, ""
        return out

    def _place(self, columns: int) -> str:
        """The word that is complete now: after its spaces, or on the next row when it does not fit."""
        word, spaces = self._word, self._spaces
        if not word:
            return ""
        self._word = self._spaces = ""
        needed = cell_len(spaces) + cell_len(word)
        if self._column and self._column + needed > columns:
            spaces, needed, self._column = "\n", cell_len(word), 0
        self._column = (self._column + needed - 1) % max(1, columns) + 1
        return spaces + word
