"""`rtchat serve` with engines from elsewhere: a package of examples/, an HTTP server, a running Ollama."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from websockets.sync.client import connect

PARROT = Path(__file__).parents[2] / "examples" / "parrot"
TRANSCRIPTION = "conversation.item.input_audio_transcription"


def ask(url: str, text: str, modality: str) -> tuple[dict[str, Any], int]:
    """One turn with a server: its response, and how many deltas of sound there were."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    response = {"output_modalities": [modality]}
    with connect(f"{url}/realtime?model=gpt-realtime", max_size=None) as server:
        server.send(json.dumps({"type": "conversation.item.create", "item": item}))
        server.send(json.dumps({"type": "response.create", "response": response}))
        sounds = 0
        while True:
            event = json.loads(server.recv(timeout=120))
            sounds += event["type"] == "response.output_audio.delta"
            if event["type"] == "response.done":
                return event["response"], sounds


def test_the_example_installed_as_a_package(world, serving, monkeypatch, tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=PARROT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path / "there"),
    ]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    monkeypatch.setenv("PYTHONPATH", f"{os.environ['PYTHONPATH']}{os.pathsep}{tmp_path / 'there'}")
    url, _ = serving("--llm", "parrot", "--tts", "whistle")
    response, sounds = ask(url, "polly wants it", "audio")
    assert response["output"][0]["content"][0]["transcript"] == "You said: polly wants it"
    assert sounds == 5  # one note a word


def test_the_example_beside_the_user(world, serving, monkeypatch):
    monkeypatch.chdir(PARROT)
    url, _ = serving("--llm", "parrot:Parrot", "--tts", "parrot:Whistle")
    response, _ = ask(url, "polly", "text")
    assert response["output"][0]["content"][0]["text"] == "You said: polly"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--llm", "http://"], "--llm 'http://' is not an HTTP URL."),
        (["--tts", "nobody"], "There is no tts engine named 'nobody'. Choose among espeak,"),
        (["--stt", "nowhere:Ears"], "--stt nowhere:Ears does not load: ModuleNotFoundError"),
    ],
)
def test_what_is_no_engine(world, rtchat, flags, sentence):
    ran = rtchat("serve", "--port", "0", *flags)
    assert ran.code == 2
    assert sentence in " ".join(ran.err.split())


def test_an_address_that_is_down_is_warned_of_and_fails_only_its_response(world, serving, own_port):
    url, process = serving("--llm", f"http://127.0.0.1:{own_port}/v1", "--llm-model", "m")
    warning = process.stderr.readline().decode()
    assert warning.startswith(f"Warning: Nothing answers at http://127.0.0.1:{own_port}/v1.")
    response, _ = ask(url, "hello", "text")
    assert response["status"] == "failed"
    assert "Nothing answers" in response["status_details"]["error"]["message"]


class Ollama(BaseHTTPRequestHandler):
    """As much of it as is used here."""

    def do_GET(self) -> None:
        models = (
            {"models": [{"name": "llama3.2:latest"}]} if "tags" in self.path else {"data": [{"id": "llama3.2"}]}
        )
        self._answer("application/json", json.dumps(models))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = f"I am {asked['model']}."
        chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
        self._answer("text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")

    def _answer(self, kind: str, body: str) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def ollama(monkeypatch) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Ollama) as server:
        monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def patient(changed) -> list[str]:
    """The program, which looks for Ollama for as long as a busy machine may need."""
    lines = ("ollama.PATIENT_LOOK_S = 60.0", "ollama.models.__defaults__ = (60.0,)")
    return changed("from rtchat.server.engines import ollama", *lines)


def test_a_running_ollama_is_offered_and_used(world, serving, patient, ollama):
    _, process = serving(command=patient)
    offer = process.stderr.readline().decode().strip()
    assert offer == "Ollama is running here with llama3.2: use it with --llm ollama --llm-model llama3.2"
    url, _ = serving("--llm", "ollama")
    response, _ = ask(url, "who are you", "text")
    assert response["output"][0]["content"][0]["text"] == "I am llama3.2."


