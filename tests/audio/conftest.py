"""What tests of real sound need to judge it on a busy machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from rtchat.audio.stream import now


@pytest.fixture
async def late() -> AsyncIterator[Callable[[], float]]:
    """`late()`: seconds, at most, for which this program was kept from working so far.

    A bound in real time is widened by it: what a program could not do while it stood still is no fault of its own.
    """
    most = 0.0

    async def follow() -> None:
        nonlocal most
        while True:
            before = now()
            await asyncio.sleep(0.01)
            most = max(most, now() - before - 0.01)

    following = asyncio.create_task(follow())
    yield lambda: most
    following.cancel()
    await asyncio.wait([following])
