import inspect

import pytest

from rtchat import errors
from rtchat.errors import (
    ConnectFailed,
    ConnectionLost,
    DeviceError,
    EngineError,
    LinkError,
    ProfileError,
    Refused,
    RtchatError,
    ServerReported,
    ToolError,
    UsageError,
    WireError,
    did_you_mean,
)

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, RtchatError)]


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (RtchatError, 1),
        (UsageError, 2),
        (ProfileError, 2),
        (LinkError, 3),
        (ConnectFailed, 3),
        (ConnectionLost, 3),
        (Refused, 4),
        (DeviceError, 5),
        (WireError, 1),
        (ServerReported, 1),
        (ToolError, 1),
        (EngineError, 1),
    ],
)
def test_exit_codes(cls: type[RtchatError], code: int):
    assert cls.exit_code == code


def test_the_drawing_shows_the_whole_tree():
    assert errors.__doc__
    drawn = {line.split("── ")[1].split()[0] for line in errors.__doc__.splitlines() if "── " in line}
    assert drawn | {"RtchatError"} == {cls.__name__ for cls in TREE}


def test_message_and_hint_are_apart_and_read_together():
    error = Refused("The key was refused.", code="invalid_api_key", hint="Check OPENAI_API_KEY.")
    assert (error.message, error.hint, error.code) == (
        "The key was refused.",
        "Check OPENAI_API_KEY.",
        "invalid_api_key",
    )
    assert str(error) == "The key was refused. Check OPENAI_API_KEY."
    assert str(RtchatError("Only this.")) == "Only this."


def test_a_profile_error_says_where():
    assert str(ProfileError("is wrong", path="a.toml", line=3)) == "a.toml:3: is wrong"
    assert str(ProfileError("is wrong", path="a.toml")) == "a.toml: is wrong"


def test_what_else_errors_carry():
    assert ConnectionLost("x", close_code=1001).close_code == 1001
    assert ConnectionLost("x").close_code is None
    assert WireError("x", frame="{").frame == "{"
    reported = ServerReported("x", code="c", param="p", event_id="e")
    assert (reported.code, reported.param, reported.event_id) == ("c", "p", "e")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("maron", "Did you mean marin?"),
        ("MARIN", "Did you mean marin?"),
        ("zzz", "Known: cedar, marin."),
        ("", "Known: cedar, marin."),
    ],
)
def test_did_you_mean(word: str, hint: str):
    assert did_you_mean(word, {"marin", "cedar"}) == hint


def test_did_you_mean_knows_nothing():
    assert did_you_mean("x", []) == ""
