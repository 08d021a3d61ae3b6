"""Trees of formulas into pictures of text. Pure; knows no LaTeX and no terminal, but counts in its cells.

Strategy: boxes, as in TeX. A picture is a block of rows with a base row, on which it stands beside others. A formula on
a line of its own has two dimensions (Style.DISPLAY). In running text (Style.LINE) it has one row: fractions get a slash
and the brackets that then are needed. Cells of matrices and cases (Style.CELL) are in between: only grids take rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from r1chat.terminal.formula import (
    ATOM,
    PRODUCT,
    SUM,
    Accent,
    Arrow,
    Binomial,
    Box,
    Fence,
    Fraction,
    Grid,
    Group,
    Node,
    Phantom,
    Root,
    Scripts,
    Sign,
    Source,
    Space,
    Stack,
    Text,
    Unreadable,
    begins_solid,
    core_of,
    is_differential,
    is_letter,
    is_sign,
    is_word,
    kinds_of,
    needs_brackets,
    rank_of,
)
from r1chat.terminal.picture import (
    Picture,
    aligned,
    barred,
    beside,
    centered,
    cornered,
    crowded,
    fenced,
    padded,
    raised_beside,
    stacked,
    stretched,
    written,
)
from r1chat.terminal.symbols import ACCENTS, INTEGRALS, LOWERED, RAISED, Class, in_script
from r1chat.terminal.wrap import clusters, width

MAX_CELLS: Final = 100_000  # of one picture: hundreds of screens
GRID_GAP: Final = 2  # cells between the columns of a matrix
STEP_GAP: Final = 3  # between the pairs of columns of aligned steps
_SMALL_ROOTS: Final = {"3": "∛", "4": "∜"}
_SPANS: Final = {  # accents that are drawn as a row above or below a wide body: left end, middle, right end
    "overline": "___",
    "bar": "___",
    "underline": "‾‾‾",
    "vec": "──→",
    "overrightarrow": "──→",
    "overleftarrow": "←──",
    "overleftrightarrow": "←─→",
    "widehat": "╱‾╲",
    "widetilde": "~~~",
}
_EACH: Final = frozenset(["overline", "bar", "underline", "cancel", "bcancel", "xcancel", "sout", "overrightarrow"])
_INTEGRAL_SIGNS: Final = frozenset(INTEGRALS.values())


class Style(Enum):
    """How much room a part of a formula has."""

    DISPLAY = "display"
    CELL = "cell"
    LINE = "line"


@dataclass(frozen=True, slots=True)
class Layout:
    """Draws trees in one style. `dense`: no blanks around signs, as in scripts."""

    style: Style
    dense: bool = False

    def draw(self, node: Node) -> Picture:
        """Draw a tree. Raises Unreadable for what is too large."""
        picture = self._draw(node)
        if len(picture.rows) * picture.cells > MAX_CELLS:
            raise Unreadable
        return picture

    def text(self, node: Node) -> str:
        """Draw a tree in one row."""
        return _LINE.draw(node).rows[0] if not self.dense else _DENSE.draw(node).rows[0]

    def _draw(self, node: Node) -> Picture:
        match node:
            case Sign():
                return written(node.text)
            case Text() | Source():
                return written(node.text)
            case Space():
                return written(" " * node.cells)
            case Group():
                return self.sequence(node.items)
            case Fraction():
                return self._fraction(node)
            case Binomial():
                return self._binomial(node)
            case Root():
                return self._root(node)
            case Scripts():
                return self._scripts(node)
            case Fence():
                return self._fence(node)
            case Grid():
                return self._grid(node)
            case Accent():
                return self._accent(node)
            case Stack():
                return self._stack(node)
            case Arrow():
                return self._arrow(node)
            case Box():
                return self._box(node)
            case Phantom():
                body = self.draw(node.body)
                return Picture((" " * body.cells,))

    @property
    def _flat(self) -> "Layout":
        return _DENSE if self.dense else _LINE

    # Sequences

    def sequence(self, items: Sequence[Node], before: Class | None = None) -> Picture:
        """Draw atoms side by side, with the blanks between them; `before` is the kind of what stands to the left."""
        pictures: list[Picture] = []
        left: Node | None = None
        kinds = kinds_of(items, before)
        kind = before
        blank = 0
        for item, own in zip(items, kinds, strict=True):
            if isinstance(item, Space):
                blank = max(blank, item.cells) if not self.dense else blank
                continue
            if isinstance(item, Group) and not item.items:
                continue
            wanted = self._gap(left, kind, item, own) if kind is not None else 0
            if gap := max(blank, wanted):
                pictures.append(written(" " * gap))
            pictures.append(self.draw(item))
            left, kind, blank = item, own, 0
        if blank:
            pictures.append(written(" " * blank))
        return beside(pictures)

    def _gap(self, left: Node | None, a: Class, right: Node, b: Class) -> int:
        """Count the blanks between two neighbours; words bring their own."""
        if (isinstance(left, Text) and left.text.endswith(" ")) or (
            isinstance(right, Text) and right.text.startswith(" ")
        ):
            return 0
        if isinstance(left, Source) and not begins_solid(right) and left.text[-1:].isalpha():
            return 1
        if Class.OPERATOR in (a, b):
            return self._operator_gap(left, a, right, b)
        if self.dense and (is_word(left) or is_word(right)) and Class.BINARY in (a, b):
            return 1
        if a is Class.OPEN or b in (Class.CLOSE, Class.PUNCTUATION):
            return 0
        if self.dense:
            return int(self._is_slashed(left) and b is Class.ORDINARY and a is Class.ORDINARY)
        if a is b is Class.RELATION:
            return 0
        if {Class.BINARY, Class.RELATION} & {a, b} or a is Class.PUNCTUATION:
            return 1
        if b is Class.OPEN:
            return 0
        if isinstance(left, Sign) and left.kind is Class.BINARY and self._is_slashed(right):
            return 0  # a minus without a left side
        apart = (Fraction, Binomial, Grid, Box, Arrow)
        if isinstance(core_of(left), apart) or isinstance(core_of(right), apart):
            return 1
        return int(isinstance(left, Root) and not isinstance(right, Fence))

    def _operator_gap(self, left: Node | None, a: Class, right: Node, b: Class) -> int:
        if a is Class.OPEN or b in (Class.CLOSE, Class.PUNCTUATION):
            return 0
        if a is Class.BINARY and self.dense and not is_word(right):
            return 0
        if a is not Class.OPERATOR:
            if isinstance(left, Sign) and left.kind is Class.BINARY and a is Class.ORDINARY:
                return 0  # a minus without a left side
            return 0 if self.dense and a in (Class.BINARY, Class.RELATION, Class.PUNCTUATION) else 1
        if b is Class.RELATION or b is Class.BINARY:
            return 0 if self.dense else 1
        if isinstance(core_of(right), Fence) or b is Class.OPEN:
            base, fence = core_of(left), core_of(right)
            if not isinstance(base, Sign) or not base.text[:1].isalpha() or base.text == "mod":
                return 1
            bound = base.bounds and isinstance(left, Scripts) and left.low is not None
            return int(bound or (isinstance(fence, Fence) and fence.left == "{"))
        return 1

    def _is_slashed(self, node: Node | None) -> bool:
        return isinstance(core_of(node), Fraction) and self.style is not Style.DISPLAY

    # Fractions and roots

    def _fraction(self, node: Fraction) -> Picture:
        flat = self.style is Style.LINE or node.flat is True or (self.style is Style.CELL and node.flat is not False)
        if flat or self.dense:
            line = self._flat
            top, bottom = line.text(node.top), line.text(node.bottom)
            top = _bracketed(top) if rank_of(node.top) > PRODUCT else top
            bottom = _bracketed(bottom) if rank_of(node.bottom) > ATOM and not is_differential(node.bottom) else bottom
            return written(f"{top}/{bottom}")
        display = Layout(Style.DISPLAY)
        top_picture, bottom_picture = display.draw(node.top), display.draw(node.bottom)
        inner = not (top_picture.light and bottom_picture.light)  # a longer bar than those within
        cells = max(top_picture.cells, bottom_picture.cells, 1) + 2 * inner
        return Picture(
            (*centered(top_picture, cells), "─" * cells, *centered(bottom_picture, cells)),
            len(top_picture.rows),
            light=False,
        )

    def _binomial(self, node: Binomial) -> Picture:
        if self.style is Style.LINE or self.dense:
            return written(f"C({self.text(node.top)}, {self.text(node.bottom)})")
        rows = ((node.top,), (node.bottom,))
        return self._grid(Grid(rows, "c", "(", ")"))

    def _root(self, node: Root) -> Picture:
        index = "" if node.index is None else _DENSE.text(node.index)
        if self.style is not Style.DISPLAY or self.dense or is_letter(node.body):
            text = self._flat.text(node.body)
            return written(_root_sign(index) + (text if is_letter(node.body) else _bracketed(text)))
        body = self.draw(node.body)
        if len(body.rows) == 1:
            sign = _root_sign(index)
            above = " " * width(sign) + "_" * body.cells
            return Picture((above, sign + body.rows[0]), 1, light=False)
        # The index stands in the hook of the sign.
        lead = max(0, width(index) - 1)
        rows = [" " * lead + " ┌" + "─" * (body.cells + 2)]
        rows += [" " * lead + " │ " + row + " " for row in body.rows[:-1]]
        rows.append(" " * lead + "╲│ " + body.rows[-1] + " ")
        if index:
            at = len(rows) - 2
            rows[at] = index + rows[at][lead + 1 :]
        return Picture(tuple(rows), body.base + 1, light=False)

    # Scripts

    def _scripts(self, node: Scripts) -> Picture:
        base = node.base
        if isinstance(base, Sign) and base.kind is Class.OPERATOR:
            if self.style is Style.DISPLAY and not self.dense and base.bounds:
                return stacked(self.draw(base), _small(node.high), _small(node.low))
            if base.text in _INTEGRAL_SIGNS:
                return self._integral(base, node)
        picture = self.draw(base)
        if picture.light and len(picture.rows) == 1 and needs_brackets(base, picture.rows[0]):
            picture = written(_bracketed(picture.rows[0]))
        return self._beside_scripts(picture, node, together=isinstance(base, Sign) and base.kind is Class.OPERATOR)

    def _beside_scripts(self, base: Picture, node: Scripts, *, together: bool) -> Picture:
        """Put scripts to the right of a picture: as raised and lowered characters where they all exist.

        `together`: both in the same form, as the bounds of an operator.
        """
        low, high = _script_text(node.low), _script_text(node.high)
        lowered, raised = in_script(low, LOWERED), in_script(high, RAISED)
        if self.dense:  # no scripts of scripts that could be mistaken for one
            lowered = lowered if not low or len(low) <= 3 else None
        if together and ((low and lowered is None) or (high and raised is None)):
            lowered = raised = None
        two_dimensional = self.style is Style.DISPLAY and not self.dense
        if len(base.rows) > 1 and not base.light:
            return cornered(base, raised or high, lowered or low)
        if two_dimensional and ((high and raised is None) or (low and lowered is None)):
            up, down = "" if raised else high, "" if lowered else low
            return raised_beside(base, up, (lowered or "") + (raised or ""), down)
        low_text = (lowered or _marked("_", low)) if low else ""
        high_text = (raised or _marked("^", high)) if high else ""
        # A marked subscript would take a raised character behind it for its own.
        text = high_text + low_text if raised and low and lowered is None else low_text + high_text
        return beside([base, Picture((text,))])

    def _integral(self, sign: Sign, node: Scripts) -> Picture:
        low, high = _script_text(node.low), _script_text(node.high)
        lowered, raised = in_script(low, LOWERED), in_script(high, RAISED)
        in_line = (lowered is not None or not low) and (raised is not None or not high)
        if self.style is not Style.DISPLAY or self.dense or in_line or sign.text != "∫":
            return self._beside_scripts(written(sign.text), node, together=True)
        cells = max(width(low), width(high))
        rows = ("⌠" + padded(high, cells), "⎮" + " " * cells, "⌡" + padded(low, cells))
        return Picture(rows, 1, light=False)

    # Brackets and grids

    def _fence(self, node: Fence) -> Picture:
        body = self.draw(node.body)
        if body.light:
            return beside([written(node.left), body, written(node.right)])
        return fenced(node.left, body, node.right)

    def _grid(self, node: Grid) -> Picture:
        if self.style is Style.LINE or self.dense:
            return written(self._flat_grid(node))
        inner = self if node.steps and self.style is Style.DISPLAY else Layout(Style.CELL)
        n_columns = max(len(row) for row in node.rows)
        sides = _sides(node.spec, n_columns)
        drawn = []
        for row in node.rows:
            cells = [inner._cell(cell, node, column) for column, cell in enumerate(row)]
            drawn.append(cells + [written("")] * (n_columns - len(cells)))
        widths = [max(row[column].cells for row in drawn) for column in range(n_columns)]
        if sum(widths) * len(drawn) > MAX_CELLS:
            raise Unreadable
        lines = []
        for pictures in drawn:
            parts: list[Picture] = []
            for column, picture in enumerate(pictures):
                parts.append(written(self._lead(node, column)))
                parts.append(aligned(picture, widths[column], sides[column]))
            lines.append(beside(parts))
        return fenced(node.left, self._stack_lines(node, lines), node.right)

    def _cell(self, cell: Node, grid: Grid, column: int) -> Picture:
        """Draw a cell. The relation that a step begins with keeps its distance to the cell on its left."""
        items = cell.items if isinstance(cell, Group) else (cell,)
        if not grid.steps or len(grid.spec) < 2:
            return self.sequence(items)
        if column % 2:
            return self.sequence(items, Class.ORDINARY)
        picture = self.sequence(items)
        kinds = kinds_of(items)
        ends_in_sign = bool(kinds) and isinstance(items[-1], Sign) and items[-1].kind in (Class.RELATION, Class.BINARY)
        return beside([picture, written(" ")]) if ends_in_sign else picture

    def _lead(self, grid: Grid, column: int) -> str:
        """Give what stands before a column."""
        if column in grid.bars:
            return "│ " if column == 0 else " │ "
        if column == 0:
            return ""
        if grid.steps:
            return "" if column % 2 and len(grid.spec) > 1 else " " * STEP_GAP
        return " " * GRID_GAP

    def _stack_lines(self, grid: Grid, lines: list[Picture]) -> Picture:
        """Put rows below each other; tall ones keep a blank row between them."""
        cells = max(line.cells for line in lines)
        spread = len(lines) == 2 and (grid.left == "{" or grid.right == "}")  # the brace needs a middle
        rows: list[str] = []
        firsts = []
        previous: Picture | None = None
        for number, line in enumerate(lines):
            if number in grid.rules:
                rows.append("─" * cells)
            elif previous is not None and (crowded(previous, line) or spread):
                rows.append(" " * cells)
            firsts.append(len(rows) + line.base)
            rows += [padded(row, cells) for row in line.rows]
            previous = line
        if len(lines) in grid.rules:
            rows.append("─" * cells)
        if grid.bars:
            rows = [barred(row, rows) for row in rows]
        base = firsts[0] if len(lines) == 1 else (len(rows) - 1) // 2
        return Picture(tuple(rows), base, light=len(rows) == 1)

    def _flat_grid(self, grid: Grid) -> str:
        """Write a grid in one row: blanks between columns, semicolons between rows."""
        line = self._flat
        join = "" if grid.steps else ", " if "{" in (grid.left, grid.right) else " "
        rows = [join.join(line._cell(cell, grid, n).rows[0] for n, cell in enumerate(row)) for row in grid.rows]
        left, right = grid.left, grid.right
        if not (left or right or grid.steps) and len(rows) > 1:
            left, right = "(", ")"
        return left + "; ".join(row.strip() for row in rows) + right

    # Marks, stacks and frames

    def _accent(self, node: Accent) -> Picture:
        body = self.draw(node.body)
        mark = ACCENTS[node.name]
        if len(body.rows) == 1 and body.cells == 1:
            mark = ACCENTS["bar"] if node.name == "overline" and body.rows[0].isalpha() else mark
            return written(body.rows[0] + mark)
        span = _SPANS.get(node.name)
        if self.style is Style.DISPLAY and not self.dense and span:
            bar = stretched(span, body.cells)
            if node.name == "underline":
                return Picture((*body.rows, bar), body.base, light=False)
            return Picture((bar, *body.rows), body.base + 1, light=False)
        if len(body.rows) > 1:
            raise Unreadable
        pieces = [body.rows[0][piece.start : piece.end] for piece in clusters(body.rows[0])]
        if node.name in _EACH:
            return written("".join(piece + mark for piece in pieces))
        middle = len(pieces) - 1 if node.name == "vec" else (len(pieces) - 1) // 2
        return written("".join(piece + mark * (index == middle) for index, piece in enumerate(pieces)))

    def _stack(self, node: Stack) -> Picture:
        base = self.draw(node.base)
        if self.style is not Style.DISPLAY or self.dense:
            if len(base.rows) == 1 and rank_of(node.base) == SUM and not is_sign(node.base):
                base = written(_bracketed(base.rows[0]))
            return self._beside_scripts(base, Scripts(node.base, node.below, node.above), together=True)
        if not node.brace:
            return stacked(base, _small(node.above), _small(node.below))
        above, below = _small(node.above), _small(node.below)
        if node.above is not None:
            base = stacked(base, Picture((stretched("╭─┴─╮" if above else "╭───╮", base.cells),)), None)
        if node.below is not None:
            base = stacked(base, None, Picture((stretched("╰─┬─╯" if below else "╰───╯", base.cells),)))
        return stacked(base, above, below)

    def _arrow(self, node: Arrow) -> Picture:
        above, below = _DENSE.text(node.above), "" if node.below is None else _DENSE.text(node.below)
        if self.style is not Style.DISPLAY or self.dense:
            label = ", ".join(part for part in (above, below) if part)
            shaft = "=" if node.head == "=" else "─"
            left, right = (node.head, shaft) if node.head == "←" else (shaft, node.head)
            return written(f"{left}{label}{right}")
        cells = max(width(above), width(below), 1) + 2
        left, right = {"←": ("←", "─"), "↔": ("←", "→"), "=": ("=", "="), "⇒": ("═", "⇒"), "⇐": ("⇐", "═")}.get(
            node.head, ("─", node.head)
        )
        middle = "=" if node.head == "=" else "═" if node.head in "⇒⇐" else "─"
        return stacked(
            written(left + middle * (cells - 2) + right),
            written(above) if above else None,
            written(below) if below else None,
        )

    def _box(self, node: Box) -> Picture:
        if self.style is not Style.DISPLAY or self.dense:
            return written(f"⟦{self.text(node.body)}⟧")
        body = self.draw(node.body)
        rows = [f"│ {row} │" for row in body.rows]
        line = "─" * (body.cells + 2)
        return Picture((f"┌{line}┐", *rows, f"└{line}┘"), body.base + 1, light=False)


_LINE: Final = Layout(Style.LINE)
_DENSE: Final = Layout(Style.LINE, dense=True)


# Text


def _bracketed(text: str) -> str:
    return f"({text})"


def _script_text(node: Node | None) -> str:
    """Write a script in one row."""
    return "" if node is None else _DENSE.text(node).strip()


def _small(node: Node | None) -> Picture | None:
    """Draw a bound. Only stacked conditions take more than a row."""
    if node is None:
        return None
    core = core_of(node)
    if isinstance(core, Grid) and not core.left:
        rows = [written(" ".join(_DENSE.text(cell) for cell in row)) for row in core.rows]
        cells = max(row.cells for row in rows)
        return Picture(tuple(line for row in rows for line in centered(row, cells)))
    text = _script_text(node)
    return written(text) if text else None


def _marked(mark: str, text: str) -> str:
    """Write a script that has no characters of its own."""
    if width(text) == 1 or (text[:1] == "(" and text[-1:] == ")" and text.count("(") == 1):
        return mark + text
    return f"{mark}({text})"


def _root_sign(index: str) -> str:
    if not index or index == "2":
        return "√"
    return _SMALL_ROOTS.get(index) or (in_script(index, RAISED) or f"{index} ") + "√"


def _sides(spec: str, n_columns: int) -> str:
    """Give every column its side; the last two of `spec` go on."""
    while len(spec) < n_columns:
        spec += spec[-2] if len(spec) > 1 else spec[-1]
    return spec
