"""One Markdown block into rows of ANSI text, with rich. Knows nothing of streams, events or cursors.

A row is text without a line end. Prose is wrapped here, by cell width; code is not wrapped, so that what is copied from
the screen is the source. Nothing a model writes is dropped: HTML, link targets and unknown syntax are shown as typed.
"""

import io
import re
from collections.abc import Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from rich import box
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from r1chat.terminal.blocks import Block, Kind
from r1chat.terminal.screen import Colors, Screen
from r1chat.terminal.wrap import breaks

_COLOR_SYSTEMS = {
    Colors.BASIC: ColorSystem.STANDARD,
    Colors.PALETTE: ColorSystem.EIGHT_BIT,
    Colors.TRUE: ColorSystem.TRUECOLOR,
}
# \( \), \[ \], $$ $$ and $ $ by pandoc's rule: no blank inside the dollars' ends, no digit after the last.
_MATH = re.compile(r"\\\(.+?\\\)|\\\[.+?\\\]|\$\$.+?\$\$|\$(?![\s$])(?:[^$\\]|\\.)*?(?<![\s\\])\$(?!\d)", re.DOTALL)
# Characters that, left over as plain text, may still become markup when more text comes.
_OPENERS = frozenset("*_`[<$~\\&!")
_DIM = Style(dim=True)
_MARKS = {"strong": Style(bold=True), "em": Style(italic=True), "s": Style(strike=True), "link": Style(underline=True)}


