"""What `/v1/chat/completions` is asked: a prompt in its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtchat.server.engines.base import Message, Prompt

INAUDIBLE = "(inaudible)"
"""What the model is told of speech in which no word was understood."""
SILENT = "(says nothing)"
"""What the model is told where it speaks, or is to speak, and nobody has spoken to it."""
NO_OUTPUT_YET = "(no output yet)"
"""What the model is told of a call that nobody has answered: every call must have an answer in this shape."""


def request(prompt: Prompt, model: str, *, images: bool = False) -> dict[str, Any]:
    """The body of the request, with the images that came with the messages or without.

    `none` sends no tools and a function's name sends that one alone, because some servers overlook `tool_choice`.
    Of that one a call is `required`: llama.cpp and LM Studio know no choice that is an object.
    """
    body: dict[str, Any] = {
        "model": model,
        "stream": True,
        "messages": chat(prompt.instructions, prompt.messages, images=images),
    }
    choice = prompt.tool_choice
    tools = [] if choice == "none" else list(prompt.tools)
    if choice not in ("auto", "none", "required"):
        tools = [tool for tool in tools if tool.get("name") == choice]
        choice = "required"
    if tools:
        body["tools"] = [
            {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}
            for tool in tools
        ]
        body["tool_choice"] = choice
        if not several_calls(prompt):
            body["parallel_tool_calls"] = False
    return body


def several_calls(prompt: Prompt) -> bool:
    """Whether the answer may hold more than one call: not of a function that was named."""
    return prompt.parallel_tool_calls and prompt.tool_choice in ("auto", "none", "required")


def chat(instructions: str, messages: Sequence[Message], *, images: bool = False) -> list[dict[str, Any]]:
    """The conversation in this API's shape: each call is in a message of the assistant, its output right behind.

    Many models' templates refuse a system message after the first, or two messages of one role in a row, which both
    happen in a spoken conversation. So the first holds all that the system says before anybody speaks, what it says
    later is told in the user's place, and neighbours of one role are one message. The user speaks first, as most
    templates want it, and the assistant never last: llama.cpp would take that for the beginning of the answer.
    """
    outputs = {message.call_id: message.text for message in messages if message.role == "tool"}
    made = {message.call_id for message in messages if message.role == "call"}
    told: list[dict[str, Any]] = []
    _add(told, "system", instructions)
    for message in messages:
        match message.role:
            case "call":
                if not told or told[-1]["role"] != "assistant":
                    told.append({"role": "assistant", "content": None})
                told[-1].setdefault("tool_calls", []).append(_call(message))
            case "tool" if message.call_id in made:
                continue  # stands behind its call
            case "tool":  # its call was deleted
                _add(told, "user", f"({message.name or 'A function'} gave: {message.text})")
            case "user":
                _add(told, "user", message.text.strip() or INAUDIBLE, message.images if images else ())
            case "system" if told and told[-1]["role"] != "system":
                _add(told, "user", f"(System: {message.text})")
            case role:
                _add(told, role, message.text)
    first = 1 if told and told[0]["role"] == "system" else 0
    if told[first:] and told[first]["role"] == "assistant":
        told.insert(first, {"role": "user", "content": SILENT})
    if not told[first:] or (told[-1]["role"] == "assistant" and "tool_calls" not in told[-1]):
        told.append({"role": "user", "content": SILENT})
    return [shown for entry in told for shown in (entry, *_outputs(entry, outputs))]


def _add(told: list[dict[str, Any]], role: str, text: str, images: Sequence[str] = ()) -> None:
    if not text.strip():
        return
    before = told[-1] if told and told[-1]["role"] == role and "tool_calls" not in told[-1] else None
    if before is None:
        told.append(before := {"role": role, "content": text})
    elif isinstance(before["content"], str):
        before["content"] += f"\n{text}"
    else:
        before["content"].append({"type": "text", "text": text})
    if images:
        if isinstance(before["content"], str):
            before["content"] = [{"type": "text", "text": before["content"]}]
        before["content"] += [{"type": "image_url", "image_url": {"url": image}} for image in images]


def _outputs(entry: Mapping[str, Any], outputs: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": outputs.get(call["id"], NO_OUTPUT_YET)}
        for call in entry.get("tool_calls", ())
    ]


def _call(message: Message) -> dict[str, Any]:
    function = {"name": message.name, "arguments": message.text or "{}"}
    return {"id": message.call_id, "type": "function", "function": function}
