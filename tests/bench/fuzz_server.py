"""Frames that no client should send: python tests/bench/fuzz_server.py [--socket] [frames] [seed] [flags of serve]

Through the real dialogue, every frame must be answered by events: an exception ends the run and names the frame.
Sessions are renewed every thousand frames.

With `--socket` rough clients (tests/server/rough_clients.py) send them to a process of `rtchat serve`. Afterwards
it must be as it was: it answers, a fresh session talks, no other is left, not even of clients that vanished without
a word, and its log tells of no mistake. Memory is printed at the begin and after every tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import importlib.util
import itertools
import json
import os
import random
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import websockets

from rtchat.protocol import wire
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece, ToolCall

TESTS = Path(__file__).parents[1] / "server"
SESSION = 1000
SERVER = """
import logging
logging.basicConfig(level=logging.WARNING)
hidden = logging.getLogger("uvicorn.error")  # it hides what escapes from an application
hidden.setLevel(logging.ERROR)
hidden.setLevel = lambda _: None
from rtchat.__main__ import main
main()
"""
EXPECTED = re.compile(r"ERROR:uvicorn\.error:Invalid UTF-8 (?:.*\n)+?UnicodeDecodeError: .*\n")
"""What uvicorn says of a client's text that is no UTF-8."""
LEFT_S = 90
"""When the last of those that vanished without a word is gone: a ping and its answer's time, twice."""


def loaded(path: Path) -> Any:
    """A module of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def answer(dialogue: Dialogue, effects: list[Any], dice: random.Random) -> None:
    """Do what is asked for, badly at times."""
    for effect in effects:
        match effect:
            case sig.Emit():
                wire.encode(effect.event).encode()
            case sig.Think():
                piece = dice.choice([TextPiece("One two."), ToolCall("f", "{}")])
                answer(dialogue, dialogue.receive(sig.Thought(effect.response_id, piece)), dice)
                why = dice.choice([None, None, "It broke."])
                answer(dialogue, dialogue.receive(sig.ThoughtEnded(effect.response_id, why)), dice)
            case sig.Speak():
                answer(dialogue, dialogue.receive(sig.Spoke(effect.response_id, bytes(4800))), dice)
                answer(dialogue, dialogue.receive(sig.SpeechEnded(effect.response_id)), dice)
            case sig.Transcribe():
                answer(dialogue, dialogue.receive(sig.Recognised(effect.key, "hi")), dice)
            case sig.Detect():
                count = len(effect.pcm) // 1536
                found = tuple(dice.choice([0.0, 0.9]) for _ in range(count))
                answer(dialogue, dialogue.receive(sig.Detected(found)), dice)


def memory_mb(pid: int | str = "self") -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def through_the_dialogue(frames: int, seed: int) -> None:
    """Send them to the machine itself."""
    dice = random.Random(seed)
    of = loaded(TESTS / "dialogue" / "test_garbage.py")
    for number in range(frames):
        if number % SESSION == 0:
            numbers = itertools.count(1)
            dialogue = Dialogue(
                model="gpt-realtime-2.1", expires_at=1, new_id=lambda prefix, n=numbers: f"{prefix}_{next(n)}"
            )
            answer(dialogue, dialogue.start(), dice)
        event = dice.choice(of.EVENTS)
        frame = json.dumps(of.mangled(event, dice) if dice.random() < 0.6 else event)
        if dice.random() < 0.3:
            frame = of.torn(frame, dice)
        told: Any = sig.Frame(frame) if dice.random() < 0.99 else sig.BinaryFrame()
        try:
            answer(dialogue, dialogue.receive(told), dice)
        except Exception:
            print(
                f"frame {number}: {base64.b64encode(frame.encode(errors='surrogatepass'))[:2000]!r}",
                file=sys.stderr,
            )
            raise
        if number % max(1, frames // 10) == 0:
            print(f"{number} frames, {memory_mb():.1f} MB", flush=True)
    print(f"{frames} frames, no exception, {memory_mb():.1f} MB")


async def over_sockets(frames: int, seed: int, flags: list[str]) -> list[str]:
    """Send them to a server's process.

    Returns:
        What is wrong with it.
    """
    rough = loaded(TESTS / "rough_clients.py")
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-c", SERVER, "serve", "--port", "0", "--log", "json", *flags]
        process = await asyncio.create_subprocess_exec(*command, stderr=log)
        try:
            port = await listening(process, log)
            await talk(port)  # what is loaded once is no leak
            print(f"0 frames, {memory_mb(process.pid):.1f} MB", flush=True)
            told = rough.Told()
            for tenth in range(1, 11):
                so_far = frames * tenth // 10
                await rough.crowd("127.0.0.1", port, frames=so_far, seed=seed * 10 + tenth, hold=True, told=told)
                print(f"{told.sent.total()} frames, {memory_mb(process.pid):.1f} MB", flush=True)
            print(f"sent: {dict(told.sent.most_common())}\ngot: {dict(told.got.most_common())}")
            wrong = told.wrong + await as_it_was(port)
            print(f"{len(told.held)} vanished without a word; {memory_mb(process.pid):.1f} MB", flush=True)
        finally:
            process.terminate()
            await process.wait()
        log.seek(0)
        said = "".join(line for line in log if not line.startswith("{"))
        said = EXPECTED.sub("", said).replace(f"Listening on ws://127.0.0.1:{port}/v1/realtime\n", "")
        return [*wrong, *([f"the log says:\n{said}"] if said else [])]


async def listening(process: asyncio.subprocess.Process, log: Any) -> int:
    """The server's port, once it listens."""
    while process.returncode is None:
        log.seek(0)
        if found := re.search(r"Listening on ws://127.0.0.1:(\d+)/", log.read()):
            return int(found[1])
        await asyncio.sleep(0.1)
    raise SystemExit("the server did not start")


