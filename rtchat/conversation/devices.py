"""The microphone and the loudspeaker go and come, and the conversation goes on in text where there is none."""

from __future__ import annotations

from typing import Literal

from rtchat.chunk import WIRE
from rtchat.conversation import signals as s
from rtchat.conversation.notices import DeviceTold, ErrorTold
from rtchat.conversation.signals import Handlers
from rtchat.conversation.turn import Turn
from rtchat.protocol import client_events as ask
from rtchat.protocol.config import Modality, RealtimeSession, SemanticVad, ServerVad

_SILENCE_MS = 500
"""Silence that ends a turn under server_vad where the session does not say."""
_LONGEST_MS = {"low": 8000, "medium": 4000, "high": 2000, "auto": 4000}
"""The longest that semantic_vad waits, by its eagerness."""
_MARGIN_MS = 200
_CHUNK_MS = 100


def lost(side: Literal["microphone", "loudspeaker"], *, typed: bool = True) -> s.Effect:
    """Tell that a device is gone, and what that means; `typed` where a typed line is said instead."""
    hint = {
        "microphone": f"Connect one, and it is used at once{'; until then, type' if typed else ''}.",
        "loudspeaker": "Connect one, and it is used at once; until then, read what is said.",
    }
    return s.Show(ErrorTold(f"{side}_lost", f"The {side} is gone.", hint[side], fatal=False))


def trailing_silence(session: object) -> list[bytes]:
    """So much silence ends any turn: the server's detector counts time by the sound that it gets."""
    audio = session.audio.input if isinstance(session, RealtimeSession) and session.audio else None
    detection = audio.turn_detection if audio else None
    if isinstance(detection, SemanticVad):
        ms = _LONGEST_MS[detection.eagerness or "auto"]
    else:
        own = detection.silence_duration_ms if isinstance(detection, ServerVad) else None
        ms = _SILENCE_MS if own is None else own
    return [WIRE.silence(_CHUNK_MS)] * -(-(ms + _MARGIN_MS) // _CHUNK_MS)


class Devices:
    """What the machine does without a microphone or a loudspeaker.

    Args:
        turn: Who has the word.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.handlers: Handlers = {s.DeviceLost: self._lost, s.DeviceFound: self._found}

    def _lost(self, device: s.DeviceLost) -> list[s.Effect]:
        told = lost(device.side)
        return [told, *(self._deaf() if device.side == "microphone" else self._mute())]

    def _found(self, device: s.DeviceFound) -> list[s.Effect]:
        told = s.Show(DeviceTold(device.side, device.name))
        if device.side == "microphone" or not self._turn.answer.silent:
            return [told]
        self._turn.answer.silent = False
        return [told, *self._answer_in("audio")]

    def _deaf(self) -> list[s.Effect]:
        """No microphone: a voice that was suspected was nothing, and a turn that was being spoken ends."""
        turn = self._turn
        effects = turn.microphone.dismissed()
        turn.end_onset()
        if not turn.ready or turn.rules.push_to_talk:
            return effects
        silence = [s.Send(ask.InputAudioAppend(audio=pcm)) for pcm in trailing_silence(turn.session)]
        return [*effects, *silence, *turn.settle()]

    def _mute(self) -> list[s.Effect]:
        """No loudspeaker: what was not heard is asked for again, in writing."""
        turn = self._turn
        if turn.answer.silent:
            return []
        turn.answer.silent = True
        under_way = turn.responses.answering or turn.responses.asked
        effects = turn.interrupt(by_user=False)
        if under_way or turn.answer.broken_off:
            turn.resumption.broke_off(turn.answer.broken_off)
            turn.resumption.false_alarm()
        return [*effects, *self._answer_in("text"), *turn.settle()]

    def _answer_in(self, modality: Modality) -> list[s.Effect]:
        """Answers are spoken or written from here on; where they are written anyway, nothing changes."""
        turn, agreed = self._turn, self._turn.rules.session
        if not isinstance(agreed, RealtimeSession) or agreed.output_modalities == ["text"]:
            return []
        turn.session = agreed.model_copy(update={"output_modalities": [modality]})
        if not turn.ready:
            return []
        return [s.Send(ask.SessionUpdate(session=RealtimeSession(output_modalities=[modality])))]
