"""Figures for Prometheus, in its text format 0.0.4.

Written by hand: three kinds of figures with one label at most are sixty lines, and the client library keeps them
in one registry for the whole process, where two servers of a test would count each other's sessions.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import rtchat
from rtchat.server.tally import Tally

if TYPE_CHECKING:
    from rtchat.server.admission import Admission
    from rtchat.server.client_secrets import ClientSecrets
    from rtchat.server.dialogue.signals import Close

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ENGINE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds; a person notices 0.25."""
SESSION_BUCKETS = (1.0, 10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0)
"""Seconds."""


class Histogram:
    """How many values lie below each bound, for each of a few names.

    Args:
        bounds: Upper bounds, ascending.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()

    def observe(self, value: float, name: str = "") -> None:
        """One value."""
        counts = self._counts.setdefault(name, [0] * (len(self._bounds) + 1))
        counts[next((at for at, bound in enumerate(self._bounds) if value <= bound), len(self._bounds))] += 1
        self._sums[name] += value  # type: ignore[assignment]

    def lines(self, metric: str, label: str) -> Iterator[str]:
        """In the text format, where each bucket also counts those below it."""
        for name, counts in sorted(self._counts.items()):
            own = f'{label}="{_escaped(name)}",' if label else ""
            seen = 0
            for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
                seen += count
                shown = "+Inf" if bound == float("inf") else f"{bound:g}"
                yield f'{metric}_bucket{{{own}le="{shown}"}} {seen}'
            plain = f"{{{own.rstrip(',')}}}" if own else ""
            yield f"{metric}_sum{plain} {self._sums[name]:.6g}"
            yield f"{metric}_count{plain} {seen}"


Took = Callable[[str, float], None]
"""Told of an engine's kind and its seconds."""


def nobody(_engine: str, _seconds: float) -> None:
    """Nobody wants to know."""


class Stopwatch:
    """Times an engine until its first piece, from now on.

    Args:
        took: Told of it.
        engine: `stt`, `llm`, `tts` or `translator`.
    """

    def __init__(self, took: Took, engine: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._took = took
        self._engine = engine
        self._clock = clock
        self._began: float | None = clock()

    def stop(self) -> None:
        """A piece has come; only the first counts."""
        if self._began is not None:
            self._took(self._engine, self._clock() - self._began)
            self._began = None


class Metrics:
    """The figures of one server.

    What live sessions have counted so far is added when somebody asks; they count for themselves.

    Args:
        admission: Who is in.
        secrets: The ephemeral keys.
    """

    def __init__(self, admission: Admission, secrets: ClientSecrets) -> None:
        self._admission = admission
        self._secrets = secrets
        self._sessions: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._slow = 0
        self._past = Tally()
        self._lasted = Histogram(SESSION_BUCKETS)
        self._engines = Histogram(ENGINE_BUCKETS)

    def began(self, kind: str) -> None:
        """A session of this kind."""
        self._sessions[kind] += 1

    def refused(self, reason: str) -> None:
        """Somebody was not let in."""
        self._refused[reason] += 1

    def ended(self, tally: Tally, close: Close, lasted_s: float) -> None:
        """A session is over."""
        self._past.add(tally)
        self._closed[str(close.code)] += 1
        self._slow += close.code == 1008
        self._lasted.observe(lasted_s)

    def took(self, engine: str, seconds: float) -> None:
        """An engine gave its result, or the first piece of it."""
        self._engines.observe(seconds, engine)

    def text(self) -> str:
        """All of them, in the text format."""
        admission, now = self._admission, Tally()
        now.add(self._past)
        for live in admission.live:
            now.add(live.tally)
            now.audio_in_s += live.heard_s
        version = {rtchat.__version__: 1}
        events = {"in": now.events_in, "out": now.events_out}
        audio = {"in": now.audio_in_s, "out": now.audio_out_s}
        capacity = admission.capacity
        parts = [
            _figures("rtchat_info", "gauge", "The server's version.", "version", version),
            _figures("rtchat_sessions", "gauge", "Sessions now.", "", {"": len(admission)}),
            *(
                [_figures("rtchat_sessions_max", "gauge", "Sessions at most.", "", {"": capacity})]
                if capacity
                else []
            ),
            _figures(
                "rtchat_draining", "gauge", "1 when no new sessions are taken.", "", {"": int(admission.draining)}
            ),
            _figures("rtchat_client_secrets", "gauge", "Client secrets kept.", "", {"": len(self._secrets)}),
            _figures("rtchat_sessions_total", "counter", "Sessions let in.", "kind", self._sessions),
            _figures("rtchat_refused_total", "counter", "Connections refused.", "reason", self._refused),
            _figures("rtchat_closed_total", "counter", "Sessions that ended, by close code.", "code", self._closed),
            _figures(
                "rtchat_slow_readers_total", "counter", "Clients dropped for not reading.", "", {"": self._slow}
            ),
            _figures("rtchat_events_total", "counter", "Events, seen from the server.", "direction", events),
            _figures("rtchat_audio_seconds_total", "counter", "Seconds of sound.", "direction", audio),
            _figures("rtchat_responses_total", "counter", "Responses that ended.", "status", now.responses),
            _figures("rtchat_errors_total", "counter", "Error events sent.", "code", now.errors),
            _head("rtchat_session_seconds", "histogram", "How long sessions lasted."),
            self._lasted.lines("rtchat_session_seconds", ""),
            _head("rtchat_engine_seconds", "histogram", "An engine's time until its result, or the first of it."),
            self._engines.lines("rtchat_engine_seconds", "engine"),
        ]
        return "".join(f"{line}\n" for part in parts for line in part)


def _head(metric: str, kind: str, about: str) -> Iterable[str]:
    return (f"# HELP {metric} {about}", f"# TYPE {metric} {kind}")


def _figures(metric: str, kind: str, about: str, label: str, values: Mapping[str, float]) -> Iterable[str]:
    yield from _head(metric, kind, about)
    for name, value in sorted(values.items()):
        yield f'{metric}{{{label}="{_escaped(name)}"}} {value:.10g}' if label else f"{metric} {value:.10g}"


def _escaped(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
