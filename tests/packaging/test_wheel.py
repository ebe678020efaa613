"""What `pip install .` puts on a machine."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("rtchat-*-py3-none-any.whl")
    return zipfile.ZipFile(path)


def member(wheel: zipfile.ZipFile, suffix: str) -> str:
    (name,) = [name for name in wheel.namelist() if name.endswith(suffix)]
    return wheel.read(name).decode()


def test_profiles_are_inside(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if name.startswith("rtchat/_profiles/")}
    assert inside == {f"rtchat/_profiles/{path.name}" for path in (ROOT / "profiles").iterdir()}
    assert "rtchat/_profiles/assistant.toml" in inside


def test_nothing_but_the_package_is_inside(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel.namelist()} == {"rtchat"}


def test_the_weights_are_inside(wheel: zipfile.ZipFile) -> None:
    assert "rtchat/audio/perceptron.npz" in wheel.namelist()


def test_every_module_is_inside(wheel: zipfile.ZipFile) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rtchat").rglob("*.py")}
    assert modules <= set(wheel.namelist())


def test_the_command_is_rtchat(wheel: zipfile.ZipFile) -> None:
    assert "rtchat = rtchat.__main__:main" in member(wheel, "entry_points.txt")


def test_sound_is_an_extra_and_hearing_has_a_wheel_everywhere(wheel: zipfile.ZipFile) -> None:
    metadata = member(wheel, ".dist-info/METADATA")
    asks = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert [line for line in asks if "pyaudio" in line.lower()] == [
        "Requires-Dist: pyaudio<0.3,>=0.2.14; extra == 'audio'"
    ]
    # 5.1 has no wheel for Python 3.12: `pip install .` must not need a compiler there.
    assert any("pocketsphinx<5.1" in line and "python_version == '3.12'" in line for line in asks)
