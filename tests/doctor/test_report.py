import io
import json
import sys

import pytest

from rtchat.audio.soundcheck import SoundCheck
from rtchat.doctor.findings import note, ok, problem
from rtchat.doctor.report import Report
from rtchat.errors import LinkError

PROBLEM = problem("network", LinkError("Nobody answers.", hint="Check it."))


def test_people_see_findings_as_they_come(capsys):
    report = Report(as_json=False)
    report.add(ok("system", "Linux"), PROBLEM)
    assert capsys.readouterr().out == (
        "ok       system       Linux\nproblem  network      Nobody answers.\n                      Check it.\n"
    )
    assert report.has_problem("network") and not report.has_problem("system")
    assert report.close() == 3
    assert capsys.readouterr().out == "A conversation does not work here yet: see the problems above.\n"


@pytest.mark.parametrize(("sound", "said"), [(None, "Nothing stands in the way"), (SoundCheck(), "works here")])
def test_what_is_said_when_all_is_well(capsys, sound, said):
    report = Report(as_json=False)
    report.add(note("key", "none"))
    report.sound = sound
    assert report.close() == 0 and said in capsys.readouterr().out


def test_programs_get_one_object_and_nothing_else(capsys):
    report = Report(as_json=True)
    report.add(PROBLEM)
    with report.progress("Listening.") as progress:
        progress(0.5)
    report.sound = SoundCheck("m", "l", echo_db=-20.0)
    assert report.close() == 3
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["checks"] == [PROBLEM.as_json()] and told["sound"]["echo_db"] == -20.0
    assert err == "Listening.\n"


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_takes_itself_away_whatever_happens(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with pytest.raises(KeyboardInterrupt), Report(as_json=True).progress("Now.") as progress:
        progress(0.0)
        progress(0.5)
        raise KeyboardInterrupt
    assert "[###############...............]" in screen.getvalue()
    assert screen.getvalue().endswith(f"\r{' ' * 32}\r")


def test_a_name_that_the_output_cannot_write_is_no_failure(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    Report(as_json=False).add(ok("microphone", "Køpfhörer"))
    sys.stdout.flush()
    assert raw.getvalue() == b"ok       microphone   K?pfh?rer\n"
