"""Both ends in one process: client machine, wire, server dialogue and the loudspeaker's queue, with no network.

Engines are scripts, time is what the test lets pass. What is checked is what only both ends together can show: that
each understands the other, and agrees with it about what was said and what was heard.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import deque
from datetime import UTC, datetime

import pytest

from rtchat.audio.speaker import Speaker
from rtchat.chunk import WIRE
from rtchat.conversation import signals as s
from rtchat.conversation.machine import Conversation, Rules
from rtchat.conversation.notices import AssistantSaid, ErrorTold, Interruption, TurnEnded, UserSaid
from rtchat.conversation.state import State
from rtchat.protocol import config, wire
from rtchat.protocol.client_events import InputAudioAppend, ItemDelete, ItemTruncate, ResponseCreate
from rtchat.protocol.server_events import ResponseCreated, SpeechStarted
from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.assistant import answer
from rtchat.server.engines.base import TextPiece, ToolCall

BLOCK_MS = 20
WINDOW = WIRE.bytes_in(32)
VOICE = b"\x01\x02" * WIRE.samples_in(BLOCK_MS)
SILENCE = bytes(len(VOICE))
MS_PER_LETTER = 50
TOOL = config.FunctionTool(name="get_time", parameters={"type": "object", "properties": {}})


def session(*, turn_detection="server", text=False, tools=(), **vad):
    detection = config.ServerVad(silence_duration_ms=200, **vad) if turn_detection == "server" else None
    return config.RealtimeSession(
        output_modalities=["text" if text else "audio"],
        tools=list(tools),
        audio=config.AudioConfig(
            input=config.AudioInput(transcription=config.Transcription(model="scripted"), turn_detection=detection),
        ),
    )


class Room:
    """A client, a server and a loudspeaker.

    Args:
        rules: The client's.
        thoughts: What the language model says, response after response; a callable gets the prompt.
        words: What the recogniser hears, turn after turn.
    """

    def __init__(self, rules, thoughts=(), words=()):
        numbers = itertools.count(1)
        self._new_id = lambda kind: f"{kind}_{next(numbers)}"
        self.dialogue = Dialogue(model="scripted", new_id=self._new_id, expires_at=1)
        self.client = Conversation(rules)
        self.speaker = Speaker(WIRE)
        self.thoughts, self.words = deque(thoughts), deque(words)
        self.up, self.down, self.work = deque(), deque(), deque()
        self.sent, self.got, self.notices, self.calls, self.ended = [], [], [], [], 0
        self.ducked = False
        self.now, self._window = 0.0, b""
        self._serve(self.dialogue.start())

    # --- what passes --------------------------------------------------------------------------------------

    def tell(self, signal):
        """Something happens at the client."""
        if isinstance(signal, SpeechStarted | s.InterruptPressed | s.TalkPressed | s.VoiceConfirmed):
            for heard in self.speaker.cut_points():
                self._run(self.client.receive(heard))
        self._run(self.client.receive(signal))

    def _run(self, effects):
        for effect in effects:
            match effect:
                case s.Send(event=event):
                    self.sent.append(event)
                    self.up.append(wire.encode(event))
                case s.Play(item_id=item, content_index=index, pcm=pcm):
                    self.speaker.play(item, index, pcm, self.now)
                case s.Drain(item_id=item):
                    self.speaker.drain(item)
                case s.Flush():
                    self.speaker.flush()
                case s.Duck():
                    self.speaker.duck()
                    self.ducked = True
                case s.Restore():
                    self.speaker.restore()
                    self.ducked = False
                case s.Show(notice=notice):
                    self.notices.append(notice)
                case s.CallTool():
                    self.calls.append(effect)
                case s.End():
                    self.ended += 1
                case s.Refuse():
                    raise AssertionError(effect)

    def _serve(self, effects):
        for effect in effects:
            match effect:
                case sig.Emit(event=event):
                    self.down.append(wire.encode(event))
                case sig.Detect(pcm=pcm):
                    self._detect(pcm)
                case sig.Transcribe(key=key):
                    text = self.words[0] if key.startswith("ahead") else self.words.popleft()
                    self.work.append(sig.Recognised(key, text))
                case sig.Think(response_id=response, prompt=prompt):
                    thought = self.thoughts.popleft()
                    pieces = thought(prompt) if callable(thought) else thought
                    for piece in [pieces] if isinstance(pieces, str) else pieces:
                        said = TextPiece(piece) if isinstance(piece, str) else piece
                        self.work.append(sig.Thought(response, said))
                    self.work.append(sig.ThoughtEnded(response))
                case sig.Speak(response_id=response, text=text):
                    for _ in text:
                        self.work.append(sig.Spoke(response, WIRE.silence(MS_PER_LETTER)))
                    self.work.append(sig.SpeechEnded(response))
                case _:
                    pass

    def _detect(self, pcm):
        self._window += pcm
        while len(self._window) >= WINDOW:
            window, self._window = self._window[:WINDOW], self._window[WINDOW:]
            self.work.append(sig.Detected((0.9 if any(window) else 0.0,)))

    def reach(self):
        """The next frame of the client reaches the server."""
        if self.up:
            self._serve(self.dialogue.receive(sig.Frame(self.up.popleft())))

    def arrive(self):
        """The next frame of the server reaches the client."""
        if self.down:
            event = wire.decode_server_event(self.down.popleft())
            self.got.append(event)
            self.tell(event)

    def labour(self):
        """An engine does a piece of work."""
        if self.work:
            self._serve(self.dialogue.receive(self.work.popleft()))

    # --- what the test lets happen ------------------------------------------------------------------------

    def lose(self):
        """The connection breaks, and another server is found."""
        self.up.clear()
        self.down.clear()
        self.work.clear()
        self._window = b""
        self.tell(s.Disconnected())
        self.dialogue = Dialogue(model="scripted", new_id=self._new_id, expires_at=1)
        self._serve(self.dialogue.start())

    def rest(self):
        """Everything that needs no time happens."""
        while self.up or self.down or self.work:
            self.reach()
            self.labour()
            self.arrive()

    def play(self, ms):
        """The loudspeaker plays for a while."""
        for _ in range(ms // BLOCK_MS):
            self.speaker.read(WIRE.samples_in(BLOCK_MS), self.now)
            self.now += BLOCK_MS / 1000
            for report in self.speaker.heard(self.now):
                self.tell(report)
            self.rest()

    def speak(self, ms, *, pause=300):
        """The user speaks, and is silent for a while."""
        for chunk in [VOICE] * (ms // BLOCK_MS) + [SILENCE] * (pause // BLOCK_MS):
            self.tell(s.Captured(chunk))
            self.rest()

    def last(self, kind):
        """The last notice of each item."""
        return list({n.item_id: n for n in self.notices if isinstance(n, kind)}.values())

    @property
    def said(self):
        """(words, words heard, how it ended) of each of the assistant's items."""
        return [(n.text, n.heard_text, n.status) for n in self.last(AssistantSaid)]

    @property
    def turns(self):
        return [n for n in self.notices if isinstance(n, TurnEnded)]

    @property
    def stored(self):
        """The server's items, as it would tell the language model."""
        return [entry.id for entry in self.dialogue._context.store]


