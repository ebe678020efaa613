"""Apertium translates: rules and dictionaries, offline, one language pair a package.

Where no package joins two languages directly, two do with a language between them.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress

from rtchat.errors import EngineError
from rtchat.server.engines.base import Prompt, TextPiece, ToolCall, Translator
from rtchat.server.engines.story import sentences

_NAMES = (
    "afr=af arg=an bel=be bul=bg bre=br cat=ca dan=da eng=en epo=eo eus=eu fra=fr glg=gl hin=hi hbs=sh "
    "hbs_HR=hr hbs_SR=sr hbs_BS=bs ind=id isl=is ita=it mkd=mk zlm=ms nld=nl nno=nn nob=nb oci=oc pol=pl "
    "por=pt ron=ro rus=ru slv=sl spa=es srd=sc swe=sv ukr=uk urd=ur"
)
_CODES = dict(name.split("=") for name in _NAMES.split())
"""Apertium's names (ISO 639-3, some with a country) -> ISO 639-1. Its older packages use ISO 639-1 themselves."""
_ALIASES = {"no": "nb"}
_SOUTH_SLAVIC = ("hr", "sr", "bs")  # as a source they are all `hbs`

# Debian 12's packages and the directions inside each, in ISO 639-1 (639-3 where there is no shorter code).
_PACKAGES = """
apertium-eng-spa en-es es-en; apertium-eng-cat en-ca ca-en; apertium-en-gl en-gl gl-en;
apertium-eo-en en-eo eo-en; apertium-eu-en eu-en;
apertium-hbs-eng en-sh sh-en en-hr hr-en en-sr sr-en en-bs bs-en; apertium-isl-eng is-en;
apertium-mkd-eng mk-en; apertium-fr-es fr-es es-fr; apertium-es-pt es-pt pt-es; apertium-spa-ita es-it it-es;
apertium-spa-cat es-ca ca-es; apertium-es-gl es-gl gl-es; apertium-es-ro ro-es; apertium-eu-es eu-es;
apertium-spa-arg es-an an-es; apertium-spa-ast es-ast; apertium-oc-es es-oc oc-es; apertium-eo-es es-eo;
apertium-fra-cat fr-ca ca-fr; apertium-cat-ita ca-it it-ca; apertium-por-cat pt-ca ca-pt;
apertium-oc-ca oc-ca ca-oc; apertium-arg-cat an-ca ca-an; apertium-cat-srd ca-sc; apertium-eo-ca ca-eo;
apertium-eo-fr fr-eo; apertium-br-fr br-fr; apertium-oci-fra oc-fr fr-oc; apertium-pt-gl pt-gl gl-pt;
apertium-srd-ita it-sc; apertium-afr-nld af-nl nl-af; apertium-dan-nor da-nn da-nb nn-da nb-da;
apertium-nno-nob nn-nb nb-nn; apertium-swe-dan sv-da da-sv; apertium-swe-nor sv-nn sv-nb nn-sv nb-sv;
apertium-isl-swe is-sv sv-is; apertium-mkd-bul mk-bg bg-mk; apertium-hbs-mkd sh-mk mk-hr mk-sr mk-bs;
apertium-hbs-slv sh-sl sl-sh sl-hr sl-sr sl-bs; apertium-bel-rus be-ru ru-be; apertium-rus-ukr ru-uk uk-ru;
apertium-ind-zlm id-ms ms-id; apertium-pol-szl pl-szl szl-pl; apertium-urd-hin ur-hi hi-ur
"""

Pair = tuple[str, str]


def _packages() -> dict[Pair, str]:
    found: dict[Pair, str] = {}
    for line in " ".join(_PACKAGES.split()).split("; "):
        package, *pairs = line.split()
        for pair in pairs:
            source, _, target = pair.partition("-")
            found[source, target] = package
    return found


PACKAGES = _packages()
"""(source, target) in ISO 639-1 -> the Debian package that has it."""


