"""One session, whole: real sockets, the embedded server, WAV files as devices."""

from __future__ import annotations

import asyncio
import json
import wave
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date

import pytest
from websockets.asyncio.server import serve

from rtchat import sound_side, watch
from rtchat.audio import files
from rtchat.audio.sound import Sound
from rtchat.conversation import notices as n
from rtchat.conversation import signals as s
from rtchat.display.bindings import Action, Key
from rtchat.errors import ConnectFailed, ConnectionLost, DeviceError, Refused, UsageError
from rtchat.link import dialers
from rtchat.modes import Mode
from rtchat.plan import make_plan
from rtchat.recording import Recording, read_events
from rtchat.server.run import ServerConfig, embedded
from rtchat.session import Session
from rtchat.settings import Settings
from rtchat.tools.builtin import Builtin
from rtchat.tools.registry import Registry
from rtchat.tools.schema import tool

pytestmark = pytest.mark.usefixtures("nothing_set")


class Collected:
    """A display that keeps what it is told, and lets a test wait for it."""

    def __init__(self):
        self.notices = []
        self.lines = []
        self.closed = False
        self.entered = self.left = 0
        self.helped = False
        self._changed = asyncio.Event()

    def show(self, t, notice):
        self.notices.append(notice)
        self._changed.set()

    def tell(self, text):
        self.lines.append(text)
        self._changed.set()

    def meter(self, microphone_dbfs, loudspeaker_dbfs, buffered_ms, underruns):
        pass

    def typing(self, text, cursor=0):
        self.typed = text

    def switches(self, talk, *, muted):
        self.muted = muted

    def toggle_help(self):
        self.helped = not self.helped

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, *_):
        self.left += 1

    def of(self, kind):
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def said(self):
        return [notice.text for notice in self.of(n.AssistantSaid) if notice.final]

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()


def a_plan(mode=Mode.TEXT, **flags):
    return make_plan(mode, Settings.load({"server": "local", **flags}), today=date(2026, 11, 20))


def typed(*lines):
    async def give(session):
        for line in lines:
            await session.idle.wait()
            yield line

    return give


async def run(plan, *, display=None, endpoint=None, **options):
    """The session and its display, after it is over."""
    display = display or Collected()
    if endpoint is not None:
        outcome = await Session(plan, endpoint, display, **options).run()
    else:
        async with embedded() as url:
            outcome = await Session(plan, plan.endpoint(url), display, **options).run()
    return outcome, display


async def test_a_typed_line_is_answered():
    outcome, display = await run(a_plan(), lines=typed("repeat after me: the sky is green"))
    assert (outcome.error, outcome.ended.reason, outcome.ended.turns) == (None, "done", 1)
    assert "the sky is green" in display.said()[0].lower()
    assert display.entered == display.left == 1


async def test_several_lines_are_several_turns_in_order():
    outcome, display = await run(a_plan(), lines=typed("repeat after me: one", "repeat after me: two"))
    assert outcome.ended.turns == 2
    assert ["one" in display.said()[0].lower(), "two" in display.said()[1].lower()] == [True, True]
    order = [type(x) for x in display.notices if isinstance(x, n.UserSaid | n.TurnEnded)]
    assert order == [n.UserSaid, n.TurnEnded] * 2


async def test_nothing_to_say_ends_at_once():
    outcome, display = await run(a_plan(), lines=typed())
    assert (outcome.error, outcome.ended.turns, display.said()) == (None, 0, [])


async def test_a_tool_is_called_and_its_result_told():
    registry = Registry(Builtin(lambda _: None).functions())
    registry.load("calculate")
    plan = a_plan().with_tools(registry.definitions())
    _, display = await run(plan, lines=typed("what is 17 times 23"), tools=registry)
    assert [call.status for call in display.of(n.ToolCalled)] == ["running", "ok"]
    assert json.loads(display.of(n.ToolCalled)[1].output)["result"] == 391
    assert "391" in display.said()[-1]


