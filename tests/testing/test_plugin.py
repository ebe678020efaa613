"""The plugin as somebody else's tests meet it."""

import re
from pathlib import Path

from rtchat.server.staging import faults
from rtchat.server.staging.scenario import Call, Sentence, Turn, load

pytest_plugins = ["pytester"]

CLIENT = """
import json
import pytest
from websockets.sync.client import connect

def answer(server):
    with connect(f"{server.url}/realtime?model=gpt-realtime") as socket:
        socket.send(json.dumps({"type": "response.create"}))
        while (event := json.loads(socket.recv(timeout=60)))["type"] != "response.done":
            pass
    return event["response"]["output"][0]["content"][0]["transcript"]
"""


def test_the_fixture_and_its_marker(outside):
    done, _ = outside(
        hotel='[[turn]]\nsay = "From the file."\n',
        test_agent=CLIENT
        + """
pytestmark = pytest.mark.realtime(clock="virtual")

def test_in_python(realtime_server):
    realtime_server.scenario({"say": "Hello."})
    assert answer(realtime_server) == "Hello."
    realtime_server.assert_sent("response.create", times=1)

@pytest.mark.realtime(script="hotel.toml", chaos="duplicate")
def test_a_file_beside_the_test(realtime_server):
    assert answer(realtime_server) == "From the file."
    realtime_server.advance(1)
""",
    )
    done.assert_outcomes(passed=2)


def test_below_a_failure_stands_what_the_scenario_did_not_foresee(outside):
    done, out = outside(
        test_agent=CLIENT
        + """
@pytest.mark.realtime(script=[{"match": "booked", "say": "It is booked."}])
def test_wrong(realtime_server):
    answer(realtime_server)
"""
    )
    done.assert_outcomes(failed=1)
    assert "What realtime_server told as wrong" in out
    assert re.search(r"^response.done: .*turn 1", out, re.MULTILINE | re.IGNORECASE)


def test_a_failure_lists_what_was_sent_and_a_mistake_in_the_marker_is_one_sentence(outside):
    done, out = outside(
        test_agent=CLIENT
        + """
@pytest.mark.realtime(script=[{"say": "Hello."}])
def test_wrong(realtime_server):
    answer(realtime_server)
    realtime_server.assert_sent("session.update", session__type="realtime")

@pytest.mark.realtime(chaos="nonsense")
def test_no_such_fault(realtime_server):
    pass
""",
    )
    done.assert_outcomes(failed=1, errors=1)
    assert "The client sent no session.update with session.type = 'realtime'." in out
    assert "1. response.create" in out
    assert "The marker realtime: There is no fault named 'nonsense'." in out


def test_who_does_not_use_it_does_not_pay_for_it(outside):
    done, _ = outside(
        test_other="""
import sys

def test_nothing_was_imported():
    assert "rtchat.testing.plugin" in sys.modules
    assert not {"numpy", "pydantic", "starlette", "rtchat.server"} & sys.modules.keys()
""",
    )
    done.assert_outcomes(passed=1)


def test_the_marker_is_described(outside):
    _, out = outside(arguments=("--markers",))
    assert "@pytest.mark.realtime(script=None" in out


PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def test_the_examples_of_the_page(outside):
    done, _ = outside(**{f"test_example{number}": text for number, text in enumerate(blocks("python"))})
    done.assert_outcomes(passed=2)


def test_the_files_of_the_page(tmp_path):
    names = ("scenario", "translated", "storm")
    for name, text in zip(names, blocks("toml"), strict=True):
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    assert [turn.delay_ms for turn in load(tmp_path / "scenario.toml").turn] == [300, 0, 0]
    assert [turn.hear for turn in load(tmp_path / "translated.toml").turn] == [("good morning",)]
    (stall,) = faults.choose([str(tmp_path / "storm.toml")])
    assert stall.values["for"] == 2


def test_the_page_has_every_fault():
    for name, kind in faults.KINDS.items():
        parameters = " ".join(f"`{word}={parameter.default:g}`" for word, parameter in kind.parameters.items())
        assert f"| `{name}` | {kind.summary} | {parameters} |" in PAGE


def test_the_page_names_every_key_of_a_turn():
    missing = {
        name for name in [*Turn.model_fields, *Sentence.model_fields, *Call.model_fields] if name not in PAGE
    }
    assert missing == set()
