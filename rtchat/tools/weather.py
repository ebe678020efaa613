"""The weather of a place, from Open-Meteo: no key, and free for what a person asks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from rtchat.errors import ToolError

GEOCODING_URL = "https://geocoding-api.open-meteo.com/v1/search"
FORECAST_URL = "https://api.open-meteo.com/v1/forecast"

# WMO code table 4677, as Open-Meteo uses it.
_CONDITIONS = {
    0: "clear sky",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "freezing fog",
    51: "light drizzle",
    53: "drizzle",
    55: "heavy drizzle",
    56: "light freezing drizzle",
    57: "freezing drizzle",
    61: "light rain",
    63: "rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "freezing rain",
    71: "light snow",
    73: "snow",
    75: "heavy snow",
    77: "snow grains",
    80: "light showers",
    81: "showers",
    82: "violent showers",
    85: "light snow showers",
    86: "snow showers",
    95: "thunderstorm",
    96: "thunderstorm with hail",
    99: "thunderstorm with heavy hail",
}


@dataclass(frozen=True, slots=True)
class OpenMeteo:
    """A client of Open-Meteo.

    Attributes:
        geocoding_url: Where places are found; `RTCHAT_GEOCODING_URL` in the environment otherwise.
        forecast_url: Where forecasts are; `RTCHAT_FORECAST_URL` in the environment otherwise.
        timeout_s: Seconds for each of the two requests.
    """

    geocoding_url: str = ""
    forecast_url: str = ""
    timeout_s: float = 8.0

    async def weather(self, city: str, units: Literal["metric", "imperial"] = "metric") -> dict[str, Any]:
        """The weather now and for three days.

        Raises:
            ToolError: There is no such place, or the service cannot be reached or understood.
        """
        geocoding = self.geocoding_url or os.environ.get("RTCHAT_GEOCODING_URL") or GEOCODING_URL
        forecast = self.forecast_url or os.environ.get("RTCHAT_FORECAST_URL") or FORECAST_URL
        try:
            async with httpx.AsyncClient(timeout=self.timeout_s) as http:
                place = await _find(http, geocoding, city)
                answer = await http.get(forecast, params=_query(place, units))
                answer.raise_for_status()
                return _report(place, answer.json(), units)
        except httpx.HTTPStatusError as error:
            raise ToolError(f"the weather service answered {error.response.status_code}") from None
        except httpx.TimeoutException:
            raise ToolError(f"the weather service did not answer within {self.timeout_s:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise ToolError("the weather service cannot be reached; this machine may be offline") from None
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ToolError(f"the weather service sent something unexpected ({type(error).__name__})") from None


async def _find(http: httpx.AsyncClient, url: str, city: str) -> dict[str, Any]:
    """The place that is meant; of `Paris, Texas` the part after the comma picks among places of one name."""
    name, _, region = (part.strip() for part in city.partition(","))
    answer = await http.get(url, params={"name": name, "count": 10, "language": "en", "format": "json"})
    answer.raise_for_status()
    places: list[dict[str, Any]] = answer.json().get("results") or []
    if not places:
        raise ToolError(f"there is no place called '{city}'")
    wanted = region.casefold()
    for place in places:
        parts = (place.get("country"), place.get("country_code"), place.get("admin1"), place.get("admin2"))
        if wanted and wanted in {str(part).casefold() for part in parts}:
            return place
    return places[0]


def _query(place: dict[str, Any], units: str) -> dict[str, Any]:
    query = {
        "latitude": place["latitude"],
        "longitude": place["longitude"],
        "timezone": "auto",
        "forecast_days": 3,
        "current": "temperature_2m,apparent_temperature,relative_humidity_2m,weather_code,wind_speed_10m",
        "daily": "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max",
    }
    if units == "imperial":
        query |= {"temperature_unit": "fahrenheit", "wind_speed_unit": "mph"}
    return query


def _report(place: dict[str, Any], data: dict[str, Any], units: str) -> dict[str, Any]:
    """What the model is told; each value has its unit in its name."""
    now, daily = data["current"], data["daily"]
    degrees, speed = ("f", "mph") if units == "imperial" else ("c", "kmh")
    return {
        "place": ", ".join(str(place[key]) for key in ("name", "country") if place.get(key)),
        "region": place.get("admin1"),
        "conditions": _words(now["weather_code"]),
        f"temperature_{degrees}": now["temperature_2m"],
        f"feels_like_{degrees}": now["apparent_temperature"],
        "humidity_percent": now["relative_humidity_2m"],
        f"wind_{speed}": now["wind_speed_10m"],
        "days": [
            {
                "date": day,
                "conditions": _words(daily["weather_code"][number]),
                f"high_{degrees}": daily["temperature_2m_max"][number],
                f"low_{degrees}": daily["temperature_2m_min"][number],
                "chance_of_rain_percent": daily["precipitation_probability_max"][number],
            }
            for number, day in enumerate(daily["time"])
        ],
    }


def _words(code: Any) -> str:
    return _CONDITIONS.get(int(code), "unknown")
