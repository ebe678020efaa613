"""`rtchat serve` with engines from elsewhere: a package of examples/, an HTTP server, a running Ollama."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

PARROT = Path(__file__).parents[2] / "examples" / "parrot"


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
            event = json.loads(server.recv(timeout=20))
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


@pytest.fixture
def refusing_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


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


def test_an_address_that_is_down_is_warned_of_and_fails_only_its_response(world, serving, refusing_port):
    url, process = serving("--llm", f"http://127.0.0.1:{refusing_port}/v1", "--llm-model", "m")
    warning = process.stderr.readline().decode()
    assert warning.startswith(f"Warning: Nothing answers at http://127.0.0.1:{refusing_port}/v1.")
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


def test_a_running_ollama_is_offered_and_used(world, serving, ollama):
    _, process = serving()
    offer = process.stderr.readline().decode().strip()
    assert offer == "Ollama is running here with llama3.2: use it with --llm ollama --llm-model llama3.2"
    url, _ = serving("--llm", "ollama")
    response, _ = ask(url, "who are you", "text")
    assert response["output"][0]["content"][0]["text"] == "I am llama3.2."


def test_a_session_without_a_key_is_offered_ollama_and_takes_it(world, rtchat, ollama):
    offer = "Ollama is running here with llama3.2: use it with --llm ollama --llm-model llama3.2"
    # The look is short: a busy machine may need another.
    assert any(offer in rtchat("text", "hello").err for _ in range(5))
    taken = rtchat("text", "hello", "--llm", "ollama", "--llm-model", "llama3.2", OPENAI_API_KEY="sk-unused")
    assert (taken.code, taken.out.strip()) == (0, "I am llama3.2.")
    assert "The embedded server answers, on this machine, with ollama." in taken.err


def test_the_page_shows_the_example():
    page = (PARROT.parents[1] / "docs" / "engines.md").read_text()
    _, _, code = (PARROT / "parrot.py").read_text().partition('"""\n\n')
    assert code in page
