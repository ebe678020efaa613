import os
from pathlib import Path

import pytest

from rtchat.errors import UsageError
from rtchat.settings import Settings, config_path


@pytest.fixture(autouse=True)
def quiet_world(monkeypatch, tmp_path):
    """No variable, no .env and no config file but those that a test makes."""
    for name in list(os.environ):
        if name.upper().startswith(("RTCHAT_", "OPENAI_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def write_config(text: str) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def sources(settings: Settings) -> dict[str, str]:
    return {row.name: row.source for row in settings.explain()}


def fails(flags=None, **more) -> UsageError:
    with pytest.raises(UsageError) as caught:
        Settings.load(flags, **more)
    return caught.value


def test_the_defaults():
    settings = Settings.load()
    assert (settings.server, settings.echo, settings.record, settings.tool_timeout) == ("auto", "auto", False, 30.0)
    assert (settings.model, settings.voice, settings.vad) == (None, None, None)
    assert settings == Settings()
    assert set(sources(settings).values()) == {"default"}


def test_settings_alone_read_nothing(monkeypatch):
    monkeypatch.setenv("RTCHAT_VOICE", "cedar")
    assert Settings().voice is None


def test_precedence(monkeypatch):
    config = write_config('voice = "alloy"\nmodel = "a"\nvad = "off"\necho = "off"\n')
    Path(".env").write_text("RTCHAT_VOICE=ash\nRTCHAT_MODEL=b\nRTCHAT_VAD=server\n")
    monkeypatch.setenv("RTCHAT_VOICE", "coral")
    monkeypatch.setenv("RTCHAT_MODEL", "c")
    settings = Settings.load({"voice": "echo", "model": None})
    assert (settings.voice, settings.model, settings.vad, settings.echo) == ("echo", "c", "server", "off")
    said = sources(settings)
    assert said["voice"] == "--voice"
    assert said["model"] == "RTCHAT_MODEL"
    assert said["vad"] == "RTCHAT_VAD in .env"
    assert said["echo"] == f"{config}:4: echo"
    assert said["plain"] == "default"


def test_names_that_python_reserves(monkeypatch):
    settings = Settings.load({"json": True, "from_": "en"})
    assert (settings.json_, settings.from_) == (True, "en")
    assert sources(settings)["json"] == "--json"
    monkeypatch.setenv("RTCHAT_JSON", "1")
    monkeypatch.setenv("RTCHAT_FROM", "de")
    settings = Settings.load()
    assert (settings.json_, settings.from_) == (True, "de")
    write_config('from = "fr"')
    monkeypatch.delenv("RTCHAT_FROM")
    assert Settings.load().from_ == "fr"


def test_empty_values_are_not_given(monkeypatch):
    monkeypatch.setenv("RTCHAT_VOICE", "")
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    write_config('tools = ["get_time"]')
    settings = Settings.load({"tools": [], "voice": None})
    assert (settings.voice, settings.openai_api_key, settings.tools) == (None, None, ["get_time"])
    assert settings.where() == "local"


def test_lists_and_pairs_from_text(monkeypatch):
    monkeypatch.setenv("RTCHAT_TOOLS", "get_time, my_tools.py")
    monkeypatch.setenv("RTCHAT_VAR", "to=Spanish,from=English")
    settings = Settings.load()
    assert settings.tools == ["get_time", "my_tools.py"]
    assert settings.var == {"to": "Spanish", "from": "English"}
    assert Settings.load({"var": ["a=b=c", "d="]}).var == {"a": "b=c", "d": ""}


def test_a_device_may_be_a_number():
    write_config("input_device = 3\nvad = false\n")
    settings = Settings.load({"output_device": "7"})
    assert (settings.input_device, settings.output_device, settings.vad) == ("3", "7", "off")


def test_relative_paths_in_the_config_file_start_there():
    config = write_config('sessions_dir = "mine"\ninput_wav = "/a.wav"\ntools = ["my_tools.py", "get_time"]\n')
    settings = Settings.load()
    assert settings.sessions_dir == config.parent / "mine"
    assert settings.input_wav == Path("/a.wav")
    assert settings.tools == [str(config.parent / "my_tools.py"), "get_time"]
    assert Settings.load({"output_wav": "~/x.wav"}).output_wav == Path.home() / "x.wav"


def test_another_config_file(monkeypatch, tmp_path):
    write_config('voice = "alloy"')
    other = tmp_path / "other.toml"
    other.write_text('voice = "ash"')
    assert Settings.load(config=other).voice == "ash"
    monkeypatch.setenv("RTCHAT_CONFIG", str(other))
    assert Settings.load().voice == "ash"


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"vad": "servr"}, "--vad must be server, semantic or off, not 'servr'."),
        ({"max_turns": 0}, "--max-turns must be 1 or more, not 0."),
        ({"budget": "cheap"}, "--budget must be a number, not 'cheap'."),
        (
            {"server": "opnai"},
            "--server must be auto, openai, azure, local or a ws:// or wss:// address, not 'opnai'.",
        ),
        ({"url": "http://x"}, "--url must be a ws:// or wss:// address, not 'http://x'."),
        ({"var": ["novalue"]}, "--var must be name=value, not 'novalue'."),
        ({"url": "ws://a", "server": "ws://b"}, "--server and --url both give an address; give one of them."),
        ({"voice": "marvin"}, "--voice: There is no voice 'marvin'."),
    ],
)
def test_a_wrong_flag_is_named(flags, sentence):
    assert fails(flags).message == sentence


