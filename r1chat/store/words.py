"""Text -> what the index holds, what a person typed -> what the index is asked, and where it stands in a text. Pure.

SQLite's tokenizer finds words between blanks and signs. Chinese, Japanese, Thai and others write no blanks, so that a
sentence would be one word. Their runs are written as overlapping pairs of characters instead, and the last character
alone: 热力学 becomes 热力 力学 学. A word of two characters is then one word of the index, a longer one a phrase of
pairs one behind the other, and a single character the beginning of a pair.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from r1chat.core.transcript import Excerpt

# Thai and Lao, Myanmar, Khmer, kana, Han with its extensions, hangul.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_RUN: Final = re.compile(f"[{_UNSPACED}]+")
_PIECE: Final = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_TERM: Final = re.compile(r'"([^"]*)"?|(\S+)')
AROUND: Final = 60  # characters of a text that are shown on either side of what was found


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to be found: words one behind the other. `open`: the last one may go on."""

    words: tuple[str, ...]
    open: bool = False


def index_text(text: str) -> str:
    """Write a text as it is indexed."""
    return text if text.isascii() else _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", text)


def terms_of(typed: str) -> tuple[Term, ...]:
    """Read what was typed: all of it must be found; "quoted" words stand together, and `word*` may go on."""
    found = []
    for quoted, word in _TERM.findall(typed):
        words = tuple(_PIECE.findall(quoted or word))
        if words:
            found.append(Term(words, open=word.endswith("*")))
    return tuple(found)


def query_of(terms: tuple[Term, ...]) -> str:
    """Write terms in FTS5's language. Nothing that was typed is taken as a sign of that language."""
    return " AND ".join(map(_phrase, terms))


def opened(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Let every term be a beginning, but those that are too short to mean anything so."""
    return tuple(Term(term.words, open=term.open or len(term.words[-1]) > 2) for term in terms)


def excerpt(text: str, terms: tuple[Term, ...]) -> Excerpt | None:
    """Cut out what is around the first of the terms in a text; None if none of them is in it."""
    folded = _fold(text)
    for term in terms:
        if found := _pattern(term).search(folded):
            return _around(text, *found.span())
    return None


def finder(terms: tuple[Term, ...]) -> Callable[[str], bool]:
    """Make a function that says whether all terms are in a text; for many short ones, most of which have none."""
    patterns = [_pattern(term) for term in terms]
    needles = [_fold(word) for term in terms for word in term.words]

    def stands_in(text: str) -> bool:
        folded = _fold(text)
        return all(needle in folded for needle in needles) and all(pattern.search(folded) for pattern in patterns)

    return stands_in


def beginning(text: str) -> Excerpt:
    """Show how a text begins."""
    return _around(text, 0, 0)


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run))]


def _phrase(term: Term) -> str:
    *first, last = term.words
    words = [pair for word in first for pair in (_pairs(word) if _RUN.match(word) else [word])]
    open_ = term.open
    if _RUN.match(last):  # the text may go on behind it
        words += _pairs(last)[:-1] or [last]
        open_ = len(last) == 1
    else:
        words.append(last)
    return f'"{" ".join(words)}"' + (" *" if open_ else "")


@lru_cache(maxsize=64)
def _pattern(term: Term) -> re.Pattern[str]:
    *first, last = [re.escape(_fold(word)) for word in term.words]
    left = "" if _RUN.match(term.words[0]) else r"(?<!\w)"
    right = "" if term.open or _RUN.match(term.words[-1]) else r"(?!\w)"
    return re.compile(left + r"[\W_]*".join([*first, last]) + right)


def _around(text: str, start: int, end: int) -> Excerpt:
    """Cut at blanks where some are near, and make one line of it."""
    left, right = max(0, start - AROUND), min(len(text), max(end, start + 1) + AROUND)
    if left and (blank := text.find(" ", left, start)) >= 0:
        left = blank
    if right < len(text) and (blank := text.rfind(" ", end, right)) >= 0:
        right = blank
    before = " ".join(text[left:start].split())
    found = " ".join(text[start:end].split())
    after = " ".join(text[end:right].split())
    before += " " * (bool(before) and text[start - 1 : start].isspace())
    before = ("…" if left else "") + before
    after = " " * (bool(after) and bool(found) and text[end : end + 1].isspace()) + after
    return Excerpt(before + found + after + "…" * (right < len(text)), len(before), len(before) + len(found))


class _Folding(dict[int, str]):
    """What a character is without case and accents, one for one, so that places stay what they are."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        base = unicodedata.normalize("NFD", char)[0] if not _RUN.match(char) else char
        folded = base.casefold()
        self[code] = folded if len(folded) == 1 else base
        return self[code]


_FOLDING: Final = _Folding({code: chr(code).lower() for code in range(128)})


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_FOLDING)
