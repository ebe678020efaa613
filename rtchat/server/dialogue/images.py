"""Images that a client brings: what kind, how large, and how many tokens. Nobody here looks at them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from math import ceil
from typing import Literal

_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w=.+-]+)*),(.*)", re.DOTALL | re.IGNORECASE)
_PNG = b"\x89PNG\r\n\x1a\n"
_NO_SIZE = (*range(0xD0, 0xDA), 0x01)  # markers of a JPEG without a segment; 0xD9 is its end, 0xDA its data
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))

LOW_DETAIL_TOKENS = 85
TILE, TILE_TOKENS = 512, 170
LARGEST_SIDE, LARGEST_SHORT_SIDE = 2048, 768


@dataclass(frozen=True, slots=True)
class Image:
    """What the first bytes of an image tell.

    Attributes:
        kind: PNG or JPEG.
        width: Pixels.
        height: Pixels.
    """

    kind: Literal["PNG", "JPEG"]
    width: int
    height: int

    def __str__(self) -> str:
        return f"a {self.kind} of {self.width} by {self.height} pixels"

    def tokens(self, detail: str | None) -> int:
        """An estimate, by the rule that the documentation gives for gpt-4o (85, and 170 for a tile of 512 pixels).

        Args:
            detail: `low`, `high` or `auto`, which counts as high.
        """
        if detail == "low":
            return LOW_DETAIL_TOKENS
        scale = min(1.0, LARGEST_SIDE / max(self.width, self.height))
        scale = min(scale, LARGEST_SHORT_SIDE / min(self.width, self.height))
        tiles = ceil(self.width * scale / TILE) * ceil(self.height * scale / TILE)
        return LOW_DETAIL_TOKENS + TILE_TOKENS * tiles


def parse(url: str) -> Image:
    """The image of a data URI.

    Raises:
        ValueError: It is not one, or not of a PNG or JPEG; the sentence ends "but got …", as the API's does.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("but got a value without the 'data:' prefix")
    kind = (found[1] or "text/plain").lower()
    if kind not in ("image/png", "image/jpeg", "image/jpg"):
        raise ValueError(f"but got unsupported MIME type '{kind[:50]}'")
    if not found[2].lower().endswith(";base64"):
        raise ValueError("but got a value that is not base64-encoded")
    try:
        data = base64.b64decode(found[3], validate=True)
    except binascii.Error:
        raise ValueError("but got an invalid base64-encoded value") from None
    size = _png_size(data) if kind == "image/png" else _jpeg_size(data)
    if size is None or not all(size):
        raise ValueError(f"but got data that is not of the type '{kind}'")
    return Image("PNG" if kind == "image/png" else "JPEG", *size)


def _png_size(data: bytes) -> tuple[int, int] | None:
    # Signature, then the chunk IHDR: length, name, width, height.
    if not data.startswith(_PNG) or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    # Segments: 0xFF, marker, length with itself. A frame segment: precision, height, width.
    if not data.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        elif marker in _NO_SIZE:
            at += 2
        elif marker == 0xDA:
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
