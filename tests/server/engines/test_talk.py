from datetime import UTC, datetime

import pytest

from rtchat.server.engines import talk
from rtchat.server.engines.base import Message
from rtchat.server.engines.story import JOKES, STORY, sentences
from rtchat.server.engines.turn import Turn, normalise

NOW = datetime(2026, 11, 20, 15, 4, tzinfo=UTC)


def turn(said: str, *before: Message) -> Turn:
    return Turn(normalise(said), said, before, (), NOW)


def you(text: str) -> Message:
    return Message("user", text)


def me(text: str) -> Message:
    return Message("assistant", text)


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Repeat after me: salt and Pepper", ["Salt and Pepper."]),
        ("repeat after me the sky is blue", ["The sky is blue."]),
        ("please say hello world!", ["Hello world!"]),
        ('Say: "I am here."', ["I am here."]),
        ("say that again", None),
        ("repeat it", None),
        ("what did you say", None),
        ("repeat after me", None),
    ],
)
def test_repeat_after_me(said: str, answer: list[str] | None):
    assert talk.repeat_after_me(turn(said)) == answer


def test_what_was_said_is_what_was_heard():
    before = (you("A story"), me("This is the story of the"))
    assert talk.what_was_said(turn("What did you say?", *before)) == ["I said: This is the story of the"]
    assert talk.what_was_said(turn("repeat that please", *before)) == ["I said: This is the story of the"]
    assert talk.what_was_said(turn("what did I say", *before)) == ["You said: A story"]
    assert talk.what_was_said(turn("pardon")) == ["I have not said anything yet."]
    assert talk.what_was_said(turn("what did I just say")) == ["You have not said anything before."]
    assert talk.what_was_said(turn("a story")) is None


def test_the_users_name():
    assert talk.user_name(turn("My name is Ada Lovelace and I like sums")) == ["Nice to meet you, Ada Lovelace."]
    assert talk.user_name(turn("my name is ada")) == ["Nice to meet you, Ada."]
    told = (you("My name is Bob"), me("Hm"), you("Call me Ada"))
    assert talk.user_name(turn("what's my name?", *told)) == ["Your name is Ada."]
    assert talk.user_name(turn("Who am I?")) == ["You have not told me your name."]
    assert talk.user_name(turn("name a colour")) is None


def test_it_does_not_pretend():
    answer = talk.own_name(turn("are you a robot"))
    assert answer and "not a language model" in str(answer[-1])
    assert talk.own_name(turn("hello")) is None


def test_help_names_the_tools():
    assert len(talk.what_it_can(turn("what can you do?")) or []) == 1
    with_tools = Turn("help", "help", (), ({"name": "set_light"}, {"name": "getOrder"}), NOW)
    answer = talk.what_it_can(with_tools)
    assert answer and "set light, get order" in str(answer[1])
    assert talk.what_it_can(turn("help the poor")) is None


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("Hello!", "Hello. What can I do for you?"),
        ("good morning", "Good afternoon. What can I do for you?"),
        ("okay thank you very much", "You are welcome."),
        ("Stop!", "Okay."),
        ("bye", "Goodbye."),
        ("can you hear me", "Yes, I hear you."),
        ("how are you", "I am fine, thank you. What can I do for you?"),
    ],
)
def test_small_talk(said: str, answer: str):
    assert talk.small_talk(turn(said)) == [answer]


def test_small_talk_leaves_the_rest_alone():
    assert talk.small_talk(turn("stop the timer in the kitchen")) is None


def test_a_story_and_jokes():
    assert talk.story(turn("tell me a long story")) == sentences(STORY)
    assert talk.joke(turn("tell me a joke")) == sentences(JOKES[0])
    told = [me(joke) for joke in JOKES]
    assert talk.joke(turn("another joke", told[0])) == sentences(JOKES[1])
    assert talk.joke(turn("another joke", *told)) == sentences(JOKES[0])
    assert talk.story(turn("hello")) is None
    assert talk.joke(turn("hello")) is None


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("count to three", "One, two, three."),
        ("count from 5 to 3", "Five, four, three."),
        ("count down from two", "Two, one, zero."),
        ("count up to 12", "One, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve."),
        ("count to a million", "That is far. I count no more than 100 numbers."),
    ],
)
def test_counting(said: str, answer: str):
    assert " ".join(str(part) for part in talk.count(turn(said)) or []) == answer


def test_not_counting():
    assert talk.count(turn("you can count on me")) is None
