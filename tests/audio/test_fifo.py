from rtchat.audio.fifo import Fifo


def test_bytes_come_out_as_they_went_in_whatever_the_sizes():
    fifo = Fifo()
    for piece in (b"abc", b"", b"defgh", b"i"):
        fifo.put(piece)
    assert len(fifo) == 9
    assert [fifo.take(size) for size in (1, 4, 0, 2, 9)] == [b"a", b"bcde", b"", b"fg", b"hi"]
    assert (len(fifo), fifo.take(3)) == (0, b"")


def test_only_the_first_bytes_are_kept():
    fifo = Fifo()
    fifo.put(b"abc")
    fifo.put(b"def")
    fifo.keep(4)
    assert (len(fifo), fifo.take(9)) == (4, b"abcd")


def test_bytes_that_are_put_back_come_first():
    fifo = Fifo()
    fifo.put(b"cd")
    fifo.put_back(b"ab")
    fifo.put_back(b"")
    assert (len(fifo), fifo.take(3), fifo.take(3)) == (4, b"abc", b"d")
