import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import TextPiece

CLOSING = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def answering(talk, of_type):
    talk.say("a story")
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    talk.tell(sig.Thought(answer, TextPiece("Once upon a time.")))
    talk.tell(sig.Spoke(answer, b"\1\0" * 24_000))
    return answer


def test_speech_interrupts_the_answer_at_once(talk, of_type, names):
    answer = answering(talk, of_type)
    events = talk.hear(0.9, 0.9)
    assert names(events) == ["input_audio_buffer.speech_started", "Abort", *CLOSING]
    assert of_type(events, sig.Abort) == sig.Abort(answer)
    response = of_type(events, "response.done")["response"]
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_token_details"]["audio_tokens"] == 20


def test_speech_before_any_output(talk, of_type, names):
    talk.say("a story")
    talk.send("response.create")
    events = talk.hear(0.9, 0.9)
    assert names(events) == ["input_audio_buffer.speech_started", "Abort", "response.done", "rate_limits.updated"]
    assert of_type(events, "response.done")["response"]["output"] == []


def test_speech_while_the_last_words_are_recognised(talk, of_type):
    item = of_type(talk.speak(), sig.Transcribe).key
    done = of_type(talk.hear(0.9, 0.9), "response.done")["response"]
    assert done["status_details"]["reason"] == "turn_detected"
    assert done["usage"]["total_tokens"] == 0
    assert talk.tell(sig.Recognised(item, "never mind")) == []


def test_interrupt_response_false(talk, of_type, names):
    talk.update(audio={"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}})
    answering(talk, of_type)
    events = talk.speak()
    assert "response.done" not in names(events)
    assert events[-1]["error"]["code"] == "conversation_already_has_active_response"


def test_out_of_band_responses_are_not_interrupted(talk, names):
    talk.send("response.create", response={"conversation": "none"})
    assert names(talk.hear(0.9, 0.9)) == ["input_audio_buffer.speech_started"]


def test_a_binary_frame(talk):
    (error,) = talk.tell(sig.BinaryFrame())
    assert error["error"]["code"] == "invalid_event"


def test_expiry(talk):
    error, close = talk.tell(sig.Expired())
    assert error["error"]["code"] == "session_expired"
    assert close == sig.Close(1001, "session_expired")


def test_playback_is_the_clients(talk):
    (error,) = talk.send("output_audio_buffer.clear")
    assert error["error"]["code"] == "invalid_value"


@pytest.mark.parametrize("voice", ["cedar", {"id": "voice_1"}, "nobody"])
def test_the_voice_is_fixed_once_it_was_heard(talk, of_type, voice):
    talk.update(audio={"output": {"voice": "ash"}})
    answering(talk, of_type)
    (error,) = talk.update(instructions="New.", audio={"output": {"voice": voice}})
    assert error["error"]["code"] == ("invalid_value" if voice == "nobody" else "cannot_update_voice")
    (updated,) = talk.update(audio={"output": {"voice": "ash", "speed": 1.2}})
    assert updated["session"]["instructions"] != "New."
    assert updated["session"]["audio"]["output"]["speed"] == 1.2


@pytest.mark.parametrize("heard", ["session", "response", "beside"])
@pytest.mark.parametrize("beside", [{}, {"conversation": "none"}])
def test_a_response_may_name_no_other_voice_either(talk, of_type, heard, beside):
    def asked(voice, **more):
        return talk.send("response.create", response={"audio": {"output": {"voice": voice}}, **more})

    talk.update(audio={"output": {"voice": "ash" if heard == "session" else "coral"}})
    first = asked("ash", **({"conversation": "none"} if heard == "beside" else {}))
    second = asked("sage", conversation="none")  # nobody has spoken yet
    answer, other = (of_type(begun, sig.Think).response_id for begun in (first, second))
    for speaking in (answer, other):
        talk.tell(sig.Thought(speaking, TextPiece("Hello.", whole=True)))
    talk.send("response.cancel", response_id=answer)
    for voice in ("cedar", {"id": "voice_1"}):
        (error,) = asked(voice, **beside)
        assert error["error"]["code"] == "cannot_update_voice"
        assert error["error"]["message"] == "Cannot update a conversation's voice if assistant audio is present."
    (error,) = talk.update(audio={"output": {"voice": "cedar"}})
    assert error["error"]["code"] == "cannot_update_voice"
    for again in (asked("ash", **beside), talk.send("response.create", response={"conversation": "none"})):
        assert of_type(again, "response.created")["response"]["audio"]["output"]["voice"] == "ash"


def test_a_restored_answer_fixes_the_voice_of_the_session(talk, of_type):
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Hello."}]}
    talk.send("conversation.item.create", item=item)
    (error,) = talk.send("response.create", response={"audio": {"output": {"voice": "cedar"}}})
    assert error["error"]["code"] == "cannot_update_voice"
    assert of_type(talk.send("response.create", response={"audio": {"output": {"voice": "marin"}}}), sig.Think)


def test_a_transcription_session_has_no_voice_to_fix(new_talk, names):
    talk = new_talk(kind="transcription", model="")
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "Hello."}]}
    talk.send("conversation.item.create", item=item)
    assert names(talk.update(type="transcription", include=[])) == ["session.updated"]


def test_a_custom_voice_is_told_back_and_the_default_one_speaks(talk, of_type):
    custom = {"id": "voice_1234"}
    (updated,) = talk.update(audio={"output": {"voice": custom}})
    assert updated["session"]["audio"]["output"]["voice"] == custom
    begun = talk.send("response.create")
    assert begun[0]["response"]["audio"]["output"]["voice"] == "voice_1234"  # a response has no other form for it
    said = talk.tell(sig.Thought(of_type(begun, sig.Think).response_id, TextPiece("Hello.", whole=True)))
    assert of_type(said, sig.Speak).voice == "marin"
    talk.tell(sig.Spoke(of_type(begun, sig.Think).response_id, bytes(4800)))
    (error,) = talk.update(audio={"output": {"voice": "marin"}})
    assert error["error"]["code"] == "cannot_update_voice"