class Markdown:
    """Renders blocks for one screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._parser = _parser()
        self._colored = screen.colors is not Colors.NONE
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
            return [Text("  " + line.strip()) for line in source.split("\n") if line.strip()]
        if block.kind is Kind.TEXT:
            return self.paragraph(block.source, columns)
        indent = len(source) - len(source.lstrip(" "))  # nesting that CommonMark does not see (less than the marker)
        rows = self._children(SyntaxTreeNode(self._parser.parse(source)), max(1, columns - indent))
        return [_join(Text(" " * indent), row) for row in rows]

    # Inline text

    def paragraph(self, source: str, columns: int, lead: Text | None = None) -> list[Text]:
        """Render running text. `lead` is the unfinished row that stands before it."""
        text, _ = self.inline(source)
        return wrap(text if lead is None else lead + text, columns)

    def inline(self, source: str) -> tuple[Text, bool]:
        """Render running text into one styled text, and say whether nothing in it can still become markup."""
        source = "\n".join(line.strip() if line.strip() else "" for line in source.strip("\n").split("\n"))
        tokens = self._parser.parseInline(source)[0].children or []
        return self._inline(tokens)

    def _inline(self, tokens: Sequence[Token]) -> tuple[Text, bool]:
        text = Text()
        marks = [Style.null()]
        links: list[tuple[int, str]] = []  # where the open links begin, and where they lead
        settled = True
        for token in tokens:
            style = Style.combine(marks)
            name = token.type.removesuffix("_open").removesuffix("_close")
            if token.nesting == 1:
                marks.append(_MARKS.get(name, Style.null()))
                if name == "link":
                    links.append((len(text), str(token.attrs.get("href", ""))))
            elif token.nesting == -1:
                marks.pop()
                if name == "link":
                    start, url = links.pop()
                    if url.removeprefix("mailto:") != text.plain[start:]:
                        text.append(f" ({url})", Style.combine(marks) + _DIM)
            elif token.type in ("softbreak", "hardbreak"):
                text.append("\n")
            elif token.type == "code_inline":
                shown = token.content if self._colored else f"`{token.content}`"
                text.append(shown, style + Style(color="cyan") if self._colored else style)
            elif token.type == "image":
                text.append(f"[{token.content}] ({token.attrs.get('src', '')})", style)
            else:
                settled = settled and (token.type == "math" or _OPENERS.isdisjoint(token.content))
                text.append(token.content, style)
        return text, settled

    # Blocks

    def _children(self, node: SyntaxTreeNode, columns: int, *, loose: bool = True) -> list[Text]:
        rows: list[Text] = []
        for child in node.children:
            if rows and loose:
                rows.append(Text())
            rows += self._node(child, columns)
        return rows

    def _node(self, node: SyntaxTreeNode, columns: int) -> list[Text]:
        match node.type:
            case "paragraph" | "heading":
                text, _ = self._inline(_tokens(node))
                if node.type == "heading":
                    text.stylize(Style(bold=True, underline=node.tag == "h1"))
                return wrap(text, columns)
            case "bullet_list" | "ordered_list":
                return self._list(node, columns)
            case "blockquote":
                bar = Text(self._screen.glyph("│ ", "| "), _DIM)
                return [_join(bar, row) for row in self._children(node, max(1, columns - 2))]
            case "fence" | "code_block":
                info = node.info.split() if node.type == "fence" else []
                return self._highlight(node.content.removesuffix("\n"), info[0] if info else "")
            case "table":
                return self._table(node, columns)
            case "hr":
                return [Text(self._screen.glyph("─", "-") * min(columns, 40), _DIM)]
            case _:
                return wrap(Text(node.content), columns)

    def _list(self, node: SyntaxTreeNode, columns: int) -> list[Text]:
        number = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        loose = any(not child.hidden for item in node.children for child in item.children if child.type == "paragraph")
        rows: list[Text] = []
        for item in node.children:
            marker = self._screen.glyph("• ", "* ") if number is None else f"{number}{item.markup} "
            number = None if number is None else number + 1
            content = self._children(item, max(1, columns - len(marker)), loose=loose and len(item.children) > 1)
            for index, row in enumerate(content or [Text()]):
                before = Text(marker, Style(color="cyan") if self._colored else "") if index == 0 else None
                rows.append(_join(before or Text(" " * len(marker)), row))
        return rows

    def _table(self, node: SyntaxTreeNode, columns: int) -> list[Text]:
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
            table.add_column(self._cell(cell), justify=justify, overflow="fold")  # type: ignore[arg-type]
        for line in lines[1:]:
            table.add_row(*(self._cell(cell) for cell in line.children))
        options = self._console.options.update(width=columns)
        return [
            Text.assemble(*((piece.text, piece.style or "") for piece in row))
            for row in self._console.render_lines(table, options, pad=False)
        ]

    def _cell(self, cell: SyntaxTreeNode) -> Text:
        return self._inline(_tokens(cell))[0]

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


def wrap(text: Text, columns: int) -> list[Text]:
    """Break styled text into rows of at most `columns` cells, without blanks at their ends."""
    rows: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        for row in line.divide(breaks(line.plain, columns)):
            row.rstrip()
            rows.append(row)
    return rows


def _join(left: Text, right: Text) -> Text:
    if not right.plain and not left.plain.strip():
        return Text()
    return Text.assemble(left, right)


def _tokens(node: SyntaxTreeNode) -> Sequence[Token]:
    """Give the inline tokens of a paragraph, a heading or a cell."""
    inline = node.children[0].token if node.children else None
    return (inline.children if inline else None) or []


@lru_cache(maxsize=16)
def _syntax(language: str, *, light: bool) -> Syntax:
    return Syntax("", language, theme="ansi_light" if light else "ansi_dark", background_color="default")


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """Make CommonMark with tables, without what would swallow text: HTML, reference definitions, setext headings."""
    parser = MarkdownIt("commonmark", {"html": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["html_block", "html_inline", "reference", "lheading"])
    parser.inline.ruler.before("escape", "math", _math)
    return parser


def _math(state: StateInline, silent: bool) -> bool:
    """Keep mathematics out of Markdown's hands: a whole span is one token, a lone delimiter stays as typed."""
    if found := _MATH.match(state.src, state.pos):
        if not silent:
            state.push("math", "", 0).content = found[0]
        state.pos = found.end()
        return True
    if state.src.startswith(("\\(", "\\)", "\\[", "\\]"), state.pos):
        if not silent:
            state.pending += state.src[state.pos : state.pos + 2]
        state.pos += 2
        return True
    return False
