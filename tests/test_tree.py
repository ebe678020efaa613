"""The tree itself: tests mirror modules, layers hold, versions agree, no host of a registry is named."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Modules whose tests are elsewhere, each with the reason.
TESTED_ELSEWHERE = {
    "rtchat/server/engines/base.py": "the contracts of the engines, nothing that runs",
    "rtchat/server/dialogue/signals.py": "plain records; the tests of the dialogue compare them",
    "rtchat/conversation/notices.py": "plain records; the tests of the machine compare them",
    "rtchat/conversation/signals.py": "plain records; the tests of the machine compare them",
}
# Tests of what several modules do together, each with what that is; tests/a/test_a.py is of package a as a whole.
OF_MORE_THAN_A_MODULE = {
    "tests/test_docs.py": "the pages against the code",
    "tests/test_tree.py": "the tree",
    "tests/test_one_process.py": "client and server, joined without a network",
    "tests/conversation/test_properties.py": "the machine, among random interleavings",
    "tests/conversation/test_traces.py": "parser and machine, on recorded sessions",
    "tests/server/engines/test_http_sessions.py": "sessions, with engines over HTTP",
    "tests/server/engines/test_llama_cpp.py": "the language model over HTTP, before the server of llama.cpp",
    "tests/server/dialogue/test_garbage.py": "the server's dialogue, on mangled frames",
    "tests/server/dialogue/test_recorded.py": "the server's dialogue, on recorded clients",
    "tests/server/staging/test_script_translation.py": "scenarios, played to translation sessions",
}
# Folders of such tests.
NO_MIRROR = ("e2e", "bench", "packaging", "clients")


def modules() -> set[str]:
    """All modules but `__init__.py`, which only gathers names."""
    return {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "rtchat").rglob("*.py") if path.name != "__init__.py"
    }


def mirror(module: str) -> str:
    path = Path(module)
    return Path("tests", *path.parts[1:-1], f"test_{path.name}").as_posix()


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git clone")
    # The folder may be another user's: a container, a CI runner.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def pins() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line.removesuffix("\\").strip()) for line in lines if re.match(r"[a-z0-9]", line)]


def asked() -> list[Requirement]:
    project = PYPROJECT["project"]
    groups = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *PYPROJECT["dependency-groups"].values(),
        PYPROJECT["build-system"]["requires"],
    ]
    return [Requirement(text) for group in groups for text in group]


def test_every_module_has_its_test() -> None:
    missing = {module for module in modules() if not (ROOT / mirror(module)).exists()}
    assert sorted(missing - TESTED_ELSEWHERE.keys()) == []


def test_every_exemption_is_still_needed() -> None:
    needless = {
        module for module in TESTED_ELSEWHERE if not (ROOT / module).exists() or (ROOT / mirror(module)).exists()
    }
    assert needless == set()


def test_every_test_has_its_module() -> None:
    tests = {
        path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py") if path.parts[-2] not in NO_MIRROR
    }
    of_packages = {path.as_posix() for path in tests if path.stem == f"test_{path.parent.name}"}
    names = {path.as_posix() for path in tests}
    assert names - {mirror(module) for module in modules()} - of_packages == OF_MORE_THAN_A_MODULE.keys()


def test_imports_go_downwards_only() -> None:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_its_layer() -> None:
    """A module outside the layers could import anything."""
    layers = " | ".join(PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"])
    placed = set(re.findall(r"rtchat\.(\w+)", layers))
    there = {
        path.stem for path in (ROOT / "rtchat").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"__init__", "__main__"} == placed


def test_ranges_admit_what_is_pinned() -> None:
    pinned = pins()
    for wanted in asked():
        versions = {
            next(iter(pin.specifier)).version
            for pin in pinned
            if canonicalize_name(pin.name) == canonicalize_name(wanted.name) and both_apply(wanted, pin)
        }
        assert versions, f"{wanted} is not in constraints.txt: run script/lock"
        assert all(wanted.specifier.contains(version) for version in versions), f"{wanted} against {versions}"


def both_apply(wanted: Requirement, pin: Requirement) -> bool:
    """Is there a supported Python for which both are meant?"""
    for minor in range(11, 15):
        here = default_environment() | {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.1"}
        if all(
            not one.marker or one.marker.evaluate({k: str(v) for k, v in here.items()}) for one in (wanted, pin)
        ):
            return True
    return False


def test_every_pin_has_hashes_and_is_exact() -> None:
    text = (ROOT / "constraints.txt").read_text()
    for block in re.split(r"\n(?=[a-z0-9#])", text):
        if re.match(r"[a-z0-9]", block):
            assert re.match(r"\S+==[^\s*]+ ", block), block.splitlines()[0]
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_no_package_is_pinned_in_two_sections() -> None:
    seen = [str(pin) for pin in pins()]
    assert len(seen) == len(set(seen))


def test_no_file_names_a_registry() -> None:
    """Where packages come from is the machine's business: its configuration names the mirror that it uses."""
    hosts = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "npm" + "js.",
        "debian" + ".org",
        "ubuntu" + ".com",
        "ghcr" + ".io",
    ]
    options = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links"]
    # A package's own page may be linked in the documentation; an address for an installer may not be anywhere.
    found = re.compile(
        "|".join(map(re.escape, hosts)) + "|" + "|".join(f"{option}[= ]+\\S*://" for option in options)
    )
    named = {
        path.relative_to(ROOT).as_posix(): match.group()
        for path in tracked_files()
        if path.suffix not in {".wav", ".svg", ".png"} and (match := found.search(path.read_text(errors="replace")))
    }
    assert named == {}
