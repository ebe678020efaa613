import base64

import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.dialogue.turns import PAUSE_WINDOWS
from rtchat.server.engines.base import TextPiece

TURN = [
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]


def test_a_spoken_turn_in_the_recorded_order(talk, names):
    talk.hear(*[0.0] * 55)
    started = talk.hear(0.9, 0.9, 0.9)
    assert names(started) == ["input_audio_buffer.speech_started"]
    assert started[0]["audio_start_ms"] == 55 * 32 - 300  # recorded: 1460
    ahead, *stopped = talk.hear(*[0.0] * 20)
    assert names([ahead, *stopped]) == ["Transcribe", *TURN, "response.created"]
    assert stopped[0]["audio_end_ms"] == (55 + 3 + 16) * 32  # 500 ms of silence are 16 windows
    assert stopped[0]["item_id"] == started[0]["item_id"] == stopped[2]["item"]["id"]
    assert stopped[1]["previous_item_id"] is None
    assert stopped[2]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert len(ahead.pcm) == ((55 + 3 + PAUSE_WINDOWS) * 32 - 1460) * 48
    item = talk.send("conversation.item.retrieve", item_id=stopped[0]["item_id"])[0]["item"]
    assert len(base64.b64decode(item["content"][0]["audio"])) == (stopped[0]["audio_end_ms"] - 1460) * 48


def test_the_next_turn_may_reach_back_before_the_last_ones_end(talk, of_type):
    stopped = of_type(talk.speak(), "input_audio_buffer.speech_stopped")
    talk.hear(0.0)
    (started, *_) = talk.hear(0.9, 0.9)
    assert started["audio_start_ms"] < stopped["audio_end_ms"]


def test_a_click_is_not_a_turn(talk):
    assert talk.hear(0.0, 0.9, 0.0, 0.9, 0.0) == []


def test_with_threshold_0_everything_is_speech(talk, names):
    talk.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0, "prefix_padding_ms": 0}}})
    assert names(talk.hear(0.0, 0.0)) == ["input_audio_buffer.speech_started"]
    assert talk.hear(*[0.0] * 50) == []


def test_padding_and_silence_as_asked(talk, names):
    detection = {"type": "server_vad", "prefix_padding_ms": 100, "silence_duration_ms": 200}
    talk.update(audio={"input": {"turn_detection": detection}})
    talk.hear(*[0.0] * 10)
    (started,) = talk.hear(0.9, 0.9)
    assert started["audio_start_ms"] == 320 - 100
    assert names(talk.hear(*[0.0] * 6)) == ["Transcribe"]
    assert talk.hear(0.0)[0]["audio_end_ms"] == 320 + 64 + 7 * 32


@pytest.fixture
def semantic(talk, of_type):
    """Speech and a pause under semantic_vad; gives the recognition and the judgement that are asked for."""

    def pausing(eagerness="auto", speech=10):
        talk.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": eagerness}}})
        talk.hear(*[0.9] * speech)
        asked = talk.hear(*[0.0] * PAUSE_WINDOWS)
        judge = of_type(asked, sig.Judge)
        for effect in asked:
            if isinstance(effect, sig.Transcribe):
                assert (effect.key, effect.pcm) == (judge.key, judge.pcm)
        return judge.key

    return pausing


def silence(talk, limit=300):
    """Windows of silence from the first on until the turn is over."""
    for window in range(PAUSE_WINDOWS + 1, limit):
        if talk.hear(0.0):
            return window
    raise AssertionError("the turn does not end")


@pytest.mark.parametrize(("eagerness", "windows"), [("high", 63), ("auto", 125), ("medium", 125), ("low", 250)])
def test_semantic_turns_wait_longest_while_nothing_is_known(talk, semantic, eagerness, windows):
    semantic(eagerness)
    assert silence(talk) == windows


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        ("What time is it?", 400, 450),
        ("what time is it", 400, 500),
        ("my cat sleeps on the bed", 1000, 1500),
        ("what time is it and", 3000, 4000),
        ("well, if it rains,", 3000, 4000),
        ("", 4000, 4032),
    ],
)
def test_semantic_turns_end_by_what_was_said(talk, semantic, words, least, most):
    talk.tell(sig.Recognised(semantic(), words))
    assert least <= silence(talk) * 32 <= most + 32


