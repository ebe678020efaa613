"""The command tree. A command parses, builds, calls one coroutine; `main` maps errors to exit codes.

Nothing heavy is imported before a command runs, so that `rtchat --help` is quick.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import typer

from rtchat import __version__
from rtchat.cli import doctor, lists, modes, serving
from rtchat.errors import RtchatError

app = typer.Typer(
    name="rtchat",
    help="A live spoken conversation with a Realtime voice model, in a terminal.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: half the time, and the same in every terminal
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 failed; 2 wrong usage; 3 not connected; 4 refused; 5 no sound; 130 Ctrl-C.",
)

modes.add_to(app)
serving.add_to(app)
lists.add_to(app)
doctor.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rtchat {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line: every failure is one sentence on standard error, never a traceback."""
    _open_closed_streams()
    try:
        code = app(standalone_mode=False, prog_name="rtchat")
        sys.stdout.flush()  # what cannot be written fails here, where it can be told
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader has gone, which typer too answers with 1 and no word
        _let_go_of_output()
        sys.exit(1)
    except Exception as error:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            raise
        sentence, code = _told(error)
        print(sentence, file=sys.stderr)
        _let_go_of_output()
        sys.exit(code)


def _let_go_of_output() -> None:
    """What is still buffered goes out, or nowhere: Python's own flush at its end must not complain once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """A standard stream that the caller has closed (`rtchat … <&-`) is one that leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(nowhere, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - never closed


def _told(error: Exception) -> tuple[str, int]:
    """A failure as what is printed, and the exit code."""
    if isinstance(error, RtchatError):
        return f"rtchat: {error}", error.exit_code
    if hasattr(error, "format_message"):  # click's complaint about a command line; where click is depends on typer
        return _usage(error), 2
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.strerror:  # such as a full disk under `rtchat … > FILE`
        where = f" {error.filename}" if error.filename else ""
        return f"rtchat: The system refused to read or write{where}: {error.strerror.lower()}.", 1
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"rtchat: A mistake of rtchat's own: {said}. Please report it; --log-level debug shows where.", 1


def _usage(error: Any) -> str:
    message = str(error.format_message()).replace("Value error, ", "")  # pydantic's, through typer
    if "\n" in message:  # no command was given: this is the help
        return message
    hint = f" See: {error.ctx.command_path} --help" if getattr(error, "ctx", None) else ""
    return f"rtchat: {message.rstrip('.')}.{hint}"
