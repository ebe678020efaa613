import asyncio

import pytest

from rtchat.errors import EngineError
from rtchat.server.engine_timeouts import EngineTimeouts


async def halting(pieces, then=None):
    for piece in pieces:
        yield piece
    if then:
        raise then
    await asyncio.Event().wait()


async def collect(pieces, into):
    async for piece in pieces:
        into.append(piece)


def test_half_of_it_between_pieces():
    assert EngineTimeouts.of(30) == EngineTimeouts() == EngineTimeouts(30, 15)


@pytest.mark.parametrize(("pieces", "limit"), [([], "0.05"), ([1, 2], "0.01")])
async def test_what_stalls_is_named(pieces, limit):
    got: list[int] = []
    with pytest.raises(EngineError, match=f"nothing for {limit} s. .*`rtchat serve --engine-timeout`"):
        await collect(EngineTimeouts(0.05, 0.01).pieces(halting(pieces), "tiny"), got)
    assert got == pieces


async def test_a_time_out_of_the_engine_s_own_is_its_own():
    with pytest.raises(TimeoutError, match="mine"):
        await collect(EngineTimeouts().pieces(halting([1], TimeoutError("mine")), "tiny"), [])


async def test_what_comes_whole():
    async def answering(s):
        await asyncio.sleep(s)
        return "yes"

    assert await EngineTimeouts().whole(answering(0), "tiny") == "yes"
    with pytest.raises(EngineError, match=r"tiny has given nothing for 0.01 s"):
        await EngineTimeouts(0.01).whole(answering(60), "tiny")


async def test_the_time_of_the_one_who_takes_the_pieces_does_not_count():
    async def two():
        yield 1
        yield 2

    pieces = EngineTimeouts(0.05, 0.05).pieces(two(), "tiny")
    assert await anext(pieces) == 1
    await asyncio.sleep(0.1)
    assert [piece async for piece in pieces] == [2]
