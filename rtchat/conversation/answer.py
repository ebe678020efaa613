"""The assistant's answer: words and sound by item, until each item is heard, interrupted, or otherwise over."""

from __future__ import annotations

from rtchat.conversation.items import Entry, Items
from rtchat.conversation.notices import AssistantSaid, AssistantStatus, Interruption
from rtchat.conversation.playback import Playback
from rtchat.conversation.signals import Drain, Effect, Flush, Heard, Play, Send, Show
from rtchat.protocol import server_events as told
from rtchat.protocol.client_events import ResponseCancel
from rtchat.protocol.items import MessageItem

_OUTCOMES: dict[str | None, AssistantStatus] = {"cancelled": "cancelled", "failed": "failed"}


class Answer:
    """What the assistant says. Everything goes by `item_id`: items of one response interleave.

    Args:
        items: The conversation's items.

    Attributes:
        playback: What of it is on its way to the ear.
        silent: There is no loudspeaker: what is said is read.
        broken_off: What the last `cut` kept from being heard to its end.
    """

    def __init__(self, items: Items) -> None:
        self.playback = Playback(items)
        self.silent = False
        self.broken_off: list[Entry] = []
        self._items = items

    # --- made ---------------------------------------------------------------------------------------------

    def item_added(self, event: told.OutputItemAdded) -> list[Effect]:
        """An item of the answer begins."""
        if isinstance(event.item, MessageItem) and event.item.id is not None:
            self._entry(event.item.id, event.response_id)
        return []

    def words(self, event: told.OutputTextDelta | told.OutputTranscriptDelta) -> list[Effect]:
        """More words; nothing when they are late."""
        spoken = isinstance(event, told.OutputTranscriptDelta) and not self.silent
        if self.playback.is_cut(event.response_id, event.item_id):
            return self._late(event.item_id) if spoken else []
        entry = self._entry(event.item_id, event.response_id)
        if entry.closed:
            return []
        entry.add_words(event.content_index, event.delta)
        entry.spoken = entry.spoken or spoken
        return [_show(entry)]

    def words_done(self, event: told.OutputTextDone | told.OutputTranscriptDone) -> list[Effect]:
        """All words of a part, which correct what came before."""
        if self.playback.is_cut(event.response_id, event.item_id):
            return []
        spoken = isinstance(event, told.OutputTranscriptDone) and not self.silent
        words = event.transcript if isinstance(event, told.OutputTranscriptDone) else event.text
        entry = self._entry(event.item_id, event.response_id)
        entry.spoken = entry.spoken or spoken
        if entry.closed or words == entry.words.get(event.content_index, ""):
            return []
        entry.words[event.content_index] = words
        return [_show(entry)]

    def sound(self, event: told.OutputAudioDelta) -> list[Effect]:
        """More sound, for the loudspeaker; when it is late, at most what it proves to be due."""
        if self.playback.is_cut(event.response_id, event.item_id):
            return self._late(event.item_id)
        entry = self._entry(event.item_id, event.response_id)
        read = self.silent or (bool(entry.words) and not entry.spoken)  # it began so
        if entry.closed or not event.delta or read:
            return []
        entry.spoken = True
        self.playback.received(event.item_id, event.content_index, event.delta)
        return [Play(event.item_id, event.content_index, event.delta)]

    def sound_done(self, event: told.OutputAudioDone) -> list[Effect]:
        """No more sound of a part."""
        self.playback.complete(event.item_id, event.content_index)
        return [] if self.playback.is_cut(event.response_id, event.item_id) else [Drain(event.item_id)]

    def item_made(self, event: told.OutputItemDone) -> list[Effect]:
        """The server has made all of an item."""
        if not isinstance(event.item, MessageItem) or event.item.id is None:
            return []
        entry = self._entry(event.item.id, event.response_id)
        if event.item.status == "incomplete":
            return []  # its response will say why
        return self._made(entry)

    def response_done(self, response: told.Response) -> list[Effect]:
        """Every item of the answer is made, or will never be; those with sound end when they are heard."""
        effects: list[Effect] = []
        for entry in self._items:
            if entry.response_id != response.id or entry.closed:
                continue
            if not entry.made:
                entry.outcome = _OUTCOMES.get(response.status, "completed")
            effects += self._made(entry)
        return effects

    def spoken(self, item_id: str) -> bool:
        """It is to be heard, not read."""
        entry = self._items.get(item_id)
        return entry is not None and entry.spoken

    # --- heard --------------------------------------------------------------------------------------------

    def heard(self, heard: Heard) -> list[Effect]:
        """The loudspeaker tells how far it is."""
        entry = self.playback.heard(heard)
        if entry is None or entry.closed:
            return []
        return self._close(entry, entry.outcome) if entry.over else [_show(entry)]

    def drained(self) -> list[Effect]:
        """Everything received has been heard."""
        effects: list[Effect] = []
        for entry in self.playback.drained():
            if not entry.closed:
                effects += self._close(entry, entry.outcome) if entry.over else [_show(entry)]
        return effects

    def cut(
        self, active: str | None, cancel: ResponseCancel | None = None, *, by_user: bool = True
    ) -> list[Effect]:
        """Interrupt: silence first, then tell the server what was heard.

        Args:
            active: The response under way.
            cancel: What tells the server to stop it, where it does not know yet.
            by_user: It is the user's interruption, to be told as one.
        """
        audible = self.playback.sounding
        effects: list[Effect] = [Flush()] if audible else []
        if cancel is not None:
            effects.append(Send(cancel))
        verdicts = self.playback.cut(active)
        effects += [Send(verdict.event) for verdict in verdicts if verdict.event is not None]
        cut = [verdict.entry for verdict in verdicts if verdict.was_cut and verdict.entry.spoken]
        self.broken_off = [verdict.entry for verdict in verdicts if verdict.was_cut]
        if audible and cut and by_user:
            effects.append(Show(Interruption(cut[0].item_id, cut[0].heard_ms, None, None)))
        for verdict in verdicts:
            if not verdict.entry.closed:
                effects += self._close(verdict.entry, "interrupted" if verdict.was_cut else verdict.entry.outcome)
        return effects

    def lost(self) -> tuple[list[Effect], list[Entry]]:
        """The server is gone: what it had not finished has failed; what was received may be heard to its end.

        Returns:
            What follows, and the entries that were not finished and of which something was said.
        """
        effects: list[Effect] = []
        unfinished = [e for e in self._items if e.role == "assistant" and not (e.closed or e.made)]
        for entry in unfinished:
            entry.outcome = "failed"
            effects += self._made(entry)
        return effects, [entry for entry in unfinished if entry.words or entry.parts]

    def close(self) -> list[Effect]:
        """The session is over: every item gets its last word."""
        effects: list[Effect] = []
        for entry in self._items:
            if entry.role == "assistant" and not entry.closed:
                status: AssistantStatus = "interrupted" if entry.spoken else "cancelled"
                effects += self._close(entry, entry.outcome if entry.over else status)
        return effects

    # --- common -------------------------------------------------------------------------------------------

    def _entry(self, item_id: str, response_id: str) -> Entry:
        entry = self._items[item_id]
        entry.role, entry.response_id = "assistant", response_id
        return entry

    def _late(self, item_id: str) -> list[Effect]:
        event = self.playback.late(item_id)
        return [] if event is None else [Send(event)]

    def _made(self, entry: Entry) -> list[Effect]:
        entry.made = True
        effects: list[Effect] = []
        if not all(part.complete for part in entry.parts.values()):
            effects.append(Drain(entry.item_id))
        for part in entry.parts.values():
            part.complete = True
        if entry.over and not entry.closed:
            effects += self._close(entry, entry.outcome)
        return effects

    def _close(self, entry: Entry, status: AssistantStatus) -> list[Effect]:
        entry.closed = True
        return [_show(entry, status)] if entry.words or entry.parts else []  # nothing was said: nothing to say


def _show(entry: Entry, status: AssistantStatus = "in_progress") -> Show:
    notice = AssistantSaid(
        item_id=entry.item_id,
        text=entry.text,
        heard_text=entry.heard_text,
        heard_ms=entry.heard_ms,
        generated_ms=entry.received_ms,
        status=status,
        final=entry.closed,
    )
    return Show(notice)
