import sys
from textwrap import dedent

import pytest

from rtchat.errors import UsageError
from rtchat.tools.loading import import_tools


@pytest.fixture(autouse=True)
def clean_imports(monkeypatch):
    """What a test imports is forgotten after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    def write(text, name="my_tools.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))
        return path

    return write


def fails(what) -> UsageError:
    with pytest.raises(UsageError) as caught:
        import_tools(str(what))
    return caught.value


def test_a_file_and_its_neighbour(write):
    write("VALUE = 3", "neighbour_of_tools.py")
    module = import_tools(str(write("from neighbour_of_tools import VALUE")))
    assert module.VALUE == 3


def test_a_file_is_run_once(write):
    path = write("LIST = []")
    assert import_tools(str(path)) is import_tools(str(path))


def test_two_files_of_one_name_are_two(write):
    one, two = write("A = 1"), write("A = 2", "other/my_tools.py")
    assert (import_tools(str(one)).A, import_tools(str(two)).A) == (1, 2)


def test_a_module_by_name():
    assert import_tools("json.decoder").__name__ == "json.decoder"


def test_a_file_that_raises_says_where_and_what(write):
    path = write("import json\n\ndef f():\n    return {}['x']\n\nf()\n")
    assert fails(path).message == f"{path}:4: KeyError: 'x'."
    assert str(path) not in " ".join(sys.modules)


def test_the_line_is_in_the_file_even_if_it_raises_elsewhere(write):
    path = write("import json\njson.loads('{')\n")
    assert fails(path).message.startswith(f"{path}:2: JSONDecodeError: ")


def test_a_syntax_error_says_its_line(write):
    path = write("x = 1\ndef f(:\n")
    assert fails(path).message == f"{path}:2: SyntaxError: invalid syntax."


def test_a_missing_import_says_its_line(write):
    path = write("\nimport not_installed_anywhere\n")
    assert fails(path).message == f"{path}:2: ModuleNotFoundError: No module named 'not_installed_anywhere'."


def test_a_file_that_exits(write):
    path = write("import sys\nsys.exit(3)\n")
    error = fails(path)
    assert (error.message, error.exit_code) == (f"{path}:2: SystemExit: 3.", 2)


def test_what_is_not_there(tmp_path):
    assert fails(tmp_path / "none.py").message == f"There is no tools file {tmp_path / 'none.py'}."
    error = fails("no_such_module_xyz")
    assert error.message == "There is no tool and no module 'no_such_module_xyz'."
    assert error.hint == "A file needs its ending: no_such_module_xyz.py."
    assert fails("get_time,calculate").hint == "Name each by itself: --tools get_time --tools calculate."
    write_text = tmp_path / "tools.txt"
    write_text.write_text("")
    assert fails(write_text).message == f"{write_text} is not a Python file."


def test_a_module_that_raises(write, tmp_path, monkeypatch):
    path = write("1 / 0", "broken_module_xyz.py")
    monkeypatch.syspath_prepend(tmp_path)
    assert fails("broken_module_xyz").message == f"{path}:1: ZeroDivisionError: division by zero."