@pytest.fixture
def room():
    """`room(thoughts=…, words=…, rules=…)`, past the handshake."""

    def make(thoughts=(), words=(), **options):
        rules = {
            name: options.pop(name)
            for name in (
                "push_to_talk",
                "greeting",
                "speech_interrupts",
                "server_answers",
                "resume_false_interruptions",
            )
            if name in options
        }
        made = Room(Rules(session=session(**options), **rules), thoughts, words)
        made.rest()
        return made

    return make


def test_a_spoken_turn(room):
    talk = room(["It is noon."], ["What time is it?"])
    assert talk.client.state is State.LISTENING
    talk.speak(1000)
    assert talk.client.state is State.SPEAKING
    talk.play(len("It is noon.") * MS_PER_LETTER + 200)
    assert [(n.text, n.final) for n in talk.last(UserSaid)] == [("What time is it?", True)]
    assert talk.said == [("It is noon.", "It is noon.", "completed")]
    assert talk.client.state is State.LISTENING
    (turn,) = talk.turns
    assert turn.usage["total_tokens"] == turn.usage["input_tokens"] + turn.usage["output_tokens"] > 0
    assert [e.item_id for e in talk.client.items.ordered()] == talk.stored


def test_typed_lines(room):
    talk = room(["One.", "Two."], text=True)
    for line in ("first", "second"):
        talk.tell(s.Typed(line))
    talk.tell(s.InputEnded())
    talk.rest()
    assert [n.text for n in talk.last(UserSaid)] == ["first", "second"]
    assert [words for words, _, _ in talk.said] == ["One.", "Two."]
    assert len(talk.turns) == 2
    assert talk.ended == 1


