"""One line on stderr that replaces itself and vanishes: for work that takes a while. Nothing where no terminal is."""

import time
from typing import IO

from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import fit

PAUSE = 0.1  # seconds between two changes: faster than that nobody reads


class Status:
    """Shows the latest words, at most ten times a second."""

    def __init__(self, stderr: IO[str], screen: Screen) -> None:
        self._stderr = stderr
        self._screen = screen
        self._shown = False
        self._last = 0.0

    def show(self, text: str) -> None:
        """Replace the line, unless that was done just now. `text` is clean and one line."""
        now = time.monotonic()
        if not self._screen.stderr_tty or self._screen.dumb or now - self._last < PAUSE:
            return
        self._last, self._shown = now, True
        self._write(f"\r\x1b[K{fit(text, self._screen.columns - 1)}")

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._shown = False
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        try:
            self._stderr.write(text)
            self._stderr.flush()
        except (OSError, ValueError):
            return  # nobody looks
