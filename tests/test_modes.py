import pytest

from rtchat.modes import Mode, Offer, Output, SessionKind, parts


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_parts(mode):
    wired = parts(mode)
    assert wired.microphone or wired.typed, "something must come in"
    assert wired.loudspeaker or wired.output is not Output.AUDIO, "sound needs somewhere to go"


def test_only_a_conversation_has_a_profile_typed_turns_and_tools():
    for mode in Mode:
        wired = parts(mode)
        if wired.session is not SessionKind.CONVERSATION:
            assert (wired.profile, wired.typed, wired.tools) == (None, False, Offer.NONE)


def test_text_needs_no_sound_until_it_speaks():
    silent, spoken = parts(Mode.TEXT), parts(Mode.TEXT, speak=True)
    assert (silent.microphone, silent.loudspeaker, silent.output) == (False, False, Output.TEXT)
    assert (spoken.microphone, spoken.loudspeaker, spoken.output) == (False, True, Output.AUDIO)


def test_translator_opens_a_translation_session_unless_it_takes_turns():
    assert parts(Mode.TRANSLATOR).session is SessionKind.TRANSLATION
    turns = parts(Mode.TRANSLATOR, turns=True)
    assert (turns.session, turns.profile, turns.typed) == (SessionKind.CONVERSATION, "translator", False)


def test_only_the_tools_mode_offers_every_tool():
    assert [mode for mode in Mode if parts(mode).tools is Offer.ALL] == [Mode.TOOLS]


def test_flags_of_other_modes_change_nothing():
    assert parts(Mode.INTERACTIVE, speak=True, turns=True) == parts(Mode.INTERACTIVE)
