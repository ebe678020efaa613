import io
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from rtchat.server.journal import Journal

NOON = datetime(2026, 11, 28, 12, 0, 0, 123456, UTC)


def written(style, **facts):
    stream = io.StringIO()
    journal = Journal(style, stream, lambda: NOON)
    journal.write("session_ended", **facts)
    journal.close()
    return stream.getvalue()


def test_a_line_for_machines():
    line = written("json", session="sess_1", seconds=1.23456, reason=None)
    assert json.loads(line) == {
        "time": "2026-11-28T12:00:00.123Z",
        "event": "session_ended",
        "session": "sess_1",
        "seconds": 1.235,
    }
    assert line.endswith("}\n")


def test_a_line_for_people():
    line = written("text", session="sess_1", close=1000, reason='slow "reader"', empty="")
    told = r'2026-11-28T12:00:00.123Z session ended session=sess_1 close=1000 reason="slow \"reader\"" empty=""'
    assert line == f"{told}\n"


def test_none_at_all():
    assert written(None, session="sess_1") == ""


def test_a_pipe_that_nobody_reads_holds_nobody_up():
    read, write = os.pipe()
    with os.fdopen(write, "w") as stream, os.fdopen(read) as reader:
        journal = Journal("json", stream)
        for _ in range(5000):  # far more than pipe and queue hold
            journal.write("session_started", padding="x" * 100)
        assert journal.lost > 1000
        with ThreadPoolExecutor() as pool:
            lines = pool.submit(reader.readlines)
            while journal.waiting:
                time.sleep(0.01)
            journal.write("late")
            journal.close()
            stream.close()
            told = [json.loads(line) for line in lines.result()]
    assert told[-1]["event"] == "late"
    assert len(told) + sum(line.get("lines_lost", 0) for line in told) == 5001


def test_a_stream_that_was_closed_is_survived():
    stream = io.StringIO()
    stream.close()
    journal = Journal("text", stream)
    journal.write("one")
    journal.close()
