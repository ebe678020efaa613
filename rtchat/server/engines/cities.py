"""Cities that the built-in assistant knows by name, for the weather and the time elsewhere."""

from __future__ import annotations

CITIES = tuple(
    """
    Amsterdam, Athens, Atlanta, Auckland, Baghdad, Bangkok, Barcelona, Beijing, Belfast, Belgrade, Berlin, Bogota,
    Bombay, Boston, Brisbane, Brussels, Bucharest, Budapest, Buenos Aires, Cairo, Calcutta, Cape Town, Caracas,
    Casablanca, Chicago, Cleveland, Copenhagen, Dallas, Damascus, Denver, Detroit, Dubai, Dublin, Edinburgh,
    Florence, Frankfurt, Geneva, Glasgow, Hamburg, Hanoi, Havana, Helsinki, Hong Kong, Honolulu, Houston, Istanbul,
    Jakarta, Jerusalem, Johannesburg, Kabul, Karachi, Kiev, Lagos, Las Vegas, Lima, Lisbon, Liverpool, London,
    Los Angeles, Lyon, Madrid, Manchester, Manila, Marseille, Melbourne, Mexico City, Miami, Milan, Minneapolis,
    Montreal, Moscow, Mumbai, Munich, Nairobi, Naples, New Delhi, New Orleans, New York, Osaka, Oslo, Ottawa,
    Paris, Perth, Philadelphia, Phoenix, Pittsburgh, Portland, Prague, Quebec, Reykjavik, Rio de Janeiro, Rome,
    San Diego, San Francisco, Santiago, Sao Paulo, Seattle, Seoul, Shanghai, Singapore, Sofia, Stockholm, Sydney,
    Taipei, Tehran, Tel Aviv, Tokyo, Toronto, Vancouver, Venice, Vienna, Warsaw, Washington, Wellington, Zurich
    """.replace("\n", " ").split(",")
)
CITIES = tuple(" ".join(city.split()) for city in CITIES)

_BY_LOWER = {city.lower(): city for city in CITIES}


def cities_in(text: str) -> list[str]:
    """The known cities in lower-case `text`, properly spelt, in the order they are said."""
    found: list[str] = []
    words = [word.strip(",.?!") for word in text.split()]
    at = 0
    while at < len(words):
        for length in (3, 2, 1):
            city = _BY_LOWER.get(" ".join(words[at : at + length]))
            if city:
                found.append(city)
                at += length - 1
                break
        at += 1
    return found