def test_an_interruption_leaves_both_ends_with_the_same_story(room):
    prompts = []

    def second(prompt):
        prompts.append(prompt)
        return "Yes?"

    talk = room(["This is a long story about nothing at all.", second], ["Tell me a story.", "Stop."])
    talk.speak(1000)
    talk.play(1000)
    talk.speak(600)
    (cut,) = [event for event in talk.sent if isinstance(event, ItemTruncate | ItemDelete)]
    assert isinstance(cut, ItemTruncate)
    assert abs(cut.audio_end_ms - 1000) <= BLOCK_MS
    (words, heard, status), *_ = talk.said
    assert status == "interrupted"
    assert words.startswith(heard) and 0 < len(heard) < len(words)
    told = next(message.text for message in prompts[0].messages if message.role == "assistant")
    assert abs(len(told) - len(heard)) <= 12, "the server forgot what was not heard"
    talk.play(2000)
    assert talk.client.state is State.LISTENING
    assert len(talk.turns) == 2


def test_an_interruption_before_anything_was_heard(room):
    talk = room(["A long story.", "Yes?"], ["Tell me.", "Stop."])
    talk.speak(1000)
    talk.speak(600)
    (cut,) = [event for event in talk.sent if isinstance(event, ItemTruncate | ItemDelete)]
    assert isinstance(cut, ItemDelete)
    assert cut.item_id not in talk.stored
    talk.play(2000)
    assert [status for _, _, status in talk.said] == ["interrupted", "completed"]


def test_the_key_while_the_answer_is_still_made(room):
    talk = room(["A story that goes on for quite a while."], text=False)
    talk.tell(s.Typed("Tell me."))
    while not talk.speaker.busy or len(talk.work) > 20:
        talk.reach()
        talk.labour()
        talk.arrive()
    for _ in range(10):
        talk.speaker.read(WIRE.samples_in(BLOCK_MS), talk.now)
        talk.now += BLOCK_MS / 1000
    talk.tell(s.InterruptPressed())
    talk.rest()
    talk.play(400)
    assert [status for _, _, status in talk.said] == ["interrupted"]
    assert len([e for e in talk.sent if isinstance(e, ItemTruncate | ItemDelete)]) == 1
    assert not [n for n in talk.notices if isinstance(n, ErrorTold)]
    assert talk.client.state is State.LISTENING


def test_a_tool(room):
    def outcome(prompt):
        assert prompt.messages[-1].role == "tool"
        return f"It is {prompt.messages[-1].text}."

    talk = room([[ToolCall("get_time", "{}")], outcome], tools=[TOOL], text=True)
    talk.tell(s.Typed("What time is it?"))
    talk.rest()
    (call,) = talk.calls
    assert (call.name, call.arguments) == ("get_time", "{}")
    talk.tell(s.ToolDone(call.call_id, "noon", "ok", 5))
    talk.rest()
    assert talk.said == [("It is noon.", "It is noon.", "completed")]
    assert len(talk.turns) == 1


