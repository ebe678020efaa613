import pytest

from rtchat.errors import UsageError
from rtchat.server.staging.scenario import load, made

TABLE = """
tts = "tone"

[[turn]]
hear = "I want a table for two."
say = ["For when?", { text = "Any day but Monday.", after_ms = 200 }]
delay_ms = 300

[[turn]]
match = "(?i)tonight"
call = { name = "book", arguments = { people = 2 } }
"""


def written(tmp_path, text):
    path = tmp_path / "scenario.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_is_read(tmp_path):
    path = written(tmp_path, TABLE)
    scenario = load(path)
    first, second = scenario.turn
    assert scenario.tts == "tone"
    assert first.hear == ("I want a table for two.",)
    assert [(piece.text, piece.after_ms) for piece in first.say] == [("For when?", 0), ("Any day but Monday.", 200)]
    assert (second.call[0].name, second.call[0].arguments) == ("book", '{"people": 2}')
    assert scenario.where(1) == f"{path}:9: turn 2"


@pytest.mark.parametrize(
    ("text", "complaint", "hint"),
    [
        ("[[turn]\nsay = 1", "1: Expected ']]' at the end of an array declaration.", "A scenario is a TOML file."),
        ("# nothing\n", "1: there is no turn.", "Write at least one [[turn]] table with what to say."),
        ("[[turn]]\nsay = 'a'\n[[turn]]\nsays = 'b'", "4: there is no key 'says' of turn 2.", "Did you mean say?"),
        ("ttts = 'tone'\n[[turn]]", "1: there is no key 'ttts'.", "Did you mean tts?"),
        ("[[turn]]\ndelay_ms = -5", "2: delay_ms of turn 1 must be 0 or more, not -5.", ""),
        ("[[turn]]\n\nsay = 5", "3: say of turn 1 must be a table, not 5.", "say is text, or a list of text"),
        ("[[turn]]\nmatch = '('", "2: match of turn 1 must be a regular expression, not '(' (", ""),
        ("[[turn]]\ncall = {arguments = {}}", "2: name of turn 1 is missing.", ""),
        ("turn = 3", "1: turn must be a list, not 3.", "turn is [[turn]] tables."),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, complaint, hint):
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as told:
        load(path)
    assert told.value.message.startswith(f"{path}:{complaint}")
    assert told.value.hint.startswith(hint)
    assert told.value.exit_code == 2


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"no\.toml cannot be read: no such file or directory"):
        load(tmp_path / "no.toml")


def test_one_from_python():
    assert made([{"say": "Hello."}]).where(0) == "The scenario: turn 1"
    with pytest.raises(UsageError, match="cannot be played: there is no key 'sai' of turn 1"):
        made([{"sai": "Hello."}])
