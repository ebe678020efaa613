import io
import json
import shutil
import subprocess
from functools import cache

import numpy as np
import pytest
import soxr

from rtchat.server.engines.grammar import build
from rtchat.server.engines.sphinx_worker import Hearing, serve

GRAMMAR = build()


@cache
def spoken(text: str) -> bytes:
    """`text` at 24 kHz, by flite, which says the same in every run; espeak-ng 1.52 does not."""
    if shutil.which("flite") is None:
        pytest.skip("nobody to speak: flite is not installed")
    command = ["flite", "-voice", "slt", "-t", text, "-o", "/dev/stdout"]
    wav = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    rate = int.from_bytes(wav[24:28], "little")
    return soxr.resample(np.frombuffer(wav[44:], dtype="<i2"), rate, 24_000).tobytes()


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return Hearing()


@pytest.mark.parametrize("text", ["what is the weather in london", "tell me a long story"])
def test_what_the_grammar_covers_is_heard_exactly(hearing: Hearing, text: str):
    assert hearing.hear(spoken(text), 24_000, GRAMMAR) == (text, "grammar")


def test_what_the_grammar_does_not_cover_is_heard_as_words(hearing: Hearing):
    text, by = hearing.hear(spoken("where can i buy a new bicycle"), 24_000, GRAMMAR)
    assert by == "words"
    assert "bicycle" in text


def test_without_a_grammar_it_hears_words(hearing: Hearing):
    text, by = hearing.hear(spoken("where can i buy a new bicycle"), 24_000, None)
    assert by == "words"
    assert "bicycle" in text


@pytest.mark.parametrize("pcm", [b"", b"\x00", bytes(2000)])
def test_too_little_is_nothing(hearing: Hearing, pcm: bytes):
    assert hearing.hear(pcm, 24_000, GRAMMAR) == ("", "")


def test_silence_is_hardly_anything(hearing: Hearing):
    text, _ = hearing.hear(bytes(48_000), 24_000, None)
    assert len(text) < 10


def test_words_that_the_dictionary_lacks_cannot_be_said(hearing: Hearing):
    rules = "public <a> = <b> | the weather in xqzvort;\n<b> = frobnicate | /0.5/ what is the weather in london;\n"
    grammar = f"#JSGF V1.0;\ngrammar g;\n{rules}"
    assert "weather in london" in hearing.hear(spoken("what is the weather in london"), 24_000, grammar)[0]
    assert "<VOID>" in hearing._known(grammar)
    assert "public <a>" in hearing._known(grammar)


def test_old_grammars_make_room(hearing: Hearing):
    for number in range(12):
        hearing.compile(f"#JSGF V1.0;\ngrammar g;\npublic <a> = {'one ' * (number + 1)};\n")
    text, by = hearing.hear(spoken("what is the weather in london"), 24_000, GRAMMAR)
    assert (text, by) == ("what is the weather in london", "grammar")


def test_it_answers_each_request_by_a_line():
    sound = np.zeros(4000, dtype="<i2").tobytes()
    bad = "#JSGF V1.0; grammar g; public <a> = ((;"
    requests = b"".join(
        json.dumps({"rate": 16_000, "bytes": len(pcm), "grammar": grammar}).encode() + b"\n" + pcm
        for pcm, grammar in ((b"", GRAMMAR), (sound, bad), (b"", None), (sound, None))
    )
    answers = io.BytesIO()
    serve(io.BytesIO(requests), answers)
    lines = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert lines[0] == {"ready": True}
    assert lines[1] == {"text": "", "by": ""}
    assert "JSGF" in lines[2]["error"]
    assert lines[3] == {"text": "", "by": ""}
    assert "text" in lines[4]
    assert len(lines) == 5