async def test_a_timer_speaks_up_when_it_ends_though_the_input_has_ended():
    sessions = []

    async def lines(session):
        sessions.append(session)
        yield "set a timer for 1 second"

    builtin = Builtin(lambda news: sessions[0].announce(news))
    registry = Registry(builtin.functions())
    registry.load("set_timer")
    plan = a_plan().with_tools(registry.definitions())
    outcome, display = await run(plan, lines=lines, tools=registry, linger=builtin.timers_ended)
    assert outcome.ended.turns == 2
    assert "timer" in display.said()[-1].lower()


async def test_a_tool_that_needs_a_yes_asks_for_it():
    display = Collected()
    sessions = []

    def launch():
        """Launch the rocket."""
        return "launched"

    async def lines(session):
        sessions.append(session)
        yield "launch the rocket"

    async def keys():
        await display.until(lambda d: d.lines)
        yield Key(Action.YES)

    registry = Registry(approve=lambda name, given: sessions[0].controls.approve(name, given))
    registry.add(tool(confirm=True)(launch))
    plan = a_plan().with_tools(registry.definitions())
    await run(plan, display=display, lines=lines, keys=keys, tools=registry)
    assert [call.status for call in display.of(n.ToolCalled)] == ["running", "ok"]
    assert display.lines == ["May launch() run? Press y or n."]


async def test_a_tool_that_needs_a_yes_does_not_run_where_nobody_can_say_it():
    sessions, ran = [], []

    def launch():
        """Launch the rocket."""
        ran.append(True)

    async def lines(session):
        sessions.append(session)
        yield "launch the rocket"

    registry = Registry(approve=lambda name, given: sessions[0].controls.approve(name, given))
    registry.add(tool(confirm=True)(launch))
    _, display = await run(a_plan().with_tools(registry.definitions()), lines=lines, tools=registry)
    assert [call.status for call in display.of(n.ToolCalled)] == ["running", "denied"]
    assert (ran, len(display.lines)) == ([], 1)


async def test_max_turns_ends_the_session():
    outcome, display = await run(a_plan(max_turns=1), lines=typed("hello", "hello"))
    assert (outcome.ended.reason, outcome.ended.turns, len(display.said())) == ("max turns", 1, 1)


async def test_the_recording_holds_both_directions_and_the_totals(tmp_path):
    recording = Recording.start(tmp_path / "kept", {})
    await run(a_plan(), lines=typed("hello"), recording=recording)
    events = list(read_events(recording.folder))
    kinds = {(entry["dir"], entry["event"]["type"]) for entry in events}
    assert {("received", "session.created"), ("sent", "session.update"), ("sent", "response.create")} <= kinds
    about = json.loads((recording.folder / "session.json").read_text())
    assert about["totals"]["turns"] == 1 and about["ended"]


# --- sound ------------------------------------------------------------------------------------------------


@pytest.mark.needs("espeak-ng")
async def test_a_spoken_answer_is_heard_to_its_end(tmp_path):
    path = tmp_path / "out.wav"
    outcome, display = await run(a_plan(speak=True, output_wav=path), lines=typed("repeat after me: yes"))
    last = [notice for notice in display.of(n.AssistantSaid) if notice.final][-1]
    assert (outcome.error, last.status, last.heard_text) == (None, "completed", last.text)
    assert last.heard_ms == last.generated_ms > 300
    with wave.open(str(path)) as wav:
        seconds = wav.getnframes() / wav.getframerate()
        assert any(wav.readframes(wav.getnframes()))
    assert seconds * 1000 >= last.heard_ms
    (turn,) = display.of(n.TurnEnded)
    assert turn.latency["speech_end_to_first_audible_ms"] >= turn.latency["speech_end_to_first_delta_ms"]


