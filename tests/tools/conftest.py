import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

PLACES = [
    {
        "name": "Paris",
        "country": "France",
        "country_code": "FR",
        "admin1": "Île-de-France",
        "latitude": 48.85,
        "longitude": 2.35,
    },
    {
        "name": "Paris",
        "country": "United States",
        "country_code": "US",
        "admin1": "Texas",
        "latitude": 33.66,
        "longitude": -95.56,
    },
]
FORECAST = {
    "current": {
        "temperature_2m": 11.4,
        "apparent_temperature": 9.8,
        "relative_humidity_2m": 81,
        "weather_code": 61,
        "wind_speed_10m": 14.0,
    },
    "daily": {
        "time": ["2026-11-20", "2026-11-21"],
        "weather_code": [61, 3],
        "temperature_2m_max": [12.1, 10.0],
        "temperature_2m_min": [7.3, 5.5],
        "precipitation_probability_max": [90, None],
    },
}


@dataclass
class WeatherServer:
    """A server on this machine that answers as Open-Meteo does, or as a test says.

    Attributes:
        answers: What is sent for each path: (status, body).
        asked: The queries that came, in their order.
        hold: Set to let a request to `/slow` be answered.
    """

    url: str
    answers: dict[str, tuple[int, bytes]]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def weather_server() -> Iterator[WeatherServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            shared.asked.append((parts.path, {key: values[0] for key, values in parse_qs(parts.query).items()}))
            if parts.path == "/slow":
                shared.hold.wait(60)
            status, body = shared.answers.get(parts.path, (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shared = WeatherServer(
        f"http://127.0.0.1:{server.server_port}",
        {
            "/search": (200, json.dumps({"results": PLACES}).encode()),
            "/nowhere": (200, b'{"generationtime_ms": 0.5}'),
            "/forecast": (200, json.dumps(FORECAST).encode()),
            "/broken": (500, b"oops"),
            "/garbage": (200, b"<html>"),
            "/strange": (200, b'{"current": {}}'),
            "/list": (200, b"[]"),
            "/slow": (200, b"{}"),
        },
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield shared
    shared.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()
