"""The command tree and `main`: help, version, and failures as one sentence."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rtchat import __version__, cli
from rtchat.errors import Refused

COMMANDS = (
    "interactive",
    "text",
    "tools",
    "translator",
    "serve",
    "devices",
    "models",
    "voices",
    "profiles",
    "config",
)


def test_the_version(run):
    assert run("--version") == (0, f"rtchat {__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_and_the_exit_codes(run, flag):
    code, out, err = run(flag)
    assert (code, err) == (0, "")
    assert all(f"\n  {command} " in out for command in COMMANDS)
    assert "130 Ctrl-C" in out


def test_no_command_is_wrong_usage_and_shows_the_help(run):
    code, out, err = run()
    assert (code, out) == (2, "")
    assert err.startswith("Usage: ") and "interactive" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_without_markup(run, command):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: ") and "\x1b" not in out and "[bold" not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'. See: rtchat --help"),
        (["text", "--nonsense"], "No such option: --nonsense"),
        (["text", "one", "two"], "unexpected extra argument"),
        (["text", "--voice"], "'--voice' requires an argument."),
        (["serve", "--port", "x"], "'--port'"),
        (["serve", "--log", "x"], "Invalid value for '--log': 'x' is not one of 'text', 'json', 'off'. See: "),
        (["profiles", "nonsense"], "No such command 'nonsense'. See: rtchat profiles --help"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_exit_code_2(run, arguments, sentence):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("rtchat: ") and sentence in err and err.count("\n") == 1


def fails_with(monkeypatch, error):
    def failing(**_):
        raise error

    monkeypatch.setattr(cli, "app", failing)


def test_an_error_of_the_tree_is_its_sentence_and_its_exit_code(run, monkeypatch):
    fails_with(monkeypatch, Refused("The key is wrong.", hint="Check OPENAI_API_KEY."))
    assert run("text") == (4, "", "rtchat: The key is wrong. Check OPENAI_API_KEY.\n")


def test_a_mistake_of_our_own_is_one_sentence_too(run, monkeypatch):
    fails_with(monkeypatch, ExceptionGroup("tasks", [KeyError("x")]))
    code, out, err = run("text")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1 and "KeyError: 'x'" in err and "--log-level debug" in err


@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", [["--version"], ["models"], ["text", "hello", "--server", "local"]])
def test_a_full_disk_under_the_output(arguments, buffered):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "rtchat", *arguments]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | buffered
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no space left on device" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("buffered", [{}, {"PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"])
def test_a_reader_that_has_gone_is_not_missed(buffered):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"} | buffered
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "rtchat", "models"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment, text=True, timeout=60)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_debug_shows_where(run, monkeypatch, caplog):
    fails_with(monkeypatch, KeyError("x"))
    monkeypatch.setattr(sys, "argv", ["rtchat"])
    with caplog.at_level(logging.DEBUG), pytest.raises(KeyError):
        cli.main()


def test_a_word_debug_in_the_prompt_is_not_a_wish_for_a_traceback(run):
    code, _, err = run("text", "debug", "--voice", "nobody")
    assert (code, err.count("\n")) == (2, 1)


def test_help_imports_nothing_heavy():
    heavy = ["pyaudio", "numpy", "websockets", "httpx", "rich", "pydantic", "starlette", "prompt_toolkit"]
    code = (
        "import sys; sys.argv = ['rtchat', '--help']\n"
        "from rtchat.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print([m for m in {heavy} if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr == "[]\n"