def test_eagerness_counts_in_a_finished_turn_too(talk, semantic):
    ends = []
    for eagerness in ("high", "medium", "low"):
        talk.tell(sig.Recognised(semantic(eagerness), "Stop."))
        ends.append(silence(talk) * 32)
    assert ends == sorted(ends)
    assert ends[0] < 400 < ends[2] < 800


@pytest.mark.parametrize(
    ("words", "over", "least", "most"),
    [
        ("i live in berlin", 1.0, 400, 432),
        ("i live in berlin", 0.0, 4000, 4032),
        ("i live in", 1.0, 400, 4032),
        ("and", 1.0, 3000, 4000),
        ("", 1.0, 400, 432),
        (None, 0.9, 400, 500),
        ("Stop.", 7.0, 400, 432),
    ],
)
def test_an_end_of_turn_engine_knows_better_except_of_words_that_hang(talk, semantic, words, over, least, most):
    key = semantic()
    if words is not None:
        talk.tell(sig.Recognised(key, words))
    talk.tell(sig.Judged(key, over))
    assert least <= silence(talk) * 32 <= most + 32


def test_what_is_known_of_a_pause_is_forgotten_when_the_user_goes_on(talk, semantic, of_type):
    key = semantic()
    talk.tell(sig.Recognised(key, "stop"))
    talk.hear(*[0.0] * 5)
    assert of_type(talk.hear(0.9), sig.Abandon).key == key
    assert of_type(talk.hear(*[0.0] * PAUSE_WINDOWS), sig.Judge).key != key
    assert talk.tell(sig.Judged(key, 1.0)) == []
    assert silence(talk) == 125


def test_recognition_that_fails_or_is_not_asked_for_leaves_it_unclear(talk, semantic):
    talk.tell(sig.NotRecognised(semantic(), "It broke."))
    assert 1000 <= silence(talk) * 32 <= 1500
    semantic(speech=300)  # too long to be recognised at every breath
    assert 1000 <= silence(talk) * 32 <= 1500


def test_a_judgement_is_not_wanted_when_the_client_decides(talk, semantic, of_type):
    key = semantic()
    talk.tell(sig.NotRecognised(key, "It broke."))
    assert of_type(talk.send("input_audio_buffer.commit"), sig.Abandon).key == key


def test_create_response_false(talk, names):
    detection = {"type": "server_vad", "create_response": False}
    talk.update(audio={"input": {"turn_detection": detection}})
    assert names(talk.speak()) == ["input_audio_buffer.speech_started", "Transcribe", *TURN]


def test_push_to_talk(talk, names):
    talk.update(audio={"input": {"turn_detection": None}})
    assert names(talk.append(150)) == ["Prepare"]
    assert talk.append(0)[0]["error"]["message"].endswith("but got empty bytes.")
    events = talk.send("input_audio_buffer.commit")
    assert names(events) == [*TURN[1:], "Transcribe"]
    assert "event_id" in events[0]
    (error,) = talk.send("input_audio_buffer.commit")
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert "0.00ms" in error["error"]["message"]


def test_less_than_100_ms_is_no_turn(talk):
    talk.update(audio={"input": {"turn_detection": None}})
    talk.append(99)
    (error,) = talk.send("input_audio_buffer.commit")
    assert "buffer only has 99.00ms of audio" in error["error"]["message"]
    talk.append(1)
    assert len(talk.send("input_audio_buffer.commit")) > 1