def test_two_tools_and_a_comment(room):
    calls = ["Let me look.", ToolCall("get_time", "{}"), ToolCall("get_time", '{"zone": "UTC"}')]
    talk = room([calls, "Both are noon."], tools=[TOOL])
    talk.tell(s.Typed("What time is it?"))
    talk.rest()
    for call in talk.calls:
        talk.tell(s.ToolDone(call.call_id, "noon", "ok", 5))
    talk.rest()
    assert len([e for e in talk.sent if isinstance(e, ResponseCreate)]) == 2
    talk.play(3000)
    assert [words for words, _, _ in talk.said] == ["Let me look.", "Both are noon."]
    assert {status for _, _, status in talk.said} == {"completed"}
    assert len(talk.turns) == 1


def test_push_to_talk(room):
    talk = room(
        ["A long story about nothing.", "Yes?"], ["Tell me.", "Stop."], turn_detection="none", push_to_talk=True
    )
    talk.tell(s.TalkPressed())
    talk.speak(500, pause=0)
    talk.tell(s.TalkReleased())
    talk.rest()
    talk.play(400)
    talk.tell(s.TalkPressed())
    talk.speak(500, pause=0)
    talk.tell(s.TalkReleased())
    talk.rest()
    talk.play(1000)
    assert [n.text for n in talk.last(UserSaid)] == ["Tell me.", "Stop."]
    assert [status for _, _, status in talk.said] == ["interrupted", "completed"]
    assert len(talk.turns) == 2
    assert talk.client.state is State.LISTENING


def test_a_greeting(room):
    talk = room([lambda prompt: prompt.instructions], greeting="Hello there.")
    talk.play(1000)
    assert talk.said == [("Hello there.", "Hello there.", "completed")]


def test_speech_that_may_not_interrupt_is_answered_afterwards(room):
    talk = room(
        ["A long story.", "Here I am."], ["Tell me.", "And you?"], interrupt_response=False, speech_interrupts=False
    )
    talk.speak(1000, pause=100)
    for _ in range(10):
        talk.tell(s.Captured(SILENCE))
    while not [event for event in talk.got if isinstance(event, ResponseCreated)]:
        talk.reach()
        talk.labour()
        talk.arrive()
    held, talk.work = talk.work, deque()  # the model is slow
    talk.speak(600)
    talk.work.extend(held)
    talk.rest()
    talk.play(4000)
    assert [words for words, _, _ in talk.said] == ["A long story.", "Here I am."]
    assert not [n for n in talk.notices if isinstance(n, ErrorTold)]
    assert len(talk.turns) == 2


# --- the user's voice, as this machine hears it -----------------------------------------------------------------


def told_of_the_microphone(talk):
    """What the server got, as one character a chunk: v for voice, - for silence."""
    return "".join("v" if any(e.audio) else "-" for e in talk.sent if isinstance(e, InputAudioAppend))


def test_a_cough_never_reaches_the_server(room):
    talk = room(["This is a long story about nothing at all."], ["Tell me a story."])
    talk.speak(1000)
    talk.play(400)
    before = len(told_of_the_microphone(talk))
    for told in [*[s.Captured(SILENCE)] * 10, *[s.Captured(VOICE)] * 5, s.VoiceSuspected(100)]:
        talk.tell(told)
    assert talk.ducked
    for told in [*[s.Captured(VOICE)] * 5, *[s.Captured(SILENCE)] * 5, s.VoiceDismissed()]:
        talk.tell(told)
    talk.play(2500)
    assert set(told_of_the_microphone(talk)[before:]) == {"-"}
    assert not talk.ducked
    assert talk.said == [("This is a long story about nothing at all.",) * 2 + ("completed",)]