@pytest.mark.needs("espeak-ng")
async def test_the_key_interrupts_a_story_and_the_server_is_told_what_was_heard(tmp_path):
    display = Collected()
    recording = Recording.start(tmp_path / "kept", {})

    async def keys():
        await display.until(lambda d: any(a.heard_ms > 400 for a in d.of(n.AssistantSaid)))
        yield Key(Action.SPACE)

    plan = a_plan(speak=True, output_wav=tmp_path / "out.wav")
    lines = typed("tell me a long story", "repeat after me: yes")
    outcome, _ = await run(plan, display=display, lines=lines, keys=keys, recording=recording)
    assert (outcome.ended.reason, outcome.ended.turns) == ("done", 2)
    (interruption,) = display.of(n.Interruption)
    assert 0 <= interruption.onset_to_silence_ms < 10_000
    story = next(x for x in display.of(n.AssistantSaid) if x.final and x.item_id == interruption.item_id)
    assert story.status == "interrupted"
    assert 400 < story.heard_ms < story.generated_ms
    assert story.text.startswith(story.heard_text) and len(story.heard_text) < len(story.text)
    events = [entry["event"] for entry in read_events(recording.folder)]
    (truncate,) = [event for event in events if event["type"] == "conversation.item.truncate"]
    assert truncate["audio_end_ms"] == story.heard_ms == interruption.heard_ms
    assert [e["audio_end_ms"] for e in events if e["type"] == "conversation.item.truncated"] == [story.heard_ms]


async def test_a_device_that_is_not_there_is_one_sentence_and_exit_code_5(tmp_path):
    outcome, display = await run(
        a_plan(Mode.INTERACTIVE, input_device="no such thing", output_wav=tmp_path / "o.wav")
    )
    assert isinstance(outcome.error, DeviceError) and outcome.error.exit_code == 5
    assert display.of(n.ErrorTold)[0].fatal and display.left == 1


async def test_a_file_that_is_no_wav_is_wrong_usage(tmp_path):
    (tmp_path / "x.wav").write_text("no")
    outcome, _ = await run(a_plan(Mode.INTERACTIVE, input_wav=tmp_path / "x.wav", output_wav=tmp_path / "o.wav"))
    assert isinstance(outcome.error, UsageError)


@pytest.mark.needs("espeak-ng")
async def test_the_recording_names_the_devices_that_serve(tmp_path):
    recording = Recording.start(tmp_path / "kept", {})

    async def lines(session):
        session.feed(s.DeviceLost("loudspeaker"))
        session.feed(s.DeviceFound("loudspeaker", "Desk"))
        yield "repeat after me: yes"

    outcome, _ = await run(a_plan(speak=True, output_wav=tmp_path / "o.wav"), lines=lines, recording=recording)
    assert outcome.error is None
    assert json.loads((recording.folder / "session.json").read_text())["loudspeaker"] == "Desk"


# --- keys -------------------------------------------------------------------------------------------------


async def test_keys_help_mute_type_and_abort(tmp_path):
    with wave.open(str(tmp_path / "quiet.wav"), "wb") as wav:
        wav.setparams((1, 2, 24_000, 0, "NONE", ""))
        wav.writeframes(bytes(24_000 * 2 * 60))
    display = Collected()

    async def keys():
        await display.until(lambda d: n.StateChanged("listening") in d.notices)
        yield Key(Action.HELP)
        yield Key(Action.MUTE)
        assert display.notices[-1] == n.StateChanged("muted")
        yield Key(Action.MUTE)
        yield Key(Action.TYPE, "hello", 5)
        assert display.typed == "hello"
        yield Key(Action.SUBMIT, "hello")
        assert display.typed is None
        await display.until(lambda d: d.of(n.TurnEnded))
        yield Key(Action.ABORT)

    plan = a_plan(Mode.INTERACTIVE, input_wav=tmp_path / "quiet.wav", output_wav=tmp_path / "o.wav")
    outcome, _ = await run(plan, display=display, keys=keys)
    assert (outcome.ended.reason, outcome.ended.turns, display.helped) == ("interrupted", 1, True)


async def test_muting_silences_the_microphone_that_was_opened_in_place_of_the_first(tmp_path):
    with wave.open(str(tmp_path / "quiet.wav"), "wb") as wav:
        wav.setparams((1, 2, 24_000, 0, "NONE", ""))
        wav.writeframes(bytes(24_000 * 2 * 60))
    display, made = Collected(), []

    class Sounds(Sound):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.mutings = []
            made.append(self)

        async def __aenter__(self):
            if self is made[0]:
                raise DeviceError("No loudspeaker.", hint="Plug one in.")
            return await super().__aenter__()

        def mute(self, muted):
            self.mutings.append(muted)

    async def keys():
        await display.until(lambda d: n.StateChanged("listening") in d.notices)
        yield Key(Action.MUTE)
        yield Key(Action.ABORT)

    plan = a_plan(Mode.INTERACTIVE, input_wav=tmp_path / "quiet.wav")
    await run(plan, display=display, keys=keys, open_sound=Sounds)
    assert [sound.mutings for sound in made] == [[], [True]]


