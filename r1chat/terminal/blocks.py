"""Growing Markdown into finished blocks and an open tail. Pure; knows no width, no colour and no terminal.

Strategy: a line scanner that looks at each complete line once. It does not parse Markdown, it only finds the places
where no later text can change how the earlier text reads: the end of a paragraph, a closed fence, the next item of a
list. Joined, the sources of the blocks and the tail are the text that was fed, to the byte. Two valves keep the tail
short whatever a model writes: code leaves in chunks, and any block leaves at LONGEST characters.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

CODE_LINES = 8  # a chunk of code: long enough for a docstring to keep its colour, short enough for a third of 24 rows
LONGEST = 8_000  # characters; a paragraph of some 100 rows. Beyond it a block is cut at a blank


class Kind(StrEnum):
    """How a block is to be read."""

    TEXT = "text"  # a paragraph, also a quote or anything unknown
    HEADING = "heading"
    RULE = "rule"
    LIST = "list"  # one item of a list, with all that is nested in it
    QUOTE = "quote"
    TABLE = "table"
    CODE = "code"  # a fenced block, or a chunk of one
    MATH = "math"  # a LaTeX display


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of Markdown that stands for itself.

    `info` is the language of code. `joined` says that it goes on right below the block before it, without a blank line;
    for code, that it lacks its opening fence. `closed` says that the last line of code is its closing fence.
    """

    kind: Kind
    source: str
    info: str = ""
    joined: bool = False
    closed: bool = False


_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$")
_HEADING = re.compile(r" {0,3}#{1,6}(\s|$)")
_RULE = re.compile(r" {0,3}([-*_])[ \t]*(\1[ \t]*){2,}$")
_ITEM = re.compile(r"( *)([-*+]|\d{1,9}[.)])(?:( +)(?=\S)|\s*$)")
_QUOTE = re.compile(r" {0,3}>")
_DELIMITERS = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_DISPLAY = re.compile(r"\s*(\\\[|\$\$|\\begin\{([a-z]+\*?)\})")
_OPENER = re.compile(r"`+|\\\[|\$\$|\\begin\{([a-z]+\*?)\}|\\.")
_DOLLARS = re.compile(r"\$\$")
_BRACKET = re.compile(r"\\\]")


