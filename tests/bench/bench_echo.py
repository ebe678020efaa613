"""Figures of echo and barge-in: python tests/bench/bench_echo.py [cancelling] [barge-in] [live]

Each part is a program of its own beside this one, with arguments of its own; all are run where none is named.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PARTS = {
    "cancelling": "what is left of the echo, and of the user, in 60 rooms",
    "barge-in": "who interrupts the assistant, and how soon, in rooms",
    "live": "conversations with the embedded server through PortAudio and a room",
}
FILES = {"cancelling": "echo_cancelling.py", "barge-in": "echo_barge_in.py", "live": "live_echo.py"}


def main(wanted: list[str]) -> int:
    """Run the parts, each in a process of its own; the exit code is that of the worst."""
    worst = 0
    for part in wanted or PARTS:
        print(f"\n=== {part}: {PARTS[part]}\n", flush=True)
        worst = max(worst, subprocess.call([sys.executable, Path(__file__).with_name(FILES[part])]))
    return worst


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - PARTS.keys():
        sys.exit(f"No such part: {', '.join(unknown)}. There are: {', '.join(PARTS)}.")
    sys.exit(main(sys.argv[1:]))
