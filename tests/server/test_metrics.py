"""The text format, read by Prometheus' own parser."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rtchat.server.admission import Admission
from rtchat.server.client_secrets import ClientSecrets
from rtchat.server.dialogue.signals import Close
from rtchat.server.limits import Limits
from rtchat.server.metrics import Histogram, Metrics, Stopwatch
from rtchat.server.tally import Tally


def read(text):
    """Sample -> value, by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def metrics():
    return Metrics(Admission(Limits(max_sessions=7)), ClientSecrets())


def test_an_idle_server(metrics):
    figures = read(metrics.text())
    assert figures[("rtchat_sessions",)] == 0
    assert figures[("rtchat_sessions_max",)] == 7
    assert figures[("rtchat_events_total", "in")] == 0
    assert "rtchat_sessions_max" not in Metrics(Admission(Limits()), ClientSecrets()).text()


def test_what_happened(metrics):
    metrics.began("realtime")
    metrics.refused('with "quotes"\n')
    tally = Tally(events_in=3, events_out=1_234_567_890, audio_in_s=1.5)
    tally.responses["completed"] = 2
    tally.errors["invalid_value"] = 1
    metrics.ended(tally, Close(1008, "slow"), 12.0)
    metrics.ended(Tally(), Close(1000, ""), 1e6)
    figures = read(metrics.text())
    assert figures[("rtchat_sessions_total", "realtime")] == 1
    assert figures[("rtchat_refused_total", 'with "quotes"\n')] == 1
    assert figures[("rtchat_closed_total", "1008")] == figures[("rtchat_closed_total", "1000")] == 1
    assert figures[("rtchat_slow_readers_total",)] == 1
    assert figures[("rtchat_events_total", "out")] == 1_234_567_890
    assert figures[("rtchat_audio_seconds_total", "in")] == 1.5
    assert figures[("rtchat_responses_total", "completed")] == 2
    assert figures[("rtchat_errors_total", "invalid_value")] == 1
    assert figures[("rtchat_session_seconds_bucket", "60")] == 1
    assert figures[("rtchat_session_seconds_bucket", "+Inf")] == figures[("rtchat_session_seconds_count",)] == 2


def test_every_figure_has_its_type_and_says_what_it_is(metrics):
    metrics.took("tts", 0.1)
    for family in text_string_to_metric_families(metrics.text()):
        assert family.name.startswith("rtchat_")
        assert family.type in ("gauge", "counter", "histogram")
        assert family.documentation


def test_a_bucket_counts_all_below_it():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 3.0):
        histogram.observe(value, "stt")
    histogram.observe(9.0, "llm")
    assert list(histogram.lines("x", "engine")) == [
        'x_bucket{engine="llm",le="1"} 0',
        'x_bucket{engine="llm",le="2"} 0',
        'x_bucket{engine="llm",le="+Inf"} 1',
        'x_sum{engine="llm"} 9',
        'x_count{engine="llm"} 1',
        'x_bucket{engine="stt",le="1"} 2',
        'x_bucket{engine="stt",le="2"} 3',
        'x_bucket{engine="stt",le="+Inf"} 4',
        'x_sum{engine="stt"} 6',
        'x_count{engine="stt"} 4',
    ]


def test_an_engine_is_timed_until_its_first_piece():
    now, seen = 1.0, []
    watch = Stopwatch(lambda *told: seen.append(told), "llm", lambda: now)
    now = 1.25
    for _ in range(3):
        watch.stop()
    assert seen == [("llm", 0.25)]