def test_a_barge_in_is_heard_from_its_onset_and_cuts_once(room):
    talk = room(["This is a long story about nothing at all.", "Yes?"], ["Tell me a story.", "Stop."])
    talk.speak(1000)
    talk.play(1000)
    for told in [*[s.Captured(VOICE)] * 5, s.VoiceSuspected(100), *[s.Captured(VOICE)] * 8, s.VoiceConfirmed()]:
        talk.tell(told)
        talk.rest()
    assert told_of_the_microphone(talk).endswith("-" + "v" * 13)
    talk.speak(300)
    talk.tell(s.VoiceEnded())
    talk.play(1000)
    assert len([e for e in talk.sent if isinstance(e, ItemTruncate | ItemDelete)]) == 1
    assert [status for _, _, status in talk.said] == ["interrupted", "completed"]
    assert len([n for n in talk.notices if isinstance(n, Interruption)]) == 1
    assert not [n for n in talk.notices if isinstance(n, ErrorTold)]
    assert talk.client.state is State.LISTENING


def by_rules(prompt):
    """What the built-in assistant answers."""
    return " ".join(answer(prompt, datetime(2026, 1, 1, tzinfo=UTC)))


def test_a_false_alarm_of_this_machine_resumes_the_answer(room):
    talk = room(["This is a long story about nothing at all.", by_rules], resume_false_interruptions=True)
    talk.tell(s.Typed("Tell me a story."))
    talk.rest()
    talk.play(1000)
    for told in [s.VoiceSuspected(100), *[s.Captured(SILENCE)] * 8, s.VoiceConfirmed()]:
        talk.tell(told)
    assert talk.client.state is State.HEARING
    talk.rest()
    talk.tell(s.VoiceEnded())
    talk.rest()
    talk.play(2500)
    (words, heard, status), (rest, _, whole) = talk.said
    assert (status, whole) == ("interrupted", "completed")
    assert f"{heard} {rest}" == words
    assert talk.client.state is State.LISTENING


@pytest.mark.parametrize("create_response", [True, False])
def test_a_turn_without_words_resumes_the_answer(room, create_response):
    thoughts = ["This is a long story about nothing at all.", *(["Pardon?"] if create_response else []), by_rules]
    words = [" "]
    talk = room(
        thoughts,
        words,
        resume_false_interruptions=True,
        create_response=create_response,
        server_answers=create_response,
    )
    talk.tell(s.Typed("Tell me a story."))
    talk.rest()
    talk.play(1000)
    talk.speak(600)
    talk.play(2500)
    stories = [(words, heard, status) for words, heard, status in talk.said if "Pardon" not in words]
    (words, heard, status), (rest, _, whole) = stories
    assert (status, whole) == ("interrupted", "completed")
    assert f"{heard} {rest}" == words
    assert not [n for n in talk.notices if isinstance(n, ErrorTold)]
    assert next(n.item_id for n in talk.last(UserSaid) if not n.text.strip()) not in talk.stored


# --- the server, and the devices, go and come ---------------------------------------------------------------------


def test_another_server_goes_on_with_the_conversation(room):
    prompts = []

    def second(prompt):
        prompts.append(prompt)
        return "You asked for the time."

    talk = room(["It is noon.", second], ["What time is it?"])
    talk.speak(1000)
    talk.play(1000)
    talk.words = deque(["What did I ask?"])
    talk.lose()
    assert talk.client.state is State.RECONNECTING
    talk.tell(s.Captured(VOICE))
    talk.rest()
    assert talk.client.state is State.LISTENING
    talk.speak(1000)
    talk.play(2000)
    told = [(message.role, message.text) for message in prompts[0].messages]
    assert told == [("user", "What time is it?"), ("assistant", "It is noon."), ("user", "What did I ask?")]
    assert [e.item_id for e in talk.client.items.ordered()] == talk.stored
    assert [words for words, _, _ in talk.said] == ["It is noon.", "You asked for the time."]


