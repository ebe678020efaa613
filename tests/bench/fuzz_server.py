"""Frames that no client should send: python tests/bench/fuzz_server.py [--socket] [frames] [seed] [flags of serve]

Through the dialogue (or the translation) itself every frame must be answered by events: an exception ends the run
and names the frame. Sessions are renewed every 300 frames.

With `--socket` rough clients (tests/rough_clients.py) send them to a process of `rtchat serve`. Afterwards
it must be as it was: it answers, a fresh session talks, no other is left, not even of clients that vanished without
a word, and its log tells of no mistake. Memory is printed at the begin and after every tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import websockets

from rtchat.protocol import wire
from rtchat.protocol.items import McpTool
from rtchat.server.beta import Beta
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import Partial, TextPiece, ToolCall, WordMark
from rtchat.server.translation import Translation

sys.path.insert(0, str(Path(__file__).parents[1]))
import rough_clients
import rough_frames as of

SESSION = 300
LOOK = McpTool(name="look", description=None, input_schema={"type": "object"})
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


def machine(dice: random.Random) -> Any:
    """A session's: a conversation mostly, in today's words or the beta's, a transcription, a translation."""
    counts: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def new_id(prefix: str) -> str:
        return f"{prefix}_{next(counts[prefix])}"

    listens = dice.random() < 0.5
    match dice.randrange(10):
        case 0:
            return Translation(model="gpt-realtime-translate", new_id=new_id, expires_at=1)
        case 1:
            return Dialogue(model="", new_id=new_id, expires_at=1, kind="transcription", listens=listens)
        case 2:
            dialogue = Dialogue(model="gpt-realtime-2.1", new_id=new_id, expires_at=1)
            return Beta(dialogue, new_id, dialogue.conversation_id)
        case _:
            return Dialogue(model="gpt-realtime-2.1", new_id=new_id, expires_at=1, listens=listens)


class Answers:
    """The engines' part: what a dialogue asks for is done at once or later, in any order that a session allows.

    Args:
        dialogue: Asks.
        dice: Decide what is answered, and when.
    """

    def __init__(self, dialogue: Any, dice: random.Random) -> None:
        self._dialogue = dialogue
        self._dice = dice
        self._to_tell: defaultdict[tuple[str, str], list[Any]] = defaultdict(list)

    def tell(self, told: Any) -> None:
        """An input, and what follows from it."""
        self.do(self._dialogue.receive(told))

    def tell_some(self) -> None:
        """A few of the answers that wait."""
        while self._to_tell and self._dice.random() < 0.8:
            whose = self._dice.choice(list(self._to_tell))
            told = self._to_tell[whose].pop(0)
            if not self._to_tell[whose]:
                del self._to_tell[whose]
            self.tell(told)

    def do(self, effects: list[Any]) -> None:
        """Do what is asked for, badly at times."""
        dice, later = self._dice, self._to_tell
        for effect in effects:
            match effect:
                case sig.Emit():
                    wire.encode(effect.event).encode()
                case sig.Detect():
                    windows = len(effect.pcm) // 1536
                    self.tell(sig.Detected(tuple(dice.choice([0.0, 0.9]) for _ in range(windows))))
                case sig.Think(response_id):
                    pieces = [
                        TextPiece("One two. "),
                        ToolCall("f", "{}"),
                        ToolCall("look", "{}"),
                        TextPiece("Three"),
                    ]
                    thoughts = [sig.Thought(response_id, piece) for piece in pieces if dice.random() < 0.5]
                    ended = sig.ThoughtEnded(response_id, dice.choice([None, None, "It broke."]))
                    later["thoughts", response_id] += [*thoughts, ended]
                case sig.Speak(response_id):
                    sound = [sig.Marked(response_id, WordMark(3, 40.0)), sig.Spoke(response_id, bytes(4800))]
                    ended = sig.SpeechEnded(response_id, dice.choice([None, None, None, "It is hoarse."]))
                    later["speech", response_id] += [*sound, ended]
                case sig.Listen(key):
                    later["words", key].append(sig.SoFar(key, Partial("hi there", dice.randrange(900), 2)))
                case sig.Transcribe(key):
                    heard = [sig.Recognised(key, "hi"), sig.Recognised(key, ""), sig.NotRecognised(key, "no")]
                    later["words", key].append(dice.choice(heard))
                case sig.Judge(key):
                    later["melody", key].append(sig.Judged(key, dice.random()))
                case sig.Translate(key):
                    later["translation", key].append(
                        dice.choice([sig.Translated(key, "uno dos"), sig.NotTranslated(key, "no")])
                    )
                case sig.ListTools(key):
                    listed = [sig.ToolsListed(key, (LOOK,)), sig.ToolsNotListed(key, "no")]
                    later["tools", key].append(dice.choice(listed))
                case sig.CallTool(key):
                    failed = sig.ToolFailed(key, {"type": "tool_execution_error", "message": "no"})
                    later["tool", key].append(dice.choice([sig.ToolCalled(key, "sky"), failed]))
                case sig.Enough(response_id):
                    later.pop(("thoughts", response_id), None)
                case sig.Abort(response_id) | sig.Abandon(response_id):
                    for kind in ("thoughts", "speech", "words", "melody"):
                        later.pop((kind, response_id), None)


def memory_mb(pid: int | str = "self") -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def through_the_dialogue(frames: int, seed: int) -> None:
    """Send them to the machine itself."""
    dice = random.Random(seed)
    for number in range(frames):
        if number % SESSION == 0:
            dialogue = machine(dice)
            answers = Answers(dialogue, dice)
            answers.do(dialogue.start())
        event = dice.choice(of.EVENTS)
        frame = json.dumps(of.mangled(event, dice) if dice.random() < 0.6 else event)
        if dice.random() < 0.3:
            frame = of.torn(frame, dice)
        told: Any = sig.Frame(frame) if dice.random() < 0.99 else sig.BinaryFrame()
        try:
            answers.tell(told)
            answers.tell_some()
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
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-c", SERVER, "serve", "--port", "0", "--log", "json", *flags]
        process = await asyncio.create_subprocess_exec(*command, stderr=log)
        try:
            port = await listening(process, log)
            await talk(port)  # what is loaded once is no leak
            print(f"0 frames, {memory_mb(process.pid):.1f} MB", flush=True)
            told = rough_clients.Told()
            for tenth in range(1, 11):
                so_far = frames * tenth // 10
                await rough_clients.crowd(
                    "127.0.0.1", port, frames=so_far, seed=seed * 10 + tenth, hold=True, told=told
                )
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