class ApertiumTranslator:
    """`Translator` by the `apertium` command.

    Args:
        program: Name or path of the command.
    """

    name = "apertium"

    def __init__(self, program: str = "apertium") -> None:
        self._program = program
        self._modes: dict[Pair, str] = {}

    def pairs(self) -> Sequence[Pair]:
        """Installed (source, target) pairs of ISO 639-1 codes; none where Apertium is not installed."""
        try:
            listed = subprocess.run([self._program, "-l"], capture_output=True, text=True, check=False).stdout
        except OSError:
            listed = ""
        self._modes = modes_of(listed.split())
        return sorted(self._modes)

    async def translate(self, text: str, *, source: str, target: str) -> str:
        """Translate; words that it does not know stay as they are.

        Raises:
            EngineError: The pair is not installed; the hint names the package.
        """
        source, target = _code(source), _code(target)
        if source == target or not text.strip():
            return text
        steps = route(self._modes, source, target)
        if not steps:
            steps = route(await asyncio.to_thread(self.pairs), source, target)  # it may just have been installed
        if not steps:
            raise _missing(source, target)
        for step in steps:
            text = await self._run(self._modes[step], text)
        return text

    async def _run(self, mode: str, text: str) -> str:
        # The text lies ready: processes that outlive the command, when it is killed, wait for no words of ours.
        with tempfile.TemporaryFile() as words:
            words.write(f"{text}\n".encode())
            words.seek(0)
            process = await asyncio.create_subprocess_exec(
                self._program,
                "-u",  # no stars on unknown words
                mode,
                stdin=words,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        ended = False
        try:
            out, err = await process.communicate()
            ended = True
        finally:
            if not ended:
                with suppress(ProcessLookupError):  # it has just ended by itself
                    process.kill()
                await process.communicate()
        if process.returncode or not out.strip():
            reason = " ".join(err.decode(errors="replace").split()) or "it gave no reason"
            raise EngineError(f"Apertium did not translate: {reason}.", hint=f"Try it by hand: `apertium {mode}`.")
        return " ".join(out.decode(errors="replace").split())


class TranslatingAssistant:
    """`LanguageModel` that answers each thing said with its translation. The model is called `apertium:en-es`."""

    name = "apertium"

    def __init__(self, translator: Translator) -> None:
        self._translator = translator

    async def respond(self, prompt: Prompt) -> AsyncIterator[TextPiece | ToolCall]:
        """The translation of the last thing that the user said, sentence by sentence."""
        source, target = languages(prompt.model)
        said = next((message.text for message in reversed(prompt.messages) if message.role == "user"), "")
        translated = await self._translator.translate(said, source=source, target=target)
        for at, sentence in enumerate(sentences(translated)):
            yield TextPiece(sentence if at == 0 else f" {sentence}")

    def grammar(self, prompt: Prompt) -> None:
        """None: anything may be said."""
        return


def languages(model: str) -> Pair:
    """Source and target of a model name: "apertium:en-es" -> ("en", "es").

    Raises:
        EngineError: It is not of that form.
    """
    match = re.fullmatch(r"apertium:([a-z]{2,3})-([a-z]{2,3})", model)
    if not match:
        raise EngineError(f"{model!r} names no languages.", hint="Name the model like apertium:en-es.")
    return match[1], match[2]


def modes_of(listed: Iterable[str]) -> dict[Pair, str]:
    """What `apertium -l` lists, by ISO 639-1 pair; spelling variants of a language are left out."""
    modes: dict[Pair, str] = {}
    for mode in sorted(listed, key=len):
        match = re.fullmatch(r"([a-z]{2,3})-([a-z]{2,3}(?:_(?:HR|SR|BS))?)", mode)
        if not match:
            continue
        source, target = (_CODES.get(name, name) for name in match.groups())
        for one in (source, *_SOUTH_SLAVIC) if source == "sh" else (source,):
            modes.setdefault((one, target), mode)
    return modes


def route(pairs: Iterable[Pair], source: str, target: str) -> list[Pair]:
    """The steps from `source` to `target`: one, or two with a language between; empty when there is no way."""
    known = set(pairs)
    if (source, target) in known:
        return [(source, target)]
    between = sorted(middle for first, middle in known if first == source and (middle, target) in known)
    # Spanish and Catalan first: Apertium's best dictionaries
    best = next((code for code in ("es", "ca") if code in between), between[0] if between else None)
    return [(source, best), (best, target)] if best else []


def _code(language: str) -> str:
    code = language.strip().lower().replace("_", "-").split("-")[0]
    return _ALIASES.get(code, code)


def _missing(source: str, target: str) -> EngineError:
    steps = route(PACKAGES, source, target)
    if not steps:
        targets = ", ".join(sorted({end for start, end in PACKAGES if route(PACKAGES, source, end)}))
        return EngineError(
            f"Apertium does not translate from {source!r} to {target!r}.",
            hint=f"From {source} it can do: {targets}." if targets else "Choose another language to speak.",
        )
    names = " ".join(dict.fromkeys(PACKAGES[step] for step in steps))
    return EngineError(
        f"Apertium's dictionary from {source!r} to {target!r} is not installed.",
        hint=f"Install it with `apt install {names}` (Debian, Ubuntu).",
    )