async def test_a_reader_that_is_gone_ends_the_session():
    display = Collected()

    async def lines(session):
        yield "hello"
        await display.until(lambda d: d.of(n.TurnEnded))
        display.closed = True
        yield "hello"
        await asyncio.Event().wait()

    outcome, _ = await run(a_plan(), display=display, lines=lines)
    assert outcome.ended.reason == "nobody reads"


# --- servers that misbehave -------------------------------------------------------------------------------


@asynccontextmanager
async def server_that(handler):
    async with serve(handler, "127.0.0.1", 0) as server:
        yield dialers.url(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", label="the test server")


SESSION = {"type": "realtime", "id": "sess_1", "model": "gpt-realtime-2.1"}


async def greet(socket):
    await socket.send(json.dumps({"type": "session.created", "session": SESSION}))
    await socket.recv()
    await socket.send(json.dumps({"type": "session.updated", "session": SESSION}))


async def test_a_server_that_is_not_there():
    outcome, display = await run(a_plan(), endpoint=dialers.url("ws://127.0.0.1:9/v1"), lines=typed("hello"))
    assert isinstance(outcome.error, ConnectFailed) and outcome.error.exit_code == 3
    assert display.of(n.SessionEnded) == [outcome.ended]


async def test_a_wrong_key_is_refused_in_the_server_s_words():
    async with embedded(ServerConfig(api_key="right")) as url:
        outcome, _ = await run(a_plan(), endpoint=dialers.url(url, "wrong", model="x"), lines=typed("hello"))
    assert isinstance(outcome.error, Refused) and outcome.error.exit_code == 4


async def test_a_server_that_closes_in_the_middle_keeps_the_recording(tmp_path):
    recording = Recording.start(tmp_path / "kept", {})

    async def handler(socket):
        await greet(socket)
        await socket.recv()
        await socket.close(1011, "going down")

    async with server_that(handler) as endpoint:
        outcome, _ = await run(
            a_plan(), endpoint=endpoint, lines=typed("hello"), recording=recording, patience_seconds=0.5
        )
    assert isinstance(outcome.error, ConnectionLost) and outcome.error.exit_code == 3
    assert json.loads((recording.folder / "session.json").read_text())["ended"]
    assert len(list(read_events(recording.folder))) >= 4


async def answer(socket, text):
    """What the server sends for an answer in words."""
    item_id, response_id = f"item {text}", f"resp {text}"
    where = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    response = {"id": response_id, "status": "in_progress", "output": []}
    for event in (
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "response_id": response_id, "output_index": 0, "item": item},
        {"type": "response.output_text.delta", **where, "delta": text},
        {"type": "response.output_text.done", **where, "text": text},
        {"type": "response.done", "response": {**response, "status": "completed"}},
    ):
        await socket.send(json.dumps(event))


async def until_asked(socket):
    """The events up to the request for an answer."""
    events = []
    while not events or events[-1]["type"] != "response.create":
        events.append(json.loads(await socket.recv()))
    return events


def one_after_the_other(*handlers):
    """Treats the first connection with the first handler, and so on."""
    left = list(handlers)

    async def handle(socket):
        await left.pop(0)(socket)

    return handle


