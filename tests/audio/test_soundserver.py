import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time

import pytest

from rtchat.audio.duplex import Duplex
from rtchat.audio.soundserver import SoundServer

pytestmark = pytest.mark.sound


WATCH = """
import asyncio
from rtchat.audio import soundserver

async def watch():
    soundserver._ASK_SECONDS = 600
    server = soundserver.SoundServer(lambda: None)
    await server.look()
    await server.watch()

asyncio.run(watch())
"""
PACTL = """#!/bin/sh
if [ "$1" = subscribe ]; then
    exec 3>"$ALIVE"
    echo $$ >&3
    exec sleep 600
fi
sed "s/PARENT/$PPID/" "$LISTING"
"""


@pytest.fixture
def playing(pulse):
    """This process plays silence to the server."""
    duplex = Duplex(None, lambda form: lambda frames, at: bytes(frames * form.frame_bytes))
    duplex.open(None, None)
    yield pulse
    duplex.close()
    pulse.unplug()


async def test_the_device_behind_this_processs_stream_is_known(playing):
    server = SoundServer(lambda: None)
    await server.look()
    assert {side: place.name for side, place in server.places.items()} == {"loudspeaker": "Test-Speaker"}


async def test_a_move_is_told_and_volumes_are_not(playing):
    told = asyncio.Event()
    server = SoundServer(told.set)
    await server.look()
    watching = asyncio.create_task(server.watch())
    try:
        playing.plug_in("other")
        playing.pactl("set-default-sink", "other")  # at once: nobody may be listening yet
        async with asyncio.timeout(60):
            while "Test-Other" not in [place.name for place in server.places.values()]:
                told.clear()
                await told.wait()
        assert 0 < server.changed_at <= time.perf_counter()
        for _ in range(20):  # what the move itself has changed may be told late
            told.clear()
            for percent in ("60%", "80%", "100%"):
                await asyncio.to_thread(playing.pactl, "set-sink-volume", "other", percent)
            await asyncio.sleep(0.3)
            if not told.is_set():
                break
        assert not told.is_set()
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def test_a_server_that_is_gone_has_no_places_and_nothing_is_left_running(playing):
    server = SoundServer(lambda: None)
    await server.look()
    watching = asyncio.create_task(server.watch())
    playing.unplug()
    await server.look()
    assert server.places == {}
    watching.cancel()
    await asyncio.wait([watching])


async def test_without_pactl_nothing_is_known_and_nothing_fails(playing, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    server = SoundServer(lambda: None)
    await server.look()
    assert server.places == {}
    watching = asyncio.create_task(server.watch())
    await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()
    await asyncio.wait([watching])


def test_whoever_is_killed_leaves_nothing_behind_that_listens(tmp_path):
    listing = {
        "sinks": [{"index": 1, "name": "laptop", "description": "Laptop", "properties": {}}],
        "sink_inputs": [{"sink": 1, "properties": {"application.process.id": "PARENT"}}],
        "sources": [],
        "source_outputs": [],
    }
    (tmp_path / "listing").write_text(json.dumps(listing))
    (tmp_path / "pactl").write_text(PACTL)
    (tmp_path / "pactl").chmod(0o755)
    os.mkfifo(tmp_path / "alive")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    paths = {"ALIVE": str(tmp_path / "alive"), "LISTING": str(tmp_path / "listing")}
    environment = {**os.environ, **paths, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    watching = subprocess.Popen([sys.executable, "-c", WATCH], env=environment)
    listening = 0
    try:
        assert select.select([alive], [], [], 60)[0]
        listening = int(os.read(alive, 100))
        watching.kill()
        watching.wait()
        assert select.select([alive], [], [], 60)[0], "the listener outlives the process that it listened for"
        assert os.read(alive, 100) == b""  # nobody holds the other end any more
        listening = 0
    finally:
        os.close(alive)
        watching.kill()
        watching.wait()
        if listening:
            os.kill(listening, signal.SIGKILL)
