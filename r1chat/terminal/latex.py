"""LaTeX mathematics as Unicode text: where it stands in an answer, and how it reads on a screen. Pure.

Knows no Markdown beyond its code spans, no colour and no terminal. What can't be read as LaTeX is shown as it was
written: every function here gives None, or the source, rather than an exception.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from r1chat.terminal.formula import Grid, Group, Node, Space, Unreadable, kinds_of
from r1chat.terminal.formula_layout import Layout, Style
from r1chat.terminal.formula_parser import MAX_LENGTH, parse
from r1chat.terminal.picture import Picture
from r1chat.terminal.symbols import WORDS, Class
from r1chat.terminal.wrap import fold

CONTINUED: Final = 3  # cells by which the further rows of a broken formula are indented, beside their first blank
_OPENING: Final = re.compile(r"`+|~~~+|\\\(|\\\[|\\boxed\s*\{|\\begin\{([a-z]+\*?)\}|\$\$?|\\.", re.DOTALL)
_COMMAND: Final = re.compile(r"\\[A-Za-z]+")
_EVIDENCE: Final = re.compile(r"\\[A-Za-z]|[\^_]")
_PROSE: Final = re.compile(r"\b[A-Za-z]{3,}\b")
_BRACES: Final = re.compile(r"\\.|[{}]|\n[ \t]*\n", re.DOTALL)
_BLANK_LINE: Final = re.compile(r"\n[ \t>]*\n")
_ENVIRONMENTS: Final = re.compile(
    r"(?:equation|align|aligned|alignat|gather|gathered|multline|split|eqnarray|flalign|cases|array|[pbvBV]?matrix)\*?$"
)


@dataclass(frozen=True, slots=True)
class Span:
    """A formula in a text, with its delimiters: `text[start:end]`. `display`: it wants a line of its own."""

    start: int
    end: int
    display: bool


def spans(text: str) -> Iterator[Span]:
    """Find the formulas in Markdown text, from left to right. Code is none, and so are prices."""
    position = 0
    vain: set[str] = set()  # what has no end behind this place, so that it is looked for once
    while opening := _OPENING.search(text, position):
        start, position = opening.span()
        word = opening[0]
        if word[0] in "`~":
            position = _behind_code(text, opening, vain)
            continue
        if (end := _end(text, opening, vain)) is not None:
            yield Span(start, end, _is_display(text, start, end, word))
            position = end
        elif word == "$$":
            position = start + 2


@lru_cache(maxsize=1024)  # the open tail is drawn many times
def inline(source: str) -> str | None:
    """Write a formula in one row, or give None where it can't be."""
    try:
        return Layout(Style.LINE).draw(parse(body(source))).rows[0].strip() or None
    except Unreadable:
        return None


@lru_cache(maxsize=256)
def display(source: str, columns: int) -> tuple[str, ...] | None:
    """Draw a formula in two dimensions, in at most `columns` cells, or give None where that can't be."""
    try:
        rows = _fitted(parse(body(source)), columns)
    except Unreadable:
        return None
    return tuple(row.rstrip() for row in rows) if rows and any(row.strip() for row in rows) else None


def folded(source: str, columns: int) -> list[str]:
    """Show the source of a formula in rows of at most `columns` cells."""
    lines = [line.rstrip() for line in source.strip("\n").split("\n") if line.strip()]
    indent = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    return fold("\n".join(line[indent:] for line in lines), max(1, columns)) if lines else []


def body(source: str) -> str:
    """Take the delimiters off a formula."""
    source = source.strip()
    for left, right in (("\\(", "\\)"), ("\\[", "\\]"), ("$$", "$$"), ("$", "$")):
        if source.startswith(left) and source.endswith(right) and len(source) >= len(left) + len(right):
            return source[len(left) : len(source) - len(right)].strip()
    return source


# Where formulas stand


def _behind_code(text: str, opening: re.Match[str], vain: set[str]) -> int:
    """Find the end of a code span or a fence; a run of backticks without partner is text."""
    run = opening[0]
    if run in vain:
        return opening.end()
    if run[0] == "~" and text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()].strip(" >-*+.0123456789"):
        return opening.end()
    close = re.compile(rf"(?<!{run[0]}){run}(?!{run[0]})").search(text, opening.end())
    if close is None:
        vain.add(run)
        fence = len(run) >= 3 and not text[text.rfind("\n", 0, opening.start()) + 1 : opening.start()].strip(" >")
        return len(text) if fence else opening.end()
    return close.end()


def _end(text: str, opening: re.Match[str], vain: set[str]) -> int | None:
    """Find where the formula ends that may begin here."""
    word = opening[0]
    if word == "$":
        return _behind_dollar(text, opening.start())
    if word.startswith("\\boxed"):
        return _behind_brace(text, opening.end() - 1)
    if word.startswith("\\begin"):
        close = f"\\end{{{opening[1]}}}"
        if not _ENVIRONMENTS.match(opening[1]):
            return None
    elif word in ("\\(", "\\[", "$$"):
        close = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}[word]
    else:
        return None
    if close in vain:
        return None
    end = text.find(close, opening.end())
    if end < 0:
        vain.add(close)
        return None
    inside = text[opening.end() : end]
    if not inside.strip() or word in inside or (word != "\\[" and _BLANK_LINE.search(inside)):
        return None
    return end + len(close)


