"""The pytest plugin: the fixture `realtime_server`, and the marker `realtime` for what it is to do.

Installed as the entry point `rtchat`. Nothing else of rtchat is imported until a test asks for the fixture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from rtchat.testing.server import RealtimeServer

_MARKER = (
    "realtime(script=None, chaos=(), seed=0, clock='real', tts='tone', api_key=None): "
    "what the fixture realtime_server is started with; a script's path begins at the test's folder"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell, below a test that failed, what the server told its client as wrong."""
    report = yield
    server = getattr(item, "funcargs", {}).get("realtime_server")
    if report.when == "call" and report.failed and (troubles := getattr(server, "troubles", [])):
        report.sections.append(("What realtime_server told as wrong", "\n".join(troubles)))
    return report


@pytest.fixture
def realtime_server(request: pytest.FixtureRequest) -> Iterator[RealtimeServer]:
    """A real server on 127.0.0.1 for one test; see `rtchat.testing.RealtimeServer`."""
    from rtchat.errors import RtchatError
    from rtchat.testing.server import RealtimeServer

    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers("realtime"))):  # the nearest last: it wins
        options |= mark.kwargs
    script = options.get("script")
    if isinstance(script, str | Path):
        options["script"] = request.path.parent / script
    try:
        server = RealtimeServer(**options)
    except (RtchatError, TypeError) as error:
        pytest.fail(f"The marker realtime: {error}", pytrace=False)
    with server:
        yield server
