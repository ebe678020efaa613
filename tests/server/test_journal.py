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
    while style and not stream.getvalue():
        time.sleep(0.01)
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


def until_late(reader):
    told = []
    while not told or told[-1]["event"] != "late":
        told.append(json.loads(reader.readline()))
    return told


def test_a_pipe_that_nobody_reads_holds_nobody_up():
    read, write = os.pipe()
    with ThreadPoolExecutor() as pool, os.fdopen(read) as reader, os.fdopen(write, "w") as stream:
        journal = Journal("json", stream)
        for _ in range(5000):  # far more than pipe and queue hold
            journal.write("session_started", padding="x" * 100)
        told = pool.submit(until_late, reader)
        while journal.waiting:
            time.sleep(0.01)
        journal.write("late")
        lines = told.result(60)
        journal.close()
    lost = sum(line.get("lines_lost", 0) for line in lines)
    assert lost > 1000
    assert len(lines) + lost == 5001


def test_a_stream_that_was_closed_is_survived():
    stream = io.StringIO()
    stream.close()
    journal = Journal("text", stream)
    journal.write("one")
    journal.close()
