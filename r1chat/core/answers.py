r"""The final answer in a text, and whether two answers are the same. Knows nothing about models, questions or scores.

`final_answer` finds what a text ends up claiming. `equal` reads both answers as values and compares these:

* numbers, exactly: 1,000 = 1000, 0.5 = 1/2 = \frac{1}{2}, 2^{10} = 1024, 1\frac{1}{2} = 3/2. Nothing is rounded, so
  0.333 is not 1/3. A percentage is a hundredth: 50\% is 0.5, and is not 50.
* units: 5 cm is 5, and 5 cm is not 5 m. One of the two may leave the unit out.
* names: x = 5 is 5, and x = 5 is not y = 5. A choice is its letter, and its text: (B) 5 is B, and is 5.
* tuples and intervals, in order and with their brackets; sets and bare lists, in any order.
* anything else as text, without regard to case, blanks and LaTeX that only changes the look: (A) is A.

Both never raise and do bounded work: what is too long, too deep or too large to compute is compared as text.
"""

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from r1chat.core.exact import exact

_MAX_ANSWER = 1_000  # characters of an answer that are read as mathematics; longer ones are compared as text
_MAX_DEPTH = 12  # names, sets and tuples inside each other
_MAX_ITEMS = 200  # members of a set that are compared in any order, which takes their number squared
_MAX_TEXT = 200_000  # characters from a text's end in which the final answer is looked for
_MAX_BOX = 4_000  # characters in a box
_MAX_BOXES = 20  # boxes, from the last, that are tried when the last ones are empty or never closed


# --------------------------------------------------------------------------------------------- finding the final answer

_BOX = re.compile(r"\\(?:boxed|fbox)\b\s*")
_NUMBER_SHAPES = (
    r"(?:\d+\s*)?\\[dt]?frac\{\s*-?\d+\s*\}\{\s*\d+\s*\}"  # \frac{1}{2}, 1\frac{1}{2}
    r"|\d{1,3}(?:(?:,|\{,\}|\\,)\d{3})+(?!\d)(?:\.\d+)?"  # 1,000.5
    r"|\d+(?:\.\d+)?(?:\s*/\s*\d+)?"  # 42, 0.5, 1/2
    r"|\.\d+"
)
_NUMBER = re.compile(rf"(?<![\w.])[-−+]?\\?[$€£]?[-−]?(?:{_NUMBER_SHAPES})(?:\s?\\?%)?")
_STATED = re.compile(r"\banswer(?:\s+is|\s*[:=])[\s:*_]*(?=(?P<claim>[^\n]{1,300}))", re.IGNORECASE)
_CHOICE = re.compile(r"\((?P<in_brackets>[A-Z])\)|(?P<bare>[A-Z])(?=\s*(?:[.,:;)*]|$))")
_MATHS = re.compile(r"\$\$?(?P<dollars>[^$]{1,300})\$|\\\((?P<round>.{1,300}?)\\\)|\\\[(?P<square>.{1,300}?)\\\]")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)|[.!?]?\*\*")


def final_answer(text: str) -> str | None:
    r"""Return what the text claims last: the last `\boxed{…}`, else what "the answer is" states, else the last number.

    The box is returned as written, without its braces. None when the text claims nothing.
    """
    text = text[-_MAX_TEXT:]
    return _last_box(text) or _last_stated(text) or _last_number(text)


def _last_box(text: str) -> str | None:
    for match in list(_BOX.finditer(text))[: -_MAX_BOXES - 1 : -1]:
        inside = _box_content(text[match.end() : match.end() + _MAX_BOX])
        if inside and (inside := inside.strip()):
            return inside
    return None


def _box_content(text: str) -> str | None:
    r"""What stands in the braces that open the text, or the number there (`\boxed 5`). None if never closed."""
    if not text.startswith("{"):
        bare = _NUMBER.match(text) or re.match(r"\w", text)
        return bare[0] if bare else None
    end = _closing(text)
    return None if end is None else text[1:end]


def _closing(text: str) -> int | None:
    """The index of the brace that closes the first one; escaped braces do not count."""
    depth, at = 0, 0
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
        return choice["in_brackets"] or choice["bare"]
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
    """A value with a name before it: a variable (x = 5), or the letter of a choice ((B) 5), which may stand alone."""

    name: str
    value: "_Value"
    is_choice: bool = False


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
            return (a.is_choice and b == _Words(a.name)) or _same(a.value, b)
        case _, _Named():
            return _same(b, a)
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
    r"|\\\(|\\\)|\\\[|\\\]|\\[;:,> ]|\$|`|\*\*"
)
_CURRENCY = re.compile(r"\\?\$")
_NO_SPACE = re.compile(r"\\!|\u200b|(?<=\d)(?:\\,|\{,\})(?=\d{3})")
_FONTS = r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|operatorname|mbox|boxed|fbox)\s*"
_FONT = re.compile(_FONTS + r"\{([^{}]*)\}")
_FONT_AROUND_BRACES = re.compile(_FONTS + r"(?=\{)")
_FRACTION = re.compile(r"\\[dtc]?frac(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(r"\\frac\s*(\d)\s*(\d)")
_HALF_SHORT_FRACTION = re.compile(r"\\frac\s*(?:(\d)\s*(\{\d+\})|(\{\d+\})\s*(\d))")
_AROUND_POWER = re.compile(r"\s*\^\s*")
_SHORT_SCRIPT = re.compile(r"([_^])\{\s*(\w)\s*\}")  # x^{2} is x^2
_DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\\degree|°)")
_SPELLINGS = {
    "−": "-", "–": "-", "﹣": "-", "－": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "⁄": "/", "∕": "/",
    "，": ",", "％": "%", "（": "(", "）": ")", "｛": "{", "｝": "}", "＝": "=", "．": ".", "²": "^2", "³": "^3",
    "\\times": "*", "\\cdot": "*", "\\div": "/", "\\%": "%", "\\lbrace": "\\{", "\\rbrace": "\\}", "~": " ",
    "\\infty": "∞", "\\pi": "π", "\\le": "≤", "\\leq": "≤", "\\ge": "≥", "\\geq": "≥", "\\ne": "≠", "\\neq": "≠",
    "\\cup": "∪", "\\cap": "∩", "\\pm": "±",
}  # fmt: skip
_SPELLING = re.compile(
    "|".join(
        re.escape(s) + (r"(?![a-zA-Z])" if s[-1].isalpha() else "") for s in sorted(_SPELLINGS, key=len, reverse=True)
    )
)


