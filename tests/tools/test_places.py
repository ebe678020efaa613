import zoneinfo

import pytest

from rtchat.errors import ToolError
from rtchat.tools import places
from rtchat.tools.places import find_zone


@pytest.mark.parametrize(
    ("place", "zone"),
    [
        ("Europe/Paris", "Europe/Paris"),
        ("europe/paris", "Europe/Paris"),
        ("tokyo", "Asia/Tokyo"),
        ("New York", "America/New_York"),
        ("São Paulo", "America/Sao_Paulo"),
        ("Paris, France", "Europe/Paris"),
        ("Washington, D.C.", "America/New_York"),
        ("Mumbai", "Asia/Kolkata"),
        ("Beijing", "Asia/Shanghai"),
        ("San Francisco", "America/Los_Angeles"),
        ("salta", "America/Argentina/Salta"),
        ("UTC", "UTC"),
        ("PST", "PST8PDT"),
    ],
)
def test_places(place, zone):
    assert find_zone(place).key == zone


def test_every_place_of_the_table_has_a_zone():
    for zone, names in places._ELSEWHERE.items():
        for name in names.split(","):
            assert find_zone(name).key == zone


def test_unknown_places():
    with pytest.raises(ToolError, match=r"there is no time zone for 'Tokio'\. Did you mean tokyo\?"):
        find_zone("Tokio")
    with pytest.raises(ToolError, match="Name a large city"):
        find_zone("xqzzy")
    with pytest.raises(ToolError):
        find_zone("../../etc/passwd")


def test_a_machine_without_a_time_zone_database():
    zoneinfo.reset_tzpath(to=[])
    places._names.cache_clear()
    try:
        if zoneinfo.available_timezones():
            pytest.skip("the package tzdata is installed")
        with pytest.raises(ToolError, match="this machine has no time zone database"):
            find_zone("Neverland")
    finally:
        zoneinfo.reset_tzpath()
        places._names.cache_clear()
