r"""The final answer in a text, and whether two answers are the same. Knows nothing about models, questions or scores.

`final_answer` finds what a text ends up claiming. `equal` reads both answers as values and compares these:

* numbers, exactly (`fractions.Fraction`): 1,000 = 1000, 0.5 = 1/2 = \frac{1}{2}, 2^{10} = 1024, 1\frac{1}{2} = 3/2. Nothing
  is rounded, so 0.333 is not 1/3. A percentage is a hundredth: 50\% is 0.5, and is not 50.
* units: 5 cm is 5, and 5 cm is not 5 m. One of the two may leave the unit out.
* names: x = 5 is 5, and x = 5 is not y = 5.
* tuples and intervals, in order and with their brackets; sets and bare lists, in any order.
* anything else as text, without regard to case, blanks and LaTeX that only changes the look: (A) is A.

Both never raise and do bounded work: what is too long, too deep or too large to compute is compared as text.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

_MAX_ANSWER = 2_000  # characters of an answer that are read as mathematics; longer ones are compared as text
_MAX_DEPTH = 20  # brackets, fractions and powers inside each other
_MAX_ITEMS = 200  # members of a set that are compared in any order, which takes their number squared
_MAX_BITS = 16_384  # of a numerator or denominator on the way
_MAX_TEXT = 200_000  # characters from a text's end in which the final answer is looked for


# ---------------------------------------------------------------------------------------------- finding the final answer

_BOX = re.compile(r"\\(?:boxed|fbox)\b\s*")
_NUMBER_SHAPES = (
    r"(?:\d+\s*)?\\[dt]?frac\{\s*-?\d+\s*\}\{\s*\d+\s*\}"  # \frac{1}{2}, 1\frac{1}{2}
    r"|\d{1,3}(?:(?:,|\{,\}|\\,)\d{3})+(?!\d)(?:\.\d+)?"  # 1,000.5
    r"|\d+(?:\.\d+)?(?:\s*/\s*\d+)?"  # 42, 0.5, 1/2
    r"|\.\d+"
)
_NUMBER = re.compile(rf"(?<![\w.])[-−+]?[ ]?\\?[$€£]?[-−]?(?:{_NUMBER_SHAPES})(?:\s?\\?%)?")
_STATED = re.compile(r"\banswer(?:\s+is|\s*[:=])[\s:*_]*(?P<claim>[^\n]{1,300})", re.IGNORECASE)
_CHOICE = re.compile(r"\(?(?P<letter>[A-Z])\)?(?=[\s.,:;)*]|$)")
_MATHS = re.compile(r"\$\$?(?P<dollars>[^$]{1,300})\$|\\\((?P<round>.{1,300}?)\\\)|\\\[(?P<square>.{1,300}?)\\\]")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|[.!?]?\*\*")


def final_answer(text: str) -> str | None:
    r"""Return what the text claims last: the last `\boxed{…}`, else what "the answer is" states, else the last number.

    The box is returned as written, without its braces. None when the text claims nothing.
    """
    text = text[-_MAX_TEXT:]
    return _last_box(text) or _last_stated(text) or _last_number(text)


def _last_box(text: str) -> str | None:
    for match in reversed(list(_BOX.finditer(text))):
        inside = _box_content(text, match.end())
        if inside and (inside := inside.strip()):
            return inside
    return None


def _box_content(text: str, start: int) -> str | None:
    r"""What stands in the braces that open at `start`, or the one character there (`\boxed 5`). None if never closed."""
    if start >= len(text):
        return None
    if text[start] != "{":
        return text[start] if text[start].isalnum() else None
    end = _closing(text, start)
    return None if end is None else text[start + 1 : end]


def _closing(text: str, start: int) -> int | None:
    """The index of the brace that closes the one at `start`; escaped braces do not count."""
    depth, at = 0, start
    while at < len(text):
        match text[at]:
            case "\\":
                at += 1
            case "{":
                depth += 1
            case "}":
                depth -= 1
                if depth == 0:
                    return at
        at += 1
    return None


def _last_stated(text: str) -> str | None:
    claims = list(_STATED.finditer(text))
    if not claims:
        return None
    claim = claims[-1]["claim"].strip()
    if choice := _CHOICE.match(claim):
        return choice["letter"]
    if maths := _MATHS.match(claim):
        return next(part for part in maths.groups() if part is not None).strip() or None
    if number := _NUMBER.match(claim):
        return number[0].strip()
    end = _SENTENCE_END.search(claim)
    return (claim[: end.start()] if end else claim).strip(" *_`\"'") or None


def _last_number(text: str) -> str | None:
    numbers = list(_NUMBER.finditer(text))
    return numbers[-1][0].strip() if numbers else None


# --------------------------------------------------------------------------------------------------- answers as values


@dataclass(frozen=True, slots=True)
class _Quantity:
    value: Fraction
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Words:
    text: str


@dataclass(frozen=True, slots=True)
class _Group:
    """A tuple, an interval or a set. `brackets` are empty for what has no order."""

    items: "tuple[_Value, ...]"
    brackets: str


@dataclass(frozen=True, slots=True)
class _Named:
    name: str
    value: "_Value"


_Value = _Quantity | _Words | _Group | _Named


def equal(a: str, b: str) -> bool:
    """Return whether two answers mean the same (see the module's text for what counts as the same)."""
    if a == b:
        return True
    if max(len(a), len(b)) > _MAX_ANSWER:
        return _folded(a) == _folded(b)
    return _same(_read(a), _read(b))


def _same(a: _Value, b: _Value) -> bool:
    match a, b:
        case _Named(), _Named():
            return a.name == b.name and _same(a.value, b.value)
        case _Named(), _:
            return _same(a.value, b)
        case _, _Named():
            return _same(a, b.value)
        case _Quantity(), _Quantity():
            return a.value == b.value and (a.unit == b.unit or not a.unit or not b.unit)
        case _Group(), _Group():
            return _same_group(a, b)
        case _Words(), _Words():
            return a.text == b.text
        case _:
            return False


def _same_group(a: _Group, b: _Group) -> bool:
    if len(a.items) != len(b.items) or a.brackets != b.brackets:
        return False
    if a.brackets or len(a.items) > _MAX_ITEMS:
        return all(_same(x, y) for x, y in zip(a.items, b.items, strict=True))
    rest = list(b.items)
    for x in a.items:
        found = next((place for place, y in enumerate(rest) if _same(x, y)), None)
        if found is None:
            return False
        del rest[found]
    return True


def _folded(text: str) -> str:
    return "".join(text.split()).casefold().rstrip(".")


# ------------------------------------------------------------------------------------- from LaTeX to plain mathematics

_STYLE = re.compile(
    r"\\(?:left|right|bigl|bigr|Bigl|Bigr|big|Big|displaystyle|textstyle|limits|quad|qquad|hfill)(?![a-zA-Z])"
    r"|\\\(|\\\)|\\\[|\\\]|\\[!;:,> ]|\$|`|\*\*|\u200b"
)
_CURRENCY = re.compile(r"\\?\$")
_FONT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|mbox|boxed|fbox)\s*(?=\{)")
_FRACTION = re.compile(r"\\[dtc]?frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(\d)")
_HALF_SHORT_FRACTION = re.compile(r"\\frac\s*(?:(\d)\s*(\{\d+\})|(\{\d+\})\s*(\d))")
_DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\\degree|°)")
_SPELLINGS = {
    "−": "-", "–": "-", "﹣": "-", "－": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∕": "/", "，": ",", "％": "%",
    "（": "(", "）": ")", "｛": "{", "｝": "}", "＝": "=", "．": ".", "\\times": "*", "\\cdot": "*", "\\div": "/", "\\%": "%",
    "\\lbrace": "\\{", "\\rbrace": "\\}", "\\infty": "∞", "\\pi": "π", "\\le": "≤", "\\leq": "≤", "\\ge": "≥", "\\geq": "≥",
    "\\ne": "≠", "\\neq": "≠", "\\cup": "∪", "\\cap": "∩", "\\pm": "±", "~": " ",
}  # fmt: skip
_SPELLING = re.compile("|".join(re.escape(s) + (r"(?![a-zA-Z])" if s[-1].isalpha() else "") for s in sorted(_SPELLINGS, key=len, reverse=True)))