async def test_a_server_that_restarts_before_it_has_answered_answers_after_it():
    asked = []

    async def restarts(socket):
        await greet(socket)
        await until_asked(socket)
        await socket.close(1012, "service restart")

    async def answers(socket):
        await greet(socket)
        asked.extend(await until_asked(socket))
        await answer(socket, "Hello again.")
        await socket.wait_closed()

    async with server_that(one_after_the_other(restarts, answers)) as endpoint:
        outcome, display = await run(a_plan(), endpoint=endpoint, lines=typed("hello there"))
    assert (outcome.error, outcome.ended.reason, display.said()) == (None, "done", ["Hello again."])
    items = [event["item"] for event in asked if event["type"] == "conversation.item.create"]
    assert [item["content"][0]["text"] for item in items] == ["hello there"]
    states = [notice.state for notice in display.of(n.StateChanged)]
    assert states[: states.index("reconnecting") + 2] == ["connecting", "listening", "thinking", "reconnecting",
                                                          "listening"]  # fmt: skip
    (told,) = display.of(n.ErrorTold)
    assert told == n.ErrorTold(
        "connection_lost", "the test server closed the connection (service restart).", "Reconnecting.", False
    )


async def test_a_server_that_goes_before_it_takes_the_session_is_dialled_again_and_told_once():
    async def goes(socket):
        await socket.send(json.dumps({"type": "session.created", "session": SESSION}))
        await socket.recv()
        await socket.close(1001)

    async def answers(socket):
        await greet(socket)
        await until_asked(socket)
        await answer(socket, "Twelve.")
        await socket.wait_closed()

    async with server_that(one_after_the_other(goes, goes, answers)) as endpoint:
        outcome, display = await run(a_plan(), endpoint=endpoint, lines=typed("what time is it"))
    assert (outcome.error, outcome.ended.reason, display.said()) == (None, "done", ["Twelve."])
    (lost,) = display.of(n.ErrorTold)
    assert (lost.code, lost.hint, lost.fatal) == ("connection_lost", "Reconnecting.", False)


async def test_a_session_whose_hour_is_over_goes_on_in_the_next_hour():
    async def expires(socket):
        await greet(socket)
        await until_asked(socket)
        await answer(socket, "One.")
        error = {"type": "invalid_request_error", "code": "session_expired", "message": "60 minutes are over."}
        await socket.send(json.dumps({"type": "error", "error": error}))
        await socket.wait_closed()  # it does not hang up by itself

    async def goes_on(socket):
        await greet(socket)
        await until_asked(socket)
        await answer(socket, "Two.")
        await socket.wait_closed()

    display = Collected()

    async def lines(session):
        yield "one"
        await display.until(lambda d: n.StateChanged("reconnecting") in d.notices)
        await session.idle.wait()
        yield "two"

    async with server_that(one_after_the_other(expires, goes_on)) as endpoint:
        outcome, _ = await run(a_plan(), endpoint=endpoint, lines=lines, display=display)
    assert (outcome.error, display.said()) == (None, ["One.", "Two."])
    assert "60 minutes" in display.of(n.ErrorTold)[0].message


async def test_a_translation_goes_on_at_the_server_that_comes_back(tmp_path):
    with wave.open(str(tmp_path / "quiet.wav"), "wb") as wav:
        wav.setparams((1, 2, 24_000, 0, "NONE", ""))
        wav.writeframes(bytes(24_000 * 2 * 2))
    session, came = {"type": "translation", "id": "sess_1", "model": "gpt-realtime-translate"}, []

    async def greets(socket):
        await socket.send(json.dumps({"type": "session.created", "session": session}))
        assert json.loads(await socket.recv())["type"] == "session.update"
        await socket.send(json.dumps({"type": "session.updated", "session": session}))

    async def restarts(socket):
        await greets(socket)
        await socket.recv()
        await socket.close(1012)

    async def goes_on(socket):
        await greets(socket)
        while not came or came[-1] != "session.close":
            came.append(json.loads(await socket.recv())["type"])
        await socket.send(json.dumps({"type": "session.closed"}))
        await socket.wait_closed()

    plan = a_plan(Mode.TRANSLATOR, to="es", input_wav=tmp_path / "quiet.wav", output_wav=tmp_path / "o.wav")
    async with server_that(one_after_the_other(restarts, goes_on)) as endpoint:
        outcome, display = await run(plan, endpoint=replace(endpoint, translation=True))
    assert (outcome.error, outcome.ended.reason) == (None, "done")
    assert n.StateChanged("reconnecting") in display.notices
    assert set(came) == {"session.input_audio_buffer.append", "session.close"}