def _behind_dollar(text: str, start: int) -> int | None:
    """Find the end of a formula between single dollars, if it clearly is one and no price.

    By pandoc's rule no blank is inside the dollars and no digit behind them; beyond it, what is between must look like
    mathematics. Blanks on both sides are accepted where LaTeX's own signs are in it.
    """
    if start and (text[start - 1].isalnum() or text[start - 1] == "\\"):
        return None
    end = start + 1
    while (end := text.find("$", end)) >= 0 and text[end - 1] == "\\":
        end += 1
    if end <= start + 1 or text[end + 1 : end + 2].isalnum():
        return None
    inside = text[start + 1 : end]
    evident = _EVIDENCE.search(inside) is not None
    blanks = inside[0].isspace(), inside[-1].isspace()
    if any(blanks) and not (all(blanks) and evident):
        return None
    if "`" in inside or ("\n" in inside and not evident) or _BLANK_LINE.search(inside):
        return None
    return end + 1 if _is_mathematics(inside, evident=evident) else None


def _is_mathematics(inside: str, *, evident: bool) -> bool:
    """Whether this reads as a formula rather than as the words between two prices."""
    if sum(inside.count(sign) for sign in "([") != sum(inside.count(sign) for sign in ")]"):
        return evident
    bare = _COMMAND.sub(" ", re.sub(r"\\[a-z]+\s*\{[^{}]*\}", " ", inside))
    words = [word for word in _PROSE.findall(bare) if word not in WORDS]
    if not evident and words:
        return False
    return len(words) < 3


def _behind_brace(text: str, at: int) -> int | None:
    """Find the place behind the brace that closes the one at `at`."""
    depth = 0
    for found in _BRACES.finditer(text, at, at + MAX_LENGTH // 4):
        if found[0][0] == "\n":
            return None
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth and found[0] == "}":
            return found.end()
    return None


def _is_display(text: str, start: int, end: int, word: str) -> bool:
    """Whether a formula wants a line of its own. A bare box does if nothing else is on its line."""
    if not word.startswith("\\boxed"):
        return word in ("\\[", "$$") or word.startswith("\\begin")
    before = text[text.rfind("\n", 0, start) + 1 : start]
    line_end = text.find("\n", end)
    after = text[end : len(text) if line_end < 0 else line_end]
    return not before.strip() and not after.strip()


# How wide they are


def _fitted(node: Node, columns: int) -> tuple[str, ...] | None:
    """Draw a formula within the width: whole, else broken before its relations, else before plus and minus, too."""
    layout = Layout(Style.DISPLAY)
    picture = layout.draw(node)
    if picture.cells <= columns:
        return picture.rows
    while isinstance(node, Group) and len(node.items) == 1:
        node = node.items[0]
    lines = [_items(node)]
    if isinstance(node, Grid) and node.steps:
        lines = [[item for cell in row for item in _items(cell)] for row in node.rows]
    found: list[str] = []
    for line in lines:
        if (rows := _broken(line, columns)) is None:
            return None
        if found and len(rows) > 1:
            found.append("")
        found += rows
    return tuple(found)


def _items(node: Node) -> list[Node]:
    return list(node.items) if isinstance(node, Group) else [node]


def _broken(items: list[Node], columns: int) -> list[str] | None:
    """Draw one formula in several rows."""
    parts = _parts(items, columns)
    if parts is None:
        return None
    pictures = [_drawn(part, first=number == 0) for number, part in enumerate(parts)]
    rows: list[str] = []
    for number, picture in enumerate(pictures):
        if number and (len(picture.rows) > 1 or len(pictures[number - 1].rows) > 1):
            rows.append("")
        rows += [" " * CONTINUED * (number > 0) + row for row in picture.rows]
    return rows


def _parts(items: list[Node], columns: int) -> list[list[Node]] | None:
    """Cut a formula into parts that fit: before its relations, and where that is not enough before plus and minus."""
    done: list[list[Node]] = []
    held: list[Node] = []
    for piece in _pieces(items, Class.RELATION):
        if _fits([*held, *piece], columns, first=not done):
            held += piece
            continue
        piece = piece[1:] if isinstance(piece[0], Space) else piece
        if held and done:
            done.append(held)
            held = []
        for part in [piece] if _fits(piece, columns, first=False) else _pieces(piece, Class.BINARY):
            if held and not _fits([*held, *part], columns, first=not done):
                done.append(held)
                held = []
            if not _fits([*held, *part], columns, first=not done):
                return None
            held += part
    return [*done, held]


def _pieces(items: list[Node], kind: Class) -> list[list[Node]]:
    """Cut a formula before every atom of a kind, and at wide blanks."""
    pieces: list[list[Node]] = [[]]
    for item, own in zip(items, kinds_of(items), strict=True):
        if pieces[-1] and (own is kind or (isinstance(item, Space) and item.cells > 1)):
            pieces.append([])
        pieces[-1].append(item)
    return pieces


def _fits(items: list[Node], columns: int, *, first: bool) -> bool:
    return _drawn(items, first=first).cells <= columns - CONTINUED * (not first)


def _drawn(items: list[Node], *, first: bool) -> Picture:
    return Layout(Style.DISPLAY).sequence(items, None if first else Class.ORDINARY)
