"""Since when the window has had its size, and whether that size can be believed. Knows nothing of what is drawn.

Terminals wrap their rows anew at once, but tmux tells the program of a further change up to 0.25 seconds after the one
before (its resize timer). Until then the size that a program reads is not the one by which its rows stand, and who goes
up by it erases finished rows or leaves open ones behind. So nothing is drawn until no change has been told for a little
longer than that; what comes meanwhile waits. Only a change that falls into the few milliseconds of a redraw itself can
still go wrong.
"""

import time
from collections.abc import Callable

CALM_SECONDS = 0.3  # tmux's 0.25, and a little for the signal to come


class Calm:
    """Watches one window.

    Args:
        size: asks for the size now.
    """

    def __init__(self, size: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._seen = size()
        self._until = 0.0

    def disturb(self) -> None:
        """Take note that the terminal has told a change, be it back to the size that was known."""
        self._seen = self._size()
        self._until = self._clock() + CALM_SECONDS

    def left(self) -> float:
        """Say how many seconds nothing may be drawn yet."""
        if self._size() != self._seen:
            self.disturb()
        return max(0.0, self._until - self._clock())

    def wait(self) -> None:
        """Return as soon as something may be drawn."""
        while left := self.left():
            time.sleep(left)
