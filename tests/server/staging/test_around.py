from rtchat.server.dialogue.signals import After, Close
from rtchat.server.staging.around import Around, Due


class Echo:
    heard_ms = 20.0

    def start(self):
        return ["began"]

    def receive(self, told):
        return [told]


class Loud(Around):
    def begins(self):
        return ["first"]

    def effect(self, effect):
        return [effect.upper()] if isinstance(effect, str) else [effect]

    def due(self, what):
        return [Close(1000, what)]


def test_everything_passes_through():
    around = Around(Around(Echo()))
    assert around.start() == ["began"]
    assert around.receive("told") == ["told"]
    assert around.heard_ms == 20


def test_what_a_layer_changes_and_what_it_is_told_later_are_its_own():
    inner = Loud(Echo())
    outer = Around(inner)
    assert outer.start() == ["FIRST", "BEGAN"]
    assert outer.receive("told") == ["TOLD"]
    later = After(1, Due(inner, "over"))
    assert outer.receive(later.told) == [Close(1000, "over")]
    assert Around(Echo()).receive(later.told) == [later.told]
