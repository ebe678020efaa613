"""Whether a stream still calls back. Pure: times come in."""

from __future__ import annotations

LOOK_SECONDS = 0.1
"""How often a stream is looked at."""

PATIENCE_SECONDS = 0.5
"""A stream that does not call back for so long is opened again. Twice as long for one that was so in vain."""

MOST_PATIENCE_SECONDS = 4.0
"""Some devices are served in bursts of two seconds."""


class Vigil:
    """Watches over one side's stream.

    Only moments count in which the watcher itself was on time: one who was late was kept from working by a busy or
    sleeping machine, as the stream may have been.
    """

    def __init__(self) -> None:
        self.patience = PATIENCE_SECONDS
        self._calls = -1
        self._looked = 0.0
        self._silent = 0.0

    def stalled(self, calls: int, at: float) -> bool:
        """Tell how often it has called back by `at` seconds; True when it has been silent for too long."""
        since, self._looked = at - self._looked, at
        if calls != self._calls or since > 3 * LOOK_SECONDS:
            self._calls, self._silent = calls, 0.0
        else:
            self._silent += since
        return self._silent >= self.patience

    def renew(self) -> None:
        """It was opened again for nothing but silence: it may be one that is served in long bursts."""
        self.patience = min(2 * self.patience, MOST_PATIENCE_SECONDS)
        self._calls, self._silent = -1, 0.0
