"""One Markdown block into rows of ANSI text, with rich. Knows nothing of streams, events or cursors.

A row is text without a line end. Prose is wrapped here, by cell width; code is not wrapped, so that what is copied from
the screen is the source. Nothing a model writes is dropped: HTML, link targets and unknown syntax are shown as typed.

Formulas never meet the Markdown parser: each is replaced by two private characters around its number before, and put
back afterwards, as it reads (`latex`) or as it was written.
"""

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from rich import box
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from r1chat.terminal import latex
from r1chat.terminal.blocks import Block, Kind
from r1chat.terminal.commonmark import Formula, Masked, mask, parser
from r1chat.terminal.screen import Colors, Screen
from r1chat.terminal.wrap import breaks

if TYPE_CHECKING:
    from rich.syntax import Syntax

_COLOR_SYSTEMS = {
    Colors.BASIC: ColorSystem.STANDARD,
    Colors.PALETTE: ColorSystem.EIGHT_BIT,
    Colors.TRUE: ColorSystem.TRUECOLOR,
}
# Characters that, left over as plain text, may still become markup when more text comes.
_OPENERS = frozenset("*_`[<$~\\&!")
_DIM = Style(dim=True)
_MARKS = {"strong": Style(bold=True), "em": Style(italic=True), "s": Style(strike=True), "link": Style(underline=True)}
_INDENT = "  "  # of a formula on a line of its own