def _plain(text: str) -> str:
    """Take away what only changes the look, and spell the rest one way."""
    text = text.strip()
    text = "".join(_plain_character(character) for character in text)
    text = _CURRENCY.sub("", text)
    text = re.sub(r"(?<=\d)(?:\\,|\{,\})(?=\d{3})", "", text)
    text = _STYLE.sub(" ", text)
    text = _FONT.sub(" ", text)
    text = _DEGREES.sub(" degrees", text)
    text = _SPELLING.sub(lambda match: _SPELLINGS[match[0]], text)
    text = _FRACTION.sub(r"\\frac", text)
    text = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text)
    text = _HALF_SHORT_FRACTION.sub(lambda m: f"\\frac{{{(m[1] or m[3]).strip('{}')}}}{{{(m[2] or m[4]).strip('{}')}}}", text)
    return " ".join(text.split()).rstrip(".。;,: ")


def _plain_character(character: str) -> str:
    """Digits of every script as ASCII, ½ as a fraction; the rest unchanged."""
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if unicodedata.normalize("NFKC", character).count("⁄") == 1 and unicodedata.decomposition(character).startswith("<fraction>"):
        value = Fraction(unicodedata.numeric(character, 0)).limit_denominator(100)
        return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return " " if character.isspace() else character


# ------------------------------------------------------------------------------------------------ from text to a value

