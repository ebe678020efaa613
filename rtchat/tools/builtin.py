"""The tools that come with rtchat: the weather, the time, arithmetic, timers."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from rtchat.errors import ToolError
from rtchat.tools.arithmetic import evaluate
from rtchat.tools.places import find_zone
from rtchat.tools.schema import Function, tool

if TYPE_CHECKING:
    from rtchat.tools.weather import OpenMeteo

MAX_TIMERS = 20


class Builtin:
    """One session's set of built-in tools.

    Args:
        announce: Called in the event loop when a timer ends, with a sentence for the model to tell the user.
        weather: Where the weather comes from, if not from Open-Meteo.
    """

    def __init__(self, announce: Callable[[str], None], *, weather: OpenMeteo | None = None) -> None:
        self._announce = announce
        self._weather = weather
        self._timers: set[asyncio.TimerHandle] = set()
        self._no_timers = asyncio.Event()
        self._no_timers.set()

    def functions(self) -> list[Function]:
        """All of them, for `Registry(library=…)`."""
        return [self.get_weather, self.get_time, self.calculate, self.set_timer]

    def close(self) -> None:
        """Cancel the timers that still run."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._no_timers.set()

    async def timers_ended(self) -> None:
        """Wait until no timer runs."""
        await self._no_timers.wait()

    @tool
    async def get_weather(self, city: str, units: Literal["metric", "imperial"] = "metric") -> dict[str, Any]:
        """Get the weather of a place now, and the forecast for today and the next two days.

        Args:
            city: A city, with its country or state if there may be several, for example "Paris" or "Paris, Texas".
            units: metric for Celsius, imperial for Fahrenheit.
        """
        if self._weather is None:
            # httpx takes a tenth of a second to import: only when it is needed, and not while sound waits for us.
            module = await asyncio.to_thread(importlib.import_module, "rtchat.tools.weather")
            self._weather = module.OpenMeteo()
        return await self._weather.weather(city, units)

    @tool
    def get_time(self, timezone: str | None = None) -> dict[str, str]:
        """Get the date and the time of day, here or somewhere else.

        Args:
            timezone: A city such as "Tokyo" or a time zone such as "Europe/Paris"; leave it out for the user's own.
        """
        zone = find_zone(timezone) if timezone and timezone.strip().lower() not in ("local", "here") else None
        now = datetime.now(zone) if zone else datetime.now().astimezone()
        return {
            "time": f"{now:%H:%M}",
            "date": f"{now:%Y-%m-%d}",
            "weekday": f"{now:%A}",
            "timezone": zone.key if zone else now.tzname() or "local time",
            "utc_offset": now.isoformat()[-6:],
        }

    @tool
    def calculate(self, expression: str) -> dict[str, Any]:
        """Work out an arithmetic expression exactly.

        Args:
            expression: For example "17 * 23", "sqrt(2) ** 3" or "0.15 * 80"; write percentages as fractions.
        """
        try:
            return {"expression": expression, "result": evaluate(expression)}
        except ValueError as error:
            raise ToolError(str(error)) from None

    @tool
    async def set_timer(
        self,
        seconds: Annotated[float, Field(gt=0, le=86_400)],
        label: Annotated[str, Field(max_length=80)] = "timer",
    ) -> dict[str, Any]:
        """Set a timer; you will be told when it ends, and then tell the user.

        Args:
            seconds: How long, in seconds, at most a day.
            label: What it is for, in one or two words, for example "tea".
        """
        if len(self._timers) >= MAX_TIMERS:
            raise ToolError(f"{MAX_TIMERS} timers run already")
        ends = datetime.now().astimezone() + timedelta(seconds=seconds)
        label = label.strip() or "timer"
        name = "The timer" if label == "timer" else f"The timer '{label}'"

        def end() -> None:
            self._timers.discard(timer)
            long = f"{seconds:g} second{'' if seconds == 1 else 's'}"
            self._announce(f"{name} of {long} has just ended. Tell the user now, in one short sentence.")
            if not self._timers:
                self._no_timers.set()

        timer = asyncio.get_running_loop().call_later(seconds, end)
        self._timers.add(timer)
        self._no_timers.clear()
        return {"label": label, "seconds": seconds, "ends_at": f"{ends:%H:%M:%S}"}
