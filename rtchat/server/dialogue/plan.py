"""What a response is to be, before any of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rtchat.catalog import DEFAULT_VOICE
from rtchat.protocol.config import (
    FunctionTool,
    McpTool,
    RealtimeSession,
    ResponseAudioOutput,
    ResponseParams,
    ToolChoiceFunction,
    ToolChoiceMcp,
    VoiceId,
)
from rtchat.server.dialogue.refusals import voice_is_fixed


@dataclass(frozen=True, slots=True)
class Plan:
    """What a response is to be: the session's settings with the overrides of `response.create`.

    `tools` are the client's functions; `mcp` and `mcp_choice` are what it said of MCP servers (`mcp.McpServers`).
    """

    instructions: str
    modality: Literal["text", "audio"]
    voice: Any
    format: Any
    speed: float
    max_output_tokens: int | Literal["inf"]
    tools: Sequence[dict[str, Any]]
    tool_choice: str
    metadata: dict[str, str] | None
    in_conversation: bool
    parallel_tool_calls: bool = True
    mcp: Sequence[McpTool] = ()
    mcp_choice: ToolChoiceMcp | None = None

    @classmethod
    def of(cls, session: RealtimeSession, params: ResponseParams, fixed_voice: Any = None) -> Plan:
        """The session's settings, then the response's; `fixed_voice` is the one that it must have.

        Raises:
            Rejected: The response names another.
        """
        assert session.audio is not None and session.audio.output is not None
        out = session.audio.output
        over = params.audio.output if params.audio and params.audio.output else ResponseAudioOutput()
        if fixed_voice is not None and over.voice not in (None, fixed_voice):
            raise voice_is_fixed()
        tools = session.tools if params.tools is None else params.tools
        choice = session.tool_choice if params.tool_choice is None else params.tool_choice
        parallel = session.parallel_tool_calls if params.parallel_tool_calls is None else params.parallel_tool_calls
        modalities = params.output_modalities or session.output_modalities or ["audio"]
        return cls(
            instructions=session.instructions or "" if params.instructions is None else params.instructions,
            modality=modalities[0],
            voice=fixed_voice or over.voice or out.voice,
            format=over.format or out.format,
            speed=out.speed or 1.0,
            max_output_tokens=params.max_output_tokens or session.max_output_tokens or "inf",
            tools=[_tool(tool) for tool in tools or () if isinstance(tool, FunctionTool)],
            tool_choice=_choice(choice),
            metadata=params.metadata,
            in_conversation=params.conversation != "none",
            parallel_tool_calls=parallel is not False,
            mcp=[tool for tool in tools or () if isinstance(tool, McpTool)],
            mcp_choice=choice if isinstance(choice, ToolChoiceMcp) else None,
        )

    @property
    def shown_voice(self) -> str:
        """The voice as a response tells it, which has no object for it (the openai package's types)."""
        return self.voice.id if isinstance(self.voice, VoiceId) else str(self.voice)

    @property
    def voice_name(self) -> str:
        """The voice as the engine knows it: no engine has a client's custom one."""
        return DEFAULT_VOICE if isinstance(self.voice, VoiceId) else str(self.voice)


def _choice(choice: Any) -> str:
    if isinstance(choice, ToolChoiceMcp):
        return "required"
    return choice.name if isinstance(choice, ToolChoiceFunction) else str(choice or "auto")


def _tool(tool: FunctionTool) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool.name or "",
        "description": tool.description or "",
        "parameters": tool.parameters or {},
    }
