"""What crosses the machine's skin: inputs tell it what happened, effects ask the session to act.

Past and noun names tell (`Heard`, `Typed`), imperative names ask (`Play`, `Flush`). Server events are inputs
too, as they are. No clock is read: time and "how much was heard" come in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rtchat.conversation.notices import Notice, ToolStatus
    from rtchat.protocol.client_events import ClientEvent
    from rtchat.protocol.translation import TranslationClientEvent

# --- inputs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heard:
    """Sound of an item that has left the loudspeaker, by the device's clock.

    Attributes:
        item_id: The item.
        content_index: Its content part.
        ms: Milliseconds of this part heard so far; never more than was played into the speaker.
    """

    item_id: str
    content_index: int
    ms: int


@dataclass(frozen=True, slots=True)
class Drained:
    """Everything given to the loudspeaker has left it."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A chunk of the microphone, 24 kHz mono PCM16, 20 to 40 ms."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class VoiceSuspected:
    """While the assistant sounds, this machine's own detector hears what may be the user's voice.

    One of `VoiceConfirmed` and `VoiceDismissed` follows. All four come in order among `Captured`; where the machine
    has no use for them (push to talk, mute, half duplex, silence) it does nothing.

    Attributes:
        since_ms: How long ago, when this was told, the first sample of it was recorded.
    """

    since_ms: float


@dataclass(frozen=True, slots=True)
class VoiceConfirmed:
    """It has gone on: the user means to speak. `Heard` of the cut points comes first, as before all that cuts."""


@dataclass(frozen=True, slots=True)
class VoiceDismissed:
    """It was a cough, a click, a short "mhm": not meant as an interruption."""


@dataclass(frozen=True, slots=True)
class VoiceEnded:
    """What was confirmed has been silent for a while: by now the server has heard it too, if it was speech."""


@dataclass(frozen=True, slots=True)
class EchoChanged:
    """What keeps the assistant from hearing itself is different now, or is measured anew.

    Attributes:
        echo: What it is. `none`: no echo reaches the microphone (headphones), so nothing is needed.
        erle_db: By how many decibels the echo is weakened (ERLE); None while that is not known.
    """

    echo: Literal["aec", "half-duplex", "off", "none"]
    erle_db: float | None


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """The microphone or the loudspeaker is gone, and no other came quickly: sound that waits for one is given up.

    For the loudspeaker, `Heard` of the cut points comes first.
    """

    side: Literal["microphone", "loudspeaker"]


@dataclass(frozen=True, slots=True)
class DeviceFound:
    """After `DeviceLost`, or in place of another one: this device serves now."""

    side: Literal["microphone", "loudspeaker"]
    name: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The server is gone; the session dials again. `SessionCreated` of a new session is the next from it.

    Events that were not sent are for the old server: they must not reach the new one, which is told all it needs.
    """


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that the user typed or piped in."""

    text: str


@dataclass(frozen=True, slots=True)
class Announced:
    """Something happened that the assistant should speak up about, for example a timer that ended."""

    text: str


@dataclass(frozen=True, slots=True)
class InputEnded:
    """The microphone's file or the piped text has ended: the session ends when all is answered."""


@dataclass(frozen=True, slots=True)
class InterruptPressed:
    """The key that stops the assistant."""


@dataclass(frozen=True, slots=True)
class TalkPressed:
    """Push to talk: the key went down."""


@dataclass(frozen=True, slots=True)
class TalkReleased:
    """Push to talk: the key came up."""


@dataclass(frozen=True, slots=True)
class MuteToggled:
    """The key that mutes the microphone, or unmutes it."""


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool has answered. `output` is what the model gets, a JSON text."""

    call_id: str
    output: str
    status: ToolStatus
    ms: int


@dataclass(frozen=True, slots=True)
class Approved:
    """The user's answer to `AskApproval`."""

    request_id: str
    approve: bool


# --- effects ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send this event to the server."""

    event: ClientEvent | TranslationClientEvent


@dataclass(frozen=True, slots=True)
class Play:
    """Give this sound (24 kHz mono PCM16) to the loudspeaker."""

    item_id: str
    content_index: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Drain:
    """No more sound of this item comes: do not wait for a full prebuffer."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Flush:
    """Stop the loudspeaker at once, with a short fade, and forget what is queued. What plays next is not ducked."""


@dataclass(frozen=True, slots=True)
class Duck:
    """Turn the loudspeaker down (`speaker.DUCK_DB`, in 20 ms): the user may be speaking."""


@dataclass(frozen=True, slots=True)
class Restore:
    """Turn the loudspeaker up again."""


@dataclass(frozen=True, slots=True)
class Show:
    """Tell the user."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class CallTool:
    """Run this function and answer with `ToolDone`. `arguments` is the model's JSON text, unchecked."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Ask the user whether the server may call this tool, and answer with `Approved`."""

    request_id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """End the session."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the session: the server said no, in these words."""

    code: str | None
    message: str


Effect = Send | Play | Drain | Flush | Duck | Restore | Show | CallTool | AskApproval | End | Refuse
Handlers = dict[type, Callable[[Any], list[Effect]]]
"""What to do with each kind of input."""
