import base64
import re
import threading

import pytest

from rtchat.protocol.client_events import ResponseCreate, SessionUpdate
from rtchat.protocol.server_events import UnknownEvent
from rtchat.testing import seen as module
from rtchat.testing.seen import Log, Seen, append, frame_of


@pytest.fixture
def log(monkeypatch):
    monkeypatch.setattr(module, "LEEWAY_S", 0.01)
    log = Log(heard_ms=[100.0, 50.0])
    for number, text in (
        (0, '{"type":"session.update","session":{"type":"realtime","instructions":"Be kind."}}'),
        (0, '{"type":"input_audio_buffer.append","audio":"AAAA"}'),
        (1, '{"type":"response.create"}'),
        (0, '{"type":"input_audio_buffer.append","audio":"AQID"}'),
        (0, '{"type":"conversation.item.truncate","item_id":"i","content_index":0,"audio_end_ms":40}'),
        (0, '{"type":"nonsense"}'),
        (0, "no JSON"),
    ):
        log.frames.append(frame_of(number, text))
    log.sent += [(0, '{"type":"session.created"}'), (0, "garbage"), (1, b"\0"), (1, '{"type":"error"}')]
    return log


def test_what_was_received(log):
    one, all_of_them = Seen(log, 0), Seen(log)
    assert isinstance(one.received[0], SessionUpdate)
    assert isinstance(one.received[-2], UnknownEvent) and isinstance(one.received[-1], UnknownEvent)
    assert len(one.received) == 6 and len(all_of_them.received) == 7
    assert one.audio == b"\0\0\0\x01\x02\x03"
    assert (one.audio_seconds, all_of_them.audio_seconds) == (0.1, 0.15)
    (cut,) = one.truncations
    assert (cut.item_id, cut.audio_end_ms) == ("i", 40)
    assert one.sent == [{"type": "session.created"}]
    assert all_of_them.sent_frames[1:3] == ["garbage", b"\0"]


def test_assertions_that_hold(log):
    one = Seen(log, 0)
    update = one.assert_sent("session.update", session__type="realtime", session__instructions=re.compile("kind"))
    assert update.session.instructions == "Be kind."
    one.assert_sent("input_audio_buffer.append", times=2)
    one.assert_sent("response.create", times=0)
    one.assert_not_sent("response.create")
    one.assert_order("session.update", "input_audio_buffer.append", "conversation.item.truncate")
    assert isinstance(Seen(log).assert_sent("response.create"), ResponseCreate)


def failure(assertion):
    with pytest.raises(AssertionError) as failed:
        assertion()
    return str(failed.value).splitlines()


def test_a_failure_lists_what_was_sent(log):
    lines = failure(lambda: Seen(log).assert_sent("session.update", session__type="transcription"))
    assert lines[0] == "The client sent no session.update with session.type = 'transcription'."
    assert lines[1] == "Session 1 sent:"
    assert lines[3] == "   2. input_audio_buffer.append, 2 times"
    assert lines[5:7] == ["   5. nonsense", '   6. a frame that is no event: {"frame": "no JSON"}']
    assert lines[7:9] == ["Session 2 sent:", "   1. response.create"]
    assert lines[9] == "The last session.update: session.type is 'realtime', not 'transcription'."


def test_other_failures(log):
    one = Seen(log, 0)
    sentences = [
        failure(lambda: one.assert_sent("session.update", times=2))[0],
        failure(lambda: one.assert_not_sent("session.update"))[0],
        failure(lambda: one.assert_order("input_audio_buffer.append", "session.update"))[0],
        failure(lambda: one.assert_order("response.create"))[0],
        failure(lambda: Seen(Log()).assert_sent("x"))[-1],
        failure(lambda: Seen(Log(heard_ms=[0.0])).assert_sent("x"))[-1],
    ]
    assert sentences == [
        "The client sent session.update once, not 2 times.",
        "The client did send session.update.",
        "The client sent no session.update after input_audio_buffer.append.",
        "The client sent no response.create.",
        "No client has connected.",
        "It has sent nothing at all.",
    ]


def arrive(log, text):
    def come():
        with log.news:
            log.frames.append(frame_of(1, text))
            log.news.notify_all()

    threading.Timer(0.02, come).start()


async def test_waiting_for_what_comes(log):
    arrive(log, '{"type":"response.cancel","response_id":"r"}')
    assert Seen(log).wait_for("response.cancel", within=60).response_id == "r"
    arrive(log, '{"type":"input_audio_buffer.commit"}')
    await Seen(log, 1).wait_for_async("input_audio_buffer.commit", within=60)


def test_sound_as_events():
    events = list(append(bytes(48 * 50)))
    assert [len(base64.b64decode(event["audio"])) for event in events] == [960, 960, 480]


def test_sound_for_a_translation_is_sound():
    log = Log(heard_ms=[0.0])
    for data in ("AAAA", "AQID"):
        log.frames.append(frame_of(0, f'{{"type":"session.input_audio_buffer.append","audio":"{data}"}}'))
    log.frames.append(frame_of(0, '{"type":"session.input_audio_buffer.append","audio":5}'))
    seen = Seen(log)
    assert seen.audio == b"\0\0\0\1\2\3"
    assert isinstance(seen.received[-1], UnknownEvent)
