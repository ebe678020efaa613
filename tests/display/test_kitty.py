"""The bytes that a terminal sends, against what they mean; and what a real one (kitty 0.26.5) has sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rtchat.display.bindings import Talk
from rtchat.display.kitty import (
    FLAGS,
    IGNORE_FOCUS,
    POP,
    PUSH,
    QUERY,
    WATCH_FOCUS,
    Attributes,
    Decoder,
    Focus,
    Granted,
    KeyUp,
    Plain,
    Protocol,
    Stroke,
)

TRACE = [json.loads(line)[1] for line in Path(__file__).with_name("kitty_trace.jsonl").read_text().splitlines()]


def decoded(text):
    decoder = Decoder()
    return [*decoder.feed(text), *decoder.flush()]


def test_a_real_terminal_grants_all_and_tells_what_it_is_in_between():
    assert decoded(TRACE[0]) == [Granted(0), Attributes(), Granted(FLAGS)]


def test_a_real_terminals_keys():
    tokens = decoded("".join(TRACE[1:]))
    held = [Stroke(" "), *[Stroke(" ", repeated=True)] * 9, KeyUp(32)]
    assert tokens[: len(held) + 2] == [*held, Stroke(" "), KeyUp(32)]
    down = [token.text for token in tokens if isinstance(token, Stroke) and not token.repeated]
    typed = [*"  m?thH", "\x7f", "\t", "\r", "\x1b", "\x03", "\x04", "ü", " "]
    assert down == typed
    assert [token.text for token in tokens if isinstance(token, Plain)] == ["\x1b[D", "\x1b[P", "\x1b[3~", "\x1b[H"]
    assert tokens[-3:] == [Focus(False), KeyUp(32), Focus(True)]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("\x1b[32u", " "),
        ("\x1b[32;1:1;32u", " "),
        ("\x1b[32;129u", " "),  # num lock is on
        ("\x1b[32;193;32u", " "),  # and caps lock
        ("\x1b[32;5u", ""),  # Ctrl-space
        ("\x1b[109;;109u", "m"),
        ("\x1b[109;65;77u", "M"),
        ("\x1b[109;65u", "M"),  # without the text, caps lock is ours
        ("\x1b[109;66u", "m"),
        ("\x1b[223:63;2;63u", "?"),  # shift-ß
        ("\x1b[223:63;2u", "?"),
        ("\x1b[252;u", "ü"),
        ("\x1b[1089::99;5u", "\x03"),  # Ctrl-C on a Cyrillic keyboard
        ("\x1b[99;69u", "\x03"),  # and with caps lock
        ("\x1b[99;6u", ""),  # Ctrl-shift-C copies
        ("\x1b[99;9u", ""),  # super
        ("\x1b[98;3u", ""),  # Alt-b
        ("\x1b[97;3;229u", "å"),  # Option makes text
        ("\x1b[0;;26085:26412u", "日本"),  # an input method
        ("\x1b[122;5u", "\x1a"),
        ("\x1b[91;5u", "\x1b"),
        ("\x1b[49;5u", ""),
        ("\x1b[13u", "\r"),
        ("\x1b[13;2u", "\r"),
        ("\x1b[13;3u", ""),
        ("\x1b[27u", "\x1b"),
        ("\x1b[9;2u", "\t"),
        ("\x1b[127u", "\x7f"),
        ("\x1b[127;5u", "\x08"),
        ("\x1b[57414u", "\r"),
        ("\x1b[57417;129u", "\x1b[D"),
        ("\x1b[57400;129;49u", "1"),
        ("\x1b[57441u", ""),  # shift alone
        ("\x1b[1;129D", "\x1b[D"),
        ("\x1b[1;1:1D", "\x1b[D"),
        ("\x1b[1;5D", "\x1b[1;5D"),
        ("\x1b[1;133:1D", "\x1b[1;5D"),
        ("\x1b[3;129~", "\x1b[3~"),
    ],
)
def test_a_key_is_what_it_sends_without_the_protocol(sent, text):
    assert decoded(sent) == ([Stroke(text)] if text else [])


def test_repeats_and_releases():
    assert decoded("\x1b[32;1:2;32u\x1b[1;1:2D") == [Stroke(" ", True), Stroke("\x1b[D", True)]
    assert decoded("\x1b[32;1:3u\x1b[32;65:3u\x1b[1;1:3D") == [KeyUp(32), KeyUp(32)]


@pytest.mark.parametrize(
    "sent",
    [
        "hello ü日",
        "\x1b[D",
        "\x1bOD",
        "\x1b",
        "\x1bb",
        "\x1b\x1b[D",
        "\x1b[3;7R",
        "\x1b[Z",
        "\x1b[<0;1;1M",
        "\r\x7f",
    ],
)
def test_what_is_not_of_the_protocol_stays_as_it_is(sent):
    tokens = decoded(sent)
    assert all(isinstance(token, Plain) for token in tokens)
    assert "".join(token.text for token in tokens) == sent


@pytest.mark.parametrize(
    "sent",
    [
        "\x1b[u",
        "\x1b[;;u",
        "\x1b[32;0:9u",
        "\x1b[99999999999;1;55555555555u",
        "\x1b[97;;55296u",
        "\x1b[97;;27:7u",
        "\x1b[0;;u",
        "\x1b[>1u",
        "\x1b[?u",
        "\x1b[::;;::u",
        "\x1b[;D",
        "\x1b[1:2:3:4:5;2:2:2;65:66u",
        "\x1b[" + "1" * 10_000 + "u",
    ],
)
def test_rubbish_is_survived_and_says_nothing_dangerous(sent):
    for token in decoded(sent):
        if isinstance(token, Stroke):
            token.text.encode()
            assert token.text.isprintable() or token.text == "\x1b[D"
    assert Stroke(" ") in decoded(sent + "\x1b[32u")


def test_pieces_of_any_size_mean_the_same():
    sent = "a\x1b[32;1:3u\x1b[200~x\x1b[32uy\x1b[201~\x1b[O\x1b[0;;26085:26412u\x1b[1;1:2D"
    whole = decoded(sent)
    decoder = Decoder()
    assert [token for letter in sent for token in decoder.feed(letter)] == whole


def test_a_paste_is_text_whatever_is_in_it():
    paste = "\x1b[200~one\x1b[32;1:3u \x1b[O two\x1b[201~"
    assert decoded(paste + "\x1b[32u") == [Plain(paste), Stroke(" ")]
    decoder = Decoder()
    assert decoder.feed(paste[:20]) == decoder.flush() == []
    assert decoder.feed(paste[20:]) == [Plain(paste)]


def test_an_escape_alone_is_known_when_nothing_follows():
    decoder = Decoder()
    assert decoder.feed("\x1b") == []
    assert decoder.flush() == [Plain("\x1b")]
    assert decoder.flush() == []


# --- the agreement ----------------------------------------------------------------------------------------


@pytest.fixture
def protocol():
    written = []
    made = Protocol(written.append)
    made.written = written
    return made


def taken(protocol):
    text = "".join(protocol.written)
    protocol.written.clear()
    return text


def test_a_terminal_that_can(protocol):
    protocol.ask()
    assert taken(protocol) == QUERY and protocol.talk is Talk.ASKED
    protocol.told(Granted(0))
    assert taken(protocol) == PUSH + "\x1b[?u" and protocol.talk is Talk.ASKED
    protocol.told(Attributes())
    assert protocol.talk is Talk.ASKED
    protocol.told(Granted(FLAGS))
    assert taken(protocol) == WATCH_FOCUS and protocol.talk is Talk.HOLD
    protocol.leave()
    assert taken(protocol) == POP + IGNORE_FOCUS
    protocol.leave()
    assert POP not in taken(protocol)


def test_a_terminal_that_cannot_is_told_nothing(protocol):
    protocol.ask()
    protocol.told(Attributes())
    protocol.leave()
    assert protocol.talk is Talk.TAP and taken(protocol) == QUERY


@pytest.mark.parametrize("flags", [0, 1, 9, 2 | 1])
def test_a_terminal_that_can_a_part_of_it_gets_its_flags_back(protocol, flags):
    protocol.told(Granted(0))
    protocol.told(Granted(flags))
    assert protocol.talk is Talk.TAP and taken(protocol) == PUSH + "\x1b[?u" + POP


def test_no_answer_is_no_and_a_late_one_is_welcome(protocol):
    protocol.ask()
    protocol.late()
    assert protocol.talk is Talk.TAP
    protocol.told(Granted(0))
    protocol.told(Granted(11))
    assert protocol.talk is Talk.HOLD


def test_while_a_line_is_typed_and_while_suspended_the_terminal_is_as_usual(protocol):
    protocol.told(Granted(0))
    protocol.told(Granted(FLAGS))
    taken(protocol)
    protocol.typing(True)
    assert taken(protocol) == POP
    protocol.leave()
    assert taken(protocol) == IGNORE_FOCUS
    protocol.come_back(typing=True)
    assert taken(protocol) == WATCH_FOCUS
    protocol.typing(False)
    assert taken(protocol) == PUSH
    protocol.leave()
    protocol.come_back(typing=False)
    assert taken(protocol) == POP + IGNORE_FOCUS + WATCH_FOCUS + PUSH
