import asyncio
import base64
import json
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx
import numpy as np
import pytest
import soxr
from websockets.exceptions import InvalidStatus

from rtchat.errors import UsageError
from rtchat.server.run import ServerConfig, embedded

TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    *["response.output_text.delta"] * 3,
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


async def test_a_text_turn_in_the_recorded_order(engines, connect):
    async with embedded(engines=engines) as url, connect(url) as client:
        await client.say("hello")
        await client.send("response.create", response={"output_modalities": ["text"]})
        events = await client.until("rate_limits.updated")
    assert [event["type"] for event in events] == TEXT_TURN
    assert events[-2]["response"]["output"][0]["content"] == [{"type": "output_text", "text": "You said hello."}]


async def test_stopping_closes_what_is_open_with_1001(engines, connect):
    async with embedded(engines=engines) as url:
        connection = connect(url)
        client = await connection.__aenter__()
    assert await client.closed() == (1001, "server shutting down")


async def test_a_port_in_use(engines):
    async with embedded(engines=engines) as url:
        port = int(url.rsplit(":", 1)[1].split("/")[0])
        with pytest.raises(UsageError, match=f"Cannot listen on 127.0.0.1:{port}: Address already in use."):
            async with embedded(ServerConfig(port=port), engines=engines):
                pass


async def test_the_network_needs_a_key(engines):
    with pytest.raises(UsageError, match="without a key"):
        async with embedded(ServerConfig(host="0.0.0.0"), engines=engines):
            pass


async def test_an_engine_that_does_not_exist():
    with pytest.raises(UsageError, match="nope"):
        async with embedded(ServerConfig(llm="nope")):
            pass


# --- with the engines that a user gets --------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("flite") is None, reason="nobody to speak: flite is not installed")
async def test_a_spoken_question_is_heard_and_answered(connect):
    question = await flite("What is two plus three?")
    async with embedded() as url, connect(url) as client:
        for at in range(0, len(question), 4800):
            sound = base64.b64encode(question[at : at + 4800]).decode()
            await client.send("input_audio_buffer.append", audio=sound)
        events = await client.until("response.done")
    (item,) = events[-1]["response"]["output"]
    assert "5" in item["content"][0]["transcript"] or "five" in item["content"][0]["transcript"].lower()
    assert events[-1]["response"]["usage"]["output_token_details"]["audio_tokens"] > 10


@pytest.mark.skipif(shutil.which("apertium") is None, reason="Apertium is not installed")
async def test_translating_into_what_is_there_and_what_is_not(connect):
    async with embedded() as url, connect(url, path="/realtime/translations?model=apertium:en-es") as client:
        await client.send("session.update", session={"audio": {"output": {"language": "ja"}}})
        error = (await client.event())["error"]
        assert "'ja'" in error["message"]
        await client.send("session.update", session={"audio": {"output": {"language": "Spanish"}}})
        answer = await client.event()
    assert answer["type"] == "session.updated" or "apertium-eng-spa" in answer["error"]["message"]


async def test_typing_needs_neither_voice_nor_ears(connect, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    monkeypatch.setattr("rtchat.server.engines.espeak_process.EspeakProcess.possible", lambda: False)
    async with embedded() as url, connect(url) as client:
        await client.say("What is two plus three?")
        await client.send("response.create", response={"output_modalities": ["text"]})
        typed = (await client.until("response.done"))[-1]["response"]
        await client.send("response.create")
        spoken = (await client.until("response.done"))[-1]["response"]
    assert "5" in typed["output"][0]["content"][0]["text"]
    assert spoken["status"] == "failed"
    assert "espeak-ng" in spoken["status_details"]["error"]["message"]


async def flite(text: str) -> bytes:
    """Somebody says that: 24 kHz, with silence before and after."""
    command = ["flite", "-voice", "slt", "-t", text, "-o", "/dev/stdout"]
    wav = await asyncio.to_thread(subprocess.check_output, command, stderr=subprocess.DEVNULL)
    rate = int.from_bytes(wav[24:28], "little")
    speech = soxr.resample(np.frombuffer(wav[44:], dtype="<i2"), rate, 24_000).tobytes()
    return bytes(48 * 300) + speech + bytes(48 * 700)


async def test_serve_ends_at_ctrl_c_and_sigterm():
    code = "import asyncio; from rtchat.server.run import *; print(asyncio.run(serve(ServerConfig())).name)"
    for number in (signal.SIGINT, signal.SIGTERM):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        first = await asyncio.wait_for(process.stderr.readline(), 120)
        assert first.startswith(b"Listening on ws://127.0.0.1:")
        process.send_signal(number)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out.decode().strip(), err) == (0, number.name, b"")


# --- SIGTERM with sessions live ---------------------------------------------------------------------------


@asynccontextmanager
async def served(config: str = "limits=Limits(drain_s=600)"):
    """A server's process, and where it listens."""
    code = (
        "import asyncio; from rtchat.server.run import *; from rtchat.server.limits import Limits\n"
        f"print(asyncio.run(serve(ServerConfig({config}, log='json'))).name)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        first = await asyncio.wait_for(process.stderr.readline(), 120)
        yield process, first.decode().split()[2].removesuffix("/realtime")
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def event_named(process, name: str) -> dict:
    """The next line of the journal of that name."""
    while True:
        line = await asyncio.wait_for(process.stderr.readline(), 60)
        assert line, f"{name} never came"
        if line.startswith(b"{") and (told := json.loads(line))["event"] == name:
            return told


async def test_sigterm_lets_sessions_end_and_nobody_new_come(connect):
    async with served() as (process, url), connect(url) as client:
        process.send_signal(signal.SIGTERM)
        assert (await event_named(process, "draining"))["sessions"] == 1
        async with httpx.AsyncClient(base_url=url.replace("ws", "http", 1).removesuffix("/v1")) as http:
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200
        with pytest.raises(InvalidStatus) as refused:
            await connect(url).__aenter__()
        assert refused.value.response.status_code == 503
        await client.say("still here")
        assert (await client.event())["type"] == "conversation.item.added"
        await client.socket.close()
        assert (await event_named(process, "drained"))["sessions_closed"] == 0
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (0, b"SIGTERM\n")


async def test_who_does_not_leave_in_time_is_closed(connect):
    async with served("limits=Limits(drain_s=0.2)") as (process, url), connect(url) as client:
        process.send_signal(signal.SIGTERM)
        assert await client.closed() == (1001, "server shutting down")
        assert await asyncio.wait_for(process.wait(), 60) == 0


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)])
async def test_a_second_signal_ends_at_once(connect, signals):
    async with served() as (process, url), connect(url) as client:
        process.send_signal(signals[0])
        await event_named(process, "draining")
        process.send_signal(signals[1])
        assert await client.closed() == (1001, "server shutting down")
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_ctrl_c_waits_for_nobody(connect):
    async with served() as (process, url), connect(url) as client:
        process.send_signal(signal.SIGINT)
        assert await client.closed() == (1001, "server shutting down")
        assert (await event_named(process, "session_ended"))["close"] == 1001
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert (process.returncode, out) == (0, b"SIGINT\n")
