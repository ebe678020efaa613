import asyncio
import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from textwrap import dedent

import pytest

from rtchat.errors import ToolError, UsageError
from rtchat.tools import Registry, tool

TOOLS = """
from rtchat.tools import tool

@tool
def double(number: int) -> int:
    \"\"\"Double a number.\"\"\"
    return number * 2

@tool
async def shout(text: str = "hey") -> str:
    \"\"\"Shout.\"\"\"
    return text.upper()

def helper(): ...
"""


@tool
def double(number: int) -> int:
    """Double, from the library."""
    return number + number


@tool
def halve(number: float) -> float:
    """Halve."""
    return number / 2


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))


def write(tmp_path, text, name="my_tools.py"):
    path = tmp_path / name
    path.write_text(dedent(text))
    return path


def said(result):
    return json.loads(result.output)


# --- loading ----------------------------------------------------------------------------------------------


async def test_a_file_of_tools(tmp_path):
    registry = Registry()
    assert registry.load(write(tmp_path, TOOLS)) == ["double", "shout"]
    assert registry.names == ["double", "shout"]
    assert [each["name"] for each in registry.definitions()] == ["double", "shout"]
    assert (await registry.call("double", '{"number": 21}')).output == "42"
    assert (await registry.call("shout", "")).output == '"HEY"'


def test_names_of_the_library():
    registry = Registry([double, halve])
    assert (registry.names, registry.library) == ([], ["double", "halve"])
    assert registry.load("halve") == ["halve"]
    assert registry.load("halve") == ["halve"]
    assert registry.names == ["halve"]


def test_the_same_file_twice_is_no_mistake(tmp_path):
    registry, path = Registry(), write(tmp_path, TOOLS)
    registry.load(path)
    registry.load(path)
    assert registry.names == ["double", "shout"]


def test_two_tools_of_one_name(tmp_path):
    registry, one, two = Registry(), write(tmp_path, TOOLS, "one.py"), write(tmp_path, TOOLS, "two.py")
    registry.load(one)
    with pytest.raises(UsageError) as caught:
        registry.load(two)
    assert caught.value.message == f"{two}:4: there is a tool double already, in {one}:4."


@pytest.mark.parametrize("own_first", [True, False])
async def test_a_tool_of_ones_own_takes_the_place_of_one_of_the_library(tmp_path, own_first):
    registry, path = Registry([double]), write(tmp_path, TOOLS.replace("number * 2", "-number"))
    for what in [path, "double"] if own_first else ["double", path]:
        assert "double" in registry.load(what)
    assert sorted(registry.names) == ["double", "shout"]
    assert (await registry.call("double", '{"number": 2}')).output == "-2"


def test_a_file_without_tools(tmp_path):
    path = write(tmp_path, "def f(): ...")
    with pytest.raises(UsageError) as caught:
        Registry().load(path)
    assert caught.value.message == f"There is no tool in {path}."
    assert "@tool" in caught.value.hint


def test_a_name_that_is_nearly_one_of_the_library():
    with pytest.raises(UsageError) as caught:
        Registry([double]).load("duoble")
    assert str(caught.value) == "There is no tool and no module 'duoble'. Did you mean double?"


# --- calling ----------------------------------------------------------------------------------------------


def registry_of(*functions, **more):
    registry = Registry(**more)
    for each in functions:
        registry.add(each)
    return registry


async def test_a_result_is_json():
    def when() -> datetime:
        """When."""
        return datetime(2026, 11, 20, tzinfo=UTC)

    result = await registry_of(when).call("when", "{}")
    assert (result.output, result.status) == ('"2026-11-20T00:00:00Z"', "ok")
    assert result.ms >= 0


async def test_a_function_runs_beside_the_event_loop():
    def where() -> bool:
        """Where."""
        return threading.current_thread() is threading.main_thread()

    assert (await registry_of(where).call("where", "")).output == "false"


async def test_a_tool_that_raises():
    def fall() -> None:
        """Fall."""
        raise ToolError("the ladder is gone")

    async def fail() -> None:
        """Fail."""
        raise KeyError("x")

    def bare() -> None:
        """Fail without a word."""
        raise RuntimeError

    registry = registry_of(fall, fail, bare)
    for name, message in (("fall", "the ladder is gone"), ("fail", "'x'"), ("bare", "RuntimeError")):
        result = await registry.call(name, "{}")
        assert (said(result), result.status) == ({"error": message}, "error")