def test_a_session_without_a_key_is_offered_ollama_and_takes_it(world, rtchat, patient, ollama):
    offer = "Ollama is running here with llama3.2: use it with --llm ollama --llm-model llama3.2"
    assert offer in rtchat("text", "hello", command=patient).err
    taken = rtchat("text", "hello", "--llm", "ollama", "--llm-model", "llama3.2", OPENAI_API_KEY="sk-unused")
    assert (taken.code, taken.out.strip()) == (0, "I am llama3.2.")
    assert "The embedded server answers, on this machine, with ollama." in taken.err


EARS = '''
from rtchat.server.engines.base import Partial, Transcript


class Ears:
    """Hears a word for each second of sound, while it comes."""

    name = "ears"

    async def transcribe(self, pcm, rate, *, language=None, grammar=None):
        return Transcript("heard as a whole")

    def listen(self, rate, *, language=None, grammar=None):
        return Ear(rate)


class Ear:
    def __init__(self, rate):
        self.rate, self.fed = rate, 0

    def words(self):
        return " ".join(f"word{n + 1}" for n in range(self.fed // (2 * self.rate)))

    async def feed(self, pcm):
        self.fed += len(pcm)
        return Partial(self.words(), self.fed * 500 / self.rate, sure=len(self.words()))

    async def finish(self):
        return Transcript(self.words())

    def close(self):
        pass
'''


def transcribed(url: str, model: str, pcm: bytes, *, until_word: str = "") -> list[dict[str, Any]]:
    """The events of a transcription of sound that the client commits, once that word was told."""
    told: list[dict[str, Any]] = []
    with connect(f"{url}/realtime?intent=transcription", max_size=None) as server:

        def wait(kind: str, delta: str = "") -> None:
            while not told or told[-1]["type"] != kind or delta not in told[-1].get("delta", ""):
                told.append(json.loads(server.recv(timeout=120)))

        listening = {"transcription": {"model": model}, "turn_detection": None}
        session = {"type": "transcription", "audio": {"input": listening}}
        server.send(json.dumps({"type": "session.update", "session": session}))
        for at in range(0, len(pcm), 4800):
            sound = base64.b64encode(pcm[at : at + 4800]).decode()
            server.send(json.dumps({"type": "input_audio_buffer.append", "audio": sound}))
        if until_word:
            wait(f"{TRANSCRIPTION}.delta", until_word)
        server.send(json.dumps({"type": "input_audio_buffer.commit"}))
        wait(f"{TRANSCRIPTION}.completed")
    return told


def test_an_engine_of_ones_own_listens_while_the_user_speaks(world, serving):
    (world / "ears.py").write_text(EARS)
    url, _ = serving("--stt", "ears:Ears")
    told = transcribed(url, "gpt-live-transcribe", bytes(3 * 48_000), until_word="word3")
    kinds = [event["type"] for event in told]
    committed = kinds.index("input_audio_buffer.committed")
    assert kinds[:committed].count(f"{TRANSCRIPTION}.delta") == 3
    assert told[-1]["transcript"] == "word1 word2 word3"
    assert {event["item_id"] for event in told if "item_id" in event} == {told[committed]["item_id"]}


@pytest.mark.needs("espeak-ng")
def test_moonshine_hears_a_turn(world, serving, monkeypatch, tmp_path):
    there = find_spec("moonshine_voice")
    weights = Path(there.origin).parent / "assets" / "tiny-en" if there else tmp_path
    if not (weights / "encoder_model.ort").exists():
        pytest.skip("the packages of the group neural are not installed")
    (tmp_path / "moonshine-tiny-en").symlink_to(weights)
    monkeypatch.setenv("RTCHAT_MODELS", str(tmp_path))
    url, _ = serving("--stt", "moonshine", "--stt-model", "tiny-en")
    wav = subprocess.run(["espeak-ng", "--stdout", "Tell me a joke."], check=True, capture_output=True).stdout
    spoken = np.frombuffer(wav[44:], "<i2")
    pcm = (
        bytes(24_000)
        + soxr.resample(spoken, int.from_bytes(wav[24:28], "little"), 24_000).tobytes()
        + bytes(24_000)
    )
    told = transcribed(url, "gpt-4o-mini-transcribe", pcm)
    assert told[-1]["transcript"] == "Tell me a joke."
    assert "".join(event.get("delta", "") for event in told) == "Tell me a joke."


def test_the_page_shows_the_example():
    page = (PARROT.parents[1] / "docs" / "engines.md").read_text()
    _, _, code = (PARROT / "parrot.py").read_text().partition('"""\n\n')
    assert code in page
