"""With onnxruntime and models made here, of Smart Turn's inputs and outputs. Its own weights are a download."""

from importlib.util import find_spec

import numpy as np
import pytest

from rtchat.errors import EngineError
from rtchat.server.engines import registry
from rtchat.server.engines.smart_turn import SmartTurn, installed, mel_filters, spectrogram

runs = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")


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
