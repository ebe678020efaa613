import pytest

from rtchat.server.dialogue.pieces import pieces, words


@pytest.mark.parametrize("text", ["", " ", "One.", " two  words \n"])
def test_words_make_the_text(text):
    assert "".join(words(text)) == text


@pytest.mark.parametrize("text", ["", "{}", "x" * 100, '{"ä": "日本 🙂🙂🙂🙂🙂🙂"}', '{ \n "a" : [1.5, -2]}\n'])
def test_pieces_of_a_call_make_the_call(text):
    assert "".join(pieces(text)) == text
    assert all(1 <= len(piece) <= 16 for piece in pieces(text))
