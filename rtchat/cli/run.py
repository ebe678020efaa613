"""Runs a mode: settings to plan to session to exit code."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from rtchat.conversation.signals import InterruptPressed
from rtchat.display.base import Display
from rtchat.display.ndjson import NdjsonDisplay
from rtchat.display.plain import PlainDisplay
from rtchat.errors import RtchatError, UsageError
from rtchat.modes import Mode, Offer, SessionKind
from rtchat.plan import Plan, make_plan
from rtchat.recording import Recording
from rtchat.session import Keys, Lines, Outcome, Session
from rtchat.settings import Settings
from rtchat.tools.builtin import Builtin
from rtchat.tools.registry import Registry


def run_mode(mode: Mode, flags: Mapping[str, Any], prompt: str | None = None) -> int:
    """Run a mode with these flags and give the exit code.

    Args:
        mode: Which one.
        flags: By setting; `config` is the config file.
        prompt: Text mode: the one thing to say.

    Raises:
        RtchatError: Something was wrong before the session began.
    """
    given = dict(flags)
    config: Path | None = given.pop("config", None)
    settings = Settings.load(given, config)
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    words_are_there = mode is Mode.TEXT and (prompt is not None or not sys.stdin.isatty())
    plan = make_plan(mode, settings, today=datetime.now().astimezone().date(), greets=not words_are_there)
    display = _display(plan)
    with _output_is_ours():
        outcome = asyncio.run(_run(plan, display, prompt))
    if outcome.error is not None:
        logging.getLogger(__name__).debug("The session failed", exc_info=outcome.error)
        if settings.json_:
            print(f"rtchat: {outcome.error}", file=sys.stderr)
        return outcome.error.exit_code
    if outcome.ended.reason == "interrupted":
        return 130
    return int(outcome.unanswered and outcome.ended.reason == "done")  # a script asked, and got no answer


@contextmanager
def _output_is_ours() -> Iterator[None]:
    """A pipe gets what the display writes and nothing else: what a tool prints goes to standard error."""
    if sys.stdout.isatty():
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end a session as Ctrl-C does: told, and with its recording closed; exit code 128 + n."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    got: list[int] = []

    def leave(number: int) -> None:
        got.append(number)
        if task is not None:
            task.cancel()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for number in numbers:
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, leave, number)
    try:
        yield
    except asyncio.CancelledError:
        if got:
            raise SystemExit(128 + got[0]) from None
        raise
    finally:
        for number in numbers:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)


async def _run(plan: Plan, display: Display, prompt: str | None) -> Outcome:
    async with AsyncExitStack() as stack:
        stack.enter_context(_ending_in_order())
        builtin = Builtin(lambda news: session.announce(news))
        stack.callback(builtin.close)
        registry = Registry(builtin.functions(), approve=lambda name, given: session.controls.approve(name, given))
        for name in [*plan.tools, *(registry.library if plan.parts.tools is Offer.ALL else [])]:
            registry.load(name)
        plan = plan.with_tools(registry.definitions())
        embedded_url = None
        if plan.where == "local":
            from rtchat.server.engines import ollama
            from rtchat.server.engines.finding import Options
            from rtchat.server.run import ServerConfig, embedded

            settings = plan.settings
            options = Options(llm_model=settings.llm_model if settings.llm else "")
            config = ServerConfig(llm=settings.llm or "rules", options=options)
            embedded_url = await stack.enter_async_context(embedded(config))
            unasked = settings.server == "auto" and settings.llm is None
            if unasked and plan.parts.session is SessionKind.CONVERSATION:
                offer = ollama.offer(await ollama.models())
                plan = replace(plan, news=(*plan.news, *([offer] if offer else [])))
        lines, keys = _lines(plan, prompt), _keys(plan)
        session = Session(
            plan,
            plan.endpoint(embedded_url),
            display,
            tools=registry,
            lines=lines,
            keys=keys,
            recording=_recording(plan, display),
            linger=builtin.timers_ended,
            attended=keys is not None or lines is _prompted,
        )
        return await session.run()


def _display(plan: Plan) -> Display:
    settings = plan.settings
    sound_out = plan.parts.loudspeaker and str(settings.output_wav) == "-"
    if sound_out and settings.json_:
        raise UsageError(
            "--json and --output-wav - both write to standard output.", hint="Give a file with --output-wav."
        )
    if settings.json_:
        return NdjsonDisplay(sys.stdout)
    transcribes = plan.mode is Mode.TRANSCRIBE
    spoken = plan.mode is not Mode.TEXT and not transcribes
    plain = partial(PlainDisplay, spoken=spoken, transcribes=transcribes, quiet=settings.quiet)
    if sound_out:
        return plain(sys.stderr)
    if settings.plain or plan.mode is Mode.TEXT or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return plain(_pipe())
    from rtchat.display.live import LiveDisplay

    return LiveDisplay() if LiveDisplay.usable() else plain()


def _pipe() -> TextIO | None:
    """Standard output where it is a pipe; None for a terminal, whose stream is replaced while lines are typed."""
    return None if sys.stdout.isatty() else sys.stdout


def _keys(plan: Plan) -> Keys | None:
    if plan.mode is Mode.TEXT or plan.settings.json_ or not (sys.stdin.isatty() and sys.stdout.isatty()):
        if plan.rules.push_to_talk and plan.settings.input_wav is None:
            raise UsageError(
                "Push to talk needs the keys of a terminal.", hint="Leave out --vad off, or talk in a terminal."
            )
        return None
    from rtchat.display.keys import keys

    return partial(keys, push_to_talk=plan.rules.push_to_talk)


def _recording(plan: Plan, display: Display) -> Recording | None:
    if not plan.settings.record:
        return None
    about = {"mode": str(plan.mode), "server": plan.rules.server, "model": plan.model}
    loop = asyncio.get_running_loop()

    def on_trouble(error: RtchatError) -> None:  # on the thread that writes; the session goes on
        with suppress(RuntimeError):  # it is just over, and its event loop closed
            loop.call_soon_threadsafe(display.tell, str(error))

    return Recording.start(plan.settings.sessions_dir, about, on_trouble=on_trouble)


def _lines(plan: Plan, prompt: str | None) -> Lines | None:
    if plan.mode is not Mode.TEXT:
        return None
    if prompt is not None:
        return _one_line(prompt)
    if sys.stdin.isatty() and not plan.settings.json_:
        return _prompted
    return _piped


def _one_line(prompt: str) -> Lines:
    async def lines(session: Session) -> AsyncGenerator[str, None]:
        if prompt.strip():
            yield _as_text(prompt.strip())

    return lines


async def _prompted(session: Session) -> AsyncGenerator[str, None]:
    from rtchat.display.prompt import Interrupt, Prompt, Submitted

    async for event in Prompt().events(session.idle):
        if isinstance(event, Submitted):
            yield event.text
        elif isinstance(event, Interrupt):
            session.feed(InterruptPressed())
        else:
            session.leave()


async def _piped(session: Session) -> AsyncGenerator[str, None]:
    """Lines of standard input, one turn each; a thread reads, so that a silent pipe holds nothing up."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue()

    def tell(line: str | None) -> None:
        with suppress(RuntimeError):  # the session is over, and its event loop closed
            loop.call_soon_threadsafe(queue.put_nowait, line)

    def read() -> None:
        if isinstance(sys.stdin, TextIOWrapper):  # not where standard input is closed
            sys.stdin.reconfigure(errors="surrogateescape")
            for line in sys.stdin:
                tell(line)
        tell(None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        if line.strip():
            await session.idle.wait()
            yield _as_text(line.strip())


def _as_text(given: str) -> str:
    """What the user gave, with bytes that are no UTF-8 (which Python hands over as half surrogates) as `\ufffd`."""
    return given.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
