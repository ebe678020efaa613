from rtchat.server.dialogue.signals import After
from rtchat.server.staging.around import Due
from rtchat.server.staging.fault import Gate


def test_a_gate_keeps_the_order():
    gate = Gate("fault")
    assert gate.hold("a", 0) == ["a"]
    assert gate.hold("b", 0.5) == [After(0.5, Due("fault", gate))]
    assert gate.hold("c", 0) == gate.hold("d", 0.25) == gate.hold("e", 0) == []
    assert gate.next() == ["b", "c", After(0.25, Due("fault", gate))]
    assert gate.next() == ["d", "e"]
    assert gate.hold("f", 0) == ["f"]