def _plain(text: str) -> str:
    """Take away what only changes the look, and spell the rest one way."""
    text = text.strip()
    text = "".join(_plain_character(character) for character in text)
    text = _CURRENCY.sub("", text)
    text = _NO_SPACE.sub("", text)
    text = _STYLE.sub(" ", text)
    text = _FONT_AROUND_BRACES.sub(" ", _FONT.sub(r" \1 ", _FONT.sub(r" \1 ", text)))
    text = _DEGREES.sub(" degrees", text)
    text = _SPELLING.sub(lambda match: _SPELLINGS[match[0]], text)
    text = _FRACTION.sub(r"\\frac", text)
    text = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text)
    text = _HALF_SHORT_FRACTION.sub(
        lambda m: f"\\frac{{{(m[1] or m[3]).strip('{}')}}}{{{(m[2] or m[4]).strip('{}')}}}", text
    )
    text = _AROUND_POWER.sub("^", text)
    text = _SHORT_SCRIPT.sub(r"\1\2", text)
    return " ".join(text.split()).rstrip(".。;,: ")


def _plain_character(character: str) -> str:
    """Digits of every script as ASCII, ½ as a fraction; the rest unchanged."""
    if character.isascii():
        return character
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if (
        unicodedata.decomposition(character).startswith("<fraction>")
        and unicodedata.numeric(character, None) is not None
    ):
        value = Fraction(unicodedata.numeric(character)).limit_denominator(100)
        return f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    return " " if character.isspace() else character


# ------------------------------------------------------------------------------------------------ from text to a value

_NAME = re.compile(
    r"(?P<name>\\?[a-zA-Z]\w{0,20}(?:_\{\w+\})?(?:\(\w\))?)\s*(?:=|:=|\\in\b|∈)\s*(?P<rest>[^=].*)", re.DOTALL
)
_CHOICE_AND_TEXT = re.compile(r"\(?(?P<letter>[A-J])[).:]\s+(?P<rest>\S.*)", re.DOTALL)
_CHOICE_SPELLING = re.compile(r"\(?\s*(?P<letter>[a-zA-Z])\s*[).]?")
_OPENING, _CLOSINGS = "([{", ")]}"
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_UNIT_TAIL = re.compile(
    r"(?P<number>.*?[\d)}])(?P<gap>\s*)(?P<unit>[a-zA-Zµμ€£¥][a-zA-Zµμ .]*(?:/\s*[a-zA-Z]+)?(?:\s*\^\s*\{?\d\}?)?)",
    re.DOTALL,
)
# Units of one or two letters; longer words after a blank are taken as units too. "5x" without a blank is algebra.
_UNIT_NAMES = """
    A C F Hz J K L MW N Pa V W am cl cm dl dm eV ft g h hr in kW kg km l lb m mL mW mg mi min ml mm nm oz pm s yd
"""
_SHORT_UNITS = frozenset(_UNIT_NAMES.split())
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
    if choice := _CHOICE_AND_TEXT.fullmatch(text):
        return _Named(choice["letter"].casefold(), _read_plain(choice["rest"], depth + 1), is_choice=True)
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
        if not (text.startswith("{") and _closing(text) == len(text) - 1):
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
    value = exact(text)
    if value is not None:
        return _Quantity(value)
    sign = text[:1]
    if sign in _CURRENCY_SIGNS and sign and (value := exact(text[1:])) is not None:
        return _Quantity(value, sign)
    match = _UNIT_TAIL.fullmatch(text)
    if match is None or (value := exact(match["number"])) is None:
        return None
    words = re.sub(r"\s*/\s*", "/", match["unit"].replace(".", " ")).split()
    if words and (scale := _SCALES.get(words[0].casefold())):
        value, words = value * scale, words[1:]
    if not all(_is_unit(word, bool(match["gap"])) for word in words):
        return None
    return _Quantity(value, " ".join(_unit(word) for word in words))


def _is_unit(word: str, after_blank: bool) -> bool:
    letters = re.split(r"[^a-zA-Zµμ]", word)[0]
    if after_blank and len(letters) > 2:
        return True
    return word in _CURRENCY_SIGNS or (letters in _SHORT_UNITS and (after_blank or len(letters) > 1))


def _unit(word: str) -> str:
    """Short units as they are (mW is not MW), longer ones in the singular."""
    return word if len(word) < 4 else _symbols(word).removesuffix("s")


def _symbols(text: str) -> str:
    r"""Words or a formula in one spelling: \frac{x}{2} and x/2 are the same."""
    text = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", lambda m: f"{_atom(m[1])}/{_atom(m[2])}", text)
    return _folded(text).replace("*", "")


def _atom(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"\\?\w+", text) else f"({text})"
