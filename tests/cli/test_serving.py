"""`rtchat serve`: its flags reach the server, and it does not start where it may not."""

from __future__ import annotations

import signal
import socket

import pytest

from rtchat.server import run as server
from rtchat.server.limits import Limits
from rtchat.server.run import ServerConfig


@pytest.fixture
def started(monkeypatch):
    seen = []

    async def serve(config):
        seen.append(config)

    monkeypatch.setattr(server, "serve", serve)
    return seen


def test_by_default_it_serves_this_machine_alone(run, started):
    assert run("serve").code == 0
    assert started == [ServerConfig(host="127.0.0.1", port=8765, log="text")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_ctrl_c_is_told_by_the_exit_code(run, monkeypatch, number, code):
    async def serve(config):
        return number

    monkeypatch.setattr(server, "serve", serve)
    assert run("serve").code == code


def test_every_flag_reaches_the_server(run, started):
    run("serve", "--host", "::1", "--port", "0", "--api-key", "k", "--stt", "a", "--llm", "b", "--tts", "c",
        "--vad", "d")  # fmt: skip
    assert started == [ServerConfig("::1", 0, ("k",), "a", "b", "c", "d", log="text")]


def test_what_a_test_puts_around_sessions(run, started, tmp_path):
    (tmp_path / "hotel.toml").write_text("[[turn]]\nsay = 'Hello.'\n", encoding="utf-8")
    run("serve", "--script", str(tmp_path / "hotel.toml"), "--seed", "5", "--clock", "virtual")
    stage = started[0].stage
    assert stage.scenario.turn[0].say[0].text == "Hello."
    assert (stage.seed, stage.virtual) == (5, True)


def test_faults_reach_the_server_and_are_listed(run, started):
    run("serve", "--chaos", "close-1011:after=2,duplicate", "--chaos", "jitter", "--allow-chaos")
    stage = started[0].stage
    assert [one.kind.name for one in stage.chaos] == ["close", "duplicate", "jitter"]
    assert stage.allow_chaos
    code, out, _ = run("serve", "--chaos", "list")
    assert code == 0 and "never-ends" in out and len(started) == 1
    code, out, err = run("serve", "--chaos", "jiter")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Did you mean jitter?" in err


def test_a_mistake_in_a_scenario_is_one_sentence_with_its_line(run, tmp_path):
    path = tmp_path / "hotel.toml"
    path.write_text("[[turn]]\nsay = 'Hello.'\nherar = 'Hi.'\n", encoding="utf-8")
    code, out, err = run("serve", "--script", str(path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{path}:3: there is no key 'herar' of turn 1. Did you mean hear?" in err


def test_every_flag_of_running_it_reaches_the_server(run, started):
    run("serve", "--api-key", "one", "--api-key", "two", "--max-sessions", "5", "--session-seconds", "60",
        "--idle-seconds", "30", "--drain-seconds", "0", "--log", "json")  # fmt: skip
    (config,) = started
    assert config.keys == ("one", "two")
    assert config.limits == Limits(max_sessions=5, session_s=60, idle_s=30, drain_s=0)
    assert config.log == "json"
    run("serve", "--log", "off")
    assert (started[1].log, started[1].limits) == (None, Limits())


def test_a_certificate_is_made_where_the_user_s_caches_are(run, started, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path)
    run("serve", "--tls", "self-signed")
    assert started[0].tls.authority == tmp_path / "tls" / "authority.pem"
    run("serve", "--tls-cert", str(tmp_path / "tls" / "cert.pem"), "--tls-key", str(tmp_path / "tls" / "key.pem"))
    assert (started[1].tls.cert, started[1].tls.authority) == (tmp_path / "tls" / "cert.pem", None)


def test_several_keys_in_the_environment(run, started, monkeypatch):
    monkeypatch.setenv("RTCHAT_API_KEY", "old new")
    run("serve")
    assert started[0].keys == ("old", "new")


def test_the_key_can_come_from_the_environment_and_is_not_in_the_help(run, started, monkeypatch):
    monkeypatch.setenv("RTCHAT_API_KEY", "very-secret")
    assert "very-secret" not in run("serve", "--help").out
    run("serve")
    assert started[0].keys == ("very-secret",)


def test_a_port_in_use(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("serve", "--port", str(port))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"127.0.0.1:{port}" in err and "--port" in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--host", "0.0.0.0", "--port", "0"], "without a key"),
        (["--host", "0.0.0.0", "--port", "0", "--api-key", ""], "--api-key is empty."),
        (["--host", "203.0.113.7", "--port", "0", "--api-key", "k"], "Cannot listen on 203.0.113.7:0"),
        (["--stt", "nonsense", "--port", "0"], "There is no stt engine named 'nonsense'."),
        (["--llm", "nonsense", "--port", "0"], "There is no llm engine named 'nonsense'."),
        (["--tts", "nonsense", "--port", "0"], "There is no tts engine named 'nonsense'."),
        (["--vad", "nonsense", "--port", "0"], "There is no vad engine named 'nonsense'."),
        (["--port", "65536"], "'--port'"),
        (["--max-sessions", "0"], "'--max-sessions'"),
        (["--log", "xml"], "'--log'"),
        (["--tls", "self-signed", "--tls-cert", "a.pem"], "Give one or the other."),
        (["--tls-cert", "a.pem"], "Give both --tls-cert and --tls-key."),
        (["--tls-cert", "a.pem", "--tls-key", "b.pem", "--port", "0"], "Cannot read a.pem"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(run, arguments, sentence):
    code, out, err = run("serve", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
