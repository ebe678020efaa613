import base64
import struct

import pytest

from rtchat.server.dialogue.images import Image, parse

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)


def jpeg(*segments):
    return b"\xff\xd8" + b"".join(segments)


def segment(marker, content):
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


FRAME = struct.pack(">BHH", 8, 300, 400) + b"\3"


def url(kind, data):
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("given", "image"),
    [
        (url("png", PNG), Image("PNG", 640, 480)),
        (url("PNG", PNG), Image("PNG", 640, 480)),
        (url("jpeg", jpeg(segment(0xE0, b"JFIF\0"), segment(0xC0, FRAME))), Image("JPEG", 400, 300)),
        (url("jpg", jpeg(b"\xff", segment(0xE1, b"x" * 300), segment(0xC2, FRAME))), Image("JPEG", 400, 300)),
        (url("jpeg", jpeg(b"\xff\x01", segment(0xC4, b"tables"), segment(0xC0, FRAME))), Image("JPEG", 400, 300)),
    ],
)
def test_format_and_size_stand_in_the_first_bytes(given, image):
    assert parse(given) == image


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ("https://example.org/cat.png", "without the 'data:' prefix"),
        ("", "without the 'data:' prefix"),
        ("data:image/gif;base64,AAAA", "unsupported MIME type 'image/gif'"),
        ("data:,hello", "unsupported MIME type 'text/plain'"),
        ("data:image/png,hello", "not base64-encoded"),
        ("data:image/png;base64,%%%", "invalid base64-encoded value"),
        (url("png", b""), "not of the type 'image/png'"),
        (url("png", PNG[:20]), "not of the type 'image/png'"),
        (url("png", PNG.replace(b"\x02\x80", b"\0\0")), "not of the type 'image/png'"),
        (url("png", jpeg(segment(0xC0, FRAME))), "not of the type 'image/png'"),
        (url("jpeg", PNG), "not of the type 'image/jpeg'"),
        (url("jpeg", jpeg(segment(0xDA, b"no frame before the data"))), "not of the type 'image/jpeg'"),
        (url("jpeg", jpeg(segment(0xE0, b"JFIF\0"))), "not of the type 'image/jpeg'"),
        (url("jpeg", jpeg(b"garbage instead of markers")), "not of the type 'image/jpeg'"),
    ],
)
def test_whatever_else_is_refused(given, got):
    with pytest.raises(ValueError, match=got):
        parse(given)


def test_it_is_told_in_words():
    assert str(Image("PNG", 640, 480)) == "a PNG of 640 by 480 pixels"


@pytest.mark.parametrize(
    ("width", "height", "detail", "tokens"),
    [
        (1024, 1024, "high", 765),  # the documentation's examples
        (2048, 4096, "high", 1105),
        (4096, 8192, "low", 85),
        (640, 480, None, 425),
        (1, 1, "auto", 255),
    ],
)
def test_tokens(width, height, detail, tokens):
    assert Image("PNG", width, height).tokens(detail) == tokens
