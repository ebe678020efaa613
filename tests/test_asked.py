"""What the server is asked for, as it crosses the wire."""

from __future__ import annotations

import json

import pytest

from rtchat import asked
from rtchat.errors import UsageError
from rtchat.modes import Mode, parts
from rtchat.profiles import load_profile
from rtchat.protocol import wire
from rtchat.protocol.client_events import SessionUpdate
from rtchat.protocol.translation import TranslationUpdate
from rtchat.settings import Settings

pytestmark = pytest.mark.usefixtures("nothing_set")


def conversation(mode=Mode.INTERACTIVE, *, profile="assistant", vad="server", speak=False, **settings):
    session = asked.conversation(parts(mode, speak=speak), Settings(**settings), load_profile(profile, {}), vad)
    return json.loads(wire.encode(SessionUpdate(session=session)))["session"]


def test_who_talks_gives_and_gets_sound():
    session = conversation()
    assert session["output_modalities"] == ["audio"]
    assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {
        "type": "audio/pcm", "rate": 24_000
    }  # fmt: skip
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_who_types_gets_text_or_sound_and_gives_none():
    assert "audio" not in conversation(Mode.TEXT)
    assert list(conversation(Mode.TEXT, speak=True)["audio"]) == ["output"]


def test_push_to_talk_is_an_explicit_null():
    assert conversation(vad="off")["audio"]["input"]["turn_detection"] is None


def test_semantic_turns_carry_their_eagerness():
    turns = conversation(vad="semantic", eagerness="low")["audio"]["input"]["turn_detection"]
    assert (turns["type"], turns["eagerness"]) == ("semantic_vad", "low")


def test_settings_win_over_the_profile(tmp_path):
    (tmp_path / "me.toml").write_text(
        'voice = "cedar"\ninstructions = "Be brief."\n[turn_taking]\nthreshold = 0.0\n'
    )
    session = conversation(profile=str(tmp_path / "me.toml"), voice="ash")
    assert session["audio"]["output"]["voice"] == "ash"
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["turn_detection"]["threshold"] == 0.0


def test_a_custom_voice_is_sent_by_its_id():
    assert conversation(voice="voice_abc")["audio"]["output"]["voice"] == {"id": "voice_abc"}


@pytest.mark.parametrize(
    ("vad", "turns"),
    [
        (None, {"type": "server_vad"}),
        ("off", None),
        ("semantic", {"type": "semantic_vad", "eagerness": "high"}),
    ],
)
def test_a_transcription_has_its_model_its_language_and_its_turns(vad, turns):
    session = asked.transcription(Settings(vad=vad, eagerness="high", from_="German"), "whisper-1")
    sent = json.loads(wire.encode(SessionUpdate(session=session)))["session"]
    assert sent["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "de"}
    assert sent["audio"]["input"]["turn_detection"] == turns


@pytest.mark.parametrize("of_openai", [True, False])
def test_a_translation_names_its_language_and_openai_s_shows_the_source(of_openai):
    session = asked.translation(Settings(to="es"), of_openai=of_openai)
    audio = json.loads(wire.encode(TranslationUpdate(session=session)))["session"]["audio"]
    assert audio["output"] == {"language": "es"}
    assert ("input" in audio) is of_openai


def test_openai_translates_into_its_own_languages_only():
    with pytest.raises(UsageError, match="--turns"):
        asked.translation(Settings(to="cy"), of_openai=True)
    assert asked.translation(Settings(to="cy"), of_openai=False)


def test_languages_go_by_name_or_code():
    assert [asked.language(name) for name in ("es", "Spanish")] == ["es", "es"]
    assert asked.source_language(Settings()) == "en"
    with pytest.raises(UsageError, match="'klingon' is not a language"):
        asked.language("klingon")
