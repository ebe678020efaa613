"""The way in: `rtchat`, and `python -m rtchat` where the script is not on the path."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line. Ctrl-C counts from the first moment, while Python still imports."""
    # Matrices here are small: threads of the algebra library would cost more than they bring, and spin. Read once,
    # when numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from rtchat.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as ending:
        if isinstance(ending.code, int) and {"pyaudio", "livekit"} & sys.modules.keys():
            _end(ending.code)
        raise


def _end(code: int) -> None:
    """End here and now: a sound library's thread that calls into an ending interpreter would abort the process."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
