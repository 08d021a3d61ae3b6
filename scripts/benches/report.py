"""Tables of measurements. Knows nothing about what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Samples:
    """Repeated measurements of one thing, in one unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Give the middle value."""
        return median(self.values)

    @property
    def most(self) -> float:
        """Give the largest value."""
        return max(self.values)

    def show(self, digits: int, scale: float = 1.0) -> str:
        """Write the median and, in brackets, the range."""
        low, middle, high = (value * scale for value in (min(self.values), self.median, max(self.values)))
        return f"{middle:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a Markdown table under a title."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    print(f"\n### {title}\n")
    print(_row(headings, widths))
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in rows:
        print(_row(row, widths))
    print(flush=True)


def compared(*commands: Sequence[str]) -> None:
    """Print the command lines that a table compares."""
    for command in commands:
        print(f"    $ {' '.join(command)}", flush=True)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) + " |"
