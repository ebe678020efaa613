"""The server's side of a session, as a function of its inputs; no I/O, no clock.

`machine.Dialogue` is told frames, the detector's probabilities and what engines made, and asks for effects.
`checks` reads frames, `settings` keeps the session, `listening` and `turns` make items of sound, `items` keeps
them, `answers` and `response` make answers of what the language model and the voice give.
"""

from rtchat.server.dialogue.machine import Dialogue

__all__ = ["Dialogue"]
