import pytest

from rtchat.tomltext import TomlSyntaxError, line_of, parse

TEXT = '''\
# a comment
name = "x"

instructions = """
voice = "not a key"
[turn_taking]
"""
tools = [
    "one",
    "two",
]
a.b.c = 1
"quoted key" = 2

[turn_taking]
# about vad
vad = "server"

[[rooms]]
size = 1
[[rooms]]
size = 2
inline = { deep = 3 }
'''


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["name"], 2),
        (["instructions"], 4),
        (["tools"], 8),
        (["tools", 1], 8),
        (["a", "b", "c"], 12),
        (["quoted key"], 13),
        (["turn_taking"], 15),
        (["turn_taking", "vad"], 17),
        (["turn_taking", "missing"], 15),
        (["rooms", 1, "size"], 22),
        (["rooms", 1, "inline", "deep"], 23),
        (["voice"], None),
        ([], None),
    ],
)
def test_line_of(keys, line):
    assert line_of(TEXT, keys) == line


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ('a = """\nnever closed\n', 2), ("[t", 1)]
)
def test_a_syntax_error_says_its_line(text, line):
    with pytest.raises(TomlSyntaxError) as caught:
        parse(text)
    assert caught.value.line == line
    assert "line" not in caught.value.message


def test_line_of_counts_only_ends_that_toml_knows():
    assert line_of('a = "\u2028 \x85"\nb = 1', ["b"]) == 2
