import pytest

from rtchat.server.dialogue import signals as sig
from rtchat.server.engines.base import Message, TextPiece, ToolCall


def test_one_response_at_a_time_in_the_conversation(talk, of_type):
    talk.say("hello")
    first = of_type(talk.send("response.create"), sig.Think).response_id
    (error,) = talk.send("response.create", event_id="mine")
    assert error["error"]["code"] == "conversation_already_has_active_response"
    assert first in error["error"]["message"]
    assert error["error"]["event_id"] == "mine"


def test_any_number_beside_the_conversation(talk, of_type, names):
    talk.say("hello")
    talk.send("response.create")
    thoughts = []
    for topic in ("one", "two"):
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": topic}]}
        asked = {
            "conversation": "none",
            "input": [item],
            "metadata": {"topic": topic},
            "output_modalities": ["text"],
        }
        events = talk.send("response.create", response=asked)
        assert events[0]["response"]["metadata"] == {"topic": topic}
        assert events[0]["response"]["conversation_id"] is None
        thoughts.append(of_type(events, sig.Think))
        assert thoughts[-1].prompt.messages == [Message("user", topic)]
    events = talk.tell(sig.Thought(thoughts[1].response_id, TextPiece("Fine.")))
    events += talk.tell(sig.ThoughtEnded(thoughts[1].response_id))
    assert not any(name.startswith("conversation.item") for name in names(events))
    assert events[-2]["response"]["metadata"] == {"topic": "two"}


def test_a_number_that_nobody_needs(talk, of_type):
    beside = {"conversation": "none"}
    begun = [talk.send("response.create", response=beside) for _ in range(32)]
    first = of_type(begun[0], "response.created")["response"]["id"]
    (error,) = talk.send("response.create", response=beside)
    assert error["error"]["code"] == "too_many_responses"
    assert of_type(talk.send("response.create"), "response.created")  # the conversation goes on
    talk.send("response.cancel", response_id=first)
    talk.send("response.cancel")
    assert of_type(talk.send("response.create", response=beside), "response.created")


def test_what_responses_in_progress_were_given_is_bounded(talk, of_type, monkeypatch):
    monkeypatch.setattr("rtchat.server.dialogue.answers.MAX_INPUT", 2**20)
    long, kept = _message("x" * 600_000), _message("y" * 600_000, id="A")
    talk.send("conversation.item.create", item=kept)
    for asked in ({"input": [long]}, {"instructions": "x" * 600_000}, {"input": [_message("")] * 600}):
        beside = {"conversation": "none", **asked}
        first = of_type(talk.send("response.create", response=beside), "response.created")["response"]["id"]
        (refused,) = talk.send("response.create", response=beside)
        assert (refused["error"]["code"], "1 MiB" in refused["error"]["message"]) == ("response_input_full", True)
        references = {"conversation": "none", "input": [{"type": "item_reference", "id": "A"}]}
        other = of_type(talk.send("response.create", response=references), "response.created")["response"]["id"]
        for response_id in (first, other):
            talk.send("response.cancel", response_id=response_id)


def test_a_response_may_refer_to_items(talk, of_type):
    talk.send("conversation.item.create", item=_message("apples", id="A"))
    talk.send("conversation.item.create", item=_message("pears", id="B"))
    asked = {"conversation": "none", "input": [{"type": "item_reference", "id": "A"}, _message("Why?")]}
    think = of_type(talk.send("response.create", response=asked), sig.Think)
    assert [message.text for message in think.prompt.messages] == ["apples", "Why?"]
    asked["input"][0]["id"] = "nobody"
    (error,) = talk.send("response.create", response=asked)
    assert error["error"]["param"] == "response.input[0].id"


def test_overrides_hold_for_one_response(talk, of_type):
    talk.update(instructions="Be brief.", tools=[{"type": "function", "name": "look"}])
    talk.say("hello")
    asked = {"instructions": "Sing.", "tool_choice": {"type": "function", "name": "look"}}
    prompt = of_type(talk.send("response.create", response=asked), sig.Think).prompt
    assert (prompt.instructions, prompt.tool_choice, prompt.tools[0]["name"]) == ("Sing.", "look", "look")
    talk.send("response.cancel")
    prompt = of_type(talk.send("response.create", response={"tools": []}), sig.Think).prompt
    assert (prompt.instructions, prompt.tool_choice, prompt.tools) == ("Be brief.", "auto", [])


