"""With onnxruntime: models made here, of Smart Turn's inputs and outputs, and its own as Pipecat brings it."""

import asyncio
import json
import subprocess
import wave
from importlib.util import find_spec

import numpy as np
import pytest
import soxr
from rooms import TESTDATA
from stock_clients import PYTHON, smart_turn_weights

from rtchat.errors import EngineError
from rtchat.server.engines import registry
from rtchat.server.engines.smart_turn import SmartTurn, installed, mel_filters, spectrogram
from rtchat.server.run import embedded

runs = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
WEIGHTS = smart_turn_weights()
weighs = pytest.mark.skipif(
    WEIGHTS is None or not TESTDATA.exists(),
    reason="Pipecat, which has the weights, or pocketsphinx-testdata is absent",
)
PEOPLE = sorted(TESTDATA.glob("librivox/*.wav")) + sorted(TESTDATA.glob("cards/*.wav"))
PIPECAT = """
import json, sys, wave
import numpy as np
from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

analyzer = LocalSmartTurnAnalyzerV3(sample_rate=16000)
for path in sys.argv[1:]:
    with wave.open(path) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    print(json.dumps(analyzer._predict_endpoint(sound)["probability"]))
"""


def field(number: int, value: int | str | bytes) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    return (bytes([value & 127 | 128]) + varint(value >> 7)) if value > 127 else bytes([value])


def network(*operators: str) -> bytes:
    """An ONNX model: operators in a row over log-mel bands, float32 (1, 80, 800)."""
    names = ["input_features", *(f"between_{n}" for n in range(len(operators) - 1)), "logits"]
    nodes = b"".join(
        field(1, field(1, names[at]) + field(2, names[at + 1]) + field(4, operator))
        for at, operator in enumerate(operators)
    )
    shape = b"".join(field(1, field(1, size)) for size in (1, 80, 800))
    given = field(1, names[0]) + field(2, field(1, field(1, 1) + field(2, shape)))
    made = field(1, "logits") + field(2, field(1, field(1, 1)))
    graph = nodes + field(2, "turn") + field(11, given) + field(12, made)
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13))


async def judged(model: bytes, folder, sound: bytes = bytes(32_000)) -> float:
    (folder / "smart-turn-v3.9.onnx").write_bytes(model)
    engine = SmartTurn()
    try:
        return await engine.probability(sound)
    finally:
        engine.close()


@runs
async def test_the_network_is_given_the_spectrogram(models):
    loud = (np.sin(np.arange(32_000)) * 20_000).astype("<i2")
    mean = spectrogram(loud / 32768).mean()
    assert await judged(network("ReduceMean", "Sigmoid"), models, loud.tobytes()) == pytest.approx(
        1 / (1 + np.exp(-mean)), abs=1e-5
    )


@runs
async def test_what_is_no_such_network(models):
    with pytest.raises(EngineError, match=r"does not work: .* one of Smart Turn's version 3"):
        await judged(b"nothing", models)
    with pytest.raises(EngineError, match="no probability"):
        await judged(network("ReduceMean"), models)
    engine = SmartTurn(str(models / "smart-turn-v3.9.onnx"))
    assert "no probability" in (await engine.check() or "")
    engine.close()


@runs
async def test_it_is_used_when_its_model_is_there(models):
    assert registry.build().end_of_turn is None
    with pytest.raises(EngineError, match=r"`hf download pipecat\S* smart-turn-v3.2-cpu.onnx --local-dir"):
        registry.build(end_of_turn="smart-turn")
    (models / "smart-turn-v3.0.onnx").write_bytes(network("ReduceMean", "Sigmoid"))
    assert len(installed()) == 1
    engines = registry.build()
    assert engines.end_of_turn is not None
    assert await engines.check() == []
    await engines.close()
    assert registry.build(end_of_turn="off").end_of_turn is None


def test_the_spectrogram_is_whisper_s():
    reference = pytest.importorskip("faster_whisper.feature_extractor").FeatureExtractor(chunk_length=8)
    assert np.abs(mel_filters() - reference.mel_filters).max() < 1e-7
    sound = np.random.default_rng(1).normal(size=140_000)
    whole = sound[-128_000:]
    expected = reference((whole - whole.mean()) / np.sqrt(whole.var() + 1e-7), padding=0)
    assert np.abs(spectrogram(sound) - expected[:, :800]).max() < 1e-5


def test_a_short_turn_stands_at_the_end():
    bands = spectrogram(np.sin(np.arange(16_000)))
    assert bands.shape == (80, 800)
    assert bands[:, :690].std() < 1e-6
    assert bands[:, 710:].std() > 0.1


@pytest.fixture
def judged_by_pipecat() -> list[float]:
    """What Pipecat's analyzer says of each of `PEOPLE`."""
    told = subprocess.run([PYTHON, "-c", PIPECAT, *PEOPLE], capture_output=True, text=True, check=True, timeout=300)
    return [json.loads(line) for line in told.stdout.splitlines()]


@weighs
async def test_its_own_weights_judge_people_as_pipecat_does(judged_by_pipecat):
    engine = SmartTurn(str(WEIGHTS))
    assert await engine.check() is None
    found = []
    for path in PEOPLE:
        with wave.open(str(path)) as file:
            assert file.getframerate() == engine.rate
            found.append(await engine.probability(file.readframes(file.getnframes())))
    engine.close()
    assert min(judged_by_pipecat) < 0.2 < 0.9 < max(judged_by_pipecat)
    assert found == pytest.approx(judged_by_pipecat, abs=0.01)


class Told(SmartTurn):
    """Tells when it has judged."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.judged = asyncio.Event()

    async def probability(self, pcm: bytes) -> float:
        try:
            return await super().probability(pcm)
        finally:
            self.judged.set()


@weighs
@pytest.mark.parametrize(
    ("name", "least_ms", "most_ms"),
    [
        pytest.param("cards/001", 400, 600, id="a-player-who-has-said-it"),
        pytest.param(
            "librivox/sense_and_sensibility_01_austen_64kb-0880", 2500, 4000, id="a-reader-who-will-go-on"
        ),
    ],
)
async def test_the_voice_says_whether_the_turn_is_over(engines, connect, name, least_ms, most_ms):
    with wave.open(str(TESTDATA / f"{name}.wav")) as file:
        speech = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    engines.stt.says = "he was not an ill disposed young man"  # these words could be all of it
    engines.end_of_turn = Told(str(WEIGHTS))
    async with embedded(engines=engines) as url, connect(url) as client:
        detection = {"type": "semantic_vad", "create_response": False}
        await client.send(
            "session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        )
        await client.sound(soxr.resample(speech, 16_000, 24_000).tobytes())
        await client.append(160, silent=True)
        async with asyncio.timeout(60):
            await engines.end_of_turn.judged.wait()
        await client.append(4500, silent=True)
        stopped = (await client.until("input_audio_buffer.speech_stopped"))[-1]
    engines.end_of_turn.close()
    assert least_ms <= stopped["audio_end_ms"] - len(speech) / 16 <= most_ms
