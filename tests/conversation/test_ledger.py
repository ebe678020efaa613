from __future__ import annotations

import pytest

from rtchat.conversation.ledger import Ledger
from rtchat.conversation.notices import SessionEnded, SessionStarted, StateChanged, ToolCalled, TurnEnded
from rtchat.conversation.signals import Heard
from rtchat.protocol import client_events as ask
from rtchat.protocol.server_events import McpCallCompleted, McpCallInProgress, TranscriptionCompleted
from rtchat.protocol.translation import TranslationAppend


def price(model, usage):
    return usage.get("total_tokens", 0) * {"m": 0.001}.get(model, 0.0)


@pytest.fixture
def ledger():
    ledger = Ledger(price)
    ledger.complete(SessionStarted("s", "m", "v", "id", "none", "interactive"))
    return ledger


def turn(tokens=0):
    return TurnEnded({}, {"total_tokens": tokens}, 0.0)


def latency(first, audible):
    return {"speech_end_to_first_delta_ms": first, "speech_end_to_first_audible_ms": audible}


def test_a_spoken_turn(ledger, says):
    ledger.received(10.0, says.speech_stopped())
    ledger.received(10.1, says.created())
    ledger.received(10.25, says.words("It"))
    ledger.received(10.3, says.sound(100))
    ledger.received(10.5, Heard("A", 0, 40))
    ledger.received(10.6, Heard("A", 0, 140))
    assert ledger.complete(turn(1000)) == TurnEnded(latency(250, 460), {"total_tokens": 1000}, 1.0)


def test_a_typed_turn_without_sound(ledger, says):
    ledger.sent(5.0, ask.ResponseCreate())
    ledger.received(5.1, says.created())
    ledger.received(5.4, says.writes("It"))
    assert ledger.complete(turn()).latency == latency(400, None)


def test_push_to_talk_counts_from_the_release(ledger, says):
    ledger.sent(5.0, ask.InputAudioCommit())
    ledger.sent(5.2, ask.ResponseCreate())
    ledger.received(5.3, says.created())
    ledger.received(5.4, says.words("It"))
    assert ledger.complete(turn()).latency == latency(400, None)


def test_a_tools_second_request_does_not_begin_anew(ledger, says):
    ledger.received(1.0, says.speech_stopped())
    ledger.received(1.1, says.created("R1"))
    ledger.sent(2.0, ask.ResponseCreate())
    ledger.received(2.1, says.created("R2"))
    ledger.received(3.0, says.words("It", response="R2"))
    assert ledger.complete(turn()).latency == latency(2000, None)


def test_what_belongs_to_the_turn_before_does_not_count(ledger, says):
    ledger.received(1.0, says.speech_stopped())
    ledger.received(1.1, says.created("old"))
    ledger.received(1.2, says.sound(100, "old item", "old"))
    ledger.complete(turn())
    ledger.received(5.0, says.speech_stopped())
    ledger.received(5.05, says.sound(100, "old item", "old"))
    ledger.received(5.1, Heard("old item", 0, 50))
    ledger.received(5.2, says.created("new"))
    ledger.received(5.5, says.sound(100, "A", "new"))
    ledger.received(5.7, Heard("A", 0, 100))
    assert ledger.complete(turn()).latency == latency(500, 600)


def test_a_turn_that_nobody_spoke_for_has_no_latency(ledger, says):
    ledger.received(1.0, says.created())
    ledger.received(1.1, says.words("Still there?"))
    assert ledger.complete(turn()).latency == latency(None, None)


def test_each_turn_has_its_own(ledger, says):
    for start in (1.0, 9.0):
        ledger.received(start, says.speech_stopped())
        ledger.received(start, says.created(f"R{start}"))
        ledger.received(start + 0.2, says.words("It", response=f"R{start}"))
        assert ledger.complete(turn()).latency == latency(200, None)
    assert ledger.complete(turn()).latency == latency(None, None)


def test_totals(ledger):
    ledger.complete(turn(10))
    ledger.complete(turn(5))
    assert ledger.end("done", 2) == SessionEnded("done", 2, {"total_tokens": 15}, 0.015, 2)


def test_an_answer_that_failed_counts_until_one_succeeds(ledger, says):
    assert not ledger.failed
    for status, failed in (("failed", True), ("completed", False), ("cancelled", False), ("failed", True)):
        ledger.received(1.0, says.done(status=status))
        assert ledger.failed is failed


def test_a_session_without_turns():
    assert Ledger(price).end("interrupted", 0) == SessionEnded("interrupted", 0, {}, 0.0, 0)


def test_other_notices_pass(ledger):
    assert ledger.complete(StateChanged("listening")) == StateChanged("listening")
    ledger.sent(1.0, ask.InputAudioClear())
    ledger.received(1.0, Heard("A", 0, 0))


def test_transcripts_are_paid_with_the_next_turn_at_their_own_price():
    ledger = Ledger(lambda model, usage: {"w": 0.5, "m": 1.0}[model] * usage["total_tokens"], "w")
    ledger.complete(SessionStarted("s", "m", "v", "id", "none", "interactive"))
    usage = {"type": "tokens", "total_tokens": 4}
    ledger.received(1.0, TranscriptionCompleted(item_id="A", content_index=0, transcript="x", usage=usage))
    assert ledger.cost_usd == 2.0
    assert ledger.complete(turn(3)).cost_usd == 5.0
    assert ledger.complete(turn(1)).cost_usd == 1.0
    assert ledger.cost_usd == 6.0


def test_the_server_s_own_calls_are_timed(ledger):
    shown = ToolCalled("mcp_1", "shop.get_order", "{}", "", "ok", 0)
    ledger.received(1.0, McpCallInProgress(item_id="mcp_1", output_index=0))
    ledger.received(1.25, McpCallCompleted(item_id="mcp_1", output_index=0))
    assert ledger.complete(shown).ms == 250
    assert ledger.complete(shown).ms == 0


def test_translation_is_paid_by_the_sound_sent():
    ledger = Ledger(lambda model, usage: usage["seconds"] / 60 * 0.6)
    ledger.complete(SessionStarted("s", "translates", "", "id", "none", "translator"))
    for _ in range(10):
        ledger.sent(0.0, TranslationAppend(audio=bytes(48_000)))
    assert ledger.cost_usd == pytest.approx(0.1)
