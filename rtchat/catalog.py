"""What is known of models, voices, prices and languages, on 2026-11-20.

Prices are in US dollars as the model pages of developers.openai.com give them. A model that is not here works
all the same: it costs 0.0 as far as rtchat can tell, and is never warned about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from rtchat.errors import UsageError, did_you_mean

_KINDS = ("text", "audio", "image")

DEFAULT_MODEL = "gpt-realtime-2.1"
DEFAULT_VOICE = "marin"
DEFAULT_TRANSLATION_MODEL = "gpt-realtime-translate"
DEFAULT_TRANSCRIPTION_MODEL = "gpt-4o-mini-transcribe"

VOICES: Mapping[str, str] = {
    "marin": "warm and clear; recommended",
    "cedar": "calm and deep; recommended",
    "alloy": "neutral",
    "ash": "clear, precise",
    "ballad": "melodic, smooth",
    "coral": "friendly, bright",
    "echo": "resonant, deep",
    "sage": "calm, thoughtful",
    "shimmer": "bright, energetic",
    "verse": "versatile, expressive",
}
"""The API's ten voices, the two that its documentation recommends first."""

_NAMES = """
af Afrikaans, ar Arabic, ast Asturian, az Azerbaijani, be Belarusian, bg Bulgarian, bn Bengali, br
Breton, bs Bosnian, ca Catalan, cs Czech, cy Welsh, da Danish, de German, el Greek, en English, eo
Esperanto, es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fil Filipino, fr French, ga
Irish, gl Galician, gu Gujarati, he Hebrew, hi Hindi, hr Croatian, ht Haitian Creole, hu Hungarian,
hy Armenian, id Indonesian, is Icelandic, it Italian, ja Japanese, jv Javanese, ka Georgian, kk
Kazakh, kn Kannada, ko Korean, ku Kurdish, la Latin, lt Lithuanian, lv Latvian, mi Maori, mk
Macedonian, ml Malayalam, mn Mongolian, mr Marathi, ms Malay, mt Maltese, my Burmese, nb Norwegian
Bokmål, ne Nepali, nl Dutch, nn Norwegian Nynorsk, no Norwegian, oc Occitan, pa Punjabi, pl Polish,
pt Portuguese, ro Romanian, ru Russian, sc Sardinian, sk Slovak, sl Slovenian, sn Shona, sq
Albanian, sr Serbian, sv Swedish, sw Swahili, ta Tamil, te Telugu, th Thai, tl Tagalog, tr Turkish,
uk Ukrainian, ur Urdu, uz Uzbek, vi Vietnamese, yo Yoruba, zh Chinese
"""
LANGUAGES: Mapping[str, str] = {
    code: name for code, _, name in (" ".join(entry.split()).partition(" ") for entry in _NAMES.split(","))
}
"""Languages by their code (ISO 639-1, or 639-2 where it has none), for people who write their English names."""

