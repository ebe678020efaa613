from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from prompt_toolkit.input import create_pipe_input

from rtchat.display.bindings import Action, Key
from rtchat.display.keys import keys


@pytest.fixture
def source():
    with create_pipe_input() as pipe:
        yield pipe


async def pressed(source, count):
    async with asyncio.timeout(5), aclosing(keys(source)) as stream:
        return [await anext(stream) for _ in range(count)]


async def test_keys_become_actions(source):
    source.send_text("m x?\x03")
    assert [key.action for key in await pressed(source, 4)] == [
        Action.MUTE,
        Action.SPACE,
        Action.HELP,
        Action.ABORT,
    ]


async def test_an_escape_alone_is_told_without_waiting_for_another_key(source):
    source.send_text("ta\x1b")
    assert await pressed(source, 3) == [Key(Action.TYPE), Key(Action.TYPE, "a", 1), Key(Action.CANCEL)]


async def test_an_arrow_key_is_not_an_escape(source):
    source.send_text("tab\x1b[Dc")
    assert (await pressed(source, 5))[3:] == [Key(Action.TYPE, "ab", 1), Key(Action.TYPE, "acb", 2)]


async def test_a_pasted_line_of_another_language(source):
    source.send_text("t\x1b[200~¿Qué\nhora?\x1b[201~\r")
    assert (await pressed(source, 3))[1:] == [
        Key(Action.TYPE, "¿Qué hora?", 10),
        Key(Action.SUBMIT, "¿Qué hora?"),
    ]


async def test_the_keys_end_when_the_terminal_closes(source):
    source.send_text("m")
    async with asyncio.timeout(5), aclosing(keys(source)) as stream:
        assert await anext(stream) == Key(Action.MUTE)
        source.close()
        assert [key async for key in stream] == []


RAISES = """
import asyncio
from rtchat.display.keys import keys

async def main():
    async for key in keys():
        raise RuntimeError("in the middle")

asyncio.run(main())
"""


def test_raw_mode_ends_even_where_nobody_closes_the_iterator(program):
    one = program(RAISES)
    one.until(one.raw)
    one.type("m")
    assert one.exit_code() == 1
    one.shows("RuntimeError: in the middle")
    one.assert_restored()
