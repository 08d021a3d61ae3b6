"""LaTeX mathematics into a tree. Pure; knows no picture, no width and no Markdown.

Strategy: one pass from left to right, as TeX reads it: a command takes its arguments, `^` and `_` go to the atom before
them. Brackets are paired while reading, so that they can grow with what is between them, as \\left and \\right do. What
is not known stays in the tree as it was written (Source); what can't be read at all (braces without partner, too deep,
too long) is Unreadable, and the caller shows the source.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from r1chat.terminal.formula import (
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
)
from r1chat.terminal.symbols import (
    ACCENTS,
    ALPHABETS,
    BINARIES,
    BOUNDED_WORDS,
    CLOSING,
    DELIMITERS,
    INTEGRALS,
    LETTERS,
    LIMIT_WORDS,
    OPENING,
    OPERATORS,
    PLAIN,
    RELATIONS,
    SILENT,
    SPACES,
    TEXTS,
    UNSEEN,
    WORDS,
    Class,
    in_alphabet,
    negated,
)

MAX_LENGTH: Final = 4_000  # characters: some 50 rows of a terminal; longer is no formula for a screen
MAX_DEPTH: Final = 30  # nested groups; what people write stays below ten, and Python's own stack is far away

_MATRICES: Final = {
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("‖", "‖"),
}
_CASES: Final = {"cases": ("{", ""), "dcases": ("{", ""), "rcases": ("", "}"), "drcases": ("", "}")}
_ALIGNED: Final = frozenset(["align", "aligned", "alignat", "alignedat", "split", "flalign", "eqnarray"])
_GATHERED: Final = frozenset(["gather", "gathered", "equation", "multline", "math", "displaymath"])
_ARROWS: Final = {
    "xrightarrow": "→",
    "xleftarrow": "←",
    "xleftrightarrow": "↔",
    "xRightarrow": "⇒",
    "xLeftarrow": "⇐",
    "xmapsto": "↦",
    "xhookrightarrow": "↪",
    "xlongequal": "=",
}
_SIZES: Final = re.compile(r"[bB]igg?[lrm]?$")
_COMMAND: Final = re.compile(r"\\([A-Za-z]+\*?|.)", re.DOTALL)
_ENDING: Final = re.compile(r"\\\\|\\end\{|\\(?:right|middle|cr)(?![A-Za-z])")
_INFIX: Final = re.compile(r"\\(hline|over|choose)(?![A-Za-z])")
_SKIPPED: Final = re.compile(r"\s*\[(?:-?[\d.]+\s*[a-z]{2}|[tbc])\]")
_UPRIGHT: Final = re.compile(r"\{([A-Za-z]{2,}[A-Za-z ]*)\}")
# 1.5 and 10,000, but not the 1,2 of a point
_PRIMES: Final = re.compile("'{1,3}")
_NUMBER: Final = re.compile(r"\d+(?:,\d{3}(?!\d))*(?:\.\d+)?")
_DIFFERENTIAL: Final = re.compile(r"\s+(?=d(?:[A-Za-z](?![A-Za-z])|\\[a-z]))")
_PLAIN_SIGNS: Final = {
    "+": Class.BINARY,
    "-": Class.BINARY,
    "*": Class.BINARY,
    "=": Class.RELATION,
    "<": Class.RELATION,
    ">": Class.RELATION,
    ":": Class.RELATION,
    ",": Class.PUNCTUATION,
    ";": Class.PUNCTUATION,
    "×": Class.BINARY,
    "÷": Class.BINARY,
    "·": Class.BINARY,
    "±": Class.BINARY,
    "−": Class.BINARY,
    **dict.fromkeys("≤≥≠≈≡∈∉⊂⊆→⇒⇔∼≅∝", Class.RELATION),
    **dict.fromkeys("([", Class.OPEN),
    **dict.fromkeys(")]", Class.CLOSE),
}


def parse(source: str) -> Node:
    """Read what stands between the delimiters of a formula. Raises Unreadable."""
    if len(source) > MAX_LENGTH:
        raise Unreadable
    return _Parser(source).whole()


@dataclass(slots=True)
class _Row:
    """A sequence under way, and the brackets in it that still wait for their partners."""

    items: list[Node] = field(default_factory=list)
    open: list[tuple[int, str]] = field(default_factory=list)

    def close(self, sign: str) -> bool:
        """Pair a closing bracket with the last opening one; give False if there is none."""
        if not self.open:
            return False
        at, left = self.open.pop()
        body = Group(tuple(self.items[at + 1 :]))
        del self.items[at:]
        self.items.append(Fence(left, body, sign))
        return True


class _Parser:
    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        rows, rules = self._lines("")
        if self._at < len(self._source):
            raise Unreadable
        if len(rows) == 1 and len(rows[0]) == 1:
            return rows[0][0]
        aligned = any(len(row) > 1 for row in rows)
        return Grid(rows, spec="rl" if aligned else "l", steps=True, rules=rules)

    # Sequences

    def _lines(self, environment: str) -> tuple[tuple[tuple[Node, ...], ...], frozenset[int]]:
        """Read rows of cells up to the end of the environment, or of the source for none."""
        rows: list[tuple[Node, ...]] = []
        rules: set[int] = set()
        cells: list[Node] = []
        while True:
            cells.append(self._sequence(rules, len(rows)))
            rest = self._source[self._at : self._at + 2]
            if rest.startswith("&"):
                self._at += 1
                continue
            rows.append(tuple(cells))
            cells = []
            if rest == "\\\\":
                self._at += 2
                self._skip_option()
                continue
            break
        if environment:
            end = f"\\end{{{environment}}}"
            if not self._source.startswith(end, self._at):
                raise Unreadable
            self._at += len(end)
        if len(rows) > 1 and rows[-1] == (Group(),):
            rows.pop()
        return tuple(rows), frozenset(rules)

    def _sequence(self, rules: set[int] | None = None, row_number: int = 0) -> Group:
        """Read atoms up to what ends a group, a cell or a pair of delimiters."""
        self._deepen()
        row = _Row()
        source = self._source
        while self._at < len(source):
            char = source[self._at]
            if char in "}&" or _ENDING.match(source, self._at):
                break
            if found := _INFIX.match(source, self._at):
                self._at = found.end()
                if found[1] == "hline":
                    if rules is None:
                        raise Unreadable
                    rules.add(row_number)
                    continue
                top, rest = Group(tuple(row.items)), self._sequence(rules, row_number)
                row.items = [Fraction(top, rest) if found[1] == "over" else Binomial(top, rest)]
                break
            self._one(row)
        self._depth -= 1 + len(row.open)
        return Group(tuple(row.items))

    def _one(self, row: _Row) -> None:
        """Read one atom into the row."""
        source, char = self._source, self._source[self._at]
        if char.isspace():
            if found := _DIFFERENTIAL.match(source, self._at):
                row.items.append(Space(1))
            self._at = found.end() if found else self._at + 1
        elif char in "^_":
            self._at += 1
            self._script(row, char)
        elif found := _PRIMES.match(source, self._at):
            self._at = found.end()
            row.items.append(Sign("′″‴"[len(found[0]) - 1]))
        elif char == ":":
            self._colon(row)
        elif char == "~":
            self._at += 1
            row.items.append(Space(1))
        elif char in "([":
            self._at += 1
            self._open(row, char)
        elif char in ")]":
            self._at += 1
            self._shut(row, char)
        elif found := _NUMBER.match(source, self._at):
            self._at = found.end()
            row.items.append(Sign(found[0]))
        elif char == "\\":
            self._command(row)
        else:
            row.items.append(self._atom())

    def _colon(self, row: _Row) -> None:
        """Read a colon by the blanks around it: f: A → B, {x : x > 0}, 2:1."""
        source, at = self._source, self._at
        self._at += 1
        if source.startswith(":=", at):
            self._at += 1
            row.items.append(Sign(":=", Class.RELATION))
        elif source[at - 1 : at].isspace():
            row.items.append(Sign(":", Class.RELATION))
        else:
            spaced = source[at + 1 : at + 2].isspace() or source.startswith("\\", at + 1)
            row.items.append(Sign(":", Class.PUNCTUATION if spaced else Class.ORDINARY))

    def _open(self, row: _Row, sign: str) -> None:
        self._deepen()
        row.open.append((len(row.items), sign))
        row.items.append(Sign(sign, Class.OPEN))

    def _shut(self, row: _Row, sign: str) -> None:
        if row.close(sign):
            self._depth -= 1
        else:
            row.items.append(Sign(sign, Class.CLOSE))

    def _script(self, row: _Row, which: str) -> None:
        """Give the last atom a script. A row that begins with one gives it to nothing, as TeX does."""
        script = self._argument()
        base: Node = Group()
        if row.items and not isinstance(row.items[-1], Space):
            base = row.items.pop()
        old = base if isinstance(base, Scripts) else Scripts(base)
        if isinstance(base, Stack) and base.brace:
            row.items.append(
                Stack(base.base, script, base.below, brace=True)
                if which == "^" and base.above is not None
                else Stack(base.base, base.above, script, brace=True)
                if base.below is not None
                else Scripts(base, *((None, script) if which == "^" else (script, None)))
            )
        elif which == "^":
            if old.high is not None:
                raise Unreadable  # a double superscript, in TeX, too
            row.items.append(Scripts(old.base, old.low, script))
        else:
            if old.low is not None:
                raise Unreadable  # a double subscript
            row.items.append(Scripts(old.base, script, old.high))

    def _argument(self) -> Node:
        """Read a group in braces, or one atom."""
        self._blanks()
        if self._at >= len(self._source) or self._source[self._at] in "}&^_":
            raise Unreadable
        if self._source[self._at] != "\\":
            return self._atom()
        row = _Row()
        self._deepen()
        self._command(row)
        self._depth -= 1 + len(row.open)
        return row.items[0] if len(row.items) == 1 else Group(tuple(row.items))

    def _atom(self) -> Node:
        """Read a group in braces, or one plain character."""
        char = self._source[self._at]
        self._at += 1
        if char == "{":
            group = self._sequence()
            if self._source[self._at : self._at + 1] != "}":
                raise Unreadable
            self._at += 1
            return group
        if char in "}&#$" or not char.isprintable():
            raise Unreadable
        if char == "-" or char == "−":
            return Sign("-", Class.BINARY)
        return Sign("·" if char == "*" else char, _PLAIN_SIGNS.get(char, Class.ORDINARY))

    # Commands

    def _command(self, row: _Row) -> None:
        start = self._at
        found = _COMMAND.match(self._source, start)
        if found is None:
            raise Unreadable
        name = found[1]
        if name.endswith("*") and name not in ("operatorname*", "hspace*", "vspace*"):
            name = name[:-1]
        self._at = start + 1 + len(name)
        if (sign := DELIMITERS.get("\\" + name)) and (sign in OPENING or sign in CLOSING):
            self._open(row, sign) if sign in OPENING else self._shut(row, sign)
        elif (node := _sign(name)) is not None:
            row.items.append(node)
        elif name in SPACES:
            row.items.append(Space(SPACES[name])) if SPACES[name] else None
        elif _SIZES.match(name):
            self._sized(row, name)
        elif name in SILENT:
            pass
        elif name in UNSEEN:
            self._braced()
        elif name in ("limits", "nolimits"):
            last = row.items[-1] if row.items else None
            if isinstance(last, Sign) and last.kind is Class.OPERATOR:
                row.items[-1] = Sign(last.text, last.kind, bounds=name == "limits")
        elif (made := self._construct(name)) is not None:
            row.items.append(made)
        else:
            row.items.append(self._unknown(start))

    def _construct(self, name: str) -> Node | None:
        """Read what a command with arguments makes of them; None for an unknown one."""
        match name:
            case "frac" | "dfrac" | "tfrac" | "cfrac":
                self._skip_option() if name == "cfrac" else None
                flat = {"tfrac": True, "frac": None}.get(name, False)
                return Fraction(self._argument(), self._argument(), flat)
            case "binom" | "dbinom" | "tbinom":
                return Binomial(self._argument(), self._argument())
            case "sqrt":
                index = self._option()
                return Root(self._argument(), index)
            case "boxed" | "fbox":
                return Box(self._argument() if name == "boxed" else self._text())
            case "left":
                return self._fence()
            case "begin":
                return self._environment()
            case "operatorname" | "operatorname*":
                word = self._word()
                return Sign(word, Class.OPERATOR, bounds=name.endswith("*") or word in BOUNDED_WORDS)
            case "not":
                base = self._argument()
                if not isinstance(base, Sign):
                    raise Unreadable
                return Sign(negated(base.text), base.kind)
            case "pmod" | "pod":
                body = self._argument()
                inside = Group((Sign("mod", Class.OPERATOR), body)) if name == "pmod" else body
                return Group((Space(1), Fence("(", inside, ")")))
            case "mod":
                return Group((Space(1), Sign("mod", Class.OPERATOR)))
            case "overset" | "stackrel":
                note = self._argument()
                return Stack(self._argument(), above=note)
            case "underset":
                note = self._argument()
                return Stack(self._argument(), below=note)
            case "overbrace":
                return Stack(self._argument(), above=Group(), brace=True)
            case "underbrace":
                return Stack(self._argument(), below=Group(), brace=True)
            case "substack":
                return self._substack()
            case "phantom" | "hphantom":
                return Phantom(self._argument())
            case "textcolor" | "colorbox":
                self._braced()
                return self._argument()
            case "tag":
                return Group((Space(4), Text(f"({self._braced()})")))
            case "char" | "mathchoice":
                return None
        if name in ACCENTS:
            return Accent(self._argument(), name)
        if name in _ARROWS:
            below = self._option()
            return Arrow(_ARROWS[name], self._argument(), below)
        if name in TEXTS:
            return self._text()
        if name in ALPHABETS:
            return _restyled(name, self._argument())
        if name in PLAIN:
            return self._upright()
        return None

    def _fence(self) -> Node:
        """Read \\left ( … \\right ), with what \\middle says in between."""
        left = self._delimiter()
        items: list[Node] = []
        while True:
            items += self._sequence().items
            if self._source.startswith("\\middle", self._at):
                self._at += len("\\middle")
                items.append(Sign(self._delimiter(), Class.RELATION))
                continue
            break
        if not self._source.startswith("\\right", self._at):
            raise Unreadable
        self._at += len("\\right")
        return Fence(left, Group(tuple(items)), self._delimiter())

    def _sized(self, row: _Row, name: str) -> None:
        """Read a bracket after \\big and the like: it grows here as every bracket does."""
        sign = self._delimiter()
        if sign in OPENING or name.endswith("l"):
            self._open(row, sign)
        elif sign in CLOSING or name.endswith("r"):
            self._shut(row, sign)
        else:
            row.items.append(Sign(sign))

    def _delimiter(self) -> str:
        self._blanks()
        found = _COMMAND.match(self._source, self._at)
        word = found[0] if found else self._source[self._at : self._at + 1]
        if word not in DELIMITERS:
            raise Unreadable
        self._at += len(word)
        return DELIMITERS[word]

    def _environment(self) -> Node:
        name = self._braced()
        plain = name.removesuffix("*")
        self._deepen()  # each level of these takes more of Python's stack
        spec, bars = "c", frozenset[int]()
        if plain == "array":
            self._skip_option()
            spec, bars = _columns(self._braced())
        elif plain == "subarray":
            spec, bars = _columns(self._braced())
        elif plain in ("alignat", "alignedat"):
            self._braced()
        elif plain in _MATRICES or plain in _CASES or plain in _ALIGNED or plain in _GATHERED:
            self._skip_option()
        else:
            raise Unreadable
        rows, rules = self._lines(name)
        self._depth -= 1
        if plain in _MATRICES:
            return Grid(rows, "c", *_MATRICES[plain], rules=rules)
        if plain in _CASES:
            return Grid(rows, "l", *_CASES[plain], rules=rules)
        if plain in _ALIGNED:
            return Grid(rows, "rl", steps=True, rules=rules)
        if plain in _GATHERED:
            if len(rows) == 1 and len(rows[0]) == 1:
                return rows[0][0]
            return Grid(rows, "c" if plain.startswith("gather") else "l", steps=True, rules=rules)
        return Grid(rows, spec, rules=rules, bars=bars)

    def _substack(self) -> Node:
        self._blanks()
        if self._source[self._at : self._at + 1] != "{":
            raise Unreadable
        self._at += 1
        rows, _ = self._lines("")
        if self._source[self._at : self._at + 1] != "}":
            raise Unreadable
        self._at += 1
        return Grid(rows, "c")

    def _unknown(self, start: int) -> Source:
        """Keep an unknown command with the groups right behind it, as written."""
        while self._at < len(self._source) and self._source[self._at] in "{[":
            close = "}" if self._source[self._at] == "{" else "]"
            if (end := self._partner(self._at, close)) is None:
                if close == "}":
                    raise Unreadable
                break
            self._at = end
        return Source(" ".join(self._source[start : self._at].split()))

    # Arguments that are no mathematics

    def _partner(self, at: int, close: str) -> int | None:
        """Find the place behind the brace that closes the one at `at`."""
        depth = 0
        opening = self._source[at]
        position = at
        while position < len(self._source):
            char = self._source[position]
            if char == "\\":
                position += 1
            elif char == opening:
                depth += 1
            elif char == close:
                depth -= 1
                if not depth:
                    return position + 1
            position += 1
        return None

    def _braced(self) -> str:
        """Read the source between braces."""
        self._blanks()
        if self._source[self._at : self._at + 1] != "{" or (end := self._partner(self._at, "}")) is None:
            raise Unreadable
        inside = self._source[self._at + 1 : end - 1]
        self._at = end
        return inside

    def _option(self) -> Node | None:
        """Read the formula in square brackets, if there is one."""
        self._blanks()
        if self._source[self._at : self._at + 1] != "[":
            return None
        end = self._partner(self._at, "]")
        if end is None:
            raise Unreadable
        self._depth += 1
        inner = _Parser(self._source[self._at + 1 : end - 1])
        inner._depth = self._depth
        node = inner._sequence()
        if inner._at < len(inner._source):
            raise Unreadable
        self._depth -= 1
        self._at = end
        return node

    def _skip_option(self) -> None:
        """Leave out a length such as [2pt] or a position such as [t]."""
        if found := _SKIPPED.match(self._source, self._at):
            self._at = found.end()

    def _word(self) -> str:
        return " ".join(re.sub(r"\\[,;: ]|~", " ", self._braced()).replace("\\", "").split())

    def _text(self) -> Node:
        """Read words; a formula between dollars in them is one."""
        inside = self._braced()
        parts = re.split(r"(?<!\\)\$", inside)
        if len(parts) % 2 == 0:
            raise Unreadable
        items: list[Node] = []
        for index, part in enumerate(parts):
            if index % 2:
                inner = _Parser(part)
                inner._depth = self._depth + 1
                items.append(inner._sequence())
                if inner._at < len(part):
                    raise Unreadable
            elif part:
                items.append(Text(_words(part)))
        return items[0] if len(items) == 1 else Group(tuple(items))

    def _upright(self) -> Node:
        """Read an argument whose letters form a word, as in \\mathrm{kg}."""
        self._blanks()
        if found := _UPRIGHT.match(self._source, self._at):
            self._at = found.end()
            return Text(found[1].replace(" ", ""))
        return self._argument()

    def _deepen(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unreadable

    def _blanks(self) -> None:
        while self._at < len(self._source) and self._source[self._at].isspace():
            self._at += 1


def _sign(name: str) -> Node | None:
    """Find the sign of a command that takes no argument."""
    if name in BINARIES:
        return Sign(BINARIES[name], Class.BINARY)
    if name in RELATIONS:
        return Sign(RELATIONS[name], Class.RELATION)
    if name in LETTERS:
        return Sign(LETTERS[name])
    if name in OPERATORS:
        return Sign(OPERATORS[name], Class.OPERATOR, bounds=True)
    if name in INTEGRALS:
        return Sign(INTEGRALS[name], Class.OPERATOR)
    if name in WORDS:
        return Sign(name, Class.OPERATOR)
    if name in LIMIT_WORDS:
        return Sign(LIMIT_WORDS[name], Class.OPERATOR, bounds=True)
    if name == "bmod":
        return Sign("mod", Class.BINARY)
    if "\\" + name in DELIMITERS:
        return Sign(DELIMITERS["\\" + name])
    return None


def _restyled(alphabet: str, node: Node) -> Node:
    """Write the letters of an argument in another alphabet."""
    if isinstance(node, Sign):
        return Sign(in_alphabet(alphabet, node.text), node.kind, node.bounds)
    if isinstance(node, Group):
        return Group(tuple(_restyled(alphabet, item) for item in node.items))
    return node


def _columns(spec: str) -> tuple[str, frozenset[int]]:
    """Read the columns of an array: their alignment, and which have a line to their left."""
    sides = ""
    bars = set()
    for char in re.sub(r"[@!>p]\{[^{}]*\}", "", spec):
        if char in "lcr":
            sides += char
        elif char == "|":
            bars.add(len(sides))
        elif not char.isspace():
            raise Unreadable
    return sides or "c", frozenset(bars)


def _words(text: str) -> str:
    """Undo TeX's own escapes in words; a command in them is beyond us."""
    text = re.sub(r"\s+", " ", re.sub(r"\\[,;: ]|~|\\quad(?![a-z])", " ", text))
    text = re.sub(r"\\([%&#_${}])", r"\1", text.replace("``", "“").replace("''", "”"))
    if "\\" in text or not text.isprintable():
        raise Unreadable
    return text.replace("{", "").replace("}", "")
