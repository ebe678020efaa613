from dataclasses import replace

import pytest

from rtchat.errors import UsageError
from rtchat.server.engines.base import Message, Prompt, TextPiece
from rtchat.server.engines.registry import LocalModels, build, local_now


def test_the_default_set_makes_itself_without_starting_anything():
    engines = build()
    assert (engines.stt.name, engines.llm.name, engines.tts.name) == ("pocketsphinx", "rules", "espeak-ng")
    assert engines.tts.rate == 24_000
    one, other = engines.new_vad(), engines.new_vad()
    assert one is not other
    assert (one.rate, one.window_samples) == (24_000, 768)


@pytest.mark.parametrize("kind", ["vad", "stt", "llm", "tts"])
def test_an_unknown_engine_lists_the_known(kind: str):
    with pytest.raises(UsageError, match=f"no {kind} engine named 'x'. Choose among "):
        build(**{kind: "x"})


def test_the_clock_knows_its_zone():
    assert local_now().tzinfo is not None


async def test_the_models_name_chooses():
    class Shouting:
        name = "shouting"

        def pairs(self) -> list[tuple[str, str]]:
            return [("en", "loud")]

        async def translate(self, text: str, *, source: str, target: str) -> str:
            return f"{text.upper()} {source} {target}"

    llm = LocalModels(build().llm, Shouting())
    said = [Message("user", "thanks")]
    translated = [piece async for piece in llm.respond(Prompt("", said, model="apertium:en-xx"))]
    assert translated == [TextPiece("THANKS en xx")]
    assert [piece async for piece in llm.respond(Prompt("", said, model="rules"))] == [
        TextPiece("You are welcome.")
    ]
    assert llm.grammar(Prompt("", said, model="apertium:en-xx")) is None
    assert "JSGF" in (llm.grammar(Prompt("", said, model="gpt-realtime")) or "")


async def test_every_engine_is_checked_and_closed():
    closed = []

    class Loud:
        name = "loud"

        async def check(self) -> str | None:
            return "It is too loud."

        async def close(self) -> None:
            closed.append(self.name)

    class Wrong(Loud):
        name = "wrong"

        async def check(self) -> str | None:
            raise ZeroDivisionError("oops")

        def close(self) -> None:
            closed.append(self.name)

    engines = replace(build(), tts=Loud(), stt=Wrong(), llm=LocalModels(Loud(), Wrong()), end_of_turn=None)
    assert await engines.check() == ["wrong could not be checked: ZeroDivisionError: oops.", "It is too loud."]
    await engines.close()
    assert closed == ["wrong", "loud", "loud"]