_NAME = re.compile(r"(?P<name>\\?[a-zA-Z]\w{0,20}(?:_\{\w+\})?(?:\(\w\))?)\s*(?:=|:=|\\in\b|∈)\s*(?P<rest>[^=].*)", re.DOTALL)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?: \d{3})+(?!\d)")
_CHOICE_SPELLING = re.compile(r"\(?\s*(?P<letter>[a-zA-Z])\s*[).]?")
_OPENING, _CLOSINGS = "([{", ")]}"
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_UNIT_TAIL = re.compile(r"(?P<number>.*?[\d)}])(?P<gap>\s*)(?P<unit>[a-zA-Zµμ²³€£¥\"'][a-zA-Zµμ²³ .]*(?:/\s*[a-zA-Z]+)?(?:\s*\^\s*\{?\d\}?)?)", re.DOTALL)
# Units of one or two letters; longer words after a blank are taken as units too. "5x" without a blank is algebra.
_SHORT_UNITS = frozenset("m g s h L l N J W V A K C F Hz cm mm km kg mg ml mL dm nm pm cl dl kW MW eV Pa ft in yd mi lb oz min hr am".split())
_CURRENCY_SIGNS = "€£¥"


def _read(text: str) -> _Value:
    return _read_plain(_plain(text), 0)


def _read_plain(text: str, depth: int) -> _Value:
    """Read an answer, most special shape first: a name, a choice, a quantity, a group; else it is words."""
    text = _unwrapped(text.strip())
    if depth > _MAX_DEPTH:
        return _Words(_folded(text))
    if named := _NAME.fullmatch(text):
        return _Named(_folded(named["name"].lstrip("\\")), _read_plain(named["rest"], depth + 1))
    if choice := _CHOICE_SPELLING.fullmatch(text):
        return _Words(choice["letter"].casefold())
    quantity = _quantity(text)
    if quantity is not None:
        return quantity
    group = _group(text, depth)
    return group if group is not None else _Words(_symbols(text))


