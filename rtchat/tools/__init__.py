"""Functions that the model may call.

A file of your own, for `rtchat tools --tools my_tools.py`::

    import random
    from rtchat.tools import tool

    @tool
    def roll_dice(sides: int = 6) -> int:
        '''Roll a die with this many sides.'''
        return random.randint(1, sides)
"""

from rtchat.tools.registry import Registry, ToolResult
from rtchat.tools.schema import tool

__all__ = ["Registry", "ToolResult", "tool"]
