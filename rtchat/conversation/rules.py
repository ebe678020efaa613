"""What does not change while a conversation runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rtchat.conversation.notices import SessionStarted
from rtchat.protocol.config import RealtimeSession, TranscriptionSession

Echo = Literal["aec", "half-duplex", "off", "none"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is agreed before the conversation begins.

    Attributes:
        session: What is asked of the server at the start. In a transcription session nobody answers.
        server: Its name for the user.
        mode: The mode's name.
        echo: What keeps the assistant from hearing itself, at the start; `EchoChanged` tells of another.
        local_detector: This machine's own detector tells of the user's voice while the assistant sounds.
        push_to_talk: Turns are the user's key, not the server's voice activity detector.
        speech_interrupts: `speech_started` stops the assistant (the session's `interrupt_response`).
        server_answers: The server begins an answer when a turn ends (the session's `create_response`).
        greeting: Instructions for an answer that opens the conversation; empty for none.
        resume_false_interruptions: After a false alarm, the rest of the answer is spoken again.
    """

    session: RealtimeSession | TranscriptionSession = field(default_factory=RealtimeSession)
    server: str = ""
    mode: str = "interactive"
    echo: Echo = "none"
    local_detector: bool = True
    push_to_talk: bool = False
    speech_interrupts: bool = True
    server_answers: bool = True
    greeting: str = ""
    resume_false_interruptions: bool = False

    @property
    def barge_in(self) -> bool:
        """The user's voice may stop the assistant, and this machine's detector has a say."""
        return self.local_detector and self.speech_interrupts and not self.push_to_talk

    def started(self, session_id: str | None, model: str | None, voice: str | None, echo: Echo) -> SessionStarted:
        """The notice that the server has taken the session; None is what the server did not say."""
        return SessionStarted(self.server, model or "", voice or "", session_id or "", echo, self.mode)