def test_a_tool_round(talk, of_type):
    talk.say("weather?")
    first = of_type(talk.send("response.create"), sig.Think).response_id
    call = talk.tell(sig.Thought(first, ToolCall("get_weather", "{}")))[0]["item"]
    talk.tell(sig.ThoughtEnded(first))
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "fog"}
    added, _done = talk.send("conversation.item.create", item=output)
    assert added["previous_item_id"] == call["id"]
    assert "status" not in added["item"]
    prompt = of_type(talk.send("response.create"), sig.Think).prompt
    assert prompt.messages == [
        Message("user", "weather?"),
        Message("call", "{}", "get_weather", call["call_id"]),
        Message("tool", "fog", "get_weather", call["call_id"]),
    ]


def test_a_tool_round_of_its_own(talk, of_type):
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "fog"}
    asked = {"conversation": "none", "input": [call, output]}
    prompt = of_type(talk.send("response.create", response=asked), sig.Think).prompt
    assert prompt.messages == [Message("call", "{}", "look", "c"), Message("tool", "fog", "look", "c")]


def test_cancelling_one_by_its_id(talk, of_type):
    talk.send("response.create")
    beside = of_type(talk.send("response.create", response={"conversation": "none"}), sig.Think).response_id
    done = of_type(talk.send("response.cancel", response_id=beside), "response.done")
    assert done["response"]["id"] == beside
    (error,) = talk.send("response.cancel", response_id=beside)
    assert error["error"]["code"] == "response_cancel_not_active"


def test_an_output_whose_call_was_deleted(talk, of_type):
    call = {"type": "function_call", "id": "A", "call_id": "c", "name": "look", "arguments": "{}"}
    talk.send("conversation.item.create", item=call)
    output = {"type": "function_call_output", "call_id": "c", "output": "fog"}
    talk.send("conversation.item.create", item=output)
    talk.send("conversation.item.delete", item_id="A")
    prompt = of_type(talk.send("response.create"), sig.Think).prompt
    assert prompt.messages == [Message("tool", "fog", "", "c")]


def test_a_conversation_that_outgrows_its_model_loses_its_oldest_items_for_good(talk, of_type):
    limits = {"post_instructions": 10}
    talk.update(truncation={"type": "retention_ratio", "retention_ratio": 0.6, "token_limits": limits})
    for text in ("first " * 4, "second " * 3, "third"):
        talk.say(text.strip())
    think = of_type(talk.send("response.create"), sig.Think)
    assert [message.text for message in think.prompt.messages] == ["third"]
    assert think.prompt.instructions
    talk.send("response.cancel")
    talk.update(truncation="auto")
    think = of_type(talk.send("response.create"), sig.Think)
    assert [message.text for message in think.prompt.messages] == ["third"]


def test_a_result_goes_with_its_call(talk, of_type):
    call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "x" * 80}
    output = {"type": "function_call_output", "call_id": "c", "output": "fog"}
    limits = {"post_instructions": 10}
    talk.update(truncation={"type": "retention_ratio", "retention_ratio": 1.0, "token_limits": limits})
    asked = {"conversation": "none", "input": [call, output, _message("Well?")]}
    think = of_type(talk.send("response.create", response=asked), sig.Think)
    assert think.prompt.messages == [Message("user", "Well?")]
    for item in asked["input"]:
        talk.send("conversation.item.create", item=item)
    think = of_type(talk.send("response.create"), sig.Think)
    assert think.prompt.messages == [Message("user", "Well?")]


def test_without_truncation_a_conversation_that_is_too_long_fails(talk, of_type, names):
    talk.update(truncation="disabled")
    talk.say("x" * 400_000)
    events = talk.send("response.create")
    assert names(events) == ["response.created", "Abort", "response.done", "rate_limits.updated"]
    details = of_type(events, "response.done")["response"]["status_details"]
    assert (details["type"], details["error"]["code"]) == ("failed", "context_length_exceeded")
    talk.update(truncation="auto")
    assert of_type(talk.send("response.create"), sig.Think)


def test_an_answer_cancelled_before_its_first_output_costs_nothing(talk, of_type):
    talk.say("hello")
    talk.send("response.create")
    response = of_type(talk.send("response.cancel"), "response.done")["response"]
    assert response["output"] == []
    assert response["usage"]["total_tokens"] == 0


