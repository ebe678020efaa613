import inspect

from rtchat import errors
from rtchat.errors import ProfileError, RtchatError, UsageError, did_you_mean


def test_an_error_is_its_sentence_and_its_hint():
    assert str(RtchatError("It is broken.")) == "It is broken."
    assert str(RtchatError("It is broken.", hint="Mend it.")) == "It is broken. Mend it."


def test_the_tree_in_the_docstring_names_every_error():
    for name, each in inspect.getmembers(errors, inspect.isclass):
        if issubclass(each, RtchatError):
            assert f" {name} " in (errors.__doc__ or "").replace("\n", " "), name


def test_exit_codes():
    codes = {
        "RtchatError": 1,
        "UsageError": 2,
        "ConnectFailed": 3,
        "ConnectionLost": 3,
        "Refused": 4,
        "DeviceError": 5,
        "ToolError": 1,
    }
    assert {name: getattr(errors, name).exit_code for name in codes} == codes


def test_a_profile_error_says_where():
    error = ProfileError("wrong.", path="a.toml", line=3, hint="Mend it.")
    assert isinstance(error, UsageError)
    assert (error.message, error.path, error.line) == ("a.toml:3: wrong.", "a.toml", 3)
    assert ProfileError("wrong.", path="a.toml").message == "a.toml: wrong."


def test_did_you_mean():
    assert did_you_mean("Marvin", ["marin", "cedar"]) == "Did you mean marin?"
    assert did_you_mean("x", ["b", "a"]) == "Known: a, b."
    assert did_you_mean("x", []) == ""
