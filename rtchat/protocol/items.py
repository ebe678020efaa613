"""Items of a conversation: messages, function calls and their outputs, MCP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from rtchat.protocol.base import Audio, Model, Tagged

ItemStatus = Literal["in_progress", "completed", "incomplete"] | str
"""These three today; an item is not lost for one of tomorrow."""


class ContentPart(Model):
    """One part of a message.

    Attributes:
        type: `input_text`, `input_audio` or `input_image` of a user or system message; `output_text` or
            `output_audio` of an assistant message. The `content_part` events say `text` and `audio`.
        text: Of a text part.
        audio: Of an audio part, when it was asked for or is being created.
        transcript: Of an audio part; None until (or unless) it is known.
        image_url: A data URI with a PNG or JPEG.
        detail: How closely to look at the image.
    """

    type: str
    text: str | None = None
    audio: Audio | None = None
    transcript: str | None = None
    image_url: str | None = None
    detail: Literal["auto", "low", "high"] | None = None


class MessageItem(Tagged):
    """A message. `phase` is `commentary` or `final_answer` on gpt-realtime-2.x."""

    type: Literal["message"] = "message"
    role: Literal["system", "user", "assistant"]
    content: list[ContentPart]
    id: str | None = None
    object: Literal["realtime.item"] | None = None
    status: ItemStatus | None = None
    phase: str | None = None


class FunctionCallItem(Tagged):
    """The model wants a function called."""

    type: Literal["function_call"] = "function_call"
    name: str
    arguments: str
    call_id: str | None = None
    id: str | None = None
    object: Literal["realtime.item"] | None = None
    status: ItemStatus | None = None


class FunctionCallOutputItem(Tagged):
    """What the function answered."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: str
    output: str
    id: str | None = None
    object: Literal["realtime.item"] | None = None
    status: ItemStatus | None = None


class McpTool(Model):
    """A tool that an MCP server offers."""

    name: str
    input_schema: Any
    description: str | None = None
    annotations: Any = None


class McpListToolsItem(Tagged):
    """What an MCP server offers. `error` (of the embedded server only) is why it could not be asked."""

    type: Literal["mcp_list_tools"] = "mcp_list_tools"
    server_label: str
    tools: list[McpTool]
    id: str | None = None
    error: str | None = None


class McpCallItem(Tagged):
    """A call that the server made to an MCP server. `error` is a protocol, execution or HTTP error."""

    type: Literal["mcp_call"] = "mcp_call"
    id: str
    server_label: str
    name: str
    arguments: str
    approval_request_id: str | None = None
    output: str | None = None
    error: dict[str, Any] | None = None


class McpApprovalRequestItem(Tagged):
    """May this MCP call be made?"""

    type: Literal["mcp_approval_request"] = "mcp_approval_request"
    id: str
    server_label: str
    name: str
    arguments: str


class McpApprovalResponseItem(Tagged):
    """Yes or no to an approval request. Clients may leave the id to the server."""

    type: Literal["mcp_approval_response"] = "mcp_approval_response"
    id: str | None = None
    approval_request_id: str
    approve: bool
    reason: str | None = None


class ItemReference(Tagged):
    """An item of the conversation, in `response.create`'s `input` only."""

    type: Literal["item_reference"] = "item_reference"
    id: str


class OtherItem(Model):
    """An item of a type that this version does not know."""

    type: str
    id: str | None = None


_ITEM_TYPES = (
    "message",
    "function_call",
    "function_call_output",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "mcp_approval_response",
    "item_reference",
)


def _item_tag(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return kind if kind in _ITEM_TYPES else "other"


Item = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[FunctionCallOutputItem, Tag("function_call_output")]
    | Annotated[McpListToolsItem, Tag("mcp_list_tools")]
    | Annotated[McpCallItem, Tag("mcp_call")]
    | Annotated[McpApprovalRequestItem, Tag("mcp_approval_request")]
    | Annotated[McpApprovalResponseItem, Tag("mcp_approval_response")]
    | Annotated[ItemReference, Tag("item_reference")]
    | Annotated[OtherItem, Tag("other")],
    Discriminator(_item_tag),
]
"""Any item; `OtherItem` for the unheard-of."""


def user_text(text: str, *, item_id: str | None = None) -> MessageItem:
    """A user message with this text."""
    content = [ContentPart(type="input_text", text=text)]
    if item_id is None:
        return MessageItem(role="user", content=content)
    return MessageItem(role="user", content=content, id=item_id)
