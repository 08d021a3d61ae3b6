"""Lists and reports as plain rows: columns side by side, labels with their values, sizes and times in words. Pure.

Knows no screen: the width and the sign for "cut here" are arguments. Every cell passes `clean` and becomes one line;
its width is counted in cells, so that Chinese names stand in line with others.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from r1chat.core.sanitize import clean
from r1chat.terminal.wrap import clusters, fold, width

GAP: Final = 2
LEAST: Final = 12  # cells: a column is not cut below this, whatever it does to the row
MAX_TEXT: Final = 4096  # characters: no cell is longer on any screen, whatever its name is in bytes


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `right`: its cells end in line; `shrinks`: it is cut when the row is too wide, a name in its middle,
    with `at_end` a text at its end.
    """

    title: str = ""
    right: bool = False
    shrinks: bool = False
    at_end: bool = False


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, columns_wide: int = 80, mark: str = "…"
) -> list[str]:
    """Lay out rows under their titles (left out if no column has one), in `columns_wide` cells if that can be done."""
    cells = [[one_line(text) for text in row] for row in rows]
    titles = [column.title for column in columns]
    wanted = [
        max([width(titles[index]), *(width(row[index]) for row in cells)], default=0) for index in range(len(columns))
    ]
    widths = _shrunk(columns, wanted, columns_wide)
    shown = ([titles] if any(titles) else []) + cells
    return [_row(columns, row, widths, mark) for row in shown]


def facts(pairs: Sequence[tuple[str, str]], *, columns_wide: int = 80, indent: int = 2) -> list[str]:
    """Lay out labels and values; a value that is too long goes on under itself."""
    label_wide = max((width(label) for label, _ in pairs), default=0)
    found = []
    for label, value in pairs:
        rows = fold(one_line(value), max(LEAST, columns_wide - indent - label_wide - GAP))
        for number, row in enumerate(rows):
            head = label if number == 0 else ""
            found.append(f"{' ' * indent}{head}{' ' * (label_wide - width(head) + GAP)}{row}".rstrip())
    return found


def one_line(text: str) -> str:
    """Make any text one clean line."""
    return " ".join(clean(text[:MAX_TEXT]).split())


def cut(text: str, columns_wide: int, mark: str = "…", *, at_end: bool = False) -> str:
    """Shorten one line to so many cells, in its middle: a name's end (quantization, number) matters too."""
    if width(text) <= columns_wide:
        return text
    room = columns_wide - width(mark)
    if room <= 0:
        return mark[: max(0, columns_wide)]
    pieces = list(clusters(text))
    n_tail = 0 if at_end else room // 2
    head = tail = 0
    start, end = 0, len(text)
    for piece in pieces:
        if head + piece.cells > room - n_tail:
            break
        head, start = head + piece.cells, piece.end
    for piece in reversed(pieces):
        if tail + piece.cells > n_tail:
            break
        tail, end = tail + piece.cells, piece.start
    return text[:start] + mark + text[end:]


def ago(then: float, now: float) -> str:
    """Say when something was, as a person would: just now, 5 minutes ago, yesterday, 3 weeks ago."""
    seconds = now - then
    if then <= 0:
        return "unknown"
    if seconds < 60:  # also a clock that was set back
        return "just now"
    for unit, length, most in (
        ("minute", 60, 60),
        ("hour", 3600, 24),
        ("day", 86400, 14),
        ("week", 7 * 86400, 9),
        ("month", 30.44 * 86400, 24),
    ):
        count = int(seconds / length)
        if count < most:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return f"{int(seconds / (365.25 * 86400))} years ago"


def counted(number: int, word: str) -> str:
    """Count things: 1 model, 2 models."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def home_short(path: str, home: str) -> str:
    """Write a path with ~ for the home folder, as shells take it."""
    inside = home and path.startswith(home.rstrip("/\\") + os.sep)
    return "~" + path[len(home.rstrip("/\\")) :] if inside else path


def _shrunk(columns: Sequence[Column], wanted: Sequence[int], columns_wide: int) -> list[int]:
    """Take what is too much from the columns that may shrink, the widest first."""
    widths = list(wanted)
    excess = sum(widths) + GAP * (len(widths) - 1) - columns_wide
    while excess > 0:
        able = [i for i, column in enumerate(columns) if column.shrinks and widths[i] > LEAST]
        if not able:
            break
        widest = max(able, key=lambda i: widths[i])
        second = max([LEAST, *(widths[i] for i in able if i != widest and widths[i] < widths[widest])])
        step = min(excess, max(1, widths[widest] - second))
        widths[widest] -= step
        excess -= step
    return widths


def _row(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], mark: str) -> str:
    parts = []
    for column, text, cells in zip(columns, row, widths, strict=True):
        shown = cut(text, cells, mark, at_end=column.at_end) if column.shrinks else text
        blanks = " " * (cells - width(shown))
        parts.append(blanks + shown if column.right else shown + blanks)
    return (" " * GAP).join(parts).rstrip()
