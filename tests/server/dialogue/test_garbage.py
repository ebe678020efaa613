"""Whatever a client sends, the server answers with events: thousands of mangled frames, the same ones each time."""

import json
import random

import pytest
from rough_frames import EVENTS, mangled, torn

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import Partial, TextPiece, ToolCall, WordMark


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_mangled_events_are_answered(new_talk, seed, listens):
    """And what the recogniser is given while the user speaks is what the turn has in the end."""
    dice = random.Random(seed)
    talk = new_talk(listens=listens)
    given = {}
    for _ in range(150):
        event = dice.choice(EVENTS)
        event = dict(mangled(event, dice) if dice.random() < 0.5 else event)
        kind = event.pop("type", None)
        for effect in talk.send(kind, **event) + talk.hear(
            *(dice.choice([0.0, 0.9]) for _ in range(dice.randrange(4)))
        ):
            match effect:
                case sig.Think():
                    talk.tell(
                        sig.Thought(effect.response_id, dice.choice([TextPiece("One two."), ToolCall("f", "{}")]))
                    )
                    talk.tell(sig.ThoughtEnded(effect.response_id, dice.choice([None, None, "It broke."])))
                case sig.Judge():
                    talk.tell(sig.Judged(effect.key, dice.random()))
                case sig.Speak():
                    talk.tell(sig.Marked(effect.response_id, WordMark(3, 40.0)))
                    talk.tell(sig.Spoke(effect.response_id, bytes(4800)))
                    talk.tell(sig.SpeechEnded(effect.response_id))
                case sig.Listen():
                    given[effect.key] = given.get(effect.key, b"") + effect.pcm
                    talk.tell(sig.SoFar(effect.key, Partial("hi there", dice.randrange(900), sure=2)))
                case sig.Abandon():
                    given.pop(effect.key, None)
                case sig.Transcribe():
                    assert given.pop(effect.key, effect.pcm) == effect.pcm
                    talk.tell(dice.choice([sig.Recognised(effect.key, "hi"), sig.NotRecognised(effect.key, "no")]))


@pytest.mark.parametrize("seed", range(4))
def test_torn_frames_are_answered_and_the_session_goes_on(new_talk, seed):
    """`tests/bench/fuzz_server.py` does the same a million times."""
    dice = random.Random(seed)
    talk = new_talk()
    for _ in range(150):
        effects = talk.tell(sig.Frame(torn(json.dumps(mangled(dice.choice(EVENTS), dice)), dice)))
        assert not any(isinstance(effect, sig.Close) for effect in effects)
    assert talk.send("input_audio_buffer.clear")[0]["type"] == "input_audio_buffer.cleared"
