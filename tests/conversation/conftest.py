"""What a server says, in one word each; and what a machine asks for, sorted."""

from __future__ import annotations

import pytest

from rtchat.chunk import WIRE
from rtchat.conversation.machine import Conversation, Rules
from rtchat.conversation.signals import Send, Show
from rtchat.protocol import server_events as told
from rtchat.protocol.config import RealtimeSession
from rtchat.protocol.items import ContentPart, FunctionCallItem, FunctionCallOutputItem, MessageItem


class Says:
    """The server's events. Item `A` of response `R` answers the user's item `U` unless said otherwise."""

    @staticmethod
    def session_created():
        return told.SessionCreated(session=RealtimeSession(id="sess_1"))

    @staticmethod
    def session_updated(**fields):
        return told.SessionUpdated(session=RealtimeSession(id="sess_1", **fields))

    @staticmethod
    def error(code, *, event_id=None, message="No.", kind="invalid_request_error"):
        return told.ErrorEvent(error=told.ErrorDetail(type=kind, code=code, message=message, event_id=event_id))

    @staticmethod
    def speech_started(item="U"):
        return told.SpeechStarted(item_id=item, audio_start_ms=0)

    @staticmethod
    def speech_stopped(item="U"):
        return told.SpeechStopped(item_id=item, audio_end_ms=0)

    @staticmethod
    def committed(item="U", after=None):
        return told.InputAudioCommitted(item_id=item, previous_item_id=after)

    @staticmethod
    def cleared():
        return told.InputAudioCleared()

    @staticmethod
    def spoken(item="U", after=None):
        part = ContentPart(type="input_audio", transcript=None)
        message = MessageItem(role="user", content=[part], id=item, status="completed")
        return told.ItemAdded(previous_item_id=after, item=message)

    @staticmethod
    def item(item, after=None, *, role="user", text=None, status="completed", done=False):
        kind = "output_text" if role == "assistant" else "input_text"
        content = [ContentPart(type=kind, text=text)] if text is not None else []
        message = MessageItem(role=role, content=content, id=item, status=status)
        return (told.ItemDone if done else told.ItemAdded)(previous_item_id=after, item=message)

    @staticmethod
    def output_added(call_id, after=None):
        output = FunctionCallOutputItem(call_id=call_id, output="{}", id=f"out_{call_id}")
        return told.ItemAdded(previous_item_id=after, item=output)

    @staticmethod
    def deleted(item):
        return told.ItemDeleted(item_id=item)

    @staticmethod
    def heard_as(text, item="U", index=0):
        return told.TranscriptionCompleted(item_id=item, content_index=index, transcript=text)

    @staticmethod
    def heard_more(delta, item="U"):
        return told.TranscriptionDelta(item_id=item, delta=delta)

    @staticmethod
    def not_heard(item="U", message="Input transcription failed."):
        error = told.ErrorDetail(type="server_error", code="DeploymentNotFound", message=message)
        return told.TranscriptionFailed(item_id=item, content_index=0, error=error)

    @staticmethod
    def created(response="R"):
        return told.ResponseCreated(response=told.Response(id=response, status="in_progress"))

    @staticmethod
    def done(response="R", *output, status="completed", reason=None, tokens=None, error=None):
        details = told.StatusDetails(type=status, reason=reason, error=error) if reason or error else None
        usage = told.Usage(total_tokens=tokens) if tokens is not None else None
        body = told.Response(id=response, status=status, status_details=details, output=list(output), usage=usage)
        return told.ResponseDone(response=body)

    @staticmethod
    def message(item="A", status="completed"):
        return MessageItem(role="assistant", content=[], id=item, status=status)

    @staticmethod
    def begins(item="A", response="R", index=0):
        message = MessageItem(role="assistant", content=[], id=item, status="in_progress")
        return told.OutputItemAdded(response_id=response, output_index=index, item=message)

    @staticmethod
    def made(item="A", response="R", status="completed", index=0):
        message = MessageItem(role="assistant", content=[], id=item, status=status)
        return told.OutputItemDone(response_id=response, output_index=index, item=message)

    @staticmethod
    def words(delta, item="A", response="R", index=0):
        return told.OutputTranscriptDelta(
            response_id=response, item_id=item, output_index=0, content_index=index, delta=delta
        )

    @staticmethod
    def words_done(text, item="A", response="R", index=0):
        return told.OutputTranscriptDone(
            response_id=response, item_id=item, output_index=0, content_index=index, transcript=text
        )

    @staticmethod
    def writes(delta, item="A", response="R"):
        return told.OutputTextDelta(
            response_id=response, item_id=item, output_index=0, content_index=0, delta=delta
        )

    @staticmethod
    def written(text, item="A", response="R"):
        return told.OutputTextDone(response_id=response, item_id=item, output_index=0, content_index=0, text=text)

    @staticmethod
    def sound(ms, item="A", response="R", index=0):
        return told.OutputAudioDelta(
            response_id=response, item_id=item, output_index=0, content_index=index, delta=WIRE.silence(ms)
        )

    @staticmethod
    def sound_done(item="A", response="R", index=0):
        return told.OutputAudioDone(response_id=response, item_id=item, output_index=0, content_index=index)

    @staticmethod
    def call(call_id="call_1", name="get_time", arguments="{}", status="completed"):
        return FunctionCallItem(
            name=name, arguments=arguments, call_id=call_id, id=f"item_{call_id}", status=status
        )

    @staticmethod
    def call_added(call, after=None):
        return told.ItemAdded(previous_item_id=after, item=call)

    @staticmethod
    def called(call, response="R", index=0):
        return told.OutputItemDone(response_id=response, output_index=index, item=call)


@pytest.fixture
def says():
    """What a server says."""
    return Says


@pytest.fixture
def talk():
    """A conversation past its handshake: `talk(**rules)`."""

    def begin(**rules):
        conversation = Conversation(Rules(**rules))
        conversation.receive(Says.session_created())
        conversation.receive(Says.session_updated())
        return conversation

    return begin


@pytest.fixture
def tell():
    """Tell a machine several things, `tell(machine, *signals)`; gives all effects."""

    def all_of(machine, *signals):
        return [effect for signal in signals for effect in machine.receive(signal)]

    return all_of


@pytest.fixture
def sent():
    """The events among effects; `sent(effects)`, `sent(effects, Type)`."""

    def events(effects, kind=object):
        found = [effect.event for effect in effects if isinstance(effect, Send)]
        return [event for event in found if isinstance(event, kind)]

    return events


@pytest.fixture
def shown():
    """The notices of a kind among effects; `shown(effects, Type)`."""

    def notices(effects, kind=object):
        found = [effect.notice for effect in effects if isinstance(effect, Show)]
        return [notice for notice in found if isinstance(notice, kind)]

    return notices
