"""How far a download is: bars that stay in place on a terminal, a line every few seconds in a pipe, or nothing.

Knows names, bytes and a clock; knows nothing of what is downloaded, nor from where. The words are pure functions; the
rows are drawn by paint.py, which counts them anew when the window has changed.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final, Protocol

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.terminal.live import Frame
from r1chat.terminal.paint import REDRAW_SECONDS, Painter
from r1chat.terminal.screen import Screen
from r1chat.terminal.tables import cut, one_line
from r1chat.terminal.wrap import width

LINE_SECONDS: Final = 5.0
_WINDOW_SECONDS: Final = 5.0  # over which the speed is taken
_WIDEST: Final = 100  # cells
_NAME: Final = 40  # cells
_LEAST_BAR: Final = 10  # cells


@dataclass(frozen=True, slots=True)
class Bar:
    """One file: how much of it is here, and how much of that is checked."""

    name: str
    n_bytes: int
    n_done: int
    n_checked: int = 0


class Bars(Protocol):
    """Where progress goes."""

    def show(self, files: Sequence[Bar], n_fetched: int, notice: str = "") -> None:
        """Show how far it is. `n_fetched` counts what came over the network; `notice` stands in for the speed."""

    def close(self) -> None:
        """Leave nothing open behind."""


def bars(stream: IO[str], screen: Screen, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> Bars:
    """Choose the form for this stream, which is stderr."""
    if quiet:
        return NoBars()
    if screen.stderr_tty and not screen.dumb:
        return TerminalBars(stream, screen, clock)
    return LineBars(stream, clock)


class NoBars:
    """Says nothing."""

    def show(self, files: Sequence[Bar], n_fetched: int, notice: str = "") -> None:
        """Say nothing."""

    def close(self) -> None:
        """Say nothing."""


class LineBars:
    """Writes a line every few seconds, and a notice when it changes."""

    def __init__(self, stream: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._speed = Speed()
        self._due = clock() + LINE_SECONDS
        self._notice = ""

    def show(self, files: Sequence[Bar], n_fetched: int, notice: str = "") -> None:
        """Write a line if it is time."""
        now = self._clock()
        self._speed.add(now, n_fetched)
        if notice and notice != self._notice:
            self._write(clean(notice))
        elif not notice and now >= self._due:
            self._write(f"{percent(files)} %, {summary(files, self._speed.value)}")
            self._due = now + LINE_SECONDS
        self._notice = notice

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class TerminalBars:
    """Draws a bar for each file and a row for all of them."""

    def __init__(self, stream: IO[str], screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._painter = Painter(stream, screen)
        self._screen = screen
        self._clock = clock
        self._speed = Speed()
        self._due = 0.0

    def show(self, files: Sequence[Bar], n_fetched: int, notice: str = "") -> None:
        """Redraw if it is time."""
        now = self._clock()
        self._speed.add(now, n_fetched)
        if now < self._due:
            return
        self._due = now + REDRAW_SECONDS
        rows = drawn(files, self._speed.value, notice, self._screen)
        self._painter.paint(Frame((), tuple(rows)))

    def close(self) -> None:
        """Take the bars off the screen."""
        self._painter.clear()


class Speed:
    """Bytes a second over the last few seconds."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def add(self, now: float, n_bytes: int) -> None:
        """Note how many bytes have come by now."""
        self._points.append((now, n_bytes))
        while len(self._points) > 2 and now - self._points[1][0] >= _WINDOW_SECONDS:
            self._points.popleft()

    @property
    def value(self) -> float:
        """The speed, 0 while it can't be told."""
        (begun, n_before), (now, n_bytes) = self._points[0], self._points[-1]
        return (n_bytes - n_before) / (now - begun) if now - begun >= 0.5 else 0.0


def drawn(files: Sequence[Bar], speed: float, notice: str, screen: Screen) -> list[str]:
    """Give the rows for this screen: the files that are under way if there is no room for all, and the sum."""
    columns = max(1, min(screen.columns - 1, _WIDEST))
    n_rows = max(1, screen.rows - 2)
    shown = list(files) if len(files) > 1 else []
    if len(shown) > n_rows:
        shown = [file for file in files if file.n_done < file.n_bytes or file.n_checked < file.n_bytes][:n_rows]
    name_width = min(_NAME, max((width(_name(file)) for file in shown), default=0), max(1, columns // 2))
    rows = [_row(file, name_width, columns, screen) for file in shown]
    words = clean(notice) if notice else summary(files, speed)
    whole = Bar("", sum(file.n_bytes for file in files), sum(file.n_done for file in files))
    n_bar = columns - width(words) - 7
    bar = f"{_bar(whole, min(30, n_bar), screen)} " if n_bar >= _LEAST_BAR else ""
    return [*rows, cut(f"{percent(files):3d} % {bar}{words}", columns, screen.glyph("…", "~"))]


def percent(files: Sequence[Bar]) -> int:
    """Say how much of all is here; 100 only when all is."""
    n_bytes = sum(file.n_bytes for file in files)
    return 100 * sum(file.n_done for file in files) // n_bytes if n_bytes else 100


def summary(files: Sequence[Bar], speed: float) -> str:
    """Say it in words: `2.1 GB of 4.7 GB, 45.2 MB/s, 57 s left`."""
    n_bytes, n_done = sum(file.n_bytes for file in files), sum(file.n_done for file in files)
    if n_done == n_bytes:
        n_checked = sum(file.n_checked for file in files)
        return f"{size_text(n_bytes)}, checking: {100 * n_checked // n_bytes if n_bytes else 100} %"
    words = f"{size_text(n_done)} of {size_text(n_bytes)}"
    if speed <= 0:
        return words
    return f"{words}, {speed / 1e6:.1f} MB/s, {left((n_bytes - n_done) / speed)} left"


def left(seconds: float) -> str:
    """Write a time that is left: 57 s, 12 min, 3 h 05 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes < 6000 else "days"


def _row(file: Bar, name_width: int, columns: int, screen: Screen) -> str:
    name = cut(_name(file), name_width, screen.glyph("…", "~"))
    name += " " * (name_width - width(name))
    words = f"{percent([file]):3d} % {size_text(file.n_bytes)}"
    n_bar = columns - name_width - width(words) - 2
    bar = f"{_bar(file, min(30, n_bar), screen)} " if n_bar >= _LEAST_BAR else ""
    return cut(f"{name} {bar}{words}", columns, screen.glyph("…", "~"))


def _name(file: Bar) -> str:
    return one_line(file.name.rsplit("/", 1)[-1])


def _bar(file: Bar, n_cells: int, screen: Screen) -> str:
    full = n_cells * file.n_done // file.n_bytes if file.n_bytes else n_cells
    return screen.glyph("█", "#") * full + screen.glyph("░", ".") * (n_cells - full)