def test_clear(talk, names):
    talk.update(audio={"input": {"turn_detection": None}})
    talk.append(500)
    assert names(talk.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert talk.send("input_audio_buffer.commit")[0]["type"] == "error"


def test_half_a_sample_is_cleared_with_the_rest(talk):
    talk.update(audio={"input": {"turn_detection": None}})
    talk.send("input_audio_buffer.append", audio=base64.b64encode(b"\1").decode())
    talk.send("input_audio_buffer.clear")
    sound = b"\0\2" * 2400
    talk.send("input_audio_buffer.append", audio=base64.b64encode(sound).decode())
    item_id = talk.send("input_audio_buffer.commit")[0]["item_id"]
    item = talk.send("conversation.item.retrieve", item_id=item_id)[0]["item"]
    assert base64.b64decode(item["content"][0]["audio"]) == sound


def test_clearing_ends_speech_without_a_turn(talk, names):
    talk.hear(0.9, 0.9)
    assert names(talk.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared", "ResetDetector"]
    assert talk.hear(*[0.0] * 40) == []


def test_the_client_may_commit_while_the_user_speaks(talk, names):
    (started,) = talk.hear(*[0.9] * 5)
    events = talk.send("input_audio_buffer.commit")
    assert names(events) == [*TURN[1:], "Transcribe"]  # measured: no speech_stopped
    assert events[0]["item_id"] == started["item_id"]


def test_words_are_told_only_when_asked_for(talk, names, of_type):
    item = of_type(talk.speak(), sig.Transcribe).key
    assert names(talk.tell(sig.Recognised(item, "hello there"))) == ["Think"]
    talk.send("response.cancel")
    talk.update(audio={"input": {"transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"}}})
    heard = of_type(talk.speak(), sig.Transcribe)
    assert heard.language == "en"
    events = talk.tell(sig.Recognised(heard.key, "hello there"))
    kind = "conversation.item.input_audio_transcription"
    assert names(events) == [*[f"{kind}.delta"] * 2, f"{kind}.completed", "Think"]
    assert [event["delta"] for event in events[:2]] == ["hello", " there"]
    assert events[2]["transcript"] == "hello there"
    assert events[2]["usage"]["type"] == "tokens"


def test_failed_words(talk, of_type):
    talk.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    events = talk.speak()
    item = of_type(events, "input_audio_buffer.committed")["item_id"]
    events = talk.tell(sig.NotRecognised(of_type(events, sig.Transcribe).key, "It broke."))
    failed = of_type(events, "conversation.item.input_audio_transcription.failed")
    assert failed["item_id"] == item
    assert "It broke." in failed["error"]["message"]


def test_whisper_counts_begun_seconds(talk, of_type):
    talk.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    heard = of_type(talk.speak(60), sig.Transcribe)
    kind = "conversation.item.input_audio_transcription.completed"
    assert of_type(talk.tell(sig.Recognised(heard.key, "")), kind)["usage"] == {
        "type": "duration",
        "seconds": 3,
    }


def test_the_situation_goes_with_the_sound(talk, of_type):
    talk.say("earlier")
    prompt = of_type(talk.speak(), sig.Transcribe).prompt
    assert [message.text for message in prompt.messages] == ["earlier"]


def test_turning_detection_off_and_on_keeps_positions(talk):
    talk.hear(*[0.0] * 10)
    talk.update(audio={"input": {"turn_detection": None}})
    talk.append(1000)
    talk.update(audio={"input": {"turn_detection": {"type": "server_vad", "prefix_padding_ms": 0}}})
    (started,) = talk.hear(0.9, 0.9)
    assert started["audio_start_ms"] == 1344  # 1320 rounded up to a window


def test_windows_detected_after_detection_was_switched_off(talk):
    talk.update(audio={"input": {"turn_detection": None}})
    assert talk.tell(sig.Detected((0.9, 0.9, 0.9))) == []


def test_detection_switched_off_in_mid_speech_leaves_the_turn_with_the_id_that_was_told(talk, names, of_type):
    (started,) = talk.hear(*[0.9] * 5)
    talk.update(audio={"input": {"turn_detection": None}})
    events = talk.send("input_audio_buffer.commit")
    assert names(events) == [*TURN[1:], "Transcribe"]
    assert events[0]["item_id"] == started["item_id"]
    talk.append(100)
    assert talk.send("input_audio_buffer.commit")[0]["item_id"] != started["item_id"]


def test_detection_switched_off_and_on_in_mid_speech_tells_of_the_same_turn(talk, of_type):
    (started,) = talk.hear(*[0.9] * 5)
    talk.update(audio={"input": {"turn_detection": None}})
    talk.update(audio={"input": {"turn_detection": {"type": "server_vad"}}})
    events = talk.speak()
    for kind in ("speech_started", "speech_stopped", "committed"):
        assert of_type(events, f"input_audio_buffer.{kind}")["item_id"] == started["item_id"]
    assert talk.hear(0.9, 0.9)[0]["item_id"] != started["item_id"]


def test_an_id_that_was_told_is_gone_with_what_was_cleared(talk):
    (started,) = talk.hear(*[0.9] * 5)
    talk.update(audio={"input": {"turn_detection": None}})
    talk.send("input_audio_buffer.clear")
    talk.append(100)
    assert talk.send("input_audio_buffer.commit")[0]["item_id"] != started["item_id"]


def test_an_id_that_was_told_is_taken(talk, of_type):
    (started,) = talk.hear(*[0.9] * 5)
    item = {"type": "message", "role": "user", "id": started["item_id"], "content": []}
    (error,) = talk.send("conversation.item.create", item=item)
    assert error["error"]["code"] == "item_create_duplicate_item_id"
    assert of_type(talk.send("input_audio_buffer.commit"), "input_audio_buffer.committed")["item_id"] == item["id"]


def test_new_rules_in_the_middle_of_speech(talk, names):
    talk.hear(0.9, 0.9)
    talk.update(audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 100}}})
    assert names(talk.hear(*[0.0] * 4))[:2] == ["Transcribe", "input_audio_buffer.speech_stopped"]


