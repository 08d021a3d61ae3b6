"""Frames onto a terminal, without a prompt: finished rows are printed once, only the open tail is redrawn.

Knows nothing about events but that Live takes them. Nothing here reads the keyboard or asks the terminal anything.

Strategy: the cursor rests at the end of the last tail row. A redraw goes up to the first tail row, erases from there to
the end of the screen, and writes the new finished rows and the new tail in one piece. Tail rows are written with
automatic wrapping switched off, so that a row never takes two: not a long row of code, and not where the terminal's
idea of a character's width is not ours. When the window became narrower in between, terminals have wrapped the old rows
anew; they are counted so, as soon as the new width can be believed (calm.py).
"""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import IO

from r1chat.core.events import Event, Finished, Started
from r1chat.terminal.calm import Calm
from r1chat.terminal.live import Frame, Live
from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import width

REDRAW_SECONDS = 0.05  # 20 times a second, which looks smooth and costs little
SLOWDOWN = 25  # a redraw that takes long is followed by 25 times as long without one: at most 4 % of the time
MOST_PAUSE = 0.5  # seconds; but no longer than that, whatever a redraw took
_SYNC = "\x1b[?2026h", "\x1b[?2026l"  # synchronized output: the frame appears at once; ignored where it is unknown
_CURSOR = "\x1b[?25l", "\x1b[?25h"  # hidden only while a frame is written, so that there is nothing to restore later
# Not simply \x1b[J: where that is told to clear the whole screen, tmux moves what was on it into the scrollback.
ERASE_DOWN = "\x1b[C\x1b[J\x1b[1K\x1b[G"
_WRAP_OFF, _WRAP_ON = "\x1b[?7l", "\x1b[?7h"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def pause(took: float) -> float:
    """Say how many seconds the screen rests after a redraw that took so many."""
    return min(max(REDRAW_SECONDS, SLOWDOWN * took), MOST_PAUSE)


def cells(row: str) -> int:
    """Measure a row of ANSI text."""
    return width(_ESCAPE.sub("", row))


class Painter:
    """Puts frames on the terminal behind `stream`."""

    def __init__(self, stream: IO[str], screen: Screen) -> None:
        self._stream = stream
        self._screen = screen
        self._shown: list[int] = []  # the widths of the rows below which the cursor rests

    def paint(self, frame: Frame) -> None:
        """Print the finished rows and redraw what is open."""
        rows = [*frame.tail, frame.status] if frame.status else list(frame.tail)
        if not frame.finished and not rows and not self._shown:
            return
        parts = [_SYNC[0], _CURSOR[0], self._home()]
        parts += [row + "\n" for row in frame.finished]
        if rows:
            parts += [_WRAP_OFF, "\n".join(rows), _WRAP_ON]
        self._shown = [min(cells(row), self._screen.columns) for row in rows]  # no more than one row each
        parts += [_CURSOR[1], _SYNC[1]]
        self._stream.write("".join(parts))
        self._stream.flush()

    def clear(self) -> None:
        """Take the open rows off the screen; the cursor stands where they began."""
        self.paint(Frame())

    def _home(self) -> str:
        """Go to where the open rows begin, and erase them."""
        columns = max(1, self._screen.columns)
        n_rows = sum(max(1, -(-shown // columns)) for shown in self._shown)
        up = f"\x1b[{n_rows - 1}A" if n_rows > 1 else ""
        # Column 1 by its own escape: a terminal may be set to turn a carriage return into a new line (stty ocrnl).
        return f"\x1b[G{up}{ERASE_DOWN}" if self._shown else ""


class TerminalSink:
    """A Sink that shows one shot on a terminal.

    Use it as a context manager around the turn: inside, Ctrl-Z leaves a clean screen behind and `fg` draws anew.
    """

    def __init__(
        self,
        stream: IO[str],
        screen: Screen,
        live: Live,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._painter = Painter(stream, screen)
        self._calm = Calm(screen.size)
        self._clock = clock
        self._due = 0.0
        self._tail = Frame()  # what is open now, to be drawn again after a stop
        self._drawing = False
        self._stop_wanted = False
        self._handlers: list[tuple[signal.Signals, object]] = []

    def handle(self, event: Event) -> None:
        """Take one event; redraw if it is time and the window rests, and always when a turn begins or ends."""
        self._live.handle(event)
        if isinstance(event, Started | Finished) or (self._clock() >= self._due and not self._calm.left()):
            self.draw()

    def close(self) -> None:
        """Print what is left and leave no open row behind."""
        self._live.close()
        self.draw()

    def draw(self) -> None:
        """Redraw now, or as soon as the window rests."""
        self._calm.wait()
        began = self._clock()
        frame = self._live.frame()
        self._paint(frame)
        now = self._clock()
        self._due = now + pause(now - began)

    def __enter__(self) -> "TerminalSink":
        if sys.platform != "win32":
            self._handlers = [
                (signal.SIGTSTP, signal.signal(signal.SIGTSTP, self._on_stop)),
                (signal.SIGWINCH, signal.signal(signal.SIGWINCH, lambda number, frame: self._calm.disturb())),
            ]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            for number, handler in self._handlers:
                signal.signal(number, handler)  # type: ignore[arg-type]
            self._handlers = []

    def _paint(self, frame: Frame) -> None:
        self._drawing = True
        try:
            self._tail = Frame((), frame.tail, frame.status)
            self._painter.paint(frame)
        finally:
            self._drawing = False
        if self._stop_wanted:
            self._stop()

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        """Ctrl-Z: a stream can't be written to from within a write, so a stop during a redraw waits for its end."""
        self._stop_wanted = True
        if not self._drawing:
            self._stop()

    def _stop(self) -> None:
        self._stop_wanted = False
        if sys.platform == "win32":  # has no stop
            return
        self._calm.wait()
        self._painter.clear()
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # stops here; goes on at SIGCONT
        signal.signal(signal.SIGTSTP, handler)
        self._painter.paint(self._tail)
