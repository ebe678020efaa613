"""What one session will be: settings, profile and mode made into the parts that `session.Session` wires.

Nothing is opened here, so that every mistake in the settings is told before a device or a socket is touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import SecretStr

from rtchat import asked, contradictions
from rtchat.audio.devices import Side, looks_like_headphones
from rtchat.audio.near_end_loader import CancelEcho
from rtchat.audio.sound import SoundRequest
from rtchat.catalog import (
    DEFAULT_MODEL,
    DEFAULT_TRANSCRIPTION_MODEL,
    DEFAULT_TRANSLATION_MODEL,
    cost_usd,
    deprecation,
    language_name,
)
from rtchat.conversation.machine import Rules
from rtchat.errors import UsageError
from rtchat.link import dialers
from rtchat.link.dialers import Endpoint
from rtchat.modes import Mode, Offer, Output, Parts, SessionKind, parts
from rtchat.profiles import Profile, load_profile
from rtchat.protocol import config as wire
from rtchat.protocol import translation
from rtchat.settings import Settings

LOCAL_MODEL = "rtchat-assistant"
"""The embedded server's assistant; it costs nothing."""

LOCAL_TRANSCRIPTION_MODEL = "pocketsphinx"
"""What the embedded server hears with."""

NO_CANCELLER = (
    "Echo cancelling needs the package livekit, so the microphone is shut while the assistant speaks: "
    "pip install 'rtchat[echo]'"
)
"""For the user, where half duplex was not asked for."""

