import pytest

from rtchat.server.dialogue.completeness import BEGUN, FINISHED, HANGING, NOTHING, UNCLEAR, completeness

FINISHED_TURNS = """
What time is it?
what time is it in tokyo
where are you from
who did you talk to
what is seven times eight
is it going to rain tomorrow
can you tell me a joke
could you call my mother
set a timer for five minutes
turn on the light
turn the light off
tell me a story
um what is the weather in paris
yes
no
okay
stop
go on
hello there
I would like a coffee, please.
i would like a coffee please
that's all
thank you very much
My name is Ada.
Ich heiße Ada.
今日は雨です。
I'll have that too.
so be it.
"""
UNFINISHED_TURNS = """
I would like to
i would like a coffee and
what is the weather in paris and
set a timer for
turn on the
because
what is the
um
i was thinking um
I was thinking...
I want,
if it rains,
well I think—
the
where is my
I'm
und dann habe ich aber
quiero un café y
I like apples and.
tell me about
"""
BEGUN_TURNS = """
my name is
because it is
can you tell me
what time
how are
my number is five five five
call 555
i want
set a timer for five
"""


@pytest.mark.parametrize("text", FINISHED_TURNS.strip().splitlines())
def test_finished(text):
    assert completeness(text) >= FINISHED


@pytest.mark.parametrize("text", UNFINISHED_TURNS.strip().splitlines())
def test_the_sentence_cannot_end_like_this(text):
    assert completeness(text) == HANGING


@pytest.mark.parametrize("text", BEGUN_TURNS.strip().splitlines())
def test_more_is_likely_to_follow(text):
    assert completeness(text) == BEGUN


@pytest.mark.parametrize("text", ["my cat sleeps on the bed", "i live in berlin", "blue", "play music"])
def test_it_may_be_over_or_not(text):
    assert completeness(text) == UNCLEAR


@pytest.mark.parametrize("text", ["", "   ", "...", "?!"])
def test_nothing_was_understood(text):
    assert completeness(text) == NOTHING
