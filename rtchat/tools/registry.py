"""The tools of a session: loaded from names, files and modules, described to the model, called by it.

Whatever the model or a tool does, a call comes back with a JSON text: a failure is `{"error": …}`, worded so that
the model can do better or tell the user. Nothing that a tool does can end the session, and only an `async` function
that blocks instead of awaiting can hold it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from rtchat.errors import RtchatError, UsageError, did_you_mean
from rtchat.tools.loading import import_tools
from rtchat.tools.results import failure, to_json
from rtchat.tools.schema import MARK, Function, Tool, describe

Approve = Callable[[str, dict[str, Any]], Awaitable[bool]]
"""Asks the user whether the tool of that name may run with these arguments."""

DEFAULT_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call.

    Attributes:
        output: JSON text for the model.
        status: `ok`; `error` (it raised, or was called wrongly); `timeout`; `denied` (the user said no).
        ms: How long it ran, in milliseconds, without the time that the user took to answer.
    """

    output: str
    status: Literal["ok", "error", "timeout", "denied"]
    ms: int


class Registry:
    """The tools of one session.

    Args:
        library: Functions that can be loaded by their names: the built-in ones.
        approve: Asks the user before a tool with `confirm=True` runs; without it such a tool is always denied.
    """

    def __init__(self, library: Iterable[Function] = (), *, approve: Approve | None = None) -> None:
        self._tools: dict[str, Tool] = {}
        self._library: Mapping[str, Tool] = {each.name: each for each in map(describe, library)}
        self._approve = approve
        self._running: set[asyncio.Task[Any]] = set()

    @property
    def names(self) -> list[str]:
        """Names of the tools that the model is offered, in the order in which they were loaded."""
        return list(self._tools)

    @property
    def library(self) -> list[str]:
        """Names that `load` knows without a file."""
        return list(self._library)

    def definitions(self) -> list[dict[str, Any]]:
        """The tools in the API's form (`session.tools`)."""
        return [each.definition() for each in self._tools.values()]

    # --- loading ------------------------------------------------------------------------------------------

    def add(self, function: Function) -> None:
        """Offer one function.

        Raises:
            UsageError: It cannot be a tool, or another one has its name.
        """
        self._add(describe(function))

    def load(self, what: str | Path) -> list[str]:
        """Offer a tool of the library by its name, or every `@tool` function of a file or a module.

        Args:
            what: A name (`get_time`), a file (`my_tools.py`) or a module (`package.tools`).

        Returns:
            The names of the tools. Loading the same thing twice is no mistake, and a tool of one's own takes the
            place of one of the library with its name, whichever is loaded first.

        Raises:
            UsageError: There is no such thing, it raises, no function in it is a tool, or a name is taken; says
                file, line and exception.
        """
        text = str(what)
        if text in self._library:
            found = [self._library[text]]
        else:
            module = self._import(text)
            marked = {id(each): each for each in vars(module).values() if hasattr(each, MARK)}
            if not marked:
                raise UsageError(
                    f"There is no tool in {text}.",
                    hint="Put @tool (from rtchat.tools import tool) above a function.",
                )
            found = [describe(each) for each in marked.values()]
        for each in found:
            self._add(each)
        return [each.name for each in found]

    def _import(self, what: str) -> ModuleType:
        try:
            return import_tools(what)
        except UsageError as error:
            hint = did_you_mean(what, self._library) if what.isidentifier() else ""
            raise UsageError(error.message, hint=hint if hint.startswith("Did") else error.hint) from None

    def _add(self, new: Tool) -> None:
        """One's own tool takes the place of a tool of the library with its name; two of one's own are a mistake."""
        old = self._tools.get(new.name)
        if old is None or old in self._library.values():
            self._tools[new.name] = new
        elif old.function != new.function and new not in self._library.values():
            raise UsageError(
                f"{new.source}: there is a tool {new.name} already, in {old.source}.",
                hint='Give one of them another name: @tool(name="…").',
            )

    # --- calling ------------------------------------------------------------------------------------------

    async def call(self, name: str, arguments_json: str, timeout_s: float = DEFAULT_TIMEOUT_S) -> ToolResult:
        """Run a tool.

        Args:
            name: As the model gave it.
            arguments_json: As the model gave it; an empty text is no arguments.
            timeout_s: Seconds that it may run. A function that is not async goes on in its thread, unheard.

        Returns:
            Its result; never raises but for cancellation.
        """
        wanted = self._tools.get(name)
        if wanted is None:
            return ToolResult(failure(f"there is no tool '{name}'. {did_you_mean(name, self._tools)}"), "error", 0)
        try:
            arguments = wanted.arguments(arguments_json)
        except RtchatError as error:
            return ToolResult(failure(error.message), "error", 0)
        if wanted.confirm and not await self._approved(wanted, arguments):
            return ToolResult(failure("the user did not allow this; do not try it again unasked"), "denied", 0)
        started = time.perf_counter()
        output, status = await self._run(wanted.function, arguments, timeout_s)
        return ToolResult(output, status, round((time.perf_counter() - started) * 1000))

    async def _approved(self, wanted: Tool, arguments: dict[str, Any]) -> bool:
        return self._approve is not None and await self._approve(wanted.name, arguments)

    async def _run(
        self, function: Function, arguments: dict[str, Any], timeout_s: float
    ) -> tuple[str, Literal["ok", "error", "timeout"]]:
        task = asyncio.create_task(_guarded(function, arguments))
        self._running.add(task)
        task.add_done_callback(self._forget)
        try:
            # Not wait_for: that waits on for a task that takes no notice of being cancelled.
            await asyncio.wait({task}, timeout=timeout_s)
        finally:
            if not task.done():
                task.cancel()
        if not task.done():
            return failure(f"the tool did not answer within {timeout_s:g} seconds"), "timeout"
        try:
            return to_json(task.result()), "ok"
        except asyncio.CancelledError:
            return failure("the tool was cancelled"), "error"
        except RtchatError as error:
            return failure(str(error)), "error"
        except Exception as error:  # whatever a tool raises is told to the model
            return failure(str(error) or type(error).__name__), "error"

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain of one that came too late


class _Quit(Exception):
    """A tool wanted to end the program."""


async def _guarded(function: Function, arguments: dict[str, Any]) -> Any:
    try:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        result = await _in_thread(function, arguments)
        return await result if inspect.isawaitable(result) else result
    except SystemExit:  # would end the event loop
        raise _Quit("the tool tried to end the program") from None


async def _in_thread(function: Function, arguments: dict[str, Any]) -> Any:
    """Run in a daemon thread: unlike an executor's, it does not keep the process alive when it hangs."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def work() -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = context.run(function, **arguments)
        except StopIteration as stop:  # a future cannot carry it
            error = RuntimeError(f"StopIteration: {stop}")
        except Exception as raised:  # it is told to the model
            error = raised
        except BaseException:  # SystemExit and its like would end the event loop
            error = _Quit("the tool tried to end the program")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, name=f"tool {getattr(function, '__name__', '')}", daemon=True).start()
    return await done
