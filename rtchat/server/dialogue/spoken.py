"""What of a written text is said aloud: not its Markdown, not its emoji."""

from __future__ import annotations

import re

_MARKS = re.compile(
    r"(?<![\w*_`~])[*_`~]+(?=\S)|(?<=\S)[*_`~]+(?![\w*_`~])"  # **bold**, `code`; not 2 * 3, 2*3 or snake_case
    r"|^[ \t]*(?:#{1,6}|>|[-*+•])[ \t]"  # a heading, a quotation, a list
    r"|^[ \t]*(?:[-*_|:][ \t]*){3,}$"  # a line across, or under a table's heading
    r"|\s\|(?=\s)|^\||\|$"  # a table
    r"|[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]+",  # emoji
    re.MULTILINE,
)
_LINK = re.compile(r"(!?\[)([^\]\n]*)(\]\([^)\n]*\))")


def spoken(text: str) -> str:
    """`text` with a space for every character that is not said, so that every word stays where it was.

    Word marks count characters (`engines.base.WordMark`), and what was heard is cut out of what was written.
    """
    text = _LINK.sub(lambda link: " " * len(link[1]) + link[2] + " " * len(link[3]), text)
    return _MARKS.sub(lambda mark: " " * len(mark[0]), text)
