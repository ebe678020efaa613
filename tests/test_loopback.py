"""Which addresses are this machine's own."""

from __future__ import annotations

from rtchat.loopback import is_loopback


def test_this_machine():
    assert is_loopback("127.0.0.1")
    assert is_loopback("localhost")
    assert not is_loopback("example.org")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
