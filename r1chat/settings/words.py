"""Single words into values and back: the kinds of values that settings have. Pure; knows no setting.

A kind's `read` raises ValueError for a word that is none of its values.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from r1chat.core.kv import BLOCKS
from r1chat.core.memory import ALL_LAYERS
from r1chat.engine.base import ThinkBudget

_ON, _OFF = ("on", "yes", "true", "1"), ("off", "no", "false", "0")
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([KMGT]?)(i?B?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value: what it is in words, how it is read and written, and words to choose from, if they are few.

    `nothing` is the word for no value (None), where there can be none. `split` takes a list apart that stands in one
    word; a kind without it is no list.
    """

    what: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    words: tuple[str, ...] = ()
    nothing: str = ""
    split: Callable[[str], Sequence[str]] | None = None

    def value(self, word: str) -> Any:
        """Read a word. Raises ValueError."""
        if self.nothing and word.casefold() == self.nothing:
            return None
        if self.split is not None:
            return self.values(self.split(word))
        return self.read(word)

    def values(self, words: Sequence[str]) -> tuple[Any, ...]:
        """Read the items of a list. Raises ValueError."""
        return tuple(map(self.read, words))

    def text(self, value: Any) -> str:
        """Write a value so that it can be read again, but for None and an empty list without a word for them."""
        if value is None:
            return self.nothing or "none"
        if self.split is not None:
            return ", ".join(map(self.write, value)) or self.nothing or "none"
        return self.write(value)


def choice(*words: str, nothing: str = "") -> Kind:
    """One of a few words."""
    every = (*words, *([nothing] if nothing else []))

    def read(word: str) -> str:
        if (folded := word.casefold()) not in words:
            raise ValueError(word)
        return folded

    return Kind(f"one of {', '.join(every)}", read, words=every, nothing=nothing)


def whole(least: int | None = None, *, nothing: str = "") -> Kind:
    """A whole number. Whether it is in its bounds above `least` is told elsewhere, where the bounds are known."""

    def read(word: str) -> int:
        number = int(word)
        if least is not None and number < least:
            raise ValueError(word)
        return number

    bound = "" if least is None else f" from {least} up"
    return Kind(_or(f"a whole number{bound}", nothing), read, nothing=nothing)


def optional(kind: Kind, nothing: str) -> Kind:
    """The same kind, or no value."""
    return replace(kind, what=_or(kind.what, nothing), nothing=nothing)


def _or(what: str, nothing: str) -> str:
    return f"{what}, or {nothing}" if nothing else what


def _yes(word: str) -> bool:
    folded = word.casefold()
    if folded not in (*_ON, *_OFF):
        raise ValueError(word)
    return folded in _ON


def _layers(word: str) -> int:
    if word.casefold() in ("all", "-1"):
        return ALL_LAYERS
    if not re.fullmatch(r"[0-9]{1,6}", word):
        raise ValueError(word)
    return int(word)


def _n_bytes(word: str) -> int:
    """Read a size of memory, which is sold in powers of two: 24G are GiB, 24GB are 10^9 bytes."""
    match = _SIZE.fullmatch(word.strip())
    if match is None:
        raise ValueError(word)
    base = 1000 if match[3].upper() == "B" and match[2] else 1024
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))


def _size_word(n_bytes: int) -> str:
    for unit, scale in (("G", 2**30), ("M", 2**20)):
        if n_bytes and n_bytes % scale == 0:
            return f"{n_bytes // scale}{unit}"
    return str(n_bytes)


def _budget_word(budget: ThinkBudget) -> str:
    return f"{budget.seconds:g}s" if budget.seconds is not None else str(budget.n_tokens)


TEXT = Kind("a text", str)
TEXTS = Kind("a text, or a list of texts", str, split=lambda word: (word,))
HOSTS = Kind("a list of host names", str, split=lambda word: word.replace(",", " ").split())
NUMBER = Kind("a number", float, write=lambda value: f"{value:g}")
YES = Kind("on or off", _yes, write=lambda value: "on" if value else "off", words=("on", "off"))
BUDGET = Kind("tokens (500), seconds (30s), or none", ThinkBudget.parse, write=_budget_word, nothing="none")
LAYERS = Kind(
    "a number of layers, all, or auto",
    _layers,
    write=lambda value: "all" if value == ALL_LAYERS else str(value),
    words=("auto", "all"),
    nothing="auto",
)
SIZE = Kind("a size like 24G or 512M, or auto", _n_bytes, write=_size_word, nothing="auto")
SIZES = replace(SIZE, what="sizes like 24G or 24G,16G, or auto", split=lambda word: word.split(","))
CACHE = choice(*BLOCKS, nothing="auto")
