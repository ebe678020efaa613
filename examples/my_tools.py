"""Tools of your own: `rtchat tools --tools examples/my_tools.py`."""

from rtchat.tools import tool


@tool
def open_tickets(project: str) -> list[str]:
    """List the open tickets of a project.

    Args:
        project: Its short name.
    """
    return [f"{project}-1: door squeaks", f"{project}-2: paint it green"]