class Blocks:
    """Feed the text as it comes; get each block once, when it can no longer change."""

    def __init__(self) -> None:
        self._line = ""  # the incomplete last line
        self._lines: list[str] = []  # the complete lines of the open block
        self._length = 0
        self._kind: Kind | None = None
        self._info = ""
        self._joined = False
        self._blank = False  # a blank line is the last of the open block
        self._indent = 0  # a list item's content starts at this column
        self._close: re.Pattern[str] | None = None  # what ends the fence or the display we are in
        self._in_text = False  # that display stands in a paragraph or an item, which it does not end
        self._done: list[Block] = []
        self._before: Kind | None = None  # the kind of the block that left last

    @property
    def tail(self) -> list[Block]:
        """What is open, as it reads now: one block, or two while the incomplete line looks like a new one."""
        lines = "".join(self._lines)
        if self._close is not None or not self._line.strip():
            source = lines + self._line
            return [Block(self._kind or Kind.TEXT, source, self._info, self._joined)] if source else []
        kind = _kind_of(self._line)
        if self._kind is None:
            return [Block(kind, lines + self._line, "", self._may_join(kind, self._before))]
        if self._goes_on(self._line):
            return [Block(self._kind, lines + self._line, self._info, self._joined)]
        return [
            Block(self._kind, lines, self._info, self._joined),
            Block(kind, self._line, "", self._may_join(kind, self._kind)),
        ]

    def feed(self, text: str) -> list[Block]:
        """Take more text. Return the blocks it finished."""
        *lines, rest = text.split("\n")
        for line in lines:
            self._grow(line)
            self._take(self._line + "\n")
        self._grow(rest)
        return self._leave()

    def finish(self) -> list[Block]:
        """Return what is left."""
        if self._line:
            self._take(self._line)
        self._end()
        return self._leave()

    def _leave(self) -> list[Block]:
        done, self._done = self._done, []
        return done

    def _grow(self, text: str) -> None:
        """Append to the incomplete line; let go of what became too long."""
        self._line += text
        while self._length + len(self._line) > LONGEST:
            room = LONGEST - self._length
            cut = self._line.rfind(" ", 1, room) + 1 or max(1, room)
            piece, self._line = self._line[:cut], self._line[cut:]
            kind = self._kind or _kind_of(piece)
            if self._kind is None:
                self._begin(kind)
            self._add(piece)
            # What follows is read as text, or as more of the same code.
            self._chunk(kind if kind is Kind.CODE else Kind.TEXT)

    def _take(self, line: str) -> None:
        """Decide where one complete line belongs."""
        self._line = ""
        if self._close is not None:
            self._take_enclosed(line)
        elif not line.strip():
            self._take_blank(line)
        elif self._kind is Kind.TEXT and "|" in line and _DELIMITERS.match(line) and "|" in self._lines[-1]:
            self._make_table(line)
        elif self._goes_on(line):
            self._add(line)
            if self._kind is Kind.LIST:
                self._open_inside(line)
            elif self._kind is Kind.TEXT:
                self._open_display(line)
        else:
            if self._kind is not None:  # else it holds blank lines, which go with the block that begins
                self._end()
            self._open(line)

    def _take_enclosed(self, line: str) -> None:
        """Inside a fence or a display only its end matters."""
        if self._in_text and not line.strip():
            self._close = None  # TeX has no blank line in a display: this was none
            self._take_blank(line)
            return
        self._add(line)
        assert self._close is not None
        if end := self._close.search(line):
            self._close = None
            if self._in_text:
                self._open_display(line[end.end() :])
            elif self._kind is not Kind.LIST:
                self._end(closed=self._kind is Kind.CODE)
        elif self._kind is Kind.CODE and len(self._lines) >= CODE_LINES:
            self._chunk(Kind.CODE)
        elif self._kind is Kind.MATH and self._close is _DOLLARS and not line.strip():
            self._kind = Kind.TEXT  # TeX has no blank line in a display: these were dollars
            self._end()
            self._blank = True

    def _take_blank(self, line: str) -> None:
        if self._kind is None:
            self._lines.append(line)  # blanks before a block travel with it
            self._length += len(line)
            self._blank = True
            return
        self._add(line)
        self._blank = True
        if self._kind is not Kind.LIST:
            self._end()

    def _in_item(self, line: str) -> bool:
        """Whether the line still belongs to the open list item."""
        indent = len(line) - len(line.lstrip(" "))
        if indent >= self._indent:
            return True
        if self._blank or _ITEM.match(line):
            return False
        return _kind_of(line) is Kind.TEXT  # a lazy continuation of the item's last paragraph

    def _goes_on(self, line: str) -> bool:
        """Whether the line, which is not blank, is more of the open block."""
        if self._kind is Kind.LIST:
            return self._in_item(line)
        if self._kind is Kind.TABLE:
            return "|" in line
        kind = _kind_of(line)
        if self._kind is Kind.QUOTE:
            return kind in (Kind.QUOTE, Kind.TEXT)
        if self._kind is Kind.TEXT and kind is Kind.LIST:  # CommonMark 5.3: of the ordered lists only one that
            item = _ITEM.match(line)  # starts with 1 interrupts a paragraph
            return item is not None and item[2][:-1] not in ("", "1")
        return self._kind is Kind.TEXT and kind is Kind.TEXT

    def _make_table(self, line: str) -> None:
        """The line before was the table's head, as this row of dashes shows."""
        head = self._lines.pop()
        self._length -= len(head)
        if any(text.strip() for text in self._lines):
            self._end()
        self._begin(Kind.TABLE)
        self._add(head)
        self._add(line)

    def _open(self, line: str) -> None:
        """Begin a block with this line."""
        kind = _kind_of(line)
        self._begin(kind)
        self._add(line)
        if kind is Kind.LIST:
            item = _ITEM.match(line)
            assert item is not None
            self._indent = len(item[1]) + len(item[2]) + min(len(item[3] or " "), 4)
            self._open_inside(line[self._indent :])
        elif kind is Kind.CODE:
            fence = _FENCE.match(line)
            assert fence is not None
            self._info = fence[2]
            self._close = _fence_end(fence[1])
        elif kind is Kind.MATH:
            self._close = _math_end(line)
            if self._close is None:
                self._end()
        elif kind is Kind.TEXT:
            self._open_display(line)
        elif kind in (Kind.HEADING, Kind.RULE):
            self._end()

    def _open_inside(self, line: str) -> None:
        """A list item holds fences and displays together, too."""
        if fence := _FENCE.match(line.lstrip(" ")):
            self._close = _fence_end(fence[1])
        else:
            self._open_display(line)

    def _open_display(self, line: str) -> None:
        """A display that begins in the middle of a paragraph's line goes on in the next."""
        self._close = _left_open(line)
        self._in_text = self._close is not None

    def _begin(self, kind: Kind) -> None:
        self._joined = self._may_join(kind, self._before)
        self._kind = kind
        self._info = ""

    def _may_join(self, kind: Kind, before: Kind | None) -> bool:
        return not self._blank and kind is Kind.LIST and before in (Kind.TEXT, Kind.LIST)

    def _add(self, text: str) -> None:
        self._lines.append(text)
        self._length += len(text)
        if text.strip():
            self._blank = False

    def _chunk(self, kind: Kind) -> None:
        """Let the open block go and continue it as a block of `kind` right below."""
        info, close = self._info, self._close if kind is Kind.CODE else None
        self._end()
        self._kind, self._info, self._close, self._joined = kind, info, close, True

    def _end(self, *, closed: bool = False) -> None:
        if self._lines:
            kind = self._kind or Kind.TEXT
            self._done.append(Block(kind, "".join(self._lines), self._info, self._joined, closed))
            self._before = kind
        self._lines, self._length = [], 0
        self._kind, self._info, self._joined, self._close = None, "", False, None
        self._in_text = False