def connections(port: int) -> int:
    """Those of the server that are not closed."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    open_or_half = ("01", "08")
    return sum(row[1].endswith(f":{port:04X}") and row[3] in open_or_half for row in rows)


async def talk(port: int) -> None:
    """A session as it should be: a question, and an answer."""
    async with (
        asyncio.timeout(30),
        websockets.connect(f"ws://127.0.0.1:{port}/v1/realtime?model=gpt-realtime") as client,
    ):
        content = [{"type": "input_text", "text": "what is two plus three"}]
        item = {"type": "message", "role": "user", "content": content}
        await client.send(json.dumps({"type": "conversation.item.create", "item": item}))
        await client.send('{"type":"response.create"}')
        async for frame in client:
            if (event := json.loads(frame))["type"] == "response.done":
                assert event["response"]["status"] == "completed", event
                return


async def as_it_was(port: int) -> list[str]:
    """What is not."""
    wrong = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        if (health := await http.get("/healthz")).json()["status"] != "ok":
            wrong.append(f"/healthz says {health.text}")
        try:
            await talk(port)
        except (OSError, TimeoutError, AssertionError, websockets.WebSocketException) as error:
            wrong.append(f"a fresh session: {error!r}")
        try:
            async with asyncio.timeout(LEFT_S):
                while True:
                    if not (await http.get("/v1/pool")).json()["live"] and connections(port) == 1:  # this one
                        break
                    await asyncio.sleep(0.5)
        except TimeoutError:
            wrong.append(f"after {LEFT_S} s: {connections(port)} connections, {(await http.get('/v1/pool')).text}")
        if "\nrtchat_sessions 0\n" not in (figures := (await http.get("/metrics")).text):
            wrong.append("the metrics count sessions that have ended")
        print("\n".join(re.findall(r"^rtchat_(?:sessions|closed|refused|slow)\w*_total.*", figures, re.MULTILINE)))
    return wrong


def main() -> None:
    """Send them."""
    parser = argparse.ArgumentParser(description="Frames that no client should send.")
    parser.add_argument("--socket", action="store_true")
    parser.add_argument("frames", nargs="?", type=int)
    parser.add_argument("seed", nargs="?", type=int, default=0)
    asked, flags = parser.parse_known_args()
    if not asked.socket:
        through_the_dialogue(asked.frames or 1_000_000, asked.seed)
    elif wrong := asyncio.run(over_sockets(asked.frames or 100_000, asked.seed, flags)):
        sys.exit("\n".join(["WRONG:", *wrong]))
    else:
        print("nothing wrong")


if __name__ == "__main__":
    main()