def _unwrapped(text: str) -> str:
    """Without braces around the whole, which LaTeX does not show."""
    for _ in range(_MAX_DEPTH):
        if not (text.startswith("{") and _closing(text, 0) == len(text) - 1):
            break
        text = text[1:-1].strip()
    return text


def _group(text: str, depth: int) -> _Group | None:
    """A tuple, interval or set in brackets, or a bare list ("1, 2", "1 and 2")."""
    for opening, closing in (("\\{", "\\}"), ("(", ")"), ("[", "]"), ("(", "]"), ("[", ")")):
        if text.startswith(opening) and text.endswith(closing) and len(text) >= len(opening) + len(closing):
            items = _split(text[len(opening) : -len(closing)])
            if items is not None and (opening == "\\{" or len(items) > 1):
                brackets = "" if opening == "\\{" else opening + closing
                return _Group(tuple(_read_plain(item, depth + 1) for item in items), brackets)
    bare = _split(text)
    if bare is None or len(bare) < 2:
        return None
    return _Group(tuple(_read_plain(item, depth + 1) for item in bare), "")


def _split(text: str) -> list[str] | None:
    """Cut at the commas (and "and", "or") outside of all brackets. None if the brackets do not match."""
    items, depth, start, at = [], 0, 0, 0
    while at < len(text):
        if text[at] in _OPENING:
            depth += 1
        elif text[at] in _CLOSINGS:
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and (match := _SEPARATOR.match(text, at)):
            items.append(text[start:at])
            at = start = match.end()
            continue
        at += 1
    if depth:
        return None
    items.append(text[start:])
    items = [item.strip() for item in items]
    return items if all(items) else None


_SEPARATOR = re.compile(r"\s*[,;]\s*(?:(?:and|or)\s)?|\s+(?:and|or)\s+")


def _quantity(text: str) -> _Quantity | None:
    """A number with or without a unit."""
    value = _number(text)
    if value is not None:
        return _Quantity(value)
    sign = text[:1]
    if sign in _CURRENCY_SIGNS and sign and (value := _number(text[1:])) is not None:
        return _Quantity(value, sign)
    match = _UNIT_TAIL.fullmatch(text)
    if match is None or (value := _number(match["number"])) is None:
        return None
    unit, words = match["unit"].strip(), match["unit"].replace(".", " ").split()
    if words and words[0].casefold() in _SCALES:
        value, words = value * _SCALES[words[0].casefold()], words[1:]
        unit = " ".join(words)
    if words and not all(_is_unit(word, bool(match["gap"])) for word in words):
        return None
    return _Quantity(value, _symbols(unit).rstrip("s") if len(unit) > 3 else _folded(unit))


def _is_unit(word: str, after_blank: bool) -> bool:
    stem = re.split(r"[/^²³\d{}]", word)[0]
    return stem in _SHORT_UNITS and (after_blank or len(stem) > 1) or after_blank and (len(stem) > 2 or word in _CURRENCY_SIGNS)


def _symbols(text: str) -> str:
    r"""Words or a formula in one spelling: \frac{x}{2} and x/2 are the same."""
    text = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", lambda m: f"{_atom(m[1])}/{_atom(m[2])}", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    return _folded(text).replace("*", "")


def _atom(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"\\?\w+", text) else f"({text})"


# ------------------------------------------------------------------------------------------------------ exact numbers

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)(?:[eE](?P<exponent>[-+]?\d+))?"
    r"|(?P<word>\\frac|\\sqrt)|(?P<sign>[-+*/^(){}%]))"
)


class _NotANumber(Exception):
    """The text is not a number, or one that is too large to compute."""


