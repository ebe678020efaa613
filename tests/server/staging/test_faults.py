import pytest

from rtchat.errors import UsageError
from rtchat.server.staging.faults import KINDS, choose, listing, parse


def told(chosen):
    return [(one.kind.name, dict(one.values)) for one in chosen]


def test_names_with_parameters():
    assert told(parse("close-1011:after=2:sessions=1, duplicate")) == [
        ("close", {"after": 2, "event": 0, "code": 1011, "sessions": 1}),
        ("duplicate", {"share": 0.2, "sessions": 0}),
    ]


def test_files_and_names_together(tmp_path):
    path = tmp_path / "storm.toml"
    path.write_text('[[fault]]\nname = "stall"\nfor = 5\n[[fault]]\nname = "refuse-429"\n', encoding="utf-8")
    names = told(choose([str(path), "jitter"]))
    assert [(name, values.get("for"), values.get("status")) for name, values in names] == [
        ("stall", 5, None), ("refuse", None, 429), ("jitter", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stal", "There is no fault named 'stal'. Did you mean stall?"),
        ("stall:fro=3", "The fault stall has no parameter 'fro'. Did you mean for?"),
        ("stall:for=long", "for of the fault stall must be a number, 0 or more, not 'long'."),
        ("stall:for=-1", "for of the fault stall must be a number, 0 or more, not -1.0."),
        ("duplicate:share=7", "share of the fault duplicate must be a number from 0 to 1, not 7.0."),
        ("close-1006", "code of the fault close must be one that a close frame carries (1000 to 1003, 1007"),
        ("close:code=20000", "code of the fault close must be"),
        ("refuse-200", "status of the fault refuse must be an HTTP status from 400 to 599, not 200.0."),
        ("stall:3", "'3' says nothing about the fault stall."),
        ("nowhere.toml", "The faults nowhere.toml cannot be read: no such file or directory."),
    ],
)
def test_a_mistake_is_one_sentence(text, sentence):
    with pytest.raises(UsageError) as mistaken:
        choose([text])
    assert str(mistaken.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[fault]\n", "1: Expected"),
        ("[[fault]]\nname = 'jitter'\n[[fault]]\nname = 'stal'\n", "3: There is no fault named 'stal'."),
        ("[[fault]]\nname = 'jitter'\nmost = true\n", "1: most of the fault jitter must be a number"),
        ("seed = 3\n[[fault]]\nname = 'jitter'\n", "1: there must be [[fault]] tables and nothing else."),
    ],
)
def test_a_mistake_in_a_file_has_its_line(tmp_path, text, sentence):
    path = tmp_path / "storm.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as mistaken:
        choose([str(path)])
    assert mistaken.value.message.startswith(f"{path}:{sentence}")


def test_every_fault_is_listed_with_its_parameters():
    lines = listing().splitlines()
    for name, kind in KINDS.items():
        assert any(line.split()[0] == name and kind.summary in line for line in lines)
    assert any("sessions=0" in line for line in lines)
