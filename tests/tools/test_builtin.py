import asyncio
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rtchat.tools import Registry
from rtchat.tools.builtin import MAX_TIMERS, Builtin
from rtchat.tools.weather import OpenMeteo


@pytest.fixture
async def builtin(weather_server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    weather = OpenMeteo(f"{weather_server.url}/search", f"{weather_server.url}/forecast")
    announced: asyncio.Queue[str] = asyncio.Queue()
    made = Builtin(announced.put_nowait, weather=weather)
    made.announced = announced  # for the tests alone
    yield made
    made.close()


@pytest.fixture
async def call(builtin):
    registry = Registry(builtin.functions())
    for name in registry.library:
        registry.load(name)

    async def call(name, **arguments):
        result = await registry.call(name, json.dumps(arguments))
        return result.status, json.loads(result.output)

    return call


def test_all_of_them_are_tools(builtin):
    assert Registry(builtin.functions()).library == ["get_weather", "get_time", "calculate", "set_timer"]


async def test_get_weather(call):
    status, report = await call("get_weather", city="Paris")
    assert (status, report["place"], report["temperature_c"]) == ("ok", "Paris, France", 11.4)


async def test_get_weather_from_where_the_environment_says(weather_server, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("RTCHAT_GEOCODING_URL", f"{weather_server.url}/search")
    monkeypatch.setenv("RTCHAT_FORECAST_URL", f"{weather_server.url}/forecast")
    assert (await Builtin(print).get_weather("Paris", "imperial"))["temperature_f"] == 11.4


async def test_get_weather_when_the_service_is_down(call, weather_server):
    weather_server.answers["/forecast"] = (503, b"")
    assert await call("get_weather", city="Paris") == ("error", {"error": "the weather service answered 503"})


async def test_get_time_somewhere(call):
    before = datetime.now(ZoneInfo("Asia/Kolkata"))
    status, found = await call("get_time", timezone="Mumbai")
    after = datetime.now(ZoneInfo("Asia/Kolkata"))
    assert (status, found["timezone"], found["utc_offset"]) == ("ok", "Asia/Kolkata", "+05:30")
    assert f"{found['date']} {found['time']}" in (f"{before:%Y-%m-%d %H:%M}", f"{after:%Y-%m-%d %H:%M}")
    assert found["weekday"] in (f"{before:%A}", f"{after:%A}")


async def test_get_time_here(call):
    here = (await call("get_time"))[1]
    assert here["utc_offset"] == datetime.now().astimezone().isoformat()[-6:]
    assert (await call("get_time", timezone="local"))[1]["timezone"] == here["timezone"]
    assert (await call("get_time", timezone=None))[0] == "ok"


async def test_get_time_nowhere(call):
    status, found = await call("get_time", timezone="Tokio")
    assert (status, found) == ("error", {"error": "there is no time zone for 'Tokio'. Did you mean tokyo?"})


async def test_calculate(call):
    assert await call("calculate", expression="17 * 23") == ("ok", {"expression": "17 * 23", "result": 391})
    assert await call("calculate", expression="1/0") == ("error", {"error": "division by zero has no result"})


async def test_a_timer_speaks_up(call, builtin):
    status, timer = await call("set_timer", seconds=0.01, label="tea")
    assert (status, timer["label"], timer["seconds"]) == ("ok", "tea", 0.01)
    said = await asyncio.wait_for(builtin.announced.get(), 60)
    assert said.startswith("The timer 'tea' of 0.01 seconds has just ended.")
    await call("set_timer", seconds=0.01, label=" ")
    assert (await asyncio.wait_for(builtin.announced.get(), 60)).startswith("The timer of 0.01 seconds")


async def test_timers_end_with_the_session(call, builtin):
    for _ in range(3):
        await call("set_timer", seconds=0.5)
    builtin.close()
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.6, done.set_result, None)
    await done
    assert builtin.announced.empty()


@pytest.mark.parametrize("seconds", [0, -1, 90_000, "soon"])
async def test_timers_have_limits(call, seconds):
    status, found = await call("set_timer", seconds=seconds)
    assert status == "error"
    assert "wrong arguments for set_timer: seconds must be" in found["error"]


async def test_there_are_only_so_many_timers(call):
    for _ in range(MAX_TIMERS):
        assert (await call("set_timer", seconds=60))[0] == "ok"
    assert await call("set_timer", seconds=60) == ("error", {"error": f"{MAX_TIMERS} timers run already"})
