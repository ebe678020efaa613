"""Scenarios through a real socket, and that a run repeats to the byte."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import websockets
from websockets.exceptions import InvalidStatus

from rtchat.server.clock import EPOCH
from rtchat.server.run import ServerConfig, embedded
from rtchat.server.staging import faults
from rtchat.server.staging.scenario import made
from rtchat.server.staging.stage import Stage
from rtchat.testing.babbling import babble

ROOT = Path(__file__).parents[3]
HOTEL = [
    {"hear": "a room please", "say": ["For how many nights?", {"text": "We have many.", "after_ms": 70_000}]},
    {"match": "two", "delay_ms": 90_000, "say": "One moment.", "call": {"name": "book", "arguments": {"n": 2}}},
    {"match": "booked", "say": "That is done."},
]
TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}


def frames_to_send():
    """What a client sends before it reads anything."""
    sound = base64.b64encode(babble()).decode()
    typed = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "two"}]}
    return [
        {"type": "session.update", "session": TRANSCRIBES},
        {"type": "input_audio_buffer.append", "audio": sound},
        {"type": "conversation.item.create", "item": typed},
        {"type": "response.create"},
        {"type": "nonsense"},
    ]


async def exchange(url):
    """All frames of the server."""
    got = []
    async with websockets.connect(f"{url}/realtime?model=gpt-realtime-2.1", max_size=None) as socket:
        for frame in frames_to_send():
            await socket.send(json.dumps(frame))
        while '"type":"error"' not in (got[-1] if got else ""):
            got.append(await socket.recv())
    return got


def config(**stage):
    return ServerConfig(tts="tone", stage=Stage(scenario=made(HOTEL), **stage))


async def test_two_runs_are_alike_to_the_byte_and_take_no_time():
    runs = []
    for seed in (7, 7, 8):
        async with embedded(config(seed=seed, virtual=True)) as url:
            runs.append(await exchange(url))
    assert runs[0] == runs[1] != runs[2]
    events = [json.loads(frame) for frame in runs[0]]
    assert events[0]["session"]["expires_at"] == EPOCH + 3600
    words = [event["transcript"] for event in events if event["type"].endswith("transcription.completed")]
    assert words == ["a room please"]
    done = [event["response"] for event in events if event["type"] == "response.done"]
    said = [part["transcript"] for response in done for part in response["output"][0]["content"]]
    assert said == ["For how many nights? We have many.", "One moment."]
    assert done[1]["output"][1]["arguments"] == '{"n": 2}'


async def test_other_processes_send_the_same(tmp_path):
    scenario = tmp_path / "hotel.toml"
    scenario.write_text(
        '[[turn]]\nhear = "a room"\nsay = ["Yes.", {text = "Many.", after_ms = 60000}]\n[[turn]]\nsay = "Two."\n',
        encoding="utf-8",
    )
    runs = []
    for _ in range(2):
        flags = ["--port", "0", "--script", scenario, "--tts", "tone", "--seed", "3", "--clock", "virtual"]
        command = [sys.executable, "-m", "rtchat", "serve", *map(str, flags)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        server = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE, env=environment)
        line = await server.stderr.readline()
        runs.append(await exchange(line.decode().split()[-1].removesuffix("/realtime")))
        server.terminate()
        await server.communicate()
    assert runs[0] == runs[1]
    assert len(runs[0]) > 20


async def test_a_scenario_begins_anew_in_every_session_and_in_real_time(connect):
    stage = Stage(scenario=made([{"say": "Hello.", "delay_ms": 20}]))
    async with embedded(ServerConfig(tts="tone", stage=stage)) as url:
        for _ in range(2):
            async with connect(url) as client:
                await client.send("response.create")
                done = (await client.until("response.done"))[-1]["response"]
                assert done["output"][0]["content"][0]["transcript"] == "Hello."
                await client.send("response.create")
                done = (await client.until("response.done"))[-1]["response"]
                assert done["status_details"]["error"]["message"] == (
                    "The scenario has 1 turn, and this is response 2. Write another [[turn]], or loop = true."
                )


async def refused(url, chaos, **options):
    """The status before the upgrade, or the error event after it."""
    try:
        async with websockets.connect(f"{url}/realtime?model=gpt-realtime-2.1&chaos={chaos}", **options) as socket:
            return json.loads(await socket.recv())
    except InvalidStatus as refusal:
        return refusal.response.status_code


async def test_faults_at_the_door():
    async with embedded(ServerConfig(tts="tone")) as url:
        assert await refused(url, "refuse") == 503
        assert await refused(url, "refuse-429") == 429
        assert (await refused(url, "refuse-401"))["error"]["code"] == "invalid_api_key"
        assert (await refused(url, "jitter"))["type"] == "session.created"


async def test_who_may_ask_for_faults():
    key = {"additional_headers": {"Authorization": "Bearer k"}}
    async with embedded(ServerConfig(tts="tone", api_key="k")) as url:
        error = (await refused(url, "jitter", **key))["error"]
        assert (error["code"], error["param"]) == ("invalid_value", "chaos")
        assert error["message"] == "This server makes no faults for its clients. Start it with --allow-chaos."
    async with embedded(ServerConfig(tts="tone", api_key="k", stage=Stage(allow_chaos=True))) as url:
        assert (await refused(url, "jitter", **key))["type"] == "session.created"
        assert "Did you mean jitter?" in (await refused(url, "jiter", **key))["error"]["message"]


async def test_faults_of_a_server_and_only_of_its_first_sessions():
    stage = Stage(chaos=faults.choose(["refuse:sessions=2"]))
    async with embedded(ServerConfig(tts="tone", stage=stage)) as url:
        seen = [await refused(url, "") for _ in range(3)]
    assert seen[:2] == [503, 503]
    assert seen[2]["type"] == "session.created"
