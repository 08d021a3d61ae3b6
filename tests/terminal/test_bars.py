"""Progress of a download: the words, the rows, the lines."""

import io
from collections.abc import Callable

import pyte
import pytest

from r1chat.terminal.bars import Bar, LineBars, NoBars, Speed, TerminalBars, bars, drawn, left, summary
from r1chat.terminal.screen import Screen, Size
from r1chat.terminal.wrap import width

FILES = [Bar(f"q/model-Q8_0-{n:05d}-of-00003.gguf", 10**9, n * 2 * 10**8) for n in (1, 2, 3)]


def screen(columns: int, rows: int = 24, *, unicode: bool = True, stderr_tty: bool = True) -> Screen:
    """Make a screen of this size."""
    return Screen(stderr_tty=stderr_tty, unicode=unicode, size=lambda: Size(columns, rows))


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("columns", [1, 2, 5, 10, 20, 39, 40, 80, 200])
@pytest.mark.parametrize("files", [FILES, FILES[:1], [Bar("x" * 500, 10**12, 1), Bar("模" * 90, 0, 0)]])
def test_no_row_is_wider_than_the_screen(columns: int, files: list[Bar]) -> None:
    """Whatever the names and sizes, every row leaves the last cell free."""
    for row in drawn(files, 12345678.0, "", screen(columns)):
        assert width(row) <= max(1, columns - 1)


def test_there_are_never_more_rows_than_the_screen_has() -> None:
    """Of many files those that are under way are shown, and the sum below them."""
    many = [Bar(f"m-{n}.gguf", 100, 100 if n < 90 else 50, 100 if n < 90 else 0) for n in range(100)]
    rows = drawn(many, 0.0, "", screen(80, 8))
    assert (7, True, True) == (len(rows), "m-90.gguf" in rows[0], rows[-1].startswith(" 95 %"))


def test_the_words() -> None:
    """Size, speed and time left are told; at the end, how much is checked."""
    assert "1.2 GB of 3.0 GB, 45.0 MB/s, 40 s left" == summary(FILES, 45e6)
    assert "1.2 GB of 3.0 GB" == summary(FILES, 0.0)
    assert "1.0 GB, checking: 25 %" == summary([Bar("a", 10**9, 10**9, 25 * 10**7)], 9e9)
    assert ["5 s", "2 min", "1 h 41 min", "days"] == [left(n) for n in (5, 120, 6060, 1e9)]


def test_names_from_a_server_are_harmless() -> None:
    """Control characters in a file's name or a notice reach the screen as signs."""
    rows = drawn([Bar("a\x1b[2J.gguf", 10, 1), Bar("b\r.gguf", 10, 1)], 0.0, "wait\x1b]0;x\x07", screen(80))
    assert not [row for row in rows if set(row) & set("\x1b\r\x07")]


def test_a_screen_without_unicode_gets_ascii() -> None:
    """The bars are drawn with what the screen can show."""
    assert "".join(drawn(FILES, 1e6, "", screen(60, unicode=False))).isascii()


def test_the_speed_is_that_of_the_last_seconds() -> None:
    """A change of speed is shown after a few seconds, whatever came before."""
    speed = Speed()
    for second in range(100):
        speed.add(second, second * 10**6)
    for second in range(10):
        speed.add(100 + second, 10**8 + second * 10**7)
    assert 10**7 == pytest.approx(speed.value)


def test_the_bars_stay_in_place_when_the_window_changes() -> None:
    """After every change of the window's width the screen holds the rows once, and nothing of the old ones."""
    terminal, size = pyte.Screen(90, 24), [90, 24]
    feed = pyte.Stream(terminal)
    stream = io.StringIO()
    clock = Clock()
    painted = TerminalBars(stream, Screen(stderr_tty=True, size=lambda: Size(*size)), clock)
    for columns in (90, 120, 91, 120, 100):
        size[0] = columns
        terminal.resize(24, columns)
        clock.now += 1
        painted.show(FILES, 1000)
        feed.feed(stream.getvalue())
        stream.seek(0)
        stream.truncate()
        assert 4 == len([row for row in terminal.display if row.strip()])
    painted.close()
    feed.feed(stream.getvalue())
    assert [] == [row for row in terminal.display if row.strip()]


def test_a_pipe_gets_a_line_every_few_seconds() -> None:
    """Ten reports a second for 12 seconds are two lines, without an escape byte; a notice is told once."""
    stream, clock = io.StringIO(), Clock()
    lines = LineBars(stream, clock)
    for n in range(120):
        clock.now = 100 + n / 10
        lines.show(FILES, n * 10**6)
    for _ in range(3):
        lines.show(FILES, 0, "Another process fetches this model: waiting for it.")
    first, second, notice = stream.getvalue().splitlines()
    assert first.startswith("40 %, 1.2 GB of 3.0 GB, 10.0 MB/s")
    assert second.startswith("40 %")
    assert "waiting" in notice
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (NoBars, lambda: bars(io.StringIO(), screen(80), quiet=True)),
        (TerminalBars, lambda: bars(io.StringIO(), screen(80))),
        (LineBars, lambda: bars(io.StringIO(), screen(80, stderr_tty=False))),
        (LineBars, lambda: bars(io.StringIO(), Screen(stderr_tty=True, dumb=True))),
    ],
    ids=["quiet", "terminal", "pipe", "dumb"],
)
def test_the_stream_decides_the_form(kind: type, make: Callable[[], object]) -> None:
    """Bars on a terminal that can move its cursor, lines elsewhere, nothing when asked for."""
    assert kind is type(make())
