"""The process in which pocketsphinx hears. Started by `sphinx.py`, as a script; imports nothing of rtchat.

It reads requests on standard input, a line of JSON and the sound each, and answers by lines of JSON:

    {"rate": 24000, "bytes": 48000, "grammar": "#JSGF ..."}, 48000 bytes -> {"text": "...", "by": "grammar"}

Its first line is `{"ready": true}`, or `{"error": "..."}` when it cannot work. It ends when its input does.

How it decides between the grammar and its own language model: the likelihood of the best sentence of the grammar
is compared, per 10 ms of speech, with that of the best row of phones of any kind. A grammar that explains the sound
much better is right, and nothing more is asked. Otherwise the language model hears the sound too, and the
grammar wins only when its sentence is clearly likelier. The margins are measured by tests/bench/bench_hearing.py.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import OrderedDict
from typing import Any, BinaryIO

RATE = 16_000
SURE_OVER_PHONES = 5.0
"""Per frame of speech, in pocketsphinx's log units: the grammar is right without asking the language model."""
SURE_OVER_WORDS = 4.0
"""Per frame of speech: the grammar is right against the language model."""
SHORTEST = RATE // 10
"""Samples; less than this is no word."""
_MARGIN = RATE // 10  # quiet put on both sides: the decoder needs some to start and to end on
_GRAMMARS = 8  # kept compiled, the least used goes first


class Hearing:
    """Three searches over one sound: a grammar, the English language model, and phones."""

    def __init__(self) -> None:
        import pocketsphinx as ps

        ps.set_loglevel("FATAL")
        # bestpath off: the lattice search would end a sentence of a grammar in its middle ("stop and")
        self._grammar = ps.Decoder(samprate=RATE, bestpath=False, lm=None, loglevel="FATAL")
        self._grammar.add_allphone_file("phones", ps.get_model_path("en-us/en-us-phone.lm.bin"))
        # one pass with fewer paths: 0.11 s instead of 0.19 for a second of sound, but 24 right instead of 27 of 40
        self._words = ps.Decoder(samprate=RATE, loglevel="FATAL")
        self._log = self._words.get_logmath()
        self._compiled: OrderedDict[str, str] = OrderedDict()  # grammar -> its search's name
        self._made = 0

    def hear(self, pcm: bytes, rate: int, grammar: str | None) -> tuple[str, str]:
        """What was said, and which search heard it: "grammar", "words", or "" for nothing."""
        sound = _prepared(pcm, rate)
        if not sound:
            return "", ""
        if grammar:
            text, score = self._search(self._grammar, self.compile(grammar), sound)
            if text:
                _, phones = self._search(self._grammar, "phones", sound)
                frames = _speech_frames(self._grammar)
                if score - phones > SURE_OVER_PHONES * frames:
                    return text, "grammar"
                words, other = self._search(self._words, None, sound)
                return (text, "grammar") if score - other > SURE_OVER_WORDS * frames else (words, "words")
        return self._search(self._words, None, sound)[0], "words"

    def compile(self, grammar: str) -> str:
        """The name of the search for `grammar`, compiled on its first use (about 0.1 s)."""
        if grammar in self._compiled:
            self._compiled.move_to_end(grammar)
            return self._compiled[grammar]
        name = f"grammar{self._made}"
        self._grammar.add_jsgf_string(name, self._known(grammar))
        self._made += 1
        self._compiled[grammar] = name
        if len(self._compiled) > _GRAMMARS:
            self._grammar.activate_search(name)
            self._grammar.remove_search(self._compiled.popitem(last=False)[1])
        return name

    def _known(self, grammar: str) -> str:
        """`grammar` without the words that the dictionary lacks: <VOID> is JSGF's "cannot be said"."""

        def known(match: re.Match[str]) -> str:
            word = match[0]
            return word if word.startswith(("<", "/")) or self._words.lookup_word(word) else "<VOID>"

        head, name, rules = re.split(r"(\bgrammar [\w.]+;)", grammar, maxsplit=1)
        return head + name + re.sub(r"<[^>]*>|/[\d.]+/|\b(?!public\b)[a-z][a-z'.-]*", known, rules)

    def _search(self, decoder: Any, name: str | None, sound: bytes) -> tuple[str, float]:
        if name is not None:
            decoder.activate_search(name)
        decoder.start_utt()
        decoder.process_raw(sound, full_utt=True)
        decoder.end_utt()
        best = decoder.hyp()
        return (best.hypstr, float(self._log.log(best.best_score))) if best else ("", float("-inf"))


def _speech_frames(decoder: Any) -> int:
    """Frames of the last search for phones that are not silence; at least a tenth of a second."""
    frames: int = sum(1 + part.end_frame - part.start_frame for part in decoder.seg() if part.word != "SIL")
    return max(10, frames)


def _prepared(pcm: bytes, rate: int) -> bytes:
    """PCM16 at 16 kHz with quiet around it; nothing for what is too short to be a word."""
    import numpy as np

    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2")
    if rate != RATE:
        import soxr

        samples = soxr.resample(samples, rate, RATE)
    if len(samples) < SHORTEST:
        return b""
    quiet = np.random.default_rng(0).integers(-3, 4, _MARGIN).astype("<i2")  # true zeros upset the features
    return np.concatenate([quiet, samples, quiet]).astype("<i2").tobytes()


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""

    def answer(**fields: object) -> None:
        answers.write(json.dumps(fields).encode() + b"\n")
        answers.flush()

    try:
        hearing = Hearing()
    except Exception as error:  # whatever it is, the parent must be able to say it
        return answer(error=f"{type(error).__name__}: {error}")
    answer(ready=True)
    while line := requests.readline():
        asked = json.loads(line)
        pcm = requests.read(asked["bytes"])
        try:
            text, by = hearing.hear(pcm, asked["rate"], asked["grammar"]) if pcm else ("", "")
            if not pcm and asked["grammar"]:
                hearing.compile(asked["grammar"])
            answer(text=text, by=by)
        except (RuntimeError, ValueError) as error:  # pocketsphinx's own, for example a grammar that does not parse
            answer(error=str(error))
    return None


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it closes our input
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    serve(sys.stdin.buffer, channel)
