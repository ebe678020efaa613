from rtchat.server.engines.cities import CITIES, cities_in


def test_a_hundred_different_cities():
    assert len(CITIES) == len(set(CITIES)) >= 100


def test_found_in_order_and_properly_spelt():
    assert cities_in("the weather in new york, rio de janeiro and paris?") == [
        "New York",
        "Rio de Janeiro",
        "Paris",
    ]
    assert cities_in("in my kitchen") == []