class Markdown:
    """Renders blocks for one screen. Without `formulas`, mathematics is shown as its source."""

    def __init__(self, screen: Screen, *, formulas: bool = True) -> None:
        self._screen = screen
        self._formulas = formulas and screen.unicode
        self._parser = parser()
        self._colored = screen.colors is not Colors.NONE
        self._accent = Style(color=screen.shade("cyan", "blue"))
        self._console = Console(
            file=io.StringIO(),
            color_system=None,  # segments are turned into text in `ansi`, not by the console
            force_terminal=True,
            legacy_windows=False,
            markup=False,
            emoji=False,
            highlight=False,
            _environ={},
        )

    def rows(self, block: Block, columns: int) -> list[str]:
        """Render a finished or open block into rows of at most `columns` cells (code may be longer)."""
        return [self.ansi(row) for row in self._rows(block, columns)]

    def ansi(self, text: Text) -> str:
        """Write styled text with its escapes. Bold, dim and the like stay where there are no colours."""
        parts = []
        for piece, style, _ in text.render(self._console):
            parts.append(self._styled(piece, style) if style else piece)
        return "".join(parts)

    def _styled(self, text: str, style: Style) -> str:
        if not self._colored:
            codes = [("bold", "1"), ("dim", "2"), ("italic", "3"), ("underline", "4"), ("strike", "9")]
            return self._screen.sgr(";".join(code for name, code in codes if getattr(style, name)), text)
        return style.render(text, color_system=_COLOR_SYSTEMS[self._screen.colors])

    def _rows(self, block: Block, columns: int) -> list[Text]:
        source = block.source.strip("\n")
        if block.kind is Kind.CODE:
            return self._code(block)
        if block.kind is Kind.MATH:
            return self._display(source, columns)
        if block.kind is Kind.TEXT:
            return self.paragraph(block.source, columns)
        indent = len(source) - len(source.lstrip(" "))  # nesting that CommonMark does not see (less than the marker)
        masked = mask(source, quoted=block.kind is Kind.QUOTE)
        tree = SyntaxTreeNode(self._parser.parse(masked.source))
        rows = self._children(tree, masked, max(1, columns - indent))
        return [_join(Text(" " * indent), row) for row in rows]

    # Inline text

    def paragraph(self, source: str, columns: int, lead: Text | None = None) -> list[Text]:
        """Render running text. `lead` is the unfinished row that stands before it."""
        masked = mask(_unindented(source))
        flow = self._flow(self._tokens(masked), masked)
        return self._set(flow if lead is None else _with_lead(lead, flow), columns)

    def settled(self, source: str) -> bool:
        """Say whether nothing in this beginning of a paragraph can still read otherwise when more text comes."""
        masked = mask(_unindented(source))
        texts = [token.content for token in self._tokens(masked) if token.type == "text"]
        return not masked.displays and all(_OPENERS.isdisjoint(text) for text in texts)

    def _tokens(self, masked: Masked) -> Sequence[Token]:
        return self._parser.parseInline(masked.source)[0].children or []

    def _flow(self, tokens: Sequence[Token], masked: Masked) -> list["Text | Formula"]:
        """Render inline tokens into styled text, with formulas on lines of their own in between."""
        flow: list[Text | Formula] = []
        text = Text()
        marks = [Style.null()]
        links: list[tuple[int, str]] = []  # where the open links begin, and where they lead
        for token in tokens:
            style = Style.combine(marks)
            name = token.type.removesuffix("_open").removesuffix("_close")
            if token.nesting == 1:
                marks.append(_MARKS.get(name, Style.null()))
                if name == "link":
                    links.append((len(text), masked.restore(str(token.attrs.get("href", "")))))
            elif token.nesting == -1:
                marks.pop()
                if name == "link":
                    start, url = links.pop()
                    if url.removeprefix("mailto:") != text.plain[start:]:
                        text.append(f" ({url})", Style.combine(marks) + _DIM)
            elif token.type in ("softbreak", "hardbreak"):
                text.append("\n")
            elif token.type == "code_inline":
                content = masked.restore(token.content)
                shown = content if self._colored else f"`{content}`"
                text.append(shown, style + self._accent if self._colored else style)
            elif token.type == "image":
                target = masked.restore(str(token.attrs.get("src", "")))
                text.append(f"[{masked.restore(token.content)}] ({target})", style)
            else:
                for part in masked.split(token.content):
                    if isinstance(part, str):
                        text.append(part, style)
                    elif part.display and self._formulas:
                        flow += [text, part]
                        text = Text()
                    else:
                        text.append(self._inline_formula(part.source), style)
        return [*flow, text]

    def _set(self, flow: Sequence["Text | Formula"], columns: int) -> list[Text]:
        """Put text and formulas into rows. A small formula in the middle of a line stays there."""
        rows: list[Text] = []
        text = Text()
        apart = False  # a tall formula ended the rows: what follows it keeps its distance
        for index, part in enumerate(flow):
            if isinstance(part, Text):
                text.append_text(part)
                continue
            picture = self._picture(part.source, columns)
            alone = not text.plain.rpartition("\n")[2].strip() and _ends_line(flow[index + 1 :])
            if picture is None or (len(picture) == 1 and not alone):
                text.append(self._inline_formula(part.source))
                continue
            above = wrap(_stripped(text), columns) if text.plain.strip() else []
            rows += [Text()] * (apart and bool(above)) + above
            rows += [Text()] * (len(picture) > 1 and bool(rows)) + picture
            apart, text = len(picture) > 1, Text()
        below = wrap(_stripped(text) if rows else text, columns) if text.plain.strip() or not rows else []
        return rows + [Text()] * (apart and bool(below)) + below

    def _line(self, flow: Sequence["Text | Formula"]) -> Text:
        """Put text and formulas into one line."""
        line = Text()
        for part in flow:
            line.append_text(part if isinstance(part, Text) else Text(self._inline_formula(part.source)))
        return line

    # Formulas

    def _inline_formula(self, source: str) -> str:
        return (latex.inline(source) if self._formulas else None) or source

    def _picture(self, source: str, columns: int) -> list[Text] | None:
        """Draw a formula on lines of its own, indented where there is room for that."""
        if not self._formulas:
            return None
        rows = latex.display(source, max(1, columns - len(_INDENT)))
        return None if rows is None else [_join(Text(_INDENT), Text(row)) for row in rows]

    def _display(self, source: str, columns: int) -> list[Text]:
        """Show a block that is a formula, and what follows it on its last line."""
        source = source.strip()
        span = next(latex.spans(source), None) if self._formulas else None
        if span is not None and span.start == 0:
            rest = source[span.end :].strip()
            picture = self._picture(source[: span.end], columns)
            if picture is not None:
                return picture + (self.paragraph(rest, columns) if rest else [])
        return [Text(_INDENT + row) for row in latex.folded(source, columns - len(_INDENT))]

    # Blocks

    def _children(self, node: SyntaxTreeNode, masked: Masked, columns: int, *, loose: bool = True) -> list[Text]:
        rows: list[Text] = []
        for child in node.children:
            if rows and loose:
                rows.append(Text())
            rows += self._node(child, masked, columns)
        return rows

    def _node(self, node: SyntaxTreeNode, masked: Masked, columns: int) -> list[Text]:
        match node.type:
            case "paragraph":
                return self._set(self._flow(_tokens(node), masked), columns)
            case "heading":
                text = self._line(self._flow(_tokens(node), masked))
                text.stylize(Style(bold=True, underline=node.tag == "h1"))
                return wrap(text, columns)
            case "bullet_list" | "ordered_list":
                return self._list(node, masked, columns)
            case "blockquote":
                bar = Text(self._screen.glyph("│ ", "| "), _DIM)
                return [_join(bar, row) for row in self._children(node, masked, max(1, columns - 2))]
            case "fence" | "code_block":
                info = node.info.split() if node.type == "fence" else []
                return self._highlight(masked.restore(node.content).removesuffix("\n"), info[0] if info else "")
            case "table":
                return self._table(node, masked, columns)
            case "hr":
                return [Text(self._screen.glyph("─", "-") * min(columns, 40), _DIM)]
            case _:
                return wrap(Text(masked.restore(node.content)), columns)

    def _list(self, node: SyntaxTreeNode, masked: Masked, columns: int) -> list[Text]:
        number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        loose = any(not child.hidden for item in node.children for child in item.children if child.type == "paragraph")
        rows: list[Text] = []
        for item in node.children:
            marker = self._screen.glyph("• ", "* ") if number is None else f"{number}{item.markup} "
            number = None if number is None else number + 1
            loose_here = loose and len(item.children) > 1
            content = self._children(item, masked, max(1, columns - len(marker)), loose=loose_here)
            for index, row in enumerate(content or [Text()]):
                before = Text(marker, self._accent if self._colored else "") if index == 0 else None
                rows.append(_join(before or Text(" " * len(marker)), row))
        return rows

    def _table(self, node: SyntaxTreeNode, masked: Masked, columns: int) -> list[Text]:
        table = Table(
            box=box.ROUNDED if self._screen.unicode else box.ASCII,
            border_style=_DIM,
            header_style=Style(bold=True),
            safe_box=False,
        )
        lines = [row for part in node.children for row in part.children]
        for cell in lines[0].children:
            side = str(cell.attrs.get("style", "")).removeprefix("text-align:")
            justify = side if side in ("center", "right") else "left"
            table.add_column(self._cell(cell, masked), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for line in lines[1:]:
            table.add_row(*(self._cell(cell, masked) for cell in line.children))
        options = self._console.options.update(width=columns)
        return [
            Text.assemble(*((piece.text, piece.style or "") for piece in row))
            for row in self._console.render_lines(table, options, pad=False)
        ]

    def _cell(self, cell: SyntaxTreeNode, masked: Masked) -> Text:
        return self._line(self._flow(_tokens(cell), masked))

    def _code(self, block: Block) -> list[Text]:
        """Show fenced code between its fences: they mark it without colours, and copying takes it as it is."""
        source = block.source if block.joined else block.source.lstrip("\n")
        lines = source.removesuffix("\n").split("\n")
        opening = [] if block.joined else [Text(lines.pop(0), _DIM)]
        closing = [Text(lines.pop(), _DIM)] if block.closed and lines else []
        return [*opening, *(self._highlight("\n".join(lines), block.info) if lines else []), *closing]

    def _highlight(self, code: str, language: str) -> list[Text]:
        if self._colored and language:
            text = _syntax(language, light=self._screen.light).highlight(code)
            text.style = ""
            text.right_crop(1) if text.plain.endswith("\n") and not code.endswith("\n") else None
        else:
            text = Text(code)
        return list(text.split("\n", allow_blank=True))


def _unindented(source: str) -> str:
    return "\n".join(line.strip() for line in source.strip("\n").split("\n"))


def _ends_line(flow: Sequence[Text | Formula]) -> bool:
    """Whether nothing more is on the line before this."""
    for part in flow:
        if isinstance(part, Formula):
            return False
        line, line_end, _ = part.plain.partition("\n")
        if line.strip() or line_end:
            return not line.strip()
    return True


def _stripped(text: Text) -> Text:
    """Take the blanks and line ends off both ends."""
    n_left = len(text.plain) - len(text.plain.lstrip())
    return text[n_left : len(text.plain.rstrip())]


def _with_lead(lead: Text, flow: list[Text | Formula]) -> list[Text | Formula]:
    first, *rest = flow
    assert isinstance(first, Text)  # a flow begins and ends with text
    return [lead + first, *rest]


def wrap(text: Text, columns: int) -> list[Text]:
    """Break styled text into rows of at most `columns` cells, without blanks at their ends."""
    rows: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        for row in line.divide(breaks(line.plain, columns)):
            row.rstrip()
            rows.append(row)
    return rows


def _join(left: Text, right: Text) -> Text:
    if not right.plain:
        left = left.copy()
        left.rstrip()
    return Text.assemble(left, right)


def _tokens(node: SyntaxTreeNode) -> Sequence[Token]:
    """Give the inline tokens of a paragraph, a heading or a cell."""
    inline = node.children[0].token if node.children else None
    return (inline.children if inline else None) or []


@lru_cache(maxsize=16)
def _syntax(language: str, *, light: bool) -> "Syntax":
    from rich.syntax import ANSISyntaxTheme, Syntax  # with pygments, which an answer without code does not need

    from r1chat.terminal.colors import DARK, LIGHT

    return Syntax("", language, theme=ANSISyntaxTheme(LIGHT if light else DARK), background_color="default")
