"""A terminal's screen, as pyte emulates it, into an SVG picture. Knows nothing of what is on the screen.

Strategy: every run of cells with one style is a text of its own, put at its cell and stretched to the width of its
cells, so that the columns stand in line whatever font the viewer has. Blanks are no-break spaces: viewers join other
ones.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

import pyte
from pyte.screens import Char

CELL_WIDTH, CELL_HEIGHT = 8.4, 17  # of a font of 14 pixels; box-drawing characters of common fonts are about as high
FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
MARGIN, HEAD = 14, 30
BACKGROUND, FRAME, FOREGROUND, FAINT = "#14161a", "#2a2e36", "#d8dce3", "#868d99"
COLORS = {
    "default": FOREGROUND,
    "black": "#14161a",
    "red": "#f2777a",
    "green": "#8fd18f",
    "brown": "#e5c07b",  # pyte's word for yellow
    "blue": "#7fb2f0",
    "magenta": "#d39be8",
    "cyan": "#6fd3d3",
    "white": "#e8ebf0",
    "brightblack": FAINT,
}
NO_BREAK = "\u00a0"
FAINT_SGR, GRAY_SGR = 2, 90


class FaintScreen(pyte.HistoryScreen):
    """A screen that shows faint text, which pyte leaves out, in grey."""

    def select_graphic_rendition(self, *attributes: int, **kwargs: object) -> None:
        """Take the attributes, faint as grey unless the 2 is a part of a colour."""
        rest = list(attributes)
        known: list[int] = []
        while rest:
            code = rest.pop(0)
            if code in (38, 48):  # 38;5;N or 38;2;R;G;B
                n_more = {5: 2, 2: 4}.get(rest[0] if rest else 0, 0)
                known += [code, *rest[:n_more]]
                del rest[:n_more]
            else:
                known.append(GRAY_SGR if code == FAINT_SGR else code)
        super().select_graphic_rendition(*known, **kwargs)


@dataclass(frozen=True, slots=True)
class Run:
    """Cells of one row that look alike: the column of the first, how many they are, their text and style."""

    column: int
    n_cells: int
    text: str
    style: Char


def picture(screen: pyte.HistoryScreen, title: str) -> str:
    """Draw all that was shown, the scrollback too, without the blank rows at the end."""
    rows = [*screen.history.top, *(screen.buffer[y] for y in range(screen.lines))]
    drawn = [list(_runs(row, screen.columns)) for row in rows]
    while drawn and not drawn[-1]:
        drawn.pop()
    width = round(screen.columns * CELL_WIDTH + 2 * MARGIN)
    height = HEAD + len(drawn) * CELL_HEIGHT + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="{FONT}" font-size="14">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" rx="9" fill="{BACKGROUND}"/>',
        f'<path d="M0 {HEAD}V9a9 9 0 0 1 9-9H{width - 9}a9 9 0 0 1 9 9V{HEAD}z" fill="{FRAME}"/>',
        f'<text x="{width / 2:g}" y="20" text-anchor="middle" fill="{FOREGROUND}">{escape(title)}</text>',
    ]
    for number, runs in enumerate(drawn):
        top = HEAD + MARGIN + number * CELL_HEIGHT
        for run in runs:
            lines += _drawn(run, top)
    return "\n".join([*lines, "</svg>", ""])


def _runs(row: Mapping[int, Char], columns: int) -> Iterator[Run]:
    """Cut a row into runs, without blanks at its end. What is not ASCII stands alone: fonts differ most there."""
    cells = [(x, row[x]) for x in range(columns)]
    while cells and cells[-1][1].data.strip() == "" and cells[-1][1].bg == "default" and not cells[-1][1].reverse:
        cells.pop()

    def kind(cell: tuple[int, Char]) -> tuple[object, ...]:
        x, char = cell
        style = (char.fg, char.bg, char.bold, char.italics, char.underscore, char.reverse, char.strikethrough)
        return (style, None if char.data.isascii() else char.data if _repeats(char.data) else x)

    for _, group in groupby([cell for cell in cells if cell[1].data], kind):
        found = list(group)
        text = "".join(char.data for _, char in found)
        n_cells = sum(2 if unicodedata.east_asian_width(char.data[0]) in "WF" else 1 for _, char in found)
        if text.strip() or found[0][1].bg != "default" or found[0][1].reverse:
            yield Run(found[0][0], n_cells, text, found[0][1])


def _repeats(data: str) -> bool:
    """Whether a character is a piece of a line or a bar, which joins with its like."""
    return "\u2500" <= data[:1] <= "\u259f"


def _drawn(run: Run, top: float) -> Sequence[str]:
    x, width, style = MARGIN + run.column * CELL_WIDTH, run.n_cells * CELL_WIDTH, run.style
    fill, back = _color(style.fg), None if style.bg == "default" else _color(style.bg)
    if style.reverse:
        fill, back = back or BACKGROUND, fill
    found = []
    if back:
        found.append(f'<rect x="{x:g}" y="{top:g}" width="{width:g}" height="{CELL_HEIGHT}" fill="{back}"/>')
    looks = [
        'font-weight="bold"' if style.bold else "",
        'font-style="italic"' if style.italics else "",
        f'text-decoration="{"underline" if style.underscore else "line-through"}"'
        if style.underscore or style.strikethrough
        else "",
    ]
    if run.text.strip():
        text = escape(run.text).replace(" ", NO_BREAK)
        attributes = " ".join(["", *filter(None, looks)])
        place = f'x="{x:g}" y="{top + 13:g}" textLength="{width:g}" lengthAdjust="spacingAndGlyphs"'
        found.append(f'<text {place} fill="{fill}"{attributes}>{text}</text>')
    return found


def _color(name: str) -> str:
    if name in COLORS:
        return COLORS[name]
    if name.startswith("bright"):
        return COLORS.get(name.removeprefix("bright"), FOREGROUND)
    return f"#{name}"