TRANSLATION_TARGETS: Mapping[str, str] = {
    code: LANGUAGES[code] for code in ("de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "pt", "ru", "vi", "zh")
}
"""What gpt-realtime-translate speaks. The list is that of OpenAI's translation cookbook; a public project reports
that the live service took all thirteen codes on 2026-10-02. It hears more than 70 languages by itself."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: float
    cached: float
    output: float = 0.0


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        name: Its name on the wire.
        kind: The kind of session that it serves; `transcription` models also write down what the user says in a
            conversation.
        text: Price of text tokens; None for a model that is paid by the minute.
        audio: Price of audio tokens.
        image: Price of image tokens.
        per_minute: US dollars per minute of sound, for models that are paid that way.
        context: Tokens that a session holds.
        max_output: Most tokens of one answer.
        shutdown: The day on which it stops, where that is announced.
        successor: What to use then.
    """

    name: str
    kind: Literal["conversation", "translation", "transcription"] = "conversation"
    text: Price | None = None
    audio: Price | None = None
    image: Price | None = None
    per_minute: float | None = None
    context: int | None = None
    max_output: int | None = None
    shutdown: date | None = None
    successor: str = ""


def _ending(model: Model, day: date, successor: str, *names: str) -> list[Model]:
    """The same model under other names that stop on `day`."""
    return [replace(model, name=name, shutdown=day, successor=successor) for name in names]


_LARGE = Model(
    "gpt-realtime-2.1",
    text=Price(4.00, 0.40, 24.00),
    audio=Price(32.00, 0.40, 64.00),
    image=Price(5.00, 0.50),
    context=128_000,
    max_output=32_000,
)
_LARGE_MINI = Model(
    "gpt-realtime-2.1-mini",
    text=Price(0.60, 0.06, 2.40),
    audio=Price(10.00, 0.30, 20.00),
    image=Price(0.80, 0.08),
    context=128_000,
    max_output=32_000,
)
_FIRST = replace(_LARGE, name="gpt-realtime-1.5", text=Price(4.00, 0.40, 16.00), context=32_000, max_output=4_096)
_FIRST_MINI = replace(_LARGE_MINI, context=32_000, max_output=4_096)
_PREVIEW = replace(
    _FIRST, text=Price(5.00, 2.50, 20.00), audio=Price(40.00, 2.50, 80.00), image=None, context=16_000
)
_PREVIEW_MINI = replace(
    _FIRST_MINI, text=Price(0.60, 0.30, 2.40), audio=Price(10.00, 0.30, 20.00), image=None, context=16_000
)
_WRITES = Model("gpt-4o-transcribe", "transcription", text=Price(2.50, 2.50, 10.00), audio=Price(6.00, 6.00))
# Its page of 2026 gives 1.25 for sound too; the 3.00 of the earlier price list stays, so that no budget is overrun.
_WRITES_MINI = replace(_WRITES, text=Price(1.25, 1.25, 5.00), audio=Price(3.00, 3.00))
_WHISPER = Model("whisper-1", "transcription", per_minute=0.006)

_MAY, _JULY = date(2026, 5, 7), date(2026, 7, 23)
_JANUARY, _FEBRUARY = date(2027, 1, 20), date(2027, 2, 26)

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        _LARGE,
        _LARGE_MINI,
        replace(_LARGE, name="gpt-realtime-2"),
        _FIRST,
        *_ending(_FIRST, _JANUARY, _LARGE.name, "gpt-realtime", "gpt-realtime-2025-08-28"),
        *_ending(_FIRST_MINI, _JANUARY, _LARGE_MINI.name, "gpt-realtime-mini", "gpt-realtime-mini-2025-12-15"),
        *_ending(_FIRST_MINI, _JULY, _LARGE_MINI.name, "gpt-realtime-mini-2025-10-06"),
        *_ending(
            _PREVIEW,
            _MAY,
            _LARGE.name,
            "gpt-4o-realtime-preview",
            "gpt-4o-realtime-preview-2024-10-01",
            "gpt-4o-realtime-preview-2024-12-17",
            "gpt-4o-realtime-preview-2025-06-03",
        ),
        *_ending(
            _PREVIEW_MINI,
            _MAY,
            _LARGE_MINI.name,
            "gpt-4o-mini-realtime-preview",
            "gpt-4o-mini-realtime-preview-2024-12-17",
        ),
        Model("gpt-realtime-translate", "translation", per_minute=0.034, context=16_000, max_output=2_000),
        Model("gpt-realtime-whisper", "transcription", per_minute=0.017),
        Model("gpt-live-transcribe", "transcription", per_minute=0.017),
        *_ending(_WRITES, _FEBRUARY, "gpt-live-transcribe", "gpt-4o-transcribe"),
        *_ending(_WRITES_MINI, _FEBRUARY, "gpt-live-transcribe", "gpt-4o-mini-transcribe"),
        *_ending(_WHISPER, _FEBRUARY, "gpt-live-transcribe", "whisper-1"),
    )
}
"""Every model that is known, by name, the newest of each kind first."""


def find_model(name: str) -> Model | None:
    """The model of that name; a dated snapshot that is not listed counts as the model that it is of."""
    return MODELS.get(name) or MODELS.get(re.sub(r"-\d{4}-\d{2}-\d{2}$", "", name))


def model_hint(name: str) -> str:
    """What to say when a server does not know the model `name`: the nearest one, or where the list is."""
    alive = [model.name for model in MODELS.values() if model.kind == "conversation" and not model.shutdown]
    return f"{did_you_mean(name, alive)} See all with: rtchat models"


