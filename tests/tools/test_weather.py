import socket

import pytest

from rtchat.errors import ToolError
from rtchat.tools.weather import OpenMeteo


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """No proxy between a test and its server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def client(server, search="/search", forecast="/forecast", **more):
    return OpenMeteo(server.url + search, server.url + forecast, **more)


async def test_the_weather(weather_server):
    report = await client(weather_server).weather("Paris")
    assert report == {
        "place": "Paris, France",
        "region": "Île-de-France",
        "conditions": "light rain",
        "temperature_c": 11.4,
        "feels_like_c": 9.8,
        "humidity_percent": 81,
        "wind_kmh": 14.0,
        "days": [
            {
                "date": "2026-11-20",
                "conditions": "light rain",
                "high_c": 12.1,
                "low_c": 7.3,
                "chance_of_rain_percent": 90,
            },
            {
                "date": "2026-11-21",
                "conditions": "overcast",
                "high_c": 10.0,
                "low_c": 5.5,
                "chance_of_rain_percent": None,
            },
        ],
    }
    (search, place), (forecast, query) = weather_server.asked
    assert (search, forecast) == ("/search", "/forecast")
    assert (place["name"], query["latitude"], query["timezone"]) == ("Paris", "48.85", "auto")


async def test_the_part_after_the_comma_picks_the_place(weather_server):
    report = await client(weather_server).weather("Paris, texas", "imperial")
    assert report["place"] == "Paris, United States"
    assert (report["temperature_f"], report["wind_mph"]) == (11.4, 14.0)
    assert weather_server.asked[0][1]["name"] == "Paris"
    assert weather_server.asked[1][1]["temperature_unit"] == "fahrenheit"
    assert (await client(weather_server).weather("Paris, nowhere"))["place"] == "Paris, France"


async def test_addresses_from_the_environment(weather_server, monkeypatch):
    monkeypatch.setenv("RTCHAT_GEOCODING_URL", f"{weather_server.url}/search")
    monkeypatch.setenv("RTCHAT_FORECAST_URL", f"{weather_server.url}/forecast")
    assert (await OpenMeteo().weather("Paris"))["conditions"] == "light rain"


@pytest.mark.parametrize(
    ("search", "forecast", "message"),
    [
        ("/nowhere", "/forecast", "there is no place called 'Paris'"),
        ("/broken", "/forecast", "the weather service answered 500"),
        ("/search", "/broken", "the weather service answered 500"),
        ("/garbage", "/forecast", "the weather service sent something unexpected"),
        ("/search", "/strange", "the weather service sent something unexpected"),
        ("/list", "/forecast", "the weather service sent something unexpected"),
    ],
)
async def test_what_can_go_wrong(weather_server, search, forecast, message):
    with pytest.raises(ToolError, match=message):
        await client(weather_server, search, forecast).weather("Paris")


async def test_a_service_that_is_not_there():
    with socket.socket() as held:  # nobody listens there, nor can anybody begin to
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ToolError, match="the weather service cannot be reached"):
            await OpenMeteo(f"http://127.0.0.1:{held.getsockname()[1]}/", "").weather("Paris")
    with pytest.raises(ToolError, match="the weather service cannot be reached"):
        await OpenMeteo("no address", "").weather("Paris")


async def test_a_service_that_does_not_answer(weather_server):
    with pytest.raises(ToolError, match=r"did not answer within 0\.2 seconds"):
        await client(weather_server, "/slow", timeout_s=0.2).weather("Paris")
