"""The streams of this process: is it a terminal, how wide, which colours, which encoding. Asked once, at the start.

Knows nothing about what is written to them.
"""

import codecs
import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import IO, NamedTuple

from r1chat.core.encoding import decode


class Size(NamedTuple):
    """Columns and rows, in character cells."""

    columns: int
    rows: int


FALLBACK_SIZE = Size(80, 24)  # the VT100's, for whatever does not know its own size


class Colors(IntEnum):
    """How many colours may be used. Bold and dim are attributes, not colours: NO_COLOR leaves them (no-color.org)."""

    NONE = 0
    BASIC = 16
    PALETTE = 256
    TRUE = 1 << 24


class Theme(StrEnum):
    """Whether the terminal's background is dark or light; auto believes COLORFGBG, and else takes it for dark."""

    AUTO = "auto"
    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True, slots=True)
class Screen:
    """What the three streams are. `size` asks anew at every call, because a window can be resized at any moment."""

    stdin_tty: bool = False
    stdout_tty: bool = False
    stderr_tty: bool = False
    colors: Colors = Colors.NONE
    unicode: bool = True
    dumb: bool = False
    light: bool = False
    size: Callable[[], Size] = lambda: FALLBACK_SIZE

    @classmethod
    def detect(
        cls,
        environ: Mapping[str, str],
        stdin: IO[str] | None,
        stdout: IO[str] | None,
        stderr: IO[str] | None,
        theme: Theme = Theme.AUTO,
    ) -> "Screen":
        """Ask the streams and the environment (TERM, COLORTERM, NO_COLOR, COLUMNS, COLORFGBG).

        The terminal itself is never asked for its background: the answer could end up in what the user types.
        """
        stdout_tty = _is_terminal(stdout)
        term = environ.get("TERM", "")
        # Windows sets no TERM, and its terminals understand escapes once they are switched on.
        dumb = term == "dumb" or (not term and sys.platform != "win32")
        return cls(
            stdin_tty=_is_terminal(stdin),
            stdout_tty=stdout_tty,
            stderr_tty=_is_terminal(stderr),
            colors=_colors(environ, term, dumb=dumb),
            unicode=_speaks_unicode(stdout),
            dumb=dumb,
            light=theme is Theme.LIGHT or (theme is Theme.AUTO and _says_light(environ)),
            size=_size_asker(environ, stdout if stdout_tty else stderr),
        )

    @property
    def columns(self) -> int:
        """The width now, in cells."""
        return self.size().columns

    @property
    def rows(self) -> int:
        """The height now, in rows."""
        return self.size().rows

    @property
    def paints(self) -> bool:
        """Whether stdout is a terminal whose cursor can be moved."""
        return self.stdout_tty and not self.dumb

    @property
    def converses(self) -> bool:
        """Whether a person sits at both ends, so that a prompt makes sense."""
        return self.stdin_tty and self.stdout_tty

    def sgr(self, codes: str, text: str) -> str:
        """Give `text` the attributes `codes` ("2", "1;31"). Colours fall away where there are none."""
        if self.dumb or not text:
            return text
        if self.colors is Colors.NONE:
            codes = ";".join(code for code in codes.split(";") if len(code) == 1)  # all colours have two digits
        return f"\x1b[{codes}m{text}\x1b[0m" if codes else text

    def dim(self, text: str) -> str:
        """Make `text` fainter than the rest."""
        return self.sgr("2", text)

    def shade(self, dark: str, light: str) -> str:
        """Choose the colour that can be read on this background."""
        return light if self.light else dark

    def plain(self, text: str) -> str:
        """Write the program's own words with signs that this screen can show."""
        return text if self.unicode else text.replace("…", "...").replace("·", "-")

    def glyph(self, unicode: str, ascii: str) -> str:
        """Choose the sign this screen can show."""
        return unicode if self.unicode else ascii


def make_streams_safe(stdout: IO[str] | None, stderr: IO[str] | None) -> None:
    """Let no character raise on its way out: UTF-8 into files and pipes, "?" for what a terminal's encoding lacks."""
    for stream in (stdout, stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        keeps_encoding = _is_terminal(stream) and not _is_utf8(stream.encoding)
        stream.reconfigure(encoding=stream.encoding if keeps_encoding else "utf-8", errors="replace")


def read_input(stdin: IO[str] | None) -> str:
    """Read all of stdin as text, whatever the locale says. A missing or closed stdin is empty."""
    try:
        if stdin is None:
            return ""
        buffer = getattr(stdin, "buffer", None)
        return decode(buffer.read()) if buffer is not None else stdin.read()
    except (ValueError, OSError):  # closed by the parent (`<&-`), or a terminal that went away
        return ""


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _is_utf8(encoding: str | None) -> bool:
    try:
        return encoding is not None and codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return False


def _speaks_unicode(stream: IO[str] | None) -> bool:
    encoding = getattr(stream, "encoding", None)
    return encoding is None or _is_utf8(encoding)


def _says_light(environ: Mapping[str, str]) -> bool:
    """Whether the background that rxvt, Konsole and others tell is white or light grey."""
    return environ.get("COLORFGBG", "").rpartition(";")[2] in {"7", "15"}


def _colors(environ: Mapping[str, str], term: str, *, dumb: bool) -> Colors:
    if dumb or environ.get("NO_COLOR"):
        return Colors.NONE
    if environ.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        return Colors.TRUE
    if "256color" in term or sys.platform == "win32":
        return Colors.PALETTE
    return Colors.BASIC


def _size_asker(environ: Mapping[str, str], stream: IO[str] | None) -> Callable[[], Size]:
    """Make the function that measures the terminal. COLUMNS may make the text narrower than it, never wider."""
    wish = environ.get("COLUMNS", "")
    columns = int(wish) if wish.isdecimal() and int(wish) > 0 else None

    def ask() -> Size:
        try:
            real = Size(*os.get_terminal_size(stream.fileno())) if stream is not None else FALLBACK_SIZE
        except (OSError, ValueError):  # not a terminal, or closed
            return Size(columns or FALLBACK_SIZE.columns, FALLBACK_SIZE.rows)
        if not (real.columns and real.rows):  # a pty whose size nobody set
            real = FALLBACK_SIZE
        return Size(min(columns or real.columns, real.columns), real.rows)

    return ask