def deprecation(model: str, today: date) -> str | None:
    """A sentence for a model that stops, or has stopped; None for all others.

    Args:
        model: Its name on the wire.
        today: The day it is.
    """
    known = find_model(model)
    if known is None or known.shutdown is None:
        return None
    ending = "was shut down on" if today >= known.shutdown else "will be shut down on"
    return f"The model {model} {ending} {known.shutdown.isoformat()}; use {known.successor} instead."


def check_voice(voice: str) -> str:
    """The voice as the API spells it.

    Args:
        voice: A name (in any case), or the id of a custom voice (`voice_…`).

    Raises:
        UsageError: It is neither; the sentence lists the voices.
    """
    if voice.startswith("voice_"):
        return voice
    if voice.lower() in VOICES:
        return voice.lower()
    hint = did_you_mean(voice, VOICES)
    listed = f"The voices are {', '.join(VOICES)}."
    raise UsageError(
        f"There is no voice '{voice}'.", hint=listed if hint.startswith("Known") else f"{hint} {listed}"
    )


def language_code(language: str) -> str | None:
    """The code of a language given as a code (`es`, `es-MX`) or an English name; None where it can be neither."""
    wanted = language.strip().casefold()
    for code, name in LANGUAGES.items():
        if wanted == name.casefold():
            return code
    code = re.split(r"[-_]", wanted)[0]
    return code if re.fullmatch(r"[a-z]{2,3}", code) else None


def language_name(language: str) -> str:
    """How a model is told of a language: its English name where it is known, else what was given."""
    return LANGUAGES.get(language_code(language) or "", language)


def check_target(language: str) -> str:
    """The code of a language that gpt-realtime-translate speaks.

    Raises:
        UsageError: It does not speak that one; the sentence lists those it does.
    """
    code = language_code(language)
    if code in TRANSLATION_TARGETS:
        return str(code)
    listed = ", ".join(f"{code} ({name})" for code, name in TRANSLATION_TARGETS.items())
    raise UsageError(
        f"{DEFAULT_TRANSLATION_MODEL} does not speak '{language}'.",
        hint=f"It speaks {listed}; a conversation model (--turns) knows more.",
    )


def cost_usd(model: str, usage: Mapping[str, Any] | None) -> float:
    """What a piece of usage cost, in US dollars.

    Args:
        model: The model's name; one that is not known (a local one, an Azure deployment) costs 0.0.
        usage: The API's own object: that of `response.done`, that of a finished input transcription (tokens, or
            `{"type": "duration", "seconds": …}`), or `{"seconds": …}` of sound for models paid by the minute.

    Returns:
        Dollars, unrounded. Cached tokens are part of the input tokens and cost less; reasoning tokens are already
        counted as text.
    """
    known = find_model(model)
    if known is None or not usage:
        return 0.0
    if known.per_minute is not None:
        return known.per_minute * float(usage.get("seconds") or 0) / 60
    details = usage.get("input_token_details") or {}
    out = usage.get("output_token_details") or {}
    heard = {kind: int(details.get(f"{kind}_tokens") or 0) for kind in _KINDS}
    said = {kind: int(out.get(f"{kind}_tokens") or 0) for kind in _KINDS}
    if not any(heard.values()):
        heard["text"] = int(usage.get("input_tokens") or 0)
    if not any(said.values()):
        said["text"] = int(usage.get("output_tokens") or 0)
    cached = _cached(details, heard)
    micro = 0.0
    for kind, price in (("text", known.text), ("audio", known.audio), ("image", known.image)):
        if price is not None:
            fresh = heard[kind] - cached[kind]
            micro += fresh * price.input + cached[kind] * price.cached + said[kind] * price.output
    return micro / 1_000_000


def _cached(details: Mapping[str, Any], heard: Mapping[str, int]) -> dict[str, int]:
    """Cached tokens of each kind, never more than there were; a bare total is spent on text first."""
    split = details.get("cached_tokens_details")
    if split:
        return {kind: min(heard[kind], int(split.get(f"{kind}_tokens") or 0)) for kind in _KINDS}
    left = int(details.get("cached_tokens") or 0)
    cached = {}
    for kind in _KINDS:
        cached[kind] = min(left, heard[kind])
        left -= cached[kind]
    return cached
