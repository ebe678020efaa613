"""The way in: `rtchat`, and `python -m rtchat` where the script is not on the path."""

import sys


def main() -> None:
    """Run the command line. Ctrl-C counts from the first moment, while Python still imports."""
    try:
        from rtchat.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
