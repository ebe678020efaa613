"""rtchat: a live spoken conversation with a Realtime voice model, in a terminal."""

__version__ = "0.1.0"