def test_a_half_made_answer_goes_on_with_another_server(room):
    talk = room(["This is a long story about nothing at all.", by_rules])
    talk.tell(s.Typed("Tell me a story."))
    while not talk.speaker.busy or len(talk.work) > 20:
        talk.reach()
        talk.labour()
        talk.arrive()
    talk.lose()
    talk.play(5000)
    (words, heard, status), (rest, _, whole) = talk.said
    assert (status, whole) == ("failed", "completed")
    assert f"{heard} {rest}" == words, "the words ran ahead of their sound"
    assert talk.client.state is State.LISTENING


def test_a_tool_outlives_its_server(room):
    talk = room([[ToolCall("get_time", "{}")], "It is noon."], tools=[TOOL], text=True)
    talk.tell(s.Typed("What time is it?"))
    talk.rest()
    (call,) = talk.calls
    talk.lose()
    talk.rest()
    talk.tell(s.ToolDone(call.call_id, "noon", "ok", 5))
    talk.rest()
    assert [words for words, _, _ in talk.said] == ["It is noon."]
    assert not [n for n in talk.notices if isinstance(n, ErrorTold)]


def test_without_a_loudspeaker_the_rest_is_written(room):
    talk = room(["This is a long story about nothing at all.", by_rules])
    talk.tell(s.Typed("Tell me a story."))
    talk.rest()
    talk.play(1000)
    for heard in talk.speaker.cut_points():
        talk.tell(heard)
    talk.tell(s.DeviceLost("loudspeaker"))
    talk.rest()
    (words, heard, status), (rest, read, whole) = talk.said
    assert (status, whole) == ("interrupted", "completed")
    assert f"{heard} {rest}" == words
    assert rest == read
    talk.play(40)
    assert not talk.speaker.busy


@pytest.mark.parametrize("seed", range(12))
def test_whatever_crosses(seed):
    """Random users, frames in flight both ways: no error is told, both ends agree, and all comes to rest."""
    rng = random.Random(seed)
    thoughts = iter(lambda: rng.choice(["Yes.", "A somewhat longer answer.", [ToolCall("get_time", "{}")]]), None)
    talk = Room(Rules(session=session(tools=[TOOL])))
    talk.thoughts = deque(itertools.islice(thoughts, 500))
    talk.words = deque(f"words {number}" for number in range(500))
    answered = 0
    for _ in range(rng.randint(200, 1500)):
        match rng.choice(["reach", "arrive", "labour"] * 12 + ["play"] * 6 + ["voice"] + ["user", "tool"]):
            case "play":
                talk.speaker.read(WIRE.samples_in(BLOCK_MS), talk.now)
                talk.now += BLOCK_MS / 1000
                for report in talk.speaker.heard(talk.now):
                    talk.tell(report)
            case "voice":
                chunk = rng.choice([VOICE, SILENCE])
                for _ in range(rng.randint(5, 20)):
                    talk.tell(s.Captured(chunk))
            case "user":
                talk.tell(rng.choice([s.Typed("hi"), s.Announced("Ding."), s.InterruptPressed()]))
            case "tool" if answered < len(talk.calls):
                talk.tell(s.ToolDone(talk.calls[answered].call_id, "noon", "ok", 1))
                answered += 1
            case "reach" | "arrive" | "labour" as step:
                getattr(talk, step)()
            case _:
                pass
    for _ in range(20):
        talk.speak(0, pause=600)
        while answered < len(talk.calls):
            talk.tell(s.ToolDone(talk.calls[answered].call_id, "noon", "ok", 1))
            answered += 1
        talk.play(2000)
    assert talk.client.state is State.LISTENING
    errors = [n for n in talk.notices if isinstance(n, ErrorTold)]
    assert errors == []
    assert [e.item_id for e in talk.client.items.ordered()] == talk.stored
    assert all(n.final for n in talk.last(AssistantSaid))
    for event in talk.sent:
        json.loads(wire.encode(event))