def test_a_response_asked_for_with_the_calls_result_is_begun_when_this_one_is_over(talk, of_type, names):
    first = of_type(talk.send("response.create"), sig.Think).response_id
    call = talk.tell(sig.Thought(first, ToolCall("get_weather", "{}")))[0]["item"]
    assert talk.send("response.create")[0]["error"]["code"] == "conversation_already_has_active_response"
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "fog"}
    talk.send("conversation.item.create", item=output)
    assert talk.send("response.create", response={"metadata": {"turn": "2"}}) == []
    assert talk.send("response.create")[0]["error"]["code"] == "conversation_already_has_active_response"
    ended = talk.tell(sig.ThoughtEnded(first))
    assert names(ended) == ["Abort", "response.done", "rate_limits.updated", "response.created", "Think"]
    assert of_type(ended, "response.created")["response"]["metadata"] == {"turn": "2"}


@pytest.mark.parametrize(("cancelled", "last"), [(True, "rate_limits.updated"), (False, "error")])
def test_what_was_asked_for_too_early_may_be_wrong_or_not_wanted_any_more(talk, of_type, names, cancelled, last):
    first = of_type(talk.send("response.create"), sig.Think).response_id
    call = talk.tell(sig.Thought(first, ToolCall("get_weather", "{}")))[0]["item"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "fog"}
    talk.send("conversation.item.create", item=output)
    talk.send("conversation.item.create", item=_message("apples", id="A"))
    fruit = {"input": [{"type": "item_reference", "id": "A"}]}
    assert talk.send("response.create", response=fruit) == []
    talk.send("conversation.item.delete", item_id="A")
    ended = talk.send("response.cancel") if cancelled else talk.tell(sig.ThoughtEnded(first))
    assert names(ended)[-1] == last


def test_what_was_asked_for_too_early_is_refused_at_once_where_it_can_never_be(talk, of_type):
    first = of_type(talk.send("response.create"), sig.Think).response_id
    call = talk.tell(sig.Thought(first, ToolCall("get_weather", "{}")))[0]["item"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "fog"}
    talk.send("conversation.item.create", item=output)
    asked = {"tool_choice": {"type": "function", "name": "fly"}}
    (error,) = talk.send("response.create", response=asked, event_id="mine")
    assert (error["error"]["param"], error["error"]["event_id"]) == ("response.tool_choice", "mine")
    assert talk.send("response.create") == []  # this one waits


def test_sound_beside_the_conversation_is_understood_first(talk, of_type, names):
    talk.update(audio={"input": {"transcription": {"model": "whisper-1"}}})
    sound = {"type": "input_audio", "audio": "AAAA" * 100}
    item = {"type": "message", "role": "user", "content": [sound]}
    events = talk.send("response.create", response={"conversation": "none", "input": [item]})
    assert names(events) == ["response.created", "Transcribe"]
    (think,) = talk.tell(sig.Recognised(of_type(events, sig.Transcribe).key, "what is it"))
    assert think.prompt.messages == [Message("user", "what is it")]
    events = talk.send("response.create", response={"conversation": "none", "input": [item]})
    done = of_type(talk.tell(sig.NotRecognised(of_type(events, sig.Transcribe).key, "It broke.")), "response.done")
    assert done["response"]["status"] == "failed"


def test_nothing_at_all_may_be_given(talk, of_type):
    talk.say("a secret")
    think = of_type(talk.send("response.create", response={"input": []}), sig.Think)
    assert think.prompt.messages == []


@pytest.mark.parametrize("choice", ["auto", "none", "required", "look"])
def test_every_form_of_tool_choice(talk, of_type, choice):
    asked = {"type": "function", "name": "look"} if choice == "look" else choice
    tools = [{"type": "function", "name": "look"}]
    begun = talk.send("response.create", response={"tool_choice": asked, "tools": tools})
    assert of_type(begun, sig.Think).prompt.tool_choice == choice
    talk.send("response.cancel")
    talk.update(tools=tools, tool_choice=asked)
    assert of_type(talk.send("response.create"), sig.Think).prompt.tool_choice == choice


def test_a_chosen_function_must_be_there(talk):
    asked = {"tool_choice": {"type": "function", "name": "fly"}}
    (error,) = talk.send("response.create", response=asked)
    assert error["error"]["message"] == "Tool choice 'fly' not found in 'tools' parameter."
    assert error["error"]["param"] == "response.tool_choice"
    talk.update(tool_choice={"type": "function", "name": "fly"})
    assert talk.speak()[-1]["error"]["code"] == "invalid_value"  # a turn's own response is refused too


