import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from rtchat.errors import EngineError, UsageError
from rtchat.server.engines import finding
from rtchat.server.engines.finding import Options, find

BUILT_IN = {"rules": lambda: "the rules"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to be in, with a module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"engines_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "class Mine:\n    def __init__(self, model='none'):\n        self.model = model\n\n"
        "def broken():\n    1 / 0\n\nnumber = 1\n"
    )
    yield name
    sys.modules.pop(name, None)


def test_a_built_in_name():
    assert find("llm", BUILT_IN, "rules", Options())() == "the rules"


@pytest.mark.parametrize(
    ("kind", "options", "flag"),
    [
        ("llm", Options(llm_model="m"), "--llm-model"),
        ("stt", Options(stt_model="m"), "--stt-model"),
        ("tts", Options(tts_voice="v"), "--tts-voice"),
    ],
)
def test_what_a_built_in_engine_cannot_obey_is_wrong_usage(kind, options, flag):
    with pytest.raises(UsageError, match=f"^{flag} means nothing to the engine rules"):
        find(kind, BUILT_IN, "rules", options)
    assert find("vad", BUILT_IN, "rules", options)() == "the rules"


def test_an_address_and_ollama(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:99")
    monkeypatch.setenv("RTCHAT_LLM_API_KEY", "k")
    assert finding.key("llm") == "k"
    assert finding.key("tts") is None
    named = find("llm", BUILT_IN, "ollama", Options(llm_model="m"))()
    assert named.name == "m at http://127.0.0.1:99/v1"
    assert find("stt", {}, "http://x/v1", Options())().name == "http://x/v1"
    assert find("tts", {}, "http://x/v1", Options(tts_voice="v"))().rate == 24_000
    with pytest.raises(UsageError, match="no vad engine"):
        find("vad", {}, "http//x", Options())


def test_a_module_beside_the_user(here):
    assert find("llm", BUILT_IN, f"{here}:Mine", Options())().model == "none"
    assert find("llm", BUILT_IN, f"{here}:Mine", Options(llm_model="big"))().model == "big"
    with pytest.raises(UsageError, match="does not load: AttributeError"):
        find("llm", BUILT_IN, f"{here}:Yours", Options())
    with pytest.raises(UsageError, match="does not load: ModuleNotFoundError"):
        find("llm", BUILT_IN, "nowhere:Mine", Options())
    with pytest.raises(UsageError, match="nothing that can be called"):
        find("llm", BUILT_IN, f"{here}:number", Options())
    with pytest.raises(EngineError, match="could not be made: ZeroDivisionError"):
        find("llm", BUILT_IN, f"{here}:broken", Options())()


def test_what_packages_offer(here, tmp_path):
    info = tmp_path / "parrot-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{finding.GROUP}]\nllm.parrot = {here}:Mine\ntts.parrot = {here}:number\nstt.gone = {here}:Gone\n"
    )
    sys.path.insert(0, str(tmp_path))
    assert {"llm.parrot", "tts.parrot"} <= {entry.name for entry in entry_points(group=finding.GROUP)}
    assert isinstance(finding.offered("llm")["parrot"], EntryPoint)
    assert find("llm", BUILT_IN, "parrot", Options(llm_model="big"))().model == "big"
    with pytest.raises(UsageError, match="nothing that can be called"):
        find("tts", {}, "parrot", Options())
    with pytest.raises(UsageError, match=r"'stt.gone' does not load: AttributeError"):
        find("stt", {}, "gone", Options())
    with pytest.raises(UsageError, match=r"no llm engine named 'x'. Choose among rules, ollama, parrot, http"):
        find("llm", BUILT_IN, "x", Options())
