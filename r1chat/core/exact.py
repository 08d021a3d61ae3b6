r"""The exact value of a text that is all number. Knows nothing about words, units or answers.

Reads whole and decimal numbers with or without thousands, + - * / ^ and brackets, percent, \frac{1}{2}, mixed numbers
(1\frac{1}{2} is one and a half) and the roots of squares. Computes with `fractions.Fraction`, so nothing is rounded.
Bounded: a text that is too deep, or whose value is too large, is no number here.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import isqrt

_MAX_DEPTH = 12  # brackets inside brackets
_MAX_BITS = 4_096  # of a numerator or denominator on the way, which is about 1,200 digits

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)(?:[eE](?P<exponent>[-+]?\d+))?"
    r"|(?P<word>\\frac|\\sqrt)|(?P<sign>[-+*/^(){}%]))"
)
# A whole text only: inside brackets a comma parts the members of a tuple.
_THOUSANDS = re.compile(r"\s*[-+]?\s?\d{1,3}([, ])\d{3}(?:\1\d{3})*(?:\.\d+)?\s?%?\s*")


class _NotANumber(Exception):
    """The text is not a number, or one that is too large to compute."""


def exact(text: str) -> Fraction | None:
    """Return the exact value of the text, or None if it is not a number, or one too large to compute. Never raises."""
    if match := _THOUSANDS.fullmatch(text):
        text = text.replace(match[1], "")
    try:
        return _Arithmetic(text).value()
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
            value = Fraction(match["number"].rstrip("."))
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
    if abs(exponent) * n_bits > _MAX_BITS:
        raise _NotANumber
    return Fraction(base ** int(exponent))


def _root(value: Fraction) -> Fraction:
    """The square root, where it is a fraction itself."""
    if value < 0:
        raise _NotANumber
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    if root * root != value:
        raise _NotANumber
    return root