@pytest.mark.parametrize(
    ("session", "response", "calls"), [(None, None, 2), (False, None, 1), (False, True, 2), (True, False, 1)]
)
def test_calls_one_at_a_time(talk, of_type, session, response, calls):
    if session is not None:
        talk.update(parallel_tool_calls=session)
    asked = {} if response is None else {"parallel_tool_calls": response}
    answer = of_type(talk.send("response.create", response=asked), sig.Think).response_id
    for city in ("Rome", "Oslo"):
        talk.tell(sig.Thought(answer, ToolCall("get_weather", city)))
    done = of_type(talk.tell(sig.ThoughtEnded(answer)), "response.done")
    assert [call["arguments"] for call in done["response"]["output"]] == ["Rome", "Oslo"][:calls]


def test_nothing_to_cancel(talk):
    (error,) = talk.send("response.cancel")
    assert error["error"]["code"] == "response_cancel_not_active"


def test_a_response_waits_for_the_words_of_the_turn(talk, names, of_type):
    events = talk.speak()
    item = of_type(events, sig.Transcribe).key
    assert names(events)[-1] == "response.created"
    (think,) = talk.tell(sig.Recognised(item, "what time is it"))
    assert think.prompt.messages == [Message("user", "what time is it")]


def test_unheard_words_fail_the_response_that_waits(talk, of_type):
    item = of_type(talk.speak(), sig.Transcribe).key
    done = of_type(talk.tell(sig.NotRecognised(item, "pocketsphinx is missing.")), "response.done")
    assert done["response"]["status_details"]["error"]["message"] == "pocketsphinx is missing."


def test_tokens_are_counted_down(talk, of_type):
    talk.say("hello")
    first = of_type(talk.send("response.create"), sig.Think).response_id
    events = talk.tell(sig.ThoughtEnded(first))
    used = of_type(events, "response.done")["response"]["usage"]["total_tokens"]
    (limit,) = of_type(events, "rate_limits.updated")["rate_limits"]
    assert limit["limit"] - limit["remaining"] == used > 0


def test_the_language_of_a_translating_model(new_talk, of_type):
    talk = new_talk(model="apertium:en-es")
    talk.say("good morning")
    answer = of_type(talk.send("response.create"), sig.Think).response_id
    assert of_type(talk.tell(sig.Thought(answer, TextPiece("Buenos días."))), sig.Speak).language == "es"


def _message(text, **fields):
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}


def answered(talk, of_type, words, **params):
    """One response; its input tokens by kind, as the client is told."""
    think = of_type(talk.send("response.create", response=params), sig.Think)
    events = talk.tell(sig.Thought(think.response_id, TextPiece(words)))
    events += talk.tell(sig.ThoughtEnded(think.response_id))
    return of_type(events, "response.done")["response"]["usage"]["input_token_details"]


def test_what_the_response_before_was_given_and_said_is_cached(talk, of_type):
    talk.update(instructions="i" * 200, output_modalities=["text"])  # 50 tokens
    talk.say("u" * 40)  # 10
    first = answered(talk, of_type, "a" * 400)  # 100
    assert (first["text_tokens"], first["cached_tokens"]) == (60, 0)
    talk.say("v" * 40)
    second = answered(talk, of_type, "Yes.")
    assert (second["text_tokens"], second["cached_tokens"]) == (170, 128)  # of 160, in whole blocks of 64
    assert second["cached_tokens_details"] == {"text_tokens": 128, "audio_tokens": 0, "image_tokens": 0}


def test_new_instructions_leave_nothing_cached(talk, of_type):
    talk.update(instructions="i" * 400, output_modalities=["text"])
    talk.say("hello")
    answered(talk, of_type, "Hi.")
    assert answered(talk, of_type, "Hi.")["cached_tokens"] == 64
    talk.update(instructions="j" * 400)
    assert answered(talk, of_type, "Hi.")["cached_tokens"] == 0


def test_a_response_beside_the_conversation_does_not_cost_it_its_cache(talk, of_type):
    talk.update(instructions="i" * 400, output_modalities=["text"])
    talk.say("hello")
    answered(talk, of_type, "Hi.")
    beside = {"conversation": "none", "instructions": "k" * 800, "input": []}
    assert answered(talk, of_type, "Hm.", **beside)["cached_tokens"] == 0
    assert answered(talk, of_type, "Hm.", **beside)["cached_tokens"] == 192  # of 200 and an answer out of it
    assert answered(talk, of_type, "Hi.")["cached_tokens"] == 64


def test_a_response_cancelled_before_its_first_output_was_given_nothing_cached_either(talk, of_type):
    talk.update(instructions="i" * 400, output_modalities=["text"])
    talk.say("hello")
    answered(talk, of_type, "Hi.")
    talk.send("response.create")
    used = of_type(talk.send("response.cancel"), "response.done")["response"]["usage"]
    assert used["input_token_details"]["cached_tokens"] == 0
