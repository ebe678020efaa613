"""Tells the findings: to people as they come, to programs as one object at the end."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from rtchat import __version__
from rtchat.doctor.findings import Finding, Mark, exit_code, lines

if TYPE_CHECKING:
    from rtchat.audio.soundcheck import SoundCheck

_WIDEST = 100
_BAR = 30
_STYLES = {Mark.OK: "green", Mark.NOTE: "yellow", Mark.PROBLEM: "bold red"}


class Report:
    """Everything that goes to standard output, and what is told meanwhile.

    Args:
        as_json: Print one object at the end, and nothing before.

    Attributes:
        findings: All of them so far.
        sound: What was found about the devices; None where nothing was played.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.findings: list[Finding] = []
        self.sound: SoundCheck | None = None
        self._json = as_json
        self._console = Console(highlight=False, soft_wrap=True) if sys.stdout.isatty() else None
        if isinstance(sys.stdout, TextIOWrapper):  # a device may have a name that this output cannot write
            sys.stdout.reconfigure(errors="replace")

    def add(self, *findings: Finding) -> None:
        """Take findings, and print them."""
        self.findings += findings
        if not self._json:
            for finding in findings:
                self._print(finding)

    def has_problem(self, check: str) -> bool:
        """Whether this check has found one."""
        return any(finding.check == check and finding.mark is Mark.PROBLEM for finding in self.findings)

    @contextmanager
    def progress(self, announced: str) -> Iterator[Progress]:
        """Say what goes on now, and show how far it is; the bar takes itself away at the end.

        In a pipe the announcement goes to standard error, and there is no bar.
        """
        on_screen = self._console is not None and not self._json
        print(announced, file=sys.stdout if on_screen else sys.stderr, flush=True)
        bar = Progress(shown=sys.stderr.isatty())
        try:
            yield bar
        finally:
            bar.close()

    def close(self) -> int:
        """Print what is still due, and give the exit code."""
        code = exit_code(self.findings)
        if self._json:
            told: dict[str, Any] = {
                "version": __version__,
                "exit_code": code,
                "checks": [finding.as_json() for finding in self.findings],
                "sound": asdict(self.sound) if self.sound else None,
            }
            print(json.dumps(told, ensure_ascii=False))
        elif code:
            print("A conversation does not work here yet: see the problems above.")
        else:
            print("A conversation works here." if self.sound else "Nothing stands in the way of a conversation.")
        return code

    def _print(self, finding: Finding) -> None:
        if self._console is None:
            print("\n".join(lines(finding, None)), flush=True)
            return
        said = Text("\n".join(lines(finding, min(self._console.width, _WIDEST))))
        said.stylize(_STYLES[finding.mark], 0, len(finding.mark))
        self._console.print(said)


class Progress:
    """A bar on standard error."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown

    def __call__(self, share: float) -> None:
        """Show that this share is over, 0 to 1."""
        if self._shown:
            full = round(share * _BAR)
            print(f"\r[{'#' * full}{'.' * (_BAR - full)}]", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Take it away; without control sequences, which not every console knows."""
        if self._shown:
            print(f"\r{' ' * (_BAR + 2)}\r", end="", file=sys.stderr, flush=True)
