"""A language model of 2 MB that llama.cpp loads in a moment. It says what is written here; nothing was trained.

Its tokens are the 256 bytes and a few whole words. Each token is a direction of its own, attention and feed-forward
are nothing, so the next token depends on the last alone, and the output's weights are the table of that. The chat
template chooses the token from which an answer begins, by the last message. What a grammar forces upon it (a call's
arguments) it fills in as briefly as it can. The file is GGUF, version 3, as llama.cpp's documents describe it.
"""

import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

WIDTH = 320
CONTROL = ("<|end|>", "<|start|>", "<|short|>", "<|long|>", "<|call|>", "<|thought|>")
SHORT = ("Hello", " there", ".")
LONG = (" one", " two", " three", ".")
"""Said over and over, without an end."""
THOUGHT = ("<think>", "Hm", "</think>")

TEMPLATE = """\
{%- if tools %}<|start|>system
You may call functions: answer <tool_call>{"name": NAME, "arguments": ARGUMENTS}</tool_call>.
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}<|end|>
{% endif %}
{%- for message in messages %}<|start|>{{ message.role }}
{% if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}
{%- if message.content is string %}{{ message.content }}{% else %}{% for part in message.content or [] %}
{{- part.text or "" }}{% endfor %}{% endif %}
{%- for call in message.tool_calls or [] %}<tool_call>{"name": {{ call.function.name | tojson }}, "arguments": \
{{ call.function.arguments | tojson }}}</tool_call>
{%- endfor %}<|end|>
{% endfor %}
{%- if add_generation_prompt %}<|start|>assistant
{% set last = messages[-1].content | string | lower %}
{%- if "count" in last %}<|long|>{% elif "think" in last %}<|thought|>{% elif "call" in last %}<|call|>
{%- else %}<|short|>{% endif %}
{%- endif %}"""


def make(path: Path, *, context: int = 4096) -> Path:
    """Write it.

    Args:
        path: Where; ends in `.gguf`.
        context: How many tokens it was "trained" on.
    """
    words = list(dict.fromkeys([*SHORT, *LONG, *THOUGHT, "<tool_call>", "</tool_call>"]))
    tokens = [*map(_shown, range(256)), *(_spelled(word) for word in words if len(word) > 1), *CONTROL]
    tokens.append(_spelled("ne"))  # a tokenizer has one merge at least
    size = len(tokens)
    number = {token: n for n, token in enumerate(tokens)}
    table = np.zeros((size, size), np.float32)  # of the next token, by the one before
    table[number['"']] += 3  # nothing to say: a string ends as soon as it may, and all that is open
    table[number["}"]] += 2
    table[number["<|end|>"]] += 1
    table[[n for n in range(256) if not 32 <= n < 127]] -= 1
    chains = (
        ("<|short|>", *map(_spelled, SHORT), "<|end|>"),
        ("<|long|>", *map(_spelled, LONG[:-1])),
        ("<|call|>", "<tool_call>"),
        ("<|thought|>", *map(_spelled, THOUGHT), _spelled("Hello")),
    )
    for chain in chains:
        for before, after in pairwise(chain):
            table[number[after], number[before]] = 6
    table[number[_spelled(LONG[0])], number[_spelled(LONG[-2])]] = 6
    table[number["<tool_call>"], number["."]] = 5  # when it must call and would rather end
    head = {
        "general.architecture": "llama",
        "general.name": "tiny",
        "llama.vocab_size": size,
        "llama.context_length": context,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": 32,
        "llama.attention.head_count": 8,
        "llama.attention.head_count_kv": 1,
        "llama.rope.dimension_count": WIDTH // 8,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [
            3 if token in CONTROL else 4 if token.startswith("<") and len(token) > 1 else 1 for token in tokens
        ],
        "tokenizer.ggml.merges": ["n e"],
        "tokenizer.ggml.eos_token_id": number["<|end|>"],
        "tokenizer.ggml.bos_token_id": number["<|start|>"],
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }
    embedding = np.zeros((size, WIDTH), np.float32)
    embedding[np.arange(size), np.arange(size)] = 1
    output = np.zeros((size, WIDTH), np.float32)
    output[:, :size] = table
    block = {
        "attn_norm": (WIDTH,),
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (WIDTH // 8, WIDTH),
        "attn_v": (WIDTH // 8, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_norm": (WIDTH,),
        "ffn_gate": (32, WIDTH),
        "ffn_up": (32, WIDTH),
        "ffn_down": (WIDTH, 32),
    }
    tensors = {"token_embd.weight": embedding, "output.weight": output}
    tensors["output_norm.weight"] = np.ones(WIDTH, np.float32)
    tensors |= {f"blk.0.{name}.weight": np.zeros(shape, np.float32) for name, shape in block.items()}
    _write(path, head, tensors)
    return path


def _write(path: Path, head: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    at = 0
    listed = b""
    for name, tensor in tensors.items():
        shape = tensor.shape[::-1]
        listed += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, at)
        at += -(-tensor.nbytes // 32) * 32
    start = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(head))
    start += b"".join(_text(key) + _valued(value) for key, value in head.items()) + listed
    with path.open("wb") as file:
        file.write(start + bytes(-len(start) % 32))
        for tensor in tensors.values():
            file.write(tensor.tobytes() + bytes(-tensor.nbytes % 32))


def _valued(value: Any) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _text(value)
    kind = 8 if isinstance(value[0], str) else 5
    parts = [_text(part) if kind == 8 else struct.pack("<i", part) for part in value]
    return struct.pack("<IIQ", 9, kind, len(parts)) + b"".join(parts)


def _text(text: str) -> bytes:
    coded = text.encode()
    return struct.pack("<Q", len(coded)) + coded


def _shown(byte: int) -> str:
    """How a byte is written in such a vocabulary: printable ones as they are, the others from 256 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [n for n in range(256) if n not in plain]
    return chr(byte) if byte in plain else chr(256 + others.index(byte))


def _spelled(word: str) -> str:
    return "".join(_shown(byte) for byte in word.encode())