def _kind_of(line: str) -> Kind:
    """Read how a block that begins with this line starts."""
    for kind, pattern in (
        (Kind.CODE, _FENCE),
        (Kind.HEADING, _HEADING),
        (Kind.RULE, _RULE),
        (Kind.LIST, _ITEM),
        (Kind.QUOTE, _QUOTE),
    ):
        if pattern.match(line):
            return kind
    return Kind.MATH if _is_display(line) else Kind.TEXT


def _fence_end(fence: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{re.escape(fence[0])}{{{len(fence)},}}\s*$")


def _is_display(line: str) -> bool:
    """Whether a LaTeX display begins with this line: it stays open, or nothing follows its end."""
    if (opening := _DISPLAY.match(line)) is None:
        return False
    end = _display_end(opening[1], opening[2]).search(line, opening.end())
    return end is None or not line[end.end() :].strip()


def _math_end(line: str) -> re.Pattern[str] | None:
    """Make the pattern that ends the display opened in `line`, or None when it ends in the same line."""
    opening = _DISPLAY.match(line)
    assert opening is not None
    end = _display_end(opening[1], opening[2])
    return None if end.search(line, opening.end()) else end


def _left_open(line: str) -> re.Pattern[str] | None:
    """Make the pattern that ends the display which the line leaves open, if it does. Code spans hold none."""
    position = 0
    while opening := _OPENER.search(line, position):
        position = opening.end()
        if opening[0][0] == "`":
            partner = re.compile(rf"(?<!`){opening[0]}(?!`)").search(line, position)
            position = partner.end() if partner else position
        elif opening[0] in ("\\[", "$$") or opening[1]:
            end = _display_end(opening[0], opening[1])
            if (found := end.search(line, position)) is None:
                return end
            position = found.end()
    return None


def _display_end(opening: str, environment: str | None) -> re.Pattern[str]:
    if environment:
        return re.compile(re.escape(rf"\end{{{environment}}}"))
    return _DOLLARS if opening == "$$" else _BRACKET
