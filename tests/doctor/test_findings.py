import pytest

from rtchat.doctor.findings import Finding, Mark, exit_code, lines, note, ok, problem
from rtchat.errors import ConnectFailed, DeviceError, Refused, RtchatError, UsageError

NETWORK = problem("network", ConnectFailed("The host name x cannot be resolved.", hint="Check your network."))
DEVICE = problem("devices", DeviceError("No sound device was found.", hint="Plug one in."))
REFUSED = problem("server", Refused("OpenAI refused the key."))
SETTINGS = problem("settings", UsageError("config.toml:1: no."))


def test_a_finding_is_one_line_and_its_hint_the_next():
    assert lines(NETWORK, None) == [
        "problem  network      The host name x cannot be resolved.",
        "                      Check your network.",
    ]
    assert lines(ok("system", "Linux"), None) == ["ok       system       Linux"]


def test_texts_stand_under_each_other():
    found = [ok("a", "x"), note("bb", "x", "h"), NETWORK]
    assert {line.index(each.text) for each in found for line in lines(each, None)[:1]} == {22}


def test_a_terminal_gets_no_line_that_is_too_long():
    words = "word " * 60
    shown = lines(note("network", words.strip(), words.strip()), 80)
    assert max(map(len, shown)) <= 80
    assert shown[0].startswith("note     network      word")
    assert all(line.startswith(" " * 22 + "word") for line in shown[1:])
    assert " ".join(" ".join(shown).split()[2:]) == " ".join((words * 2).split())


def test_a_name_that_is_longer_than_the_line_is_kept_whole():
    path = "/home/somebody/" + "x" * 90
    assert any(path in line for line in lines(ok("settings", f"in {path} there"), 60))


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([ok("a", "x"), note("b", "y")], 0),
        ([NETWORK], 3),
        ([REFUSED, ok("a", "x")], 4),
        ([NETWORK, DEVICE], 5),  # the devices are opened first
        ([REFUSED, DEVICE, SETTINGS], 2),
        ([problem("x", RtchatError("It failed."))], 1),
        ([problem("x", RtchatError("It failed.")), NETWORK], 3),
    ],
)
def test_the_exit_code_is_the_one_of_a_session(found, code):
    assert exit_code(found) == code


def test_as_json():
    assert NETWORK.as_json() == {
        "check": "network",
        "mark": "problem",
        "text": "The host name x cannot be resolved.",
        "hint": "Check your network.",
        "code": 3,
    }
    assert Finding("a", Mark.OK, "b").as_json()["mark"] == "ok"
