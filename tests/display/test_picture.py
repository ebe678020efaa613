from __future__ import annotations

from xml.etree import ElementTree

from rtchat.conversation.notices import SessionStarted, StateChanged, TurnEnded
from rtchat.display.picture import export_svg


def test_a_session_becomes_a_picture(tmp_path, user, answer):
    path = tmp_path / "session.svg"
    export_svg(
        path,
        [
            (0.0, SessionStarted("local", "embedded", "marin", "s", "half-duplex", "interactive")),
            (1.0, user("A story <please> & quickly")),
            (2.0, answer("Once upon a time", "Once upon", status="interrupted")),
            (2.5, TurnEnded({"speech_end_to_first_audible_ms": 640}, {}, 0.0)),
            (61.0, StateChanged("speaking")),
        ],
        title="a title",
    )
    svg = path.read_text(encoding="utf-8")
    words = " ".join(" ".join(ElementTree.fromstring(svg).itertext()).replace("\xa0", " ").split())
    for text in (
        "a title",
        "A story <please> & quickly",
        "Once upon",
        "(interrupted after 1.2 s)",
        "speaking",
        "half duplex · 640 ms · 1:01",
    ):
        assert text in words
    assert "line-through" in svg
    assert "url(http" not in svg
    assert ">&#160;" not in svg
