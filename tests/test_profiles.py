import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rtchat import profiles
from rtchat.errors import ProfileError
from rtchat.modes import Mode
from rtchat.profiles import builtin_folder, list_profiles, load_profile


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """An empty working directory and an empty configuration folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "work" / "profiles").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")


def write(text: str, name: str = "mine") -> Path:
    path = Path("profiles") / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path.absolute()


def fails(text: str, variables=None, name: str = "mine") -> ProfileError:
    write(text, name)
    with pytest.raises(ProfileError) as caught:
        load_profile(name, variables)
    return caught.value


BUILTIN = ["assistant", "interviewer", "receptionist", "translator", "tutor"]


@pytest.mark.parametrize("name", BUILTIN)
def test_the_profiles_that_come_with_rtchat(name):
    profile = load_profile(name)
    assert profile.name == name
    assert profile.description
    assert len(profile.instructions) > 500
    assert "{{" not in profile.instructions + (profile.greeting or "")
    used = set(profiles.VARIABLE.findall(Path(builtin_folder() / f"{name}.toml").read_text(encoding="utf-8")))
    assert used == set(profile.variables), "every variable is used and has a default"


def test_list():
    write('description = "Mine"\nextends = "tutor"', "mine")
    write('description = "Another"', "tutor")
    write("voice = 3", "broken")
    write('instructions = "{{needed}}"', "asks")
    found = {each.name: each for each in list_profiles()}
    assert sorted(found) == sorted([*BUILTIN, "mine", "broken", "asks"])
    assert (found["mine"].description, found["mine"].builtin) == ("Mine", False)
    assert (found["tutor"].description, found["tutor"].builtin) == ("Another", False)
    assert found["translator"].builtin
    assert ":1: voice must be text, not 3." in found["broken"].problem
    assert found["asks"].problem == ""


def test_lookup_nearest_first(tmp_path):
    user = tmp_path / "config" / "rtchat" / "profiles"
    user.mkdir(parents=True)
    (user / "mine.toml").write_text('voice = "ash"')
    assert load_profile("mine").voice == "ash"
    near = write('voice = "echo"')
    assert load_profile("mine").voice == "echo"
    assert load_profile(near).voice == "echo"
    assert load_profile("profiles/mine.toml").voice == "echo"


def test_values():
    write(
        """
        name = "The Sage"
        mode = "tools"
        voice = "Sage"
        speed = 1.2
        max_output_tokens = 500
        tools = ["get_time", "lib/mine.py"]
        [turn_taking]
        vad = "off"
        [transcription]
        model = ""
        language = "de"
        """
    )
    profile = load_profile("mine")
    assert (profile.name, profile.mode, profile.voice, profile.speed) == ("The Sage", Mode.TOOLS, "sage", 1.2)
    assert profile.max_output_tokens == 500
    assert profile.tools == ("get_time", str(Path("profiles/lib/mine.py").absolute()))
    assert profile.turn_taking.vad == "off"
    assert (profile.transcription.model, profile.transcription.language) == ("", "de")


def test_extends_merges_tables_and_replaces_the_rest():
    write(
        'voice = "ash"\ntools = ["a", "b"]\nmax_output_tokens = 9\n[turn_taking]\nthreshold = 0.7\nvad = "server"',
        "below",
    )
    write(
        'extends = "below"\ntools = ["c"]\nmax_output_tokens = "inf"\n[turn_taking]\nsilence_duration_ms = 900',
        "above",
    )
    profile = load_profile("above")
    assert (profile.name, profile.voice, profile.tools, profile.max_output_tokens) == ("above", "ash", ("c",), None)
    assert (profile.turn_taking.threshold, profile.turn_taking.silence_duration_ms) == (0.7, 900)


def test_extends_its_own_name_means_the_next_of_that_name():
    write('extends = "assistant"\nvoice = "ash"', "assistant")
    profile = load_profile("assistant")
    assert profile.voice == "ash"
    assert "Ignore coughs" in profile.instructions


def test_extends_a_file_from_its_own_folder(tmp_path):
    (tmp_path / "base.toml").write_text('voice = "ash"')
    (tmp_path / "leaf.toml").write_text('extends = "./base.toml"')
    assert load_profile(tmp_path / "leaf.toml").voice == "ash"


def test_what_windows_editors_write():
    path = write("")
    path.write_bytes(b"\xef\xbb\xbf# made with Notepad\r\nvoice = 'ash'\r\nspeed = 1.1\r\n")
    assert load_profile("mine").voice == "ash"
    path.write_bytes(path.read_bytes() + b"mode = 'dance'\r\n")
    with pytest.raises(ProfileError, match="mode must be") as caught:
        load_profile("mine")
    assert caught.value.line == 4


def test_a_circle_is_told():
    write('extends = "b"', "a")
    write('\nextends = "c"', "b")
    error = fails('\n\nextends = "a"', name="c")
    assert error.line == 2
    assert error.message.endswith("profiles extend each other in a circle: c → a → b → c.")


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ('"assistent"', "there is no profile 'assistent' to extend."),
        ('"./none.toml"', "to extend."),
        ("3", "extends must be the name or the file of a profile."),
        ('"mine"', "there is no profile 'mine' to extend."),
    ],
)
def test_extends_nothing(extends, message):
    error = fails(f"# first\nextends = {extends}")
    assert error.line == 2
    assert error.message.endswith(message)


def test_variables():
    write('instructions = "From {{from}} to {{ to }}."\n[variables]\nfrom = "English"\nto = "Spanish"\n')
    assert load_profile("mine").instructions == "From English to Spanish."
    profile = load_profile("mine", {"to": "French"})
    assert profile.instructions == "From English to French."
    assert profile.variables == {"from": "English", "to": "French"}


def test_variables_reach_every_text_of_every_file():
    write(
        'voice = "{{v}}"\ntools = ["{{t}}"]\n[transcription]\nlanguage = "{{l}}"\n[variables]\nn = 3\nt = "x"',
        "below",
    )
    write('extends = "below"\ninstructions = "{{n}}"\n[variables]\nl = "es"\n', "above")
    profile = load_profile("above", {"v": "ash"})
    assert (profile.voice, profile.tools, profile.transcription.language) == ("ash", ("x",), "es")
    assert profile.instructions == "3"


def test_what_a_variable_holds_is_not_looked_at_again():
    write('instructions = "{{a}}"\n[variables]\na = "{{b}} \\\\1"\n')
    assert load_profile("mine").instructions == "{{b}} \\1"


def test_a_variable_without_a_value_says_its_own_line():
    error = fails('voice = "ash"\ninstructions = """\nOne.\nTwo {{what}}.\n"""\n')
    assert error.line == 4
    assert error.message.endswith("the variable {{what}} has no value.")
    assert error.hint == "Give it one with --var what=…, or a default under [variables]."


def test_a_variable_over_two_lines_is_told_at_its_key():
    assert fails('voice = "ash"\ninstructions = """\n{{\nwhat }}"""').line == 2


def test_a_variable_that_is_not_there():
    error = fails('instructions = "{{language}}"', {"langage": "x"})
    assert error.message.endswith("it has no variable 'langage'.")
    assert error.hint == "Did you mean language?"
    assert fails("", {"x": "y"}).hint == "It has none."


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('vioce = "ash"', 1, "there is no key 'vioce'.", "Did you mean voice?"),
        ('\nvad = "off"', 2, "there is no key 'vad'.", "It belongs under [turn_taking]."),
        (
            "[turn_taking]\n\ntreshold = 1",
            3,
            "there is no key 'treshold' under [turn_taking].",
            "Did you mean threshold?",
        ),
        ("[turn_taking]\nthreshold = 2", 2, "turn_taking.threshold must be 1.0 or less, not 2.", ""),
        ('[turn_taking]\nvad = "sever"', 2, "turn_taking.vad must be server, semantic or off, not 'sever'.", ""),
        ("turn_taking = 3", 1, "turn_taking must be a table: [turn_taking].", ""),
        ("variables = []", 1, "variables must be a table: [variables].", ""),
        ("[variables]\na = []", 2, "the variable 'a' must be text.", ""),
        ("speed = 9", 1, "speed must be 1.5 or less, not 9.", ""),
        ("max_output_tokens = 9999", 1, "max_output_tokens must be 4096 or less, not 9999.", ""),
        ('mode = "dance"', 1, "mode must be interactive, text, tools, translator or transcribe, not 'dance'.", ""),
        ("tools = [\n1]", 1, "tools.0 must be text, not 1.", ""),
        ('name = "x"\nname = "y"', 2, "Cannot overwrite a value.", "A profile is a TOML file."),
    ],
)
def test_a_mistake_is_told_with_its_line(text, line, message, hint):
    error = fails(text)
    assert (error.line, error.hint) == (line, hint)
    assert error.message == f"{Path('profiles/mine.toml').absolute()}:{line}: {message}"


def test_an_unknown_voice_lists_the_voices():
    message = fails('voice = "marvin"').message
    assert "voice must be a voice, not 'marvin'. Did you mean marin? The voices are marin, cedar" in message


def test_a_mistake_in_the_file_that_is_extended_is_told_there():
    below = write("speed = 9", "below")
    assert fails('extends = "below"').path == str(below)


def test_a_profile_that_is_not_there(tmp_path):
    with pytest.raises(ProfileError) as caught:
        load_profile("tutr")
    assert str(caught.value) == "tutr: there is no profile of this name. Did you mean tutor?"
    with pytest.raises(ProfileError, match=r"none\.toml: there is no such file\."):
        load_profile(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ProfileError, match="it cannot be read"):
        load_profile(tmp_path / "bytes.toml")
    assert caught.value.exit_code == 2


def test_an_installed_package_finds_its_own_profiles(tmp_path):
    """As installed: `rtchat/_profiles` inside the package, no `profiles/` beside it."""
    source = Path(profiles.__file__).parent
    package = tmp_path / "site" / "rtchat"
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(source.parent / "profiles", package / "_profiles")
    code = "from rtchat.profiles import *; print(builtin_folder(), load_profile('tutor').name)"
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [str(package / "_profiles"), "tutor"], done.stderr