@pytest.mark.parametrize("error", [SystemExit, StopIteration, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_tool_cannot_end_the_session(error):
    def end() -> None:
        """End it."""
        raise error(3)

    async def end_too() -> None:
        """End it."""
        raise SystemExit(3)

    async def give_up() -> None:
        """Give up."""
        raise asyncio.CancelledError

    registry = registry_of(end, end_too, give_up)
    assert (await registry.call("end", "{}")).status == "error"
    assert said(await registry.call("give_up", "{}")) == {"error": "the tool was cancelled"}
    assert said(await registry.call("end_too", "{}")) == {"error": "the tool tried to end the program"}


async def test_what_cannot_be_json():
    def thing() -> object:
        """A thing."""
        return object()

    result = await registry_of(thing).call("thing", "{}")
    assert result.status == "error"
    assert "object that cannot be written as JSON" in said(result)["error"]


async def test_wrong_calls_tell_the_model_how_to_do_better():
    registry = registry_of(halve)
    for name, arguments, message in (
        ("halve", "{", "the arguments of halve are not JSON"),
        ("halve", '{"number": "x"}', "wrong arguments for halve: number must be a number, not 'x'"),
        ("havle", "{}", "there is no tool 'havle'. Did you mean halve?"),
        ("xyz", "{}", "there is no tool 'xyz'. Known: halve."),
    ):
        result = await registry.call(name, arguments)
        assert result.status == "error"
        assert said(result)["error"].startswith(message)


async def test_a_tool_that_never_returns():
    started, release = threading.Event(), threading.Event()

    def hang() -> None:
        """Hang."""
        started.set()
        release.wait(60)

    async def sleep() -> None:
        """Sleep."""
        await asyncio.Event().wait()

    registry = registry_of(hang, sleep)
    for name in ("hang", "sleep"):
        result = await registry.call(name, "{}", timeout_s=0.05)
        assert (result.status, said(result)) == (
            "timeout",
            {"error": "the tool did not answer within 0.05 seconds"},
        )
        assert result.ms >= 45
    assert started.wait(60)
    release.set()


async def test_a_tool_that_takes_no_notice_of_its_end():
    go_on = asyncio.Event()

    async def stubborn() -> None:
        """Stay."""
        while not go_on.is_set():
            try:
                await go_on.wait()
            except asyncio.CancelledError:
                continue

    result = await registry_of(stubborn).call("stubborn", "{}", timeout_s=0.02)
    assert result.status == "timeout"
    go_on.set()


async def test_calls_run_side_by_side():
    both = threading.Barrier(2, timeout=60)

    def meet() -> int:
        """Meet."""
        return both.wait()

    registry = registry_of(meet)
    results = await asyncio.gather(registry.call("meet", ""), registry.call("meet", ""))
    assert [result.status for result in results] == ["ok", "ok"]


async def test_cancelling_a_call_cancels_its_tool():
    running, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        """Work."""
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    call = asyncio.create_task(registry_of(work).call("work", "{}"))
    await asyncio.wait_for(running.wait(), 60)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), 60)


async def test_the_user_is_asked():
    asked = []
    answers = iter([True, False])

    @tool(confirm=True)
    def delete(file: str) -> str:
        """Delete."""
        return f"{file} is gone"

    async def approve(name, arguments):
        asked.append((name, arguments))
        return next(answers)

    registry = registry_of(delete, approve=approve)
    allowed = await registry.call("delete", '{"file": "a"}')
    denied = await registry.call("delete", '{"file": "b"}')
    assert (allowed.status, said(allowed)) == ("ok", "a is gone")
    assert (denied.status, denied.ms) == ("denied", 0)
    assert "did not allow" in said(denied)["error"]
    assert asked == [("delete", {"file": "a"}), ("delete", {"file": "b"})]
    assert (await registry.call("delete", "{}")).status == "error"
    assert len(asked) == 2, "nobody is asked about a call that cannot run"


async def test_without_anybody_to_ask_the_answer_is_no():
    @tool(confirm=True)
    def delete() -> str:
        """Delete."""
        return "gone"

    assert (await registry_of(delete).call("delete", "{}")).status == "denied"


def test_a_hanging_thread_does_not_keep_the_process_alive():
    code = """
        import asyncio, threading
        from rtchat.tools import Registry

        def hang() -> None:
            '''Hang.'''
            threading.Event().wait()

        async def main():
            registry = Registry()
            registry.add(hang)
            print((await registry.call("hang", "{}", timeout_s=0.05)).status)

        asyncio.run(main())
        """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("timeout\n", "", 0)
