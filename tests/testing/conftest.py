"""pytest in another process, with the plugin installed as its entry point says."""

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def outside(pytester, monkeypatch):
    """`outside(text, name=…)`: run a test file of somebody else's project; what pytest says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (name, module) = next(iter(project["entry-points"]["pytest11"].items()))
    about = pytester.path / "site" / "rtchat_of_this_tree-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: rtchat-of-this-tree\nVersion: 0\n")
    (about / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(about.parent)]))

    ini = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    (pytester.path / "pytest.ini").write_text(ini)

    def run(*, arguments=(), **files):
        for stem, text in files.items():
            suffix = ".py" if stem.startswith(("test_", "conftest")) else ".toml"
            (pytester.path / f"{stem}{suffix}").write_text(text, encoding="utf-8")
        options = ("-p", "no:cacheprovider", "-p", "no:xdist", "--strict-markers")
        done = pytester.runpytest_subprocess(*options, *arguments, timeout=170)
        return done, re.sub(r"\n +", "\n", done.stdout.str())

    return run
