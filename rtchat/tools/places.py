"""Time zones by the names that people say: a zone, a city, an abbreviation."""

from __future__ import annotations

import unicodedata
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from rtchat.errors import ToolError, did_you_mean

# Large places that the time zone database knows under another city's name.
_ELSEWHERE = {
    "Africa/Johannesburg": "cape town, durban, pretoria, south africa",
    "Africa/Lagos": "abuja, nigeria",
    "America/Chicago": "austin, dallas, houston, memphis, milwaukee, minneapolis, new orleans, san antonio, texas",
    "America/Los_Angeles": "california, las vegas, portland, sacramento, san diego, san francisco, seattle",
    "America/New_York": "atlanta, baltimore, boston, charlotte, cleveland, florida, miami, new york city, "
    "philadelphia, pittsburgh, washington, washington dc",
    "America/Sao_Paulo": "brasilia, brazil, rio de janeiro",
    "America/Toronto": "montreal, ottawa, quebec",
    "Asia/Dubai": "abu dhabi",
    "Asia/Ho_Chi_Minh": "hanoi, saigon, vietnam",
    "Asia/Jakarta": "bandung, surabaya",
    "Asia/Karachi": "islamabad, lahore, pakistan",
    "Asia/Kolkata": "bangalore, bengaluru, bombay, calcutta, chennai, delhi, hyderabad, india, mumbai, new delhi",
    "Asia/Manila": "philippines",
    "Asia/Riyadh": "jeddah, mecca, saudi arabia",
    "Asia/Seoul": "busan, korea, south korea",
    "Asia/Shanghai": "beijing, china, guangzhou, shenzhen, wuhan",
    "Asia/Tokyo": "kyoto, nagoya, osaka, sapporo",
    "Australia/Sydney": "canberra",
    "Europe/Berlin": "cologne, frankfurt, germany, hamburg, leipzig, munich, stuttgart",
    "Europe/Istanbul": "ankara, izmir",
    "Europe/London": "birmingham, cardiff, edinburgh, england, glasgow, liverpool, manchester, scotland, uk, wales",
    "Europe/Madrid": "barcelona, seville, spain, valencia",
    "Europe/Paris": "france, lyon, marseille, nice, toulouse",
    "Europe/Rome": "florence, italy, milan, naples, turin, venice",
    "Europe/Zurich": "basel, bern, geneva, switzerland",
    "Europe/Kyiv": "kiev, ukraine",
    "Pacific/Auckland": "christchurch, wellington",
}
_ABBREVIATIONS = {
    "cest": "CET",
    "cst": "CST6CDT",
    "edt": "EST5EDT",
    "est": "EST5EDT",
    "mst": "MST7MDT",
    "pdt": "PST8PDT",
    "pst": "PST8PDT",
    "bst": "Europe/London",
    "ist": "Asia/Kolkata",
    "jst": "Asia/Tokyo",
    "z": "UTC",
}


def find_zone(place: str) -> ZoneInfo:
    """The time zone of a place.

    Args:
        place: A zone (`Europe/Paris`), a city (`new york`, `São Paulo`), some countries, an abbreviation (`UTC`);
            what follows a comma is left out (`Paris, France`).

    Raises:
        ToolError: It is not known, or this machine has no time zone database.
    """
    names = _names()
    for wanted in (_plain(place), _plain(place.split(",")[0])):
        if wanted in names:
            return ZoneInfo(names[wanted])
    if not names.get("utc"):
        raise ToolError("this machine has no time zone database (the package tzdata)")
    near = did_you_mean(_plain(place), names)
    hint = near if near.startswith("Did") else "Name a large city, or a zone such as Europe/Paris."
    raise ToolError(f"there is no time zone for '{place}'.", hint=hint)


@cache
def _names() -> dict[str, str]:
    """Plain names to zones: of zones, of the cities in them, of places elsewhere."""
    names: dict[str, str] = {}
    zones = sorted(available_timezones(), key=lambda zone: (zone.count("/") != 1, zone))
    names.update({_plain(zone): zone for zone in zones})
    for zone in zones:
        names.setdefault(_plain(zone.rpartition("/")[2]), zone)
    for zone, places in _ELSEWHERE.items():
        names.update({place.strip(): zone for place in places.split(",")})
    names.update(_ABBREVIATIONS)
    there = set(zones)
    return {name: zone for name, zone in names.items() if zone in there}


def _plain(name: str) -> str:
    """Lower case, no accents, blanks for `_`."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(letters.replace("_", " ").replace(".", "").split())
