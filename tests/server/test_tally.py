from collections import Counter

from rtchat.protocol import server_events as ev
from rtchat.protocol.config import RealtimeSession
from rtchat.server.beta import BetaEvent
from rtchat.server.dialogue.checks import Rejected
from rtchat.server.tally import Tally


def error(code):
    return ev.ErrorEvent(event_id="e", error=Rejected(code, "what the client said").detail())


def test_what_is_sent_is_counted_and_not_kept():
    told = []
    tally = Tally(tell=lambda *what: told.append(what))
    tally.sent(ev.SessionCreated(event_id="e", session=RealtimeSession(id="sess_1")))
    for code in ("invalid_value", "invalid_value", None):
        tally.sent(error(code))
    assert (tally.session_id, tally.events_out) == ("sess_1", 4)
    assert tally.errors == Counter({"invalid_value": 2, "none": 1})
    assert "what the client said" not in repr(tally)
    errors = [("error_sent", code) for code in ("invalid_value", "invalid_value", None)]
    assert told == [("session_started", None), *errors]


def test_adding_up():
    total = Tally()
    for _ in range(2):
        one = Tally("sess_1", 1, 2, 0.5, 1.5, Counter(completed=1))
        one.sent(error("a"))
        total.add(one)
    assert total == Tally("", 2, 6, 1.0, 3.0, Counter(completed=2), Counter(a=2))


def test_a_client_of_the_beta_is_counted_too():
    tally = Tally()
    tally.sent(BetaEvent(type="session.created", session={"id": "sess_1"}))
    tally.sent(BetaEvent(type="response.done", response={"status": "completed"}))
    tally.sent(BetaEvent(type="error", error={"code": None}))
    assert (tally.session_id, tally.responses, tally.errors) == ("sess_1", {"completed": 1}, {"none": 1})