def test_silence_after_an_answer_makes_the_assistant_speak_up(talk, names, of_type):
    talk.update(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}})
    assert talk.hear(*[0.0] * 200) == []  # nothing was answered yet
    talk.say("hello")
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    talk.tell(sig.ThoughtEnded(answer))
    events = talk.hear(*[0.0] * 160)
    assert names(events) == [
        "input_audio_buffer.timeout_triggered",
        "conversation.item.added",
        "conversation.item.done",
        *TURN[1:],
        "Transcribe",
        "response.created",
    ]
    assert (events[0]["audio_start_ms"], events[0]["audio_end_ms"]) == (6400, 6400 + 157 * 32)
    assert events[1]["item"]["role"] == "system"
    assert of_type(events, "input_audio_buffer.committed")["previous_item_id"] == events[1]["item"]["id"]
    assert of_type(events, "input_audio_buffer.committed")["item_id"] == events[0]["item_id"]
    thought = talk.tell(sig.Recognised(of_type(events, sig.Transcribe).key, ""))[-1]
    done = of_type(talk.tell(sig.ThoughtEnded(thought.response_id)), "response.done")["response"]
    assert done["usage"]["input_token_details"]["audio_tokens"] == 5024 // 100


IDLE = {"type": "server_vad", "idle_timeout_ms": 5000}


def test_silence_is_counted_from_the_end_of_the_answers_sound_on_a_window(talk, of_type):
    talk.update(audio={"input": {"turn_detection": IDLE}})
    talk.hear(*[0.0] * 10)
    talk.say("hello")
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    talk.tell(sig.Thought(answer, TextPiece("Hello.")))
    talk.tell(sig.Spoke(answer, b"\1\0" * 24 * 1010))
    talk.tell(sig.ThoughtEnded(answer))
    talk.tell(sig.SpeechEnded(answer))
    timeout = of_type(talk.hear(*[0.0] * 200), "input_audio_buffer.timeout_triggered")
    assert timeout["audio_start_ms"] == 1344  # 320 + 1010 ms, on the next window
    assert timeout["audio_end_ms"] == 1344 + 157 * 32


def test_an_idle_turn_is_written_down_as_nothing(talk, of_type):
    talk.update(audio={"input": {"turn_detection": IDLE, "transcription": {"model": "whisper-1"}}})
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    talk.tell(sig.ThoughtEnded(answer))
    key = of_type(talk.hear(*[0.0] * 157), sig.Transcribe).key
    told = of_type(talk.tell(sig.Recognised(key, "")), "conversation.item.input_audio_transcription.completed")
    assert (told["transcript"], told["usage"]) == ("", {"type": "duration", "seconds": 0})


