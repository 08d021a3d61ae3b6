"""What the streams are, and that they never raise."""

import io
import os
import subprocess
import sys
import termios
from typing import IO

import pytest

from r1chat.core.encoding import decode
from r1chat.terminal.screen import FALLBACK_SIZE, Colors, Screen, Size, make_streams_safe, read_input


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so, or raise when closed, as real ones do."""
        super().isatty()
        return True


def detect(environ: dict[str, str], stdout: IO[str] | None = None) -> Screen:
    """Detect with everything a terminal but what is given."""
    return Screen.detect(environ, Terminal(), stdout or Terminal(), Terminal())


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm"}, Colors.BASIC),
        ({"TERM": "xterm-256color"}, Colors.PALETTE),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, Colors.TRUE),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": "1"}, Colors.NONE),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, Colors.PALETTE),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, Colors.NONE),
    ],
)
def test_colors_follow_the_environment(environ: dict[str, str], expected: Colors) -> None:
    """TERM and COLORTERM allow colours; a NO_COLOR that is not empty and a dumb terminal forbid them."""
    assert expected == detect(environ).colors


def test_no_color_keeps_attributes_and_drops_colors() -> None:
    """Without colours, bold and dim stay; on a dumb terminal nothing does."""
    assert detect({"TERM": "xterm", "NO_COLOR": "1"}).sgr("1;31", "x") == "\x1b[1mx\x1b[0m"
    assert detect({"TERM": "xterm", "NO_COLOR": "1"}).sgr("33", "x") == "x"
    assert detect({"TERM": "dumb"}).sgr("1;31", "x") == "x"


def test_streams_that_are_missing_or_closed_are_no_terminals() -> None:
    """A process without streams gets a screen that says so."""
    closed = Terminal()
    closed.close()
    screen = Screen.detect({"TERM": "xterm"}, None, closed, None)
    assert (False, False, False) == (screen.stdin_tty, screen.stdout_tty, screen.stderr_tty)
    assert FALLBACK_SIZE == screen.size()


def test_size_is_asked_anew_and_columns_only_narrows() -> None:
    """A resized terminal is seen at the next look; COLUMNS narrows it and does not widen it."""
    parent, child = os.openpty()
    with os.fdopen(child, "w") as stdout:
        sizes = {wish: detect({"TERM": "xterm", "COLUMNS": wish}, stdout) for wish in ("", "60", "500", "x", "0")}
        termios.tcsetwinsize(parent, (30, 90))
        assert [90, 60, 90, 90, 90] == [screen.columns for screen in sizes.values()]
        termios.tcsetwinsize(parent, (20, 50))
        assert Size(50, 20) == sizes["60"].size()
    os.close(parent)


def test_an_unset_terminal_size_falls_back() -> None:
    """A pty whose size nobody set is taken for 80 by 24."""
    parent, child = os.openpty()
    with os.fdopen(child, "w") as stdout:
        assert FALLBACK_SIZE == detect({"TERM": "xterm"}, stdout).size()
    os.close(parent)


def test_a_file_gets_utf8_whatever_the_locale_says() -> None:
    """A pipe or file gets UTF-8 even where the environment asks for ASCII, and a lone surrogate does not raise."""
    code = (
        "import sys; from r1chat.terminal.screen import make_streams_safe; make_streams_safe(sys.stdout, sys.stderr);"
        "sys.stdout.write('ü中\\ud800'); sys.stderr.write('é')"
    )
    environ = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=True)
    assert ("ü中?", "é") == (done.stdout.decode(), done.stderr.decode())


def test_a_terminal_keeps_its_encoding_and_shows_question_marks() -> None:
    """A terminal that isn't UTF-8 gets its own encoding, and the screen knows that it can't show Unicode."""
    parent, child = os.openpty()
    with os.fdopen(child, "w", encoding="ascii") as stdout:
        make_streams_safe(stdout, None)
        assert not detect({"TERM": "xterm"}, stdout).unicode
        stdout.write("aü中\n")
        stdout.flush()
        assert b"a??\r\n" == os.read(parent, 100)
    os.close(parent)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        ("ü中".encode(), "ü中"),
        ("ü中".encode("utf-8-sig"), "ü中"),
        ("ü中".encode("utf-16"), "ü中"),
        (b"\xfe\xff" + "ü中".encode("utf-16-be"), "ü中"),
        (b"a\xffb", "a\ufffdb"),
        (b"a\r\nb", "a\r\nb"),
    ],
)
def test_input_is_decoded_by_its_mark(data: bytes, expected: str) -> None:
    """A byte order mark decides, UTF-8 is the default, and nothing raises."""
    assert expected == decode(data)
    assert expected == read_input(io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))


def test_a_missing_or_closed_stdin_is_empty() -> None:
    """No stdin means no text, not an error."""
    closed = io.StringIO("x")
    closed.close()
    assert ("", "", "text") == (read_input(None), read_input(closed), read_input(io.StringIO("text")))