def test_a_wrong_variable_is_named(monkeypatch):
    monkeypatch.setenv("RTCHAT_MAX_TURNS", "many")
    assert fails().message == "RTCHAT_MAX_TURNS must be a whole number, not 'many'."
    monkeypatch.delenv("RTCHAT_MAX_TURNS")
    Path(".env").write_text("RTCHAT_PLAIN=perhaps\n")
    assert fails().message == "RTCHAT_PLAIN in .env must be true or false, not 'perhaps'."


def test_a_wrong_key_of_the_config_file_is_named_with_its_line():
    config = write_config('# mine\nmodel = "x"\n\nvocie = "marin"\n')
    error = fails()
    assert error.message == f"{config}:4: there is no setting 'vocie'."
    assert error.hint == "Did you mean voice?"
    assert error.exit_code == 2


def test_a_wrong_value_in_the_config_file_is_named_with_its_line():
    config = write_config('model = "x"\necho = "loud"\n')
    assert fails().message == f"{config}:2: echo must be auto, aec, half-duplex or off, not 'loud'."
    config.write_text("[var]\nto = 3\n")
    assert fails().message == f"{config}:1: var to must be text, not 3."


def test_a_config_file_that_cannot_be_read(tmp_path):
    config = write_config("voice = \n")
    assert fails().message == f"{config}:1: Invalid value."
    assert "There is no config file" in fails(config=tmp_path / "none.toml").message
    config.write_bytes(b"\xff\xfe")
    assert "cannot be read" in fails().message


def test_a_dotenv_that_cannot_be_read():
    Path(".env").write_bytes(b"RTCHAT_VOICE=\xff\n")
    assert "The file .env cannot be read" in fails().message


def test_a_folder_called_dotenv_is_no_trouble():
    Path(".env").mkdir()
    assert Settings.load().voice is None


def test_what_else_is_in_dotenv_is_not_ours():
    Path(".env").write_text("FROM=x\nVOICE=y\nPATH=z\nRTCHAT_SOMETHING=1\nOPENAI_API_KEY=sk-1\n")
    settings = Settings.load()
    assert settings.voice is None
    assert settings.openai_api_key.get_secret_value() == "sk-1"


def test_keys_are_never_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", " sk-secret\n")
    settings = Settings.load()
    assert settings.openai_api_key.get_secret_value() == "sk-secret"
    rows = {row.name: row for row in settings.explain()}
    assert (rows["openai_api_key"].value, rows["azure_openai_api_key"].value) == ("set", "not set")
    assert rows["openai_api_key"].source == "OPENAI_API_KEY"
    assert "sk-secret" not in repr(settings) + str(settings.explain())
    monkeypatch.setenv("OPENAI_API_KEY", "sk secret”")
    error = fails()
    assert error.message.startswith("OPENAI_API_KEY holds a blank or a character that no key has")
    assert "secret" not in str(error)


def test_voices_of_other_servers_are_theirs(monkeypatch):
    assert Settings.load({"voice": "en-US-Ava", "server": "wss://example.org"}).voice == "en-US-Ava"
    assert Settings.load({"voice": "en-US-Ava", "url": "wss://example.org"}).voice == "en-US-Ava"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert Settings.load({"voice": "af_bella"}).voice == "af_bella"


@pytest.mark.parametrize(
    ("flags", "variables", "where"),
    [
        ({}, {}, "local"),
        ({}, {"OPENAI_API_KEY": "k"}, "openai"),
        ({"server": "local"}, {"OPENAI_API_KEY": "k"}, "local"),
        ({}, {"AZURE_OPENAI_ENDPOINT": "https://x", "AZURE_OPENAI_API_KEY": "k"}, "azure"),
        ({}, {"AZURE_OPENAI_ENDPOINT": "https://x"}, "local"),
        ({"server": "azure"}, {"AZURE_OPENAI_ENDPOINT": "https://x", "AZURE_OPENAI_API_KEY": "k"}, "azure"),
        ({"server": "openai"}, {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}, "openai"),
        ({"server": "ws://127.0.0.1:1"}, {"OPENAI_API_KEY": "k"}, "url"),
        ({"url": "ws://127.0.0.1:1"}, {}, "url"),
    ],
)
def test_where_a_session_goes(monkeypatch, flags, variables, where):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings.load(flags).where() == where


def test_a_server_without_its_key():
    with pytest.raises(UsageError, match=r"There is no OpenAI key\. Set OPENAI_API_KEY"):
        Settings.load({"server": "openai"}).where()
    with pytest.raises(UsageError, match="AZURE_OPENAI_ENDPOINT is not set"):
        Settings.load({"server": "azure"}).where()


def test_every_setting_is_described():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_values_in_words():
    rows = {row.name: row.value for row in Settings.load({"plain": True, "tools": ["a", "b"]}).explain()}
    assert (rows["plain"], rows["quiet"], rows["tools"], rows["var"], rows["to"]) == (
        "yes",
        "no",
        "a, b",
        "none",
        "not set",
    )


def test_what_is_done_about_interruptions(monkeypatch):
    settings = Settings.load()
    assert (settings.sensitivity, settings.auto_gain, settings.resume_false_interruptions) == (
        "medium",
        False,
        False,
    )
    write_config('sensitivity = "Low"\nresume_false_interruptions = true\n')
    monkeypatch.setenv("RTCHAT_AUTO_GAIN", "yes")
    settings = Settings.load()
    assert (settings.sensitivity, settings.auto_gain, settings.resume_false_interruptions) == ("low", True, True)
    assert sources(settings)["auto_gain"] == "RTCHAT_AUTO_GAIN"
    assert "--sensitivity must be low, medium or high" in fails({"sensitivity": "extreme"}).message
