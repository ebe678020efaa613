"""Where script/test puts other people's clients; their packages want other versions of what rtchat uses."""

from __future__ import annotations

from pathlib import Path

PLACE = Path(__file__).parents[1] / ".venv-clients"
INSTALLED = (PLACE / ".set-up").exists()
PYTHON = PLACE / "bin" / "python"


def smart_turn_weights() -> Path | None:
    """Smart Turn's own model, which Pipecat's package has inside; None where that is not installed."""
    data = "lib/python*/site-packages/pipecat/audio/turn/smart_turn/data/smart-turn-v3*.onnx"
    return next(PLACE.glob(data), None) if INSTALLED else None