async def test_a_server_that_refuses_to_have_us_back_is_the_end():
    async def restarts(socket):
        await greet(socket)
        await socket.close(1012)

    async def refuses(socket):
        error = {"type": "invalid_request_error", "code": "insufficient_quota", "message": "No credit."}
        await socket.send(json.dumps({"type": "error", "error": error}))
        await socket.close(4000, "invalid_request_error.insufficient_quota")

    async with server_that(one_after_the_other(restarts, refuses)) as endpoint:
        outcome, _ = await run(a_plan(), endpoint=endpoint, lines=typed("hello"))
    assert isinstance(outcome.error, Refused) and "No credit." in outcome.error.message


async def test_whoever_waits_for_the_connection_can_leave_at_any_time():
    async def restarts(socket):
        await greet(socket)
        server.close(close_connections=False)
        await socket.close(1012)

    display = Collected()

    async def keys():
        await display.until(lambda d: n.StateChanged("reconnecting") in d.notices)
        yield Key(Action.ABORT)

    server = await serve(restarts, "127.0.0.1", 0)
    endpoint = dialers.url(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    async with asyncio.timeout(60):
        outcome, _ = await run(a_plan(), endpoint=endpoint, display=display, keys=keys)
    await server.wait_closed()
    assert (outcome.error, outcome.ended.reason) == (None, "interrupted")


async def test_a_server_that_stops_talking_is_lost_after_a_while():
    async def handler(socket):
        await greet(socket)
        await socket.wait_closed()

    async with server_that(handler) as endpoint:
        outcome, _ = await run(a_plan(), endpoint=endpoint, lines=typed("hello"), stall_seconds=0.2)
    assert isinstance(outcome.error, ConnectionLost) and "the test server has said nothing" in outcome.error.message


async def never_ends(socket):
    """A response that begins, and is over only when it is cancelled."""
    await greet(socket)
    await until_asked(socket)
    await begin(socket, "Once upon a time")
    async for frame in socket:
        if json.loads(frame)["type"] == "response.cancel":
            response = {"id": "resp_1", "status": "cancelled", "output": []}
            await socket.send(json.dumps({"type": "response.done", "response": response}))


async def begin(socket, words):
    """The beginning of an answer in words."""
    response = {"id": "resp_1", "status": "in_progress", "output": []}
    where = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    await socket.send(json.dumps({"type": "response.created", "response": response}))
    await socket.send(json.dumps({"type": "response.output_text.delta", **where, "delta": words}))


async def test_an_answer_that_never_ends_is_the_end_where_nobody_can_interrupt_it(tmp_path):
    recording = Recording.start(tmp_path / "kept", {})
    async with server_that(never_ends) as endpoint:
        outcome, display = await run(
            a_plan(), endpoint=endpoint, lines=typed("tell me"), recording=recording, stall_seconds=2.0
        )
    assert isinstance(outcome.error, ConnectionLost) and "has said nothing" in outcome.error.message
    assert display.said() == ["Once upon a time"] and display.of(n.SessionEnded) == [outcome.ended]
    assert json.loads((recording.folder / "session.json").read_text())["ended"]


async def test_a_person_is_told_of_it_and_can_interrupt():
    display = Collected()

    async def lines(session):
        await session.idle.wait()
        yield "tell me"
        await display.until(lambda d: d.of(n.ErrorTold))
        session.feed(s.InterruptPressed())
        await session.idle.wait()
        session.leave()

    async with server_that(never_ends) as endpoint, asyncio.timeout(60):
        outcome, _ = await run(
            a_plan(), endpoint=endpoint, display=display, lines=lines, attended=True, stall_seconds=2.0
        )
    assert (outcome.error, outcome.ended.reason) == (None, "quit")
    (told,) = display.of(n.ErrorTold)
    assert (told.code, told.hint, told.fatal) == ("stalled", "Interrupt it and ask again, or wait.", False)
    assert told.message == "the test server has said nothing for 2 seconds."


@pytest.mark.parametrize("again", [False, True])
async def test_a_server_that_never_takes_the_session_is_lost_though_somebody_waits(again):
    async def greets(socket):
        await socket.send(json.dumps({"type": "session.created", "session": SESSION}))
        await socket.wait_closed()

    async def restarts(socket):
        await greet(socket)
        await socket.close(1012)

    servers = [restarts, greets] if again else [greets]
    async with server_that(one_after_the_other(*servers)) as endpoint, asyncio.timeout(60):
        outcome, _ = await run(a_plan(), endpoint=endpoint, lines=typed("hello"), attended=True, stall_seconds=2.0)
    assert isinstance(outcome.error, ConnectionLost) and "has said nothing" in outcome.error.message


@pytest.mark.parametrize("ends", [True, False])
async def test_a_file_is_followed_by_silence_until_the_server_has_heard_the_end(tmp_path, monkeypatch, ends):
    """A turn ends after 8 s of silence under `semantic_vad` of low eagerness; the file gives fewer."""
    monkeypatch.setattr(files, "TRAILING_SILENCE_MS", 100)
    monkeypatch.setattr(sound_side, "SILENCE_SECONDS", 2.0)
    with wave.open(str(tmp_path / "q.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(bytes(4800))

    async def handler(socket):
        await greet(socket)
        await socket.send(
            json.dumps({"type": "input_audio_buffer.speech_started", "item_id": "U", "audio_start_ms": 0})
        )
        appended = 0
        async for frame in socket:
            appended += len(json.loads(frame)["audio"]) * 3 // 4
            if appended >= 48_000 and ends:
                break
        for name, more in (("speech_stopped", {"audio_end_ms": 9}), ("committed", {"previous_item_id": None})):
            await socket.send(json.dumps({"type": f"input_audio_buffer.{name}", "item_id": "U", **more}))
        await answer(socket, "Twelve.")
        await socket.wait_closed()

    plan = a_plan(Mode.INTERACTIVE, input_wav=tmp_path / "q.wav", output_wav=tmp_path / "a.wav")
    async with server_that(handler) as endpoint, asyncio.timeout(60):
        outcome, display = await run(plan, endpoint=endpoint, stall_seconds=2.0)
    if ends:
        assert (outcome.error, outcome.ended.reason, display.said()) == (None, "done", ["Twelve."])
    else:
        assert isinstance(outcome.error, ConnectionLost) and "has said nothing" in outcome.error.message


async def test_words_that_are_never_written_down_end_a_file(tmp_path):
    with wave.open(str(tmp_path / "q.wav"), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(bytes(4800))
    session = {"type": "transcription", "id": "sess_1"}

    async def handler(socket):
        await socket.send(json.dumps({"type": "session.created", "session": session}))
        await socket.recv()
        await socket.send(json.dumps({"type": "session.updated", "session": session}))
        item = {"id": "U", "type": "message", "role": "user", "status": "completed",
                "content": [{"type": "input_audio", "transcript": None}]}  # fmt: skip
        for event in (
            {"type": "input_audio_buffer.speech_started", "item_id": "U", "audio_start_ms": 0},
            {"type": "input_audio_buffer.speech_stopped", "item_id": "U", "audio_end_ms": 100},
            {"type": "input_audio_buffer.committed", "item_id": "U", "previous_item_id": None},
            {"type": "conversation.item.added", "item": item, "previous_item_id": None},
        ):
            await socket.send(json.dumps(event))
        async for _ in socket:
            pass

    plan = a_plan(Mode.TRANSCRIBE, input_wav=tmp_path / "q.wav")
    async with server_that(handler) as endpoint, asyncio.timeout(60):
        outcome, _ = await run(plan, endpoint=endpoint, stall_seconds=0.3)
    assert isinstance(outcome.error, ConnectionLost) and "has said nothing" in outcome.error.message


async def test_a_user_who_thinks_for_long_does_not_make_the_server_look_dead(monkeypatch):
    monkeypatch.setattr(watch, "TICK_SECONDS", 0.05)

    async def handler(socket):
        await greet(socket)
        for _ in range(2):
            await socket.recv()
        await asyncio.sleep(0.3)  # a slow answer, though not too slow
        response = {"id": "resp_1", "status": "completed", "output": []}
        await socket.send(json.dumps({"type": "response.created", "response": response}))
        await socket.send(json.dumps({"type": "response.done", "response": response}))
        await socket.wait_closed()

    async def lines(session):
        await asyncio.sleep(2.6)  # the user's time
        yield "hello"

    async with server_that(handler) as endpoint:
        outcome, _ = await run(a_plan(), endpoint=endpoint, lines=lines, stall_seconds=2.5)
    assert outcome.error is None


async def test_garbage_is_told_and_survived():
    async def handler(socket):
        await greet(socket)
        await socket.send("{garbage")
        await socket.send(json.dumps({"type": "news.of.tomorrow", "x": 1}))
        await socket.recv()
        await socket.recv()
        response = {"id": "resp_1", "status": "in_progress", "output": []}
        await socket.send(json.dumps({"type": "response.created", "response": response}))
        await socket.send(json.dumps({"type": "response.done", "response": {**response, "status": "completed"}}))
        await socket.wait_closed()

    async with server_that(handler) as endpoint:
        outcome, display = await run(a_plan(), endpoint=endpoint, lines=typed("hello"))
    assert outcome.error is None
    assert [error.fatal for error in display.of(n.ErrorTold)] == [False]


async def test_the_budget_ends_the_session():
    async def handler(socket):
        await greet(socket)
        for _ in range(2):
            await socket.recv()
        response = {"id": "resp_1", "status": "completed", "output": [], "usage": {
            "total_tokens": 1000, "input_tokens": 0, "output_tokens": 1000,
            "output_token_details": {"text_tokens": 0, "audio_tokens": 1000}}}  # fmt: skip
        await socket.send(json.dumps({"type": "response.created", "response": {**response, "usage": None}}))
        await socket.send(json.dumps({"type": "response.done", "response": response}))
        await socket.wait_closed()

    async with server_that(handler) as endpoint:
        outcome, display = await run(
            a_plan(budget=0.05, server="ws://127.0.0.1:9"), endpoint=endpoint, lines=typed("hello", "hello")
        )
    assert outcome.ended.reason == "budget"
    assert display.of(n.TurnEnded)[0].cost_usd == pytest.approx(0.064)  # 1000 spoken tokens at $64 a million


async def test_an_update_that_the_server_does_not_take_is_a_refusal():
    async def handler(socket):
        await socket.send(json.dumps({"type": "session.created", "session": SESSION}))
        update = json.loads(await socket.recv())
        error = {"type": "invalid_request_error", "code": "invalid_value", "message": "No such voice.",
                 "event_id": update["event_id"]}  # fmt: skip
        await socket.send(json.dumps({"type": "error", "error": error}))
        await socket.wait_closed()

    async with server_that(handler) as endpoint:
        outcome, _ = await run(a_plan(), endpoint=endpoint, lines=typed("hello"))
    assert isinstance(outcome.error, Refused) and outcome.error.message == "No such voice."


async def test_the_user_says_yes_to_a_call_of_the_server_s():
    response = {"id": "resp_1", "status": "completed", "output": []}
    request = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "shop", "name": "buy",
               "arguments": '{"id": 7}'}  # fmt: skip
    decisions = []

    async def handler(socket):
        await greet(socket)
        await until_asked(socket)
        for event in (
            {"type": "response.created", "response": response},
            {"type": "conversation.item.done", "previous_item_id": None, "item": request},
            {"type": "response.done", "response": response},
        ):
            await socket.send(json.dumps(event))
        decisions.append(json.loads(await socket.recv())["item"])
        await socket.close()

    display = Collected()

    async def keys():
        await display.until(lambda d: d.lines)
        yield Key(Action.YES)

    async with server_that(handler) as endpoint, asyncio.timeout(60):
        await run(a_plan(), endpoint=endpoint, display=display, lines=typed("buy it"), keys=keys)
    assert display.lines == ["May shop.buy(id=7) run? Press y or n."]
    assert [(item["approval_request_id"], item["approve"]) for item in decisions] == [("mcpr_1", True)]
