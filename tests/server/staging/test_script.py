"""A scenario, played to the real dialogue without a socket; what is asked to be told later is told at once."""

import itertools
import json

import pytest

from rtchat.server.dialogue import Dialogue
from rtchat.server.dialogue import signals as sig
from rtchat.server.staging.scenario import made
from rtchat.server.staging.script import Script

WINDOW = 32
TRANSCRIBES = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}


class Played:
    """A dialogue in text, with the script around it."""

    def __init__(self, *turns, **top):
        ids = itertools.count(1)
        dialogue = Dialogue(model="gpt-realtime-2.1", new_id=lambda prefix: f"{prefix}_{next(ids)}", expires_at=0)
        self.script = Script(dialogue, made(turns, **top))
        self.events = []
        self.waited = []
        self.hold = False
        self.held = []
        self.do(self.script.start())
        self.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})

    def do(self, effects):
        todo = list(effects)
        while todo:
            effect = todo.pop(0)
            if isinstance(effect, sig.Emit):
                self.events.append(effect.event)
            elif isinstance(effect, sig.After):
                self.waited.append(effect.seconds)
                (self.held if self.hold else todo).extend(
                    [effect.told] if self.hold else self.script.receive(effect.told)
                )
            else:
                assert not isinstance(effect, sig.Transcribe | sig.Think | sig.Prepare | sig.Enough)

    def tell(self, told):
        self.do(self.script.receive(told))

    def send(self, kind, **fields):
        self.tell(sig.Frame(json.dumps({"type": kind, **fields})))

    def typed(self, text):
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    def sound(self, seconds):
        audio = "AAAA" * int(seconds * 16_000)
        self.script.receive(sig.Frame(json.dumps({"type": "input_audio_buffer.append", "audio": audio})))

    def speech(self, ms=320, silence=640):
        self.sound(1)
        self.tell(sig.Detected((0.9,) * (ms // WINDOW) + (0.1,) * (silence // WINDOW)))

    def answer(self, **params):
        self.send("response.create", **params)
        return self.done()

    def done(self):
        return self.of("response.done")[-1].response

    def of(self, kind):
        return [event for event in self.events if event.type == kind]

    def heard(self):
        return [e.transcript for e in self.of("conversation.item.input_audio_transcription.completed")]


def said(response):
    return [part.text or part.transcript for item in response.output for part in getattr(item, "content", ())]


def failure(response):
    assert response.status == "failed"
    return response.status_details.error.message


def test_turn_after_turn():
    played = Played({"say": ["One.", "Two."]}, {"say": "Three."})
    assert said(played.answer()) == ["One. Two."]
    assert said(played.answer()) == ["Three."]


def test_a_call_with_its_arguments_after_what_is_said():
    played = Played({"say": "Wait.", "call": [{"name": "a", "arguments": {"x": 1}}, {"name": "b"}]})
    message, first, second = played.answer().output
    assert (message.type, first.name, first.arguments, second.name) == ("message", "a", '{"x": 1}', "b")


def test_delays_are_asked_for_in_their_order():
    played = Played({"delay_ms": 300, "say": ["One.", {"text": "Two.", "after_ms": 200}], "call": {"name": "a"}})
    played.answer()
    assert played.waited == [0.3, 0.2, 0, 0]
    assert len(played.of("response.output_text.delta")) == 2


def test_speech_is_heard_as_written_and_recognised_ahead_only_once():
    played = Played({"hear": "hello", "say": "Hi."}, {"hear": "bye", "say": "Bye."})
    played.send("session.update", session=TRANSCRIBES)
    for _ in range(2):
        played.tell(sig.Detected((0.9,) * 5 + (0.1,) * 4 + (0.9,) * 5))  # a pause, and the user goes on
        played.speech()
    assert played.heard() == ["hello", "bye"]
    assert said(played.done()) == ["Bye."]


def test_a_turn_that_was_typed_leaves_the_next_its_words():
    played = Played({"hear": "not said", "say": "One."}, {"hear": "said", "say": "Two."})
    played.send("session.update", session=TRANSCRIBES)
    played.typed("hello")
    played.answer()
    played.speech()
    assert played.heard() == ["said"]


def test_several_speeches_before_one_answer():
    played = Played({"hear": ["one", "two"], "say": "Three."})
    session = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
    session["audio"]["input"]["turn_detection"]["create_response"] = False
    session["audio"]["input"]["transcription"] = {"model": "whisper-1"}
    played.send("session.update", session=session)
    played.speech()
    played.speech()
    assert played.heard() == ["one", "two"]
    assert said(played.answer()) == ["Three."]


def test_an_unexpected_word_fails_the_answer_and_the_turn_stays_the_next():
    played = Played({"match": "(?i)tonight", "say": "Booked."})
    played.typed("tomorrow")
    assert failure(played.answer()) == "The scenario: turn 1 expects what matches '(?i)tonight', not 'tomorrow'."
    played.typed("Tonight!")
    assert said(played.answer()) == ["Booked."]


def test_past_the_last_turn():
    played = Played({"say": "All."})
    played.answer()
    why = "The scenario has 1 turn, and this is response 2. Write another [[turn]], or loop = true."
    assert failure(played.answer()) == why


def test_speech_without_words():
    played = Played({"say": "Hello."})
    played.speech()
    assert failure(played.done()) == (
        "The scenario: turn 1 has no words for this speech. Give it `hear`, here or in a turn after it."
    )


def test_silence_that_was_answered_takes_nobodys_words():
    played = Played({"say": "Hello."}, {"say": "Are you there?"}, {"hear": "yes", "say": "Good."})
    detection = {"type": "server_vad", "idle_timeout_ms": 5000}
    listening = {**TRANSCRIBES["audio"]["input"], "turn_detection": detection}
    played.send("session.update", session={**TRANSCRIBES, "audio": {"input": listening}})
    played.answer()
    played.sound(5.12)
    played.tell(sig.Detected((0.1,) * (5_120 // WINDOW)))
    assert len(played.of("input_audio_buffer.timeout_triggered")) == 1
    assert said(played.done()) == ["Are you there?"]
    played.speech()
    assert played.heard() == ["", "yes"]
    assert said(played.done()) == ["Good."]


def test_a_loop_begins_again():
    played = Played({"hear": "ping", "say": "pong"}, loop=True)
    played.send("session.update", session=TRANSCRIBES)
    for _ in range(3):
        played.speech()
    assert played.heard() == ["ping"] * 3
    assert said(played.done()) == ["pong"]
    silent = Played({"say": "pong"}, loop=True)
    silent.speech()
    assert "no words" in failure(silent.done())


def test_a_failure_after_some_words():
    played = Played({"say": "Well.", "fail": "The model is tired."})
    response = played.answer()
    assert failure(response) == "The model is tired."
    assert said(response) == ["Well."]


def test_a_recogniser_that_fails():
    played = Played({"hear_fail": "Too loud.", "say": "What?"})
    played.send("session.update", session=TRANSCRIBES)
    played.speech()
    (failed,) = played.of("conversation.item.input_audio_transcription.failed")
    assert failed.error.message.endswith("Too loud.")


def test_holding_goes_on_until_it_is_cancelled():
    played = Played({"say": "And so on.", "hold": True}, {"say": "Stopped."})
    played.send("response.create")
    assert played.of("response.done") == []
    played.send("response.cancel")
    assert played.done().status == "cancelled"
    assert said(played.answer()) == ["Stopped."]


def test_nothing_more_is_said_of_a_cancelled_answer():
    played = Played({"say": ["One.", "Two."]})
    played.hold = True
    played.send("response.create")
    played.tell(played.held.pop())
    played.send("response.cancel")
    played.tell(played.held.pop())
    assert played.held == []
    assert said(played.done()) == ["One."]


@pytest.mark.parametrize("text", ["sunny", "rain"])
def test_the_output_of_a_tool_can_be_matched(text):
    played = Played({"call": {"name": "weather"}}, {"match": "sunny", "say": "Sunny."})
    call = played.answer().output[0]
    item = {"type": "function_call_output", "call_id": call.call_id, "output": text}
    played.send("conversation.item.create", item=item)
    assert played.answer().status == ("completed" if text == "sunny" else "failed")
