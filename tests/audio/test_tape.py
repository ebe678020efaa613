from rtchat.audio.tape import Tape

PIECE = b"\1\0" * 480


def test_both_sides_are_noted_on_one_clock():
    noted = []
    tape = Tape(lambda *piece: noted.append(piece))
    tape.begin(100.0)
    tape.note("microphone", 100.5, PIECE)
    tape.note("loudspeaker", 100.25, PIECE)
    tape.note("microphone", 100.5201, PIECE)  # 2.4 samples late: it follows on the one before
    assert noted == [("microphone", 12_000, PIECE), ("loudspeaker", 6000, PIECE), ("microphone", 12_480, PIECE)]


def test_it_may_be_tapped_later():
    noted = []
    tape = Tape(None)
    tape.begin(0.0)
    tape.note("microphone", 1.0, PIECE)
    tape.tap = lambda *piece: noted.append(piece)
    tape.note("microphone", 2.0, PIECE)
    assert noted == [("microphone", 48_000, PIECE)]