def test_nobody_is_idle_while_an_answer_is_made(talk, of_type):
    talk.update(audio={"input": {"turn_detection": IDLE}})
    for _ in range(2):
        answer = of_type(talk.send("response.create"), sig.Think).response_id
        assert talk.hear(*[0.0] * 200) == []
        talk.tell(sig.ThoughtEnded(answer))


def test_silence_is_counted_after_a_cancelled_answer_too(talk, names):
    talk.update(audio={"input": {"turn_detection": IDLE}})
    talk.send("response.create")
    talk.send("response.cancel")
    assert "input_audio_buffer.timeout_triggered" in names(talk.hear(*[0.0] * 157))


def test_a_turn_without_an_answer_is_no_silence(talk, names):
    talk.update(audio={"input": {"turn_detection": {**IDLE, "create_response": False}}})
    talk.send("response.create")
    talk.speak()
    assert talk.hear(*[0.0] * 300) == []


def test_no_detector(talk, names):
    (error,) = talk.tell(sig.Deaf("The speech detector does not load."))
    assert error["error"]["message"] == "The speech detector does not load."
    assert names(talk.append(100)) == ["Prepare"]
    assert talk.append(100) == []


def test_a_transcription_session(new_talk, names, of_type):
    talk = new_talk(kind="transcription", model="")
    assert talk.created[0]["session"]["object"] == "realtime.transcription_session"
    events = talk.hear(0.9, 0.9) + talk.hear(*[0.0] * 7)
    assert names(events) == ["input_audio_buffer.speech_started", "Transcribe", *TURN]
    heard = of_type(events, sig.Transcribe)
    assert heard.prompt is None
    events = talk.tell(sig.Recognised(heard.key, "hello"))
    assert names(events)[-1] == "conversation.item.input_audio_transcription.completed"
    assert talk.send("response.create")[0]["type"] == "error"
    detection = {"type": "server_vad", "silence_duration_ms": 300}
    session = {"type": "transcription", "audio": {"input": {"turn_detection": detection}}}
    (updated,) = talk.send("session.update", session=session)
    assert updated["session"]["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 300,
    }


def test_a_model_that_detects_no_turns(new_talk, names):
    talk = new_talk(kind="transcription", model="")
    whisper = {"model": "gpt-realtime-whisper", "languages": ["en"], "keywords": ["rtchat"], "delay": "low"}
    listening = {"transcription": whisper}
    detecting = {**listening, "turn_detection": {"type": "server_vad"}}
    (error,) = talk.send("session.update", session={"type": "transcription", "audio": {"input": detecting}})
    assert error["error"]["message"] == "Turn detection is not supported for this transcription model."
    assert error["error"]["param"] == "session.audio.input.turn_detection"
    (updated,) = talk.send("session.update", session={"type": "transcription", "audio": {"input": listening}})
    assert updated["session"]["audio"]["input"]["turn_detection"] is None
    assert updated["session"]["audio"]["input"]["transcription"]["keywords"] == ["rtchat"]
    talk.append(200)
    assert names(talk.send("input_audio_buffer.commit"))[-1] == "Transcribe"


def test_telephone_sound_is_understood(talk):
    talk.update(audio={"input": {"format": {"type": "audio/pcma"}}})
    _prepare, detect = talk.send("input_audio_buffer.append", audio="1dXV1dXV" * 400)
    assert abs(len(detect.pcm) - 300 * 48) <= 30 * 48  # 2400 samples of 8 kHz are 300 ms


def test_without_detection_the_buffer_is_full_some_time_and_says_so(talk, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.listening.LONGEST_MS", 60_000)
    talk.update(audio={"input": {"turn_detection": None}})
    talk.append(60_000)
    (refused,) = talk.append(1)
    assert (refused["error"]["code"], refused["error"]["param"]) == ("input_audio_buffer_full", "audio")
    assert "holds 1 minute" in refused["error"]["message"]
    talk.send("input_audio_buffer.commit")
    assert talk.append(1000) == []
