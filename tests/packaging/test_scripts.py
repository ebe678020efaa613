"""script/rtchat: what it costs once all is set up, and what it says when it cannot set up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="needs bash")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a clone that counts as set up; its rtchat tells what it was given."""
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "script", clone / "script")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, clone)
    programs = clone / ".venv" / "bin"
    programs.mkdir(parents=True)
    write_program(programs / "rtchat", '#!/bin/sh\necho "given: $*"\ncat\nexit 5\n')
    write_program(programs / "python", "#!/bin/sh\nexit 1\n")
    sums = subprocess.run(
        ["bash", "-c", '. "$1/script/lib.sh"; fingerprint', "-", clone], capture_output=True, text=True, check=True
    )
    (clone / ".venv" / ".set-up-run").write_text(f"{sums.stdout.strip()}\n\n")
    return clone


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def run(program: Path, *arguments: str, bare: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs it with a line on standard input; `bare`: with no package manager, sudo or Python to be found."""
    environment = dict(os.environ)
    if bare:
        tools = program.parents[1] / "tools"
        tools.mkdir()
        for tool in (
            "bash",
            "dirname",
            "cat",
            "cksum",
            "mktemp",
            "id",
            "tail",
            "tr",
            "awk",
            "grep",
            "sed",
            "rm",
            "flock",
        ):
            if found := shutil.which(tool):
                (tools / tool).symlink_to(found)
        environment |= {"PATH": str(tools), "TMPDIR": str(program.parents[1])}
    return subprocess.run(
        ["bash", program, *arguments], input="typed\n", env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "script").iterdir() if path.is_file()))
def test_bash_can_read_it(script: str) -> None:
    assert subprocess.run(["bash", "-n", ROOT / "script" / script], check=False).returncode == 0


def test_once_set_up_it_is_rtchat_and_no_more(clone: Path) -> None:
    done = run(clone / "script" / "rtchat", "text", "What time is it?")
    assert (done.stdout, done.stderr, done.returncode) == ("given: text What time is it?\ntyped\n", "", 5)


def test_a_link_to_it_works(clone: Path, tmp_path: Path) -> None:
    link = tmp_path / "talk"
    link.symlink_to(Path("clone", "script", "rtchat"))
    assert run(link).stdout == "given: \ntyped\n"


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt", "script/lib.sh"])
def test_a_change_sets_up_again(clone: Path, changed: str) -> None:
    with (clone / changed).open("a") as file:
        file.write("# changed\n")
    done = run(clone / "script" / "rtchat", bare=True)
    assert "setting up" in done.stderr


def test_without_python_it_says_what_to_install_and_prints_nothing(clone: Path) -> None:
    (clone / ".venv" / ".set-up-run").unlink()
    done = run(clone / "script" / "rtchat", bare=True)
    assert (done.stdout, done.returncode) == ("", 1)
    assert "needs Python 3.11 to 3.14 with its venv module, and could not install it." in done.stderr
    assert "sudo apt-get install python3 python3-venv" in done.stderr


@pytest.fixture
def suite(clone: Path) -> Path:
    """A clone that counts as set up for its tests; pytest is the real one, and every other check passes."""
    programs = clone / ".venv" / "bin"
    for name in ("ruff", "mypy", "lint-imports"):
        write_program(programs / name, "#!/bin/sh\n")
    write_program(programs / "pytest", f'#!/bin/sh\nexec {sys.executable} -m pytest "$@"\n')
    write_program(programs / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    shutil.copy(clone / ".venv" / ".set-up-run", clone / ".venv" / ".set-up-test")
    (clone / ".venv-clients").mkdir()
    (clone / ".venv-clients" / ".set-up").write_text("4294967295 0\n")  # the sum of nothing: it has no such tests
    (clone / "tests").mkdir()
    return clone


PASSES = "def test_it(): pass\n"
FAILS = "def test_it(): assert False\n"
FAILS_ONCE = """from pathlib import Path

def test_it():
    been = Path(__file__).with_suffix(".been")
    assert been.exists() or been.write_text("")
"""


def test_all_that_is_checked_passes(suite: Path) -> None:
    (suite / "tests" / "test_one.py").write_text(PASSES)
    done = run(suite / "script" / "test")
    assert done.returncode == 0
    assert "1 passed" in done.stdout
    assert "UNSTEADY" not in done.stderr


def test_a_test_that_fails_by_itself_too_has_failed(suite: Path) -> None:
    (suite / "tests" / "test_one.py").write_text(PASSES)
    (suite / "tests" / "test_two.py").write_text(FAILS)
    done = run(suite / "script" / "test")
    assert done.returncode == 1
    assert "1 failed, 1 passed" in done.stdout
    assert "failed:\n    pytest -n" in done.stderr
    assert "UNSTEADY" not in done.stderr


def test_a_test_that_fails_at_first_and_passes_by_itself_is_told(suite: Path) -> None:
    (suite / "tests" / "test_one.py").write_text(PASSES)
    (suite / "tests" / "test_two.py").write_text(FAILS_ONCE)
    done = run(suite / "script" / "test")
    assert done.returncode == 0
    assert "failed at first and passed by themselves:\n    tests/test_two.py::test_it\n" in done.stderr


def test_a_suite_that_cannot_be_read_has_failed(suite: Path) -> None:
    (suite / "tests" / "test_one.py").write_text("import nothing_of_that_name\n")
    done = run(suite / "script" / "test")
    assert done.returncode == 1


def test_a_suite_without_a_test_has_failed(suite: Path) -> None:
    assert run(suite / "script" / "test").returncode == 1
