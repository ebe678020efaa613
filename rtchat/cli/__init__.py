"""The command tree. A command parses, builds, calls one coroutine; `main` maps errors to exit codes.

Nothing heavy is imported before a command runs, so that `rtchat --help` is quick.
"""

from __future__ import annotations

import sys

import typer

from rtchat import __version__
from rtchat.cli import lists, modes, serving
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
    try:
        app()
    except RtchatError as error:
        if "debug" in sys.argv:  # --log-level debug
            raise
        print(f"rtchat: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
