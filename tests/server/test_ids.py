import random
import re

from rtchat.server.ids import new_id, seeded


def test_ids_have_the_api_s_form():
    assert re.fullmatch(r"event_[A-Za-z0-9]{21}", new_id("event"))
    assert re.fullmatch(r"call_[A-Za-z0-9]{16}", new_id("call"))
    assert new_id("item") != new_id("item")


def test_a_seed_makes_them_again():
    one, other = (seeded(random.Random("7/1")) for _ in range(2))
    made = [one("event"), one("call")]
    assert [other("event"), other("call")] == made
    assert re.fullmatch(r"event_[A-Za-z0-9]{21}", made[0])
    assert seeded(random.Random("8/1"))("event") != made[0]
