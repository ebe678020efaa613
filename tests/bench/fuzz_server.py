"""Frames that no client should send, through the real dialogue: python tests/bench/fuzz_server.py [frames] [seed]

Every frame must be answered by events: an exception ends the run and names the frame. Sessions are renewed every
thousand frames; memory is printed at the first tenth and at the end.
"""

from __future__ import annotations

import base64
import importlib.util
import itertools
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from rtchat.protocol import wire
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, ToolCall

GARBAGE = Path(__file__).parents[1] / "server" / "dialogue" / "test_garbage.py"
SESSION = 1000


def grammar() -> Any:
    """The events and their mangling, of the tests."""
    spec = importlib.util.spec_from_file_location("garbage", GARBAGE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(dialogue: Dialogue, effects: list[Any], dice: random.Random) -> None:
    """Do what is asked for, badly at times."""
    for effect in effects:
        match effect:
            case sig.Emit():
                wire.encode(effect.event).encode()
            case sig.Think():
                piece = dice.choice([TextPiece("One two."), ToolCall("f", "{}")])
                answer(dialogue, dialogue.receive(sig.Thought(effect.response_id, piece)), dice)
                why = dice.choice([None, None, "It broke."])
                answer(dialogue, dialogue.receive(sig.ThoughtEnded(effect.response_id, why)), dice)
            case sig.Speak():
                answer(dialogue, dialogue.receive(sig.Spoke(effect.response_id, bytes(4800))), dice)
                answer(dialogue, dialogue.receive(sig.SpeechEnded(effect.response_id)), dice)
            case sig.Transcribe():
                answer(dialogue, dialogue.receive(sig.Recognised(effect.key, "hi")), dice)
            case sig.Detect():
                count = len(effect.pcm) // 1536
                found = tuple(dice.choice([0.0, 0.9]) for _ in range(count))
                answer(dialogue, dialogue.receive(sig.Detected(found)), dice)


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def main() -> None:
    """Send them."""
    frames = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    of = grammar()
    early = 0.0
    for number in range(frames):
        if number % SESSION == 0:
            numbers = itertools.count(1)
            dialogue = Dialogue(
                model="gpt-realtime-2.1", expires_at=1, new_id=lambda prefix, n=numbers: f"{prefix}_{next(n)}"
            )
            answer(dialogue, dialogue.start(), dice)
        event = dice.choice(of.EVENTS)
        frame = json.dumps(of.mangled(event, dice) if dice.random() < 0.6 else event)
        if dice.random() < 0.3:
            frame = of.torn(frame, dice)
        told: Any = sig.Frame(frame) if dice.random() < 0.99 else sig.BinaryFrame()
        try:
            answer(dialogue, dialogue.receive(told), dice)
        except Exception:
            print(
                f"frame {number}: {base64.b64encode(frame.encode(errors='surrogatepass'))[:2000]!r}",
                file=sys.stderr,
            )
            raise
        if number == frames // 10:
            early = memory_mb()
    print(f"{frames} frames, no exception; memory {early:.0f} MB at a tenth, {memory_mb():.0f} MB at the end")


if __name__ == "__main__":
    main()
