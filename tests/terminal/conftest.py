"""A terminal emulator that tests write to, as if it were a stream."""

import io
import os
import re
import select
import unicodedata
from collections.abc import Callable

import pyte
import pytest
from wcwidth import wcwidth

from r1chat.terminal.screen import Size


class Screen(pyte.HistoryScreen):
    """pyte's screen, which stops reading at joiners and variation selectors; this one puts them where they belong."""

    def draw(self, data: str) -> None:
        """Show characters."""
        for piece in re.split(r"([\u200b-\u200d\ufe00-\ufe0f\u20e3])", data):
            if len(piece) != 1 or wcwidth(piece) or unicodedata.combining(piece):
                super().draw(piece)
                continue
            line = self.buffer[self.cursor.y]
            x = self.cursor.x - 1
            x -= not line[x].data  # the second cell of a wide character
            line[x] = line[x]._replace(data=line[x].data + piece)


class Emulator(io.StringIO):
    """A stream into a terminal emulator that keeps its scrollback."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.screen = Screen(size.columns, size.rows, history=10_000)
        self.screen.set_mode(pyte.modes.LNM)
        self._parser = pyte.Stream(self.screen)

    def write(self, text: str) -> int:
        """Let the emulator act on the text."""
        self._parser.feed(text)
        return len(text)

    def follow(self, descriptor: int, done: Callable[[str], bool]) -> None:
        """Read from a pty until the screen is as wanted; half a minute of silence means that it never will be."""
        while not done("\n".join(self.rows())):
            if not select.select([descriptor], [], [], 30)[0]:
                raise AssertionError("\n".join(self.rows()))
            self.write(os.read(descriptor, 4096).decode())

    def rows(self) -> list[str]:
        """Read scrollback and screen, without blanks at the ends."""
        above = ["".join(line[x].data for x in range(self.screen.columns)).rstrip() for line in self.screen.history.top]
        rows = above + [row.rstrip() for row in self.screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows


Emulate = Callable[[Size], Emulator]


@pytest.fixture
def emulate() -> Emulate:
    """Make emulators of any size."""
    return Emulator
