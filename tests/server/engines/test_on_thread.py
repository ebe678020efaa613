import asyncio
import threading

import pytest

from rtchat.errors import EngineError
from rtchat.server.engines.on_thread import OnThread


class Sums(OnThread):
    """Adds up in its thread; its model is where it was loaded."""

    def __init__(self, broken=False):
        super().__init__("sums")
        self.broken, self.loads = broken, 0

    def _load(self):
        self.loads += 1
        if self.broken:
            raise EngineError("The sums do not load.", hint="Add by hand.")
        return threading.current_thread().name

    def loaded(self):
        return self._loaded()


async def test_the_model_is_loaded_once_and_in_the_thread():
    engine = Sums()
    assert engine.loads == 0
    engine.warm_up()
    assert (await engine.do(engine.loaded)).startswith("sums")
    assert await engine.check() is None
    assert engine.loads == 1
    assert await engine.do(sum, [1, 2]) == 3
    done = threading.Event()
    engine.do_later(done.set)
    assert await asyncio.to_thread(done.wait, 60)
    engine.close()
    engine.do_later(done.clear)  # nothing, and no error
    assert done.is_set()


async def test_what_does_not_load_is_told_when_it_is_used():
    engine = Sums(broken=True)
    engine.warm_up()
    assert await engine.check() == "The sums do not load. Add by hand."
    with pytest.raises(EngineError, match="The sums do not load"):
        await engine.do(engine.loaded)
    engine.close()


async def test_what_is_cancelled_before_its_turn_is_not_begun():
    engine, may, begun = Sums(), threading.Event(), []
    first = asyncio.create_task(engine.do(may.wait))
    second = asyncio.create_task(engine.do(begun.append, 2))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    may.set()
    assert await first
    engine.close()
    assert begun == []
