"""Text into rows by cell width: where a line of prose breaks. Pure; knows no terminal, no style and no Markdown.

Strategy: greedy. A row breaks after blanks and around wide characters (Chinese and Japanese have no blanks); a word
that does not fit starts the next row, and is cut only when it is longer than a whole row. Greedy rows never change once
a further row has begun, whatever text is appended: that is what lets a screen print them once.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from wcwidth import wcswidth, wcwidth

JOINER = "\u200d"  # zero width joiner: glues emoji into one
# Punctuation that does not begin a row, and that does not end one, in Chinese and Japanese typesetting (JIS X 4051).
NOT_FIRST = frozenset("、。，．・：；？！）」』】》〉〕］｝”’…—ー々〜")
NOT_LAST = frozenset("（「『【《〈〔［｛“‘")


class Cluster(NamedTuple):
    """One character as a reader sees it: `text[start:end]`, `cells` wide."""

    start: int
    end: int
    cells: int


def clusters(text: str) -> Iterator[Cluster]:
    """Cut `text` into visible characters with their combining marks, variation selectors and joined emoji."""
    if text.isascii():
        yield from (Cluster(i, i + 1, 1 if " " <= char < "\x7f" else 0) for i, char in enumerate(text))
        return
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and (wcwidth(text[end]) == 0 or _joined(text, start, end)):
            end += 1
        yield Cluster(start, end, _cells(text[start:end]))
        start = end


def width(text: str) -> int:
    """Measure `text` (one line, no escapes) in cells."""
    return sum(cluster.cells for cluster in clusters(text))


def breaks(text: str, columns: int, used: int = 0) -> list[int]:
    """Find where rows begin in one line of text, the first row (at 0) left out.

    `columns` cells fit into a row; `used` of the first are taken already. Blanks at a break stay at the end of the row
    before it, where they take no room.
    """
    found: list[int] = []
    column = used
    for word in _words(text):
        cells = sum(cluster.cells for cluster in word if not _is_blank(text, cluster))
        if column and cells and column + cells > columns:
            found.append(word[0].start)
            column = 0
        for cluster in word:
            if not _is_blank(text, cluster) and column and column + cluster.cells > columns:
                found.append(cluster.start)
                column = 0
            column += cluster.cells
    return found


def fold(text: str, columns: int) -> list[str]:
    """Break a whole text (no escapes) into rows of at most `columns` cells; a row's own indentation is repeated."""
    found = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())]
        offsets = [
            0,
            *(at + len(indent) for at in breaks(line[len(indent) :], max(1, columns - len(indent)))),
            len(line),
        ]
        for start, end in pairwise(offsets):
            found.append((line[start:end] if start == 0 else indent + line[start:end]).rstrip())
    return found


def fit(text: str, columns: int) -> str:
    """Cut `text` (one line, no escapes) at `columns` cells."""
    column = 0
    for cluster in clusters(text):
        column += cluster.cells
        if column > columns:
            return text[: cluster.start]
    return text


def _joined(text: str, start: int, end: int) -> bool:
    """Whether a joiner before `end` glues two pictures together; between letters it does nothing that takes a cell."""
    return (
        text[end - 1] == JOINER
        and text[end - 2] != JOINER
        and unicodedata.category(text[end]) == unicodedata.category(text[start]) == "So"
    )


def _words(text: str) -> Iterator[list[Cluster]]:
    """Group the characters between two places where a row may break; trailing blanks belong to the word."""
    word: list[Cluster] = []
    for cluster in clusters(text):
        if word and _may_break(text, word[-1], cluster):
            yield word
            word = []
        word.append(cluster)
    if word:
        yield word


def _may_break(text: str, left: Cluster, right: Cluster) -> bool:
    if _is_blank(text, right):
        return False
    if _is_blank(text, left):
        return True
    return max(left.cells, right.cells) > 1 and text[right.start] not in NOT_FIRST and text[left.start] not in NOT_LAST


def _is_blank(text: str, cluster: Cluster) -> bool:
    """A blank under a combining mark is no blank."""
    return text[cluster.start : cluster.end] == " "


@lru_cache(maxsize=4096)
def _cells(cluster: str) -> int:
    return max(0, wcswidth(cluster))