Where = Literal["openai", "azure", "local", "url"]
Echo = Literal["aec", "half-duplex", "off", "none"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One session.

    Attributes:
        mode: What the user asked for.
        parts: What that wires.
        settings: All settings.
        profile: Who the assistant is; None in a translation session.
        where: Which server.
        model: The model asked for.
        rules: The machine's; `rules.echo` as far as it can be known before a device is opened (`echo_on`).
        translation: The translation session to ask for; None in a conversation.
        news: Lines to tell the user before anything else.
    """

    mode: Mode
    parts: Parts
    settings: Settings
    profile: Profile | None
    where: Where
    model: str
    rules: Rules
    translation: translation.TranslationSession | None
    news: tuple[str, ...]

    @property
    def transcription_model(self) -> str:
        """What writes the user's words down, for its price; empty for none."""
        if self.where != "openai":
            return ""
        if self.mode is Mode.TRANSCRIBE:
            return self.model
        return self.profile.transcription.model if self.profile else ""

    def price(self, model: str, usage: Mapping[str, Any]) -> float:
        """`cost_usd`; the embedded server costs nothing, whatever its models are called."""
        return 0.0 if self.where == "local" else cost_usd(model, usage)

    @property
    def tools(self) -> tuple[str, ...]:
        """Names, files and modules of the tools that the profile and the settings choose."""
        if self.parts.tools is Offer.NONE:
            return ()
        chosen = self.profile.tools if self.profile else ()
        return tuple(dict.fromkeys([*chosen, *self.settings.tools]))

    def sound(self) -> SoundRequest:
        """The microphone and the loudspeaker of the session."""
        settings, parts = self.settings, self.parts
        return SoundRequest(
            capture=parts.microphone,
            playback=parts.loudspeaker,
            input_device=settings.input_device,
            output_device=settings.output_device,
            input_wav=settings.input_wav,
            output_wav=settings.output_wav,
            echo=self._cancel_echo,
            barge_in=self.rules.barge_in,
            sensitivity=settings.sensitivity,
            auto_gain=settings.auto_gain,
        )

    @property
    def _cancel_echo(self) -> CancelEcho:
        if self.rules.echo != "aec":
            return "no"
        return "always" if self.settings.echo == "aec" else "while it works"

    def echo_on(self, loudspeaker: str, found: Echo | None = None) -> Echo:
        """What keeps the assistant from hearing itself, once the devices are known.

        Args:
            loudspeaker: Its name.
            found: What a sound check of these devices recommends; None where there was none.
        """
        if self.settings.echo != "auto" or self.rules.echo not in ("aec", "half-duplex"):
            return self.rules.echo
        if looks_like_headphones(loudspeaker):
            return "none"
        return found if found in ("none", "half-duplex") else self.rules.echo

    def without(self, side: Side) -> Plan:
        """This plan for a conversation that has no such device: typed words, or written answers, in its place."""
        if side == "microphone":
            mode_parts = replace(self.parts, microphone=False)
        else:
            mode_parts = replace(self.parts, loudspeaker=False, output=Output.TEXT)
        if self.profile is None or not isinstance(self.rules.session, wire.RealtimeSession):
            return replace(self, parts=mode_parts)
        rules = replace(self.rules, echo="none", local_detector=False)
        rules = _conversation_rules(rules, mode_parts, self.settings, self.profile)
        kept = {"tools": self.rules.session.tools, "tool_choice": self.rules.session.tool_choice}
        session = rules.session.model_copy(
            update={name: value for name, value in kept.items() if value is not None}
        )
        return replace(self, parts=mode_parts, rules=replace(rules, session=session))

    def with_tools(self, definitions: Sequence[Mapping[str, Any]]) -> Plan:
        """This plan, offering these function tools to the model."""
        if not definitions:
            return self
        tools: list[Any] = [wire.FunctionTool.model_validate(definition) for definition in definitions]
        session = self.rules.session.model_copy(update={"tools": tools, "tool_choice": "auto"})
        return replace(self, rules=replace(self.rules, session=session))

    def endpoint(self, embedded_url: str | None = None) -> Endpoint:
        """Where to connect.

        Args:
            embedded_url: The embedded server's `ws://127.0.0.1:…/v1`, when `where` is `local`.
        """
        settings, translates = self.settings, self.translation is not None
        intent = "transcription" if self.parts.session is SessionKind.TRANSCRIPTION else None
        if embedded_url is not None:
            return dialers.url(
                embedded_url, model=self.model, label="the embedded server", intent=intent, translation=translates
            )
        if self.where == "url":
            # OpenAI's key is for OpenAI: another server gets the one that was set for it, or none.
            address = settings.url or settings.server
            endpoint = dialers.url(
                address, _key(settings.api_key), model=self.model, intent=intent, translation=translates
            )
            return replace(endpoint, credential="RTCHAT_API_KEY")
        if self.where == "azure":
            return dialers.azure(
                settings.azure_openai_endpoint or "",
                _key(settings.azure_openai_api_key),
                deployment=self.model,
                api_version=settings.openai_api_version,
                intent=intent,
                translation=translates,
            )
        return dialers.openai(
            self.model,
            _key(settings.openai_api_key),
            base_url=settings.openai_base_url,
            organization=settings.openai_org_id,
            project=settings.openai_project_id,
            safety_identifier=settings.safety_identifier,
            intent=intent,
            translation=translates,
        )


def _key(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None


def make_plan(mode: Mode, settings: Settings, *, today: date, greets: bool = True) -> Plan:
    """Put one session together.

    Args:
        mode: What the user asked for.
        settings: All settings.
        today: For warnings about models that stop.
        greets: The assistant may speak first, where its profile says so: not where the user's words come first.

    Raises:
        UsageError: The settings, or the profile, cannot be used as they are.
    """
    if mode is Mode.TRANSLATOR and not settings.to:
        raise UsageError("The translator needs a language.", hint="Name it: --to es")
    mode_parts = parts(mode, speak=settings.speak, turns=settings.turns)
    where = settings.where()
    profile = _profile(mode_parts, settings)
    contradictions.check(settings, mode, mode_parts, where, profile)
    model = _model(mode_parts, settings, profile, where)
    rules = Rules(
        server={"openai": "OpenAI", "azure": "Azure", "local": "embedded"}.get(where, "server"),
        mode=str(mode),
        echo=_echo(mode_parts, settings),
        local_detector=_has_detector(mode_parts, settings),
        greeting=(profile.greeting or "") if profile and greets else "",
        resume_false_interruptions=settings.resume_false_interruptions,
    )
    session: translation.TranslationSession | None = None
    if mode_parts.session is SessionKind.TRANSLATION:
        session = asked.translation(settings, of_openai=where == "openai")
    elif mode_parts.session is SessionKind.TRANSCRIPTION:
        rules = _transcription_rules(rules, settings, model)
    elif profile is not None:
        rules = _conversation_rules(rules, mode_parts, settings, profile)
    return Plan(
        mode,
        mode_parts,
        settings,
        profile,
        where,
        model,
        rules,
        session,
        tuple(_news(where, model, settings, today)),
    )


def _echo(mode_parts: Parts, settings: Settings) -> Echo:
    if not (mode_parts.microphone and mode_parts.loudspeaker):
        return "none"
    if settings.echo == "half-duplex" or settings.echo == "off":
        return settings.echo
    if settings.echo == "auto" and (settings.input_wav or settings.output_wav):
        return "none"  # a file has no room around it
    return "aec" if _canceller_is_there() else "half-duplex"


def _has_detector(mode_parts: Parts, settings: Settings) -> bool:
    """Between devices: where a file is one end, the server alone decides, as it does for every other client."""
    files = settings.input_wav or settings.output_wav
    both = mode_parts.microphone and mode_parts.loudspeaker
    heard = both and not files and _echo(mode_parts, settings) != "half-duplex"
    return heard and mode_parts.session is SessionKind.CONVERSATION


def _canceller_is_there() -> bool:
    """It is not imported yet: that takes a while."""
    try:
        return find_spec("livekit.rtc") is not None
    except ImportError:
        return False
    except Exception:  # broken: loading it will say why
        return True


def _news(where: Where, model: str, settings: Settings, today: date) -> list[str]:
    news = []
    if where == "local" and settings.server == "auto":
        by = f"with {settings.llm}" if settings.llm else "by simple rules"
        why = "" if settings.llm else "No OPENAI_API_KEY is set: "
        news.append(f"{why}{'The' if settings.llm else 'the'} embedded server answers, on this machine, {by}.")
    ending = deprecation(model, today) if model != DEFAULT_TRANSCRIPTION_MODEL else None
    return [*news, ending] if ending else news


def _profile(mode_parts: Parts, settings: Settings) -> Profile | None:
    if mode_parts.session is not SessionKind.CONVERSATION:
        return None
    variables = dict(settings.var)
    name = settings.profile or mode_parts.profile or "assistant"
    if name == "translator" and settings.to:
        variables.setdefault("to", language_name(settings.to))
        if settings.from_:
            variables.setdefault("from", language_name(settings.from_))
    profile = load_profile(name, variables)
    if settings.instructions:
        profile = profile.model_copy(update={"instructions": settings.instructions})
    return profile


def _model(mode_parts: Parts, settings: Settings, profile: Profile | None, where: Where) -> str:
    if settings.model:
        return settings.model
    if mode_parts.session is SessionKind.TRANSLATION:
        return DEFAULT_TRANSLATION_MODEL
    if mode_parts.session is SessionKind.TRANSCRIPTION:
        return LOCAL_TRANSCRIPTION_MODEL if where == "local" else DEFAULT_TRANSCRIPTION_MODEL
    if where == "local":
        if settings.to:
            return f"apertium:{asked.source_language(settings)}-{asked.language(settings.to)}"
        return LOCAL_MODEL
    return (profile.model if profile else None) or DEFAULT_MODEL


def _conversation_rules(rules: Rules, mode_parts: Parts, settings: Settings, profile: Profile) -> Rules:
    turns = profile.turn_taking
    vad = settings.vad or turns.vad
    return replace(
        rules,
        session=asked.conversation(mode_parts, settings, profile, vad),
        push_to_talk=mode_parts.microphone and vad == "off",
        speech_interrupts=turns.interrupt_response,
        server_answers=vad != "off" and turns.create_response,
    )


def _transcription_rules(rules: Rules, settings: Settings, model: str) -> Rules:
    session = asked.transcription(settings, model)
    return replace(rules, session=session, push_to_talk=settings.vad == "off", server_answers=False)
