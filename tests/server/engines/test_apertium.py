import asyncio
import shutil
import time
from pathlib import Path

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.apertium import (
    PACKAGES,
    ApertiumTranslator,
    TranslatingAssistant,
    languages,
    modes_of,
    route,
)
from rtchat.server.engines.base import Message, Prompt, TextPiece

ENGLISH_SPANISH = pytest.mark.skipif(
    shutil.which("apertium") is None or ("en", "es") not in ApertiumTranslator().pairs(),
    reason="apertium-eng-spa is not installed",
)


@pytest.fixture
def installed(tmp_path: Path) -> ApertiumTranslator:
    """A stand-in for a command with three pairs, which says what it is asked to do."""
    script = tmp_path / "apertium"
    script.write_text(
        '#!/bin/sh\nif [ "$1" = -l ]; then echo "  eng-spa"; echo "  fr-es"; echo "  es-fr"; exit; fi\n'
        'if [ "$2" = fr-es ]; then echo broken >&2; exit 1; fi\n'
        'printf "%s:" "$2"; cat\n'
    )
    script.chmod(0o755)
    return ApertiumTranslator(str(script))


@ENGLISH_SPANISH
async def test_really_translates():
    translator = ApertiumTranslator()
    assert await translator.translate("Good morning. I want two beers.", source="en", target="es") == (
        "Buenos días. Quiero dos cervezas."
    )
    assert await translator.translate("La casa es roja", source="ES", target="en-US") == "The house is red"


@ENGLISH_SPANISH
async def test_unknown_words_and_strange_characters_stay():
    said = "the flibbertigibbet [x] 5% $(id) <b> ^a$ \\ @"
    heard = await ApertiumTranslator().translate(said, source="en", target="es")
    assert "*" not in heard
    assert heard.startswith("El flibbertigibbet [x] 5%")
    assert "$(id)" in heard


@ENGLISH_SPANISH
async def test_a_model_that_translates():
    prompt = Prompt(
        "", [Message("user", "Hello. I want two beers."), Message("assistant", "x")], model="apertium:en-es"
    )
    model = TranslatingAssistant(ApertiumTranslator())
    assert [piece async for piece in model.respond(prompt)] == [
        TextPiece("Hola."),
        TextPiece(" Quiero dos cervezas."),
    ]
    model.grammar(prompt)


async def test_one_step_or_two(installed: ApertiumTranslator):
    assert await installed.translate("hi", source="en", target="es") == "eng-spa:hi"
    assert await installed.translate("hi", source="en", target="fr") == "es-fr:eng-spa:hi"
    assert await installed.translate("hi", source="en", target="en-GB") == "hi"
    assert await installed.translate("  ", source="en", target="ja") == "  "
    assert installed.pairs() == [("en", "es"), ("es", "fr"), ("fr", "es")]


async def test_a_failure_is_a_sentence(installed: ApertiumTranslator):
    with pytest.raises(EngineError, match=r"did not translate: broken\."):
        await installed.translate("hi", source="fr", target="es")


@pytest.mark.parametrize("steps", range(1, 9))
async def test_who_does_not_want_it_any_more_need_not_wait(tmp_path: Path, steps: int):
    """Ended while it starts: the command's own children hold its pipes, and would wait for our words for ever."""
    script, begun = tmp_path / "apertium", tmp_path / "begun"
    script.write_text(
        f'#!/bin/sh\nif [ "$1" = -l ]; then echo eng-spa; exit; fi\nsh -c "touch {begun}; cat" | cat\n'
    )
    script.chmod(0o755)
    translator = ApertiumTranslator(str(script))
    translator.pairs()
    translating = asyncio.create_task(translator.translate("hi", source="en", target="es"))
    for _ in range(steps):
        await asyncio.sleep(0)
    while not begun.exists():  # the loop is as busy as that of a server with many sessions
        time.sleep(0.001)  # noqa: ASYNC251
    translating.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(translating, 60)


@pytest.mark.parametrize(
    ("source", "target", "package"),
    [
        ("en", "ca", "`apt install apertium-eng-cat`"),
        ("ca", "en", "`apt install apertium-eng-cat`"),
        ("en", "fr", "`apt install apertium-eng-spa apertium-fr-es`"),
        ("hr", "en", "`apt install apertium-hbs-eng`"),
        ("no", "da", "`apt install apertium-dan-nor`"),
    ],
)
async def test_a_missing_pair_names_its_package(source: str, target: str, package: str):
    translator = ApertiumTranslator("no-such-apertium")
    assert translator.pairs() == []
    with pytest.raises(EngineError) as caught:
        await translator.translate("hi", source=source, target=target)
    assert package in caught.value.hint


async def test_a_pair_that_nobody_has_lists_what_there_is():
    with pytest.raises(EngineError, match=r"from 'en' to 'ja'.*ca, .*es, .*fr"):
        await ApertiumTranslator("no-such-apertium").translate("hi", source="en", target="ja")
    with pytest.raises(EngineError, match="Choose another language"):
        await ApertiumTranslator("no-such-apertium").translate("hi", source="ja", target="en")


def test_apertiums_names_become_iso_639_1():
    assert modes_of(["eng-spa", "spa-eng_US", "en-eo-bytecode", "nob-dan", "ca-eo-translit"]) == {
        ("en", "es"): "eng-spa",
        ("nb", "da"): "nob-dan",
    }
    croatian = modes_of(["eng-hbs", "eng-hbs_HR", "hbs-eng", "Cyrl-Latn"])
    assert croatian["en", "hr"] == "eng-hbs_HR"
    assert croatian["hr", "en"] == croatian["sr", "en"] == croatian["sh", "en"] == "hbs-eng"


def test_routes():
    assert route([("a", "b"), ("b", "c")], "a", "c") == [("a", "b"), ("b", "c")]
    assert route([("a", "b"), ("b", "c"), ("a", "es"), ("es", "c")], "a", "c")[0] == ("a", "es")
    assert route([("a", "b")], "b", "a") == []
    assert len(PACKAGES) > 80


@pytest.mark.parametrize("model", ["apertium", "apertium:en", "apertium:en-es-fr", "gpt"])
def test_a_model_must_name_its_languages(model: str):
    with pytest.raises(EngineError, match="like apertium:en-es"):
        languages(model)


def test_languages():
    assert languages("apertium:en-ast") == ("en", "ast")