def _number(text: str) -> Fraction | None:
    """The exact value of a text that is all number: digits, + - * / ^, fractions, roots of squares, percent."""
    grouped = text.strip()
    if re.fullmatch(r"[-+]?\s?\d{1,3}(?: \d{3})+(?:\.\d+)?", grouped):
        grouped = grouped.replace(" ", "")
    try:
        return _Arithmetic(grouped).value()
    except _NotANumber:
        return None


class _Arithmetic:
    """A recursive-descent parser over one short text that computes as it reads."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0

    def value(self) -> Fraction:
        """The value of the whole text. Raises _NotANumber."""
        value = self._sum()
        if self._at < len(self._tokens):
            raise _NotANumber
        return value

    def _peek(self) -> str | Fraction | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *wanted: str) -> str | None:
        token = self._peek()
        if isinstance(token, str) and token in wanted:
            self._at += 1
            return token
        return None

    def _need(self, wanted: str) -> None:
        if self._take(wanted) is None:
            raise _NotANumber

    def _sum(self) -> Fraction:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _NotANumber
        value = self._product()
        while sign := self._take("+", "-"):
            term = self._product()
            value = _bounded(value + term if sign == "+" else value - term)
        self._depth -= 1
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._take("*", "/"):
            factor = self._signed()
            value = _bounded(value * factor if sign == "*" else _divided(value, factor))
        return value

    def _signed(self) -> Fraction:
        negative = False
        while sign := self._take("-", "+"):
            negative ^= sign == "-"
        value = self._power()
        return -value if negative else value

    def _power(self) -> Fraction:
        base = self._atom()
        if self._take("^"):
            base = _raised(base, self._braced() if self._peek() == "{" else self._signed_digit())
        while self._take("%"):
            base = _bounded(base / 100)
        return base

    def _signed_digit(self) -> Fraction:
        sign = -1 if self._take("-") else 1
        return sign * self._atom()

    def _atom(self) -> Fraction:
        token = self._peek()
        if isinstance(token, Fraction):
            self._at += 1
            if self._peek() == "\\frac" and token.denominator == 1:  # 1\frac{1}{2} is one and a half
                self._at += 1
                return _bounded(token + _divided(self._braced(), self._braced()))
            return token
        match self._take("\\frac", "\\sqrt", "(", "{"):
            case "\\frac":
                return _bounded(_divided(self._braced(), self._braced()))
            case "\\sqrt":
                return _root(self._braced() if self._peek() == "{" else self._atom())
            case "(":
                value = self._sum()
                self._need(")")
                return value
            case "{":
                value = self._sum()
                self._need("}")
                return value
        raise _NotANumber

    def _braced(self) -> Fraction:
        self._need("{")
        value = self._sum()
        self._need("}")
        return value


def _tokens(text: str) -> Iterator[str | Fraction]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotANumber
        if match["number"]:
            value = Fraction(match["number"].replace(",", "").rstrip(".") or "0")
            yield _raised(Fraction(10), Fraction(match["exponent"])) * value if match["exponent"] else value
        else:
            yield match["word"] or match["sign"]
        at = match.end()


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise _NotANumber
    return value


def _divided(value: Fraction, by: Fraction) -> Fraction:
    if by == 0:
        raise _NotANumber
    return value / by


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    """A power with a whole exponent. Its size is known before it is computed."""
    if exponent.denominator != 1 or (base == 0 and exponent < 0):
        raise _NotANumber
    n_bits = max(abs(base.numerator), base.denominator).bit_length()
    if base not in (0, 1, -1) and abs(exponent) * n_bits > _MAX_BITS:
        raise _NotANumber
    if base == -1:
        return Fraction(-1 if exponent % 2 else 1)
    return base if base == 1 else Fraction(base ** int(exponent)) if base else Fraction(int(exponent == 0))


def _root(value: Fraction) -> Fraction:
    """The square root, where it is a fraction itself."""
    from math import isqrt

    if value < 0:
        raise _NotANumber
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    if root * root != value:
        raise _NotANumber
    return root
