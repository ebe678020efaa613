import pytest

from rtchat.server.dialogue.heard import Said, heard
from rtchat.server.engines.base import WordMark

MS = 48  # bytes of a millisecond


def words(said, heard_bytes):
    return [stretch.text for stretch in heard(said, heard_bytes)]


@pytest.mark.parametrize(
    ("heard_bytes", "kept"),
    [(0, []), (10, []), (25, ["a"]), (100, ["a b c d"]), (150, ["a b c d", " e"]), (999, ["a b c d", " e f"])],
)
def test_words_are_their_share_of_each_sentence(heard_bytes, kept):
    assert words([Said("a b c d", 100, whole=True), Said(" e f", 100, whole=True)], heard_bytes) == kept


@pytest.mark.parametrize(("ms", "kept"), [(99, []), (100, [" one"]), (699, [" one"]), (700, [" one two,"])])
def test_a_word_counts_when_it_has_ended(ms, kept):
    said = Said(" one two, three", 1000 * MS, [WordMark(3, 100), WordMark(8, 700), WordMark(14, 950)], whole=True)
    assert words([said], ms * MS) == kept


def test_a_sentence_that_is_still_being_said_has_not_been_heard_to_its_end():
    said = Said("one two three four five six", 200 * MS)  # 1.8 s at fifteen characters a second
    assert words([said], 200 * MS) == []
    said.bytes = 900 * MS
    assert words([said], 900 * MS) == ["one two three"]
    said.marks = [WordMark(3, 300)]
    assert words([said], 900 * MS) == ["one"]


def test_nothing_is_heard_of_what_has_no_sound():
    assert words([Said("one"), Said(" two")], 1000) == []


def test_cutting_again_goes_by_the_same_marks():
    said = [Said("one two", 1000 * MS, [WordMark(3, 300), WordMark(7, 900)], whole=True)]
    once = heard(said, 950 * MS)
    assert words(once, 950 * MS) == ["one two"]
    assert words(once, 500 * MS) == ["one"]
