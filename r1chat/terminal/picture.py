"""Pictures of text: blocks of rows that are put beside, over and around each other. Pure; knows no formula."""

from collections.abc import Sequence
from dataclasses import dataclass

from r1chat.terminal.symbols import PIECES
from r1chat.terminal.wrap import width


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of `cells` cells each. `base`: the row in line with its neighbours; `light`: only scripts leave that row."""

    rows: tuple[str, ...]
    base: int = 0
    light: bool = True

    @property
    def cells(self) -> int:
        """The width."""
        return width(self.rows[0])

    @property
    def below(self) -> int:
        """How many rows are under the base row."""
        return len(self.rows) - 1 - self.base


def written(text: str) -> Picture:
    return Picture((text,))


def padded(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))


def stretched(parts: str, cells: int) -> str:
    """Stretch a line: its ends stay, the sign in its middle stays in the middle."""
    if cells <= 1:
        return parts[len(parts) // 2]
    if len(parts) == 3:
        return parts[0] + parts[1] * (cells - 2) + parts[2]
    if cells == 2:
        return parts[0] + parts[-1]
    before = (cells - 3) // 2
    return parts[0] + parts[1] * before + parts[2] + parts[3] * (cells - 3 - before) + parts[-1]


def beside(pictures: Sequence[Picture]) -> Picture:
    """Put pictures side by side, their base rows in line."""
    pictures = [picture for picture in pictures if picture.rows != ("",)]
    if not pictures:
        return written("")
    above = max(picture.base for picture in pictures)
    below = max(picture.below for picture in pictures)
    rows = [""] * (above + 1 + below)
    for picture in pictures:
        blank = " " * picture.cells
        start = above - picture.base
        for number in range(len(rows)):
            inside = start <= number < start + len(picture.rows)
            rows[number] += picture.rows[number - start] if inside else blank
    return Picture(tuple(rows), above, all(picture.light for picture in pictures))


def centered(picture: Picture, cells: int) -> tuple[str, ...]:
    left = (cells - picture.cells) // 2
    return tuple(padded(" " * left + row, cells) for row in picture.rows)


def aligned(picture: Picture, cells: int, side: str) -> Picture:
    free = cells - picture.cells
    left = {"l": 0, "r": free, "c": free // 2}[side]
    rows = tuple(" " * left + row + " " * (free - left) for row in picture.rows)
    return Picture(rows, picture.base, picture.light)


def stacked(base: Picture, above: Picture | None, below: Picture | None) -> Picture:
    """Put pictures over and under another, in its middle."""
    cells = max(picture.cells for picture in (base, above, below) if picture is not None)
    rows = (
        *(centered(above, cells) if above else ()),
        *centered(base, cells),
        *(centered(below, cells) if below else ()),
    )
    return Picture(rows, base.base + (len(above.rows) if above else 0), light=False)


def raised_beside(base: Picture, up: str, level: str, down: str) -> Picture:
    """Put scripts a row higher, in line and a row lower, right of the base."""
    cells = max(width(up), width(level), width(down))
    rows = [up] * bool(up) + [level] + [down] * bool(down)
    return beside([base, Picture(tuple(padded(row, cells) for row in rows), int(bool(up)))])


def cornered(base: Picture, high: str, low: str) -> Picture:
    """Put scripts at the upper and lower right corner of a tall picture."""
    cells = max(width(high), width(low))
    rows = [row + " " * cells for row in base.rows]
    rows[-1] = base.rows[-1] + padded(low, cells)
    rows[0] = base.rows[0] + padded(high, cells)
    return Picture(tuple(rows), base.base, light=False)


def fenced(left: str, body: Picture, right: str) -> Picture:
    """Put brackets as tall as it around a picture."""
    height = len(body.rows)
    fences = [Picture(_delimiter(sign, height), body.base) if sign else written("") for sign in (left, right)]
    # A blank keeps a brace that stands alone, and lines that could be digits, away from what they hold.
    pad = " " if height > 1 and (left in ("{", "|", "‖") or right in ("}", "|", "‖")) else ""
    joined = [fences[0], written(pad if left else ""), body, written(pad if right else ""), fences[1]]
    picture = beside(joined)
    return Picture(picture.rows, picture.base, light=height == 1)


def _delimiter(sign: str, height: int) -> tuple[str, ...]:
    """Draw a bracket of some height."""
    if height == 1:
        return (sign,)
    if sign in "⟨⟩/\\":
        return _slanted(sign, height)
    if sign not in PIECES:
        return tuple(sign if row == height // 2 else " " for row in range(height))
    top, middle, bottom, between = tuple(PIECES[sign])
    if sign in "{}" and height == 2:
        return ("⎰", "⎱") if sign == "{" else ("⎱", "⎰")
    rows = [top, *[between] * (height - 2), bottom]
    if sign in "{}":
        rows[height // 2] = middle
    return tuple(rows)


def _slanted(sign: str, height: int) -> tuple[str, ...]:
    """Draw angle brackets and slashes, which grow in width, too."""
    if sign in "⟨⟩":
        half = (height + 1) // 2
        steps = [half - 1 - row for row in range(half)]
        steps += steps[::-1] if height % 2 == 0 else steps[-2::-1]
        down = "╱╲" if sign == "⟨" else "╲╱"
        rows = []
        for row, step in enumerate(steps):
            middle = height % 2 == 1 and row == half - 1
            char = sign if middle else down[0] if row < half else down[1]
            column = step if sign == "⟨" else half - 1 - step
            rows.append(" " * column + char + " " * (half - 1 - column))
        return tuple(rows)
    return tuple(
        " " * (height - 1 - row) + "╱" + " " * row if sign == "/" else " " * row + "╲" + " " * (height - 1 - row)
        for row in range(height)
    )


def crowded(upper: Picture, lower: Picture) -> bool:
    """Whether rows need a blank row between them to be told apart."""
    between = upper.below + lower.base
    return between > 1 or (between == 1 and not (upper.light and lower.light))


def barred(row: str, rows: Sequence[str]) -> str:
    """Let the lines of an array cross."""
    if set(row) != {"─"}:
        return row
    other = next((other for other in rows if "│" in other), "")
    columns = {index for index, char in enumerate(other) if char == "│"}
    return "".join("┼" if index in columns else char for index, char in enumerate(row))
