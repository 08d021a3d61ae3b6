"""The Markdown that models write: one parser for the screen and for pages, and formulas hidden from it. Pure.

Formulas never meet the Markdown parser: each is replaced by two private characters around its number before, and put
back afterwards. Nothing a model writes is dropped: HTML, link targets and unknown syntax are text.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from r1chat.terminal import latex

_QUOTE_SIGNS = re.compile(r"\n {0,3}>")


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula, and whether it wants a line of its own."""

    source: str
    display: bool = True


@dataclass(frozen=True, slots=True)
class Masked:
    """Markdown whose formulas are replaced by their numbers between two characters that do not occur in it."""

    source: str
    formulas: tuple[Formula, ...]
    marks: tuple[str, str]

    @property
    def displays(self) -> bool:
        """Whether one of the formulas wants a line of its own."""
        return any(formula.display for formula in self.formulas)

    def split(self, text: str) -> list[str | Formula]:
        """Cut text at the formulas in it."""
        if not self.formulas:
            return [text]
        parts = re.split(f"{self.marks[0]}(\\d+){self.marks[1]}", text)
        n_formulas = len(self.formulas)  # a model can write the marks themselves, as &#xE000;
        return [
            (self.formulas[int(part)] if int(part) < n_formulas else part) if index % 2 else part
            for index, part in enumerate(parts)
        ]

    def restore(self, text: str) -> str:
        """Put the formulas back as they were written, where they turned out to be none."""
        if not self.formulas:
            return text
        for mark in self.marks:
            text = text.replace(quote(mark), mark)
        return "".join(part if isinstance(part, str) else part.source for part in self.split(text))


def mask(source: str, *, quoted: bool = False) -> Masked:
    """Hide the formulas of a text from the Markdown parser. `quoted`: its lines begin with the signs of a quote."""
    if "$" not in source and "\\" not in source:
        return Masked(source, (), ("", ""))
    free = (chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in source)  # Unicode's private use area
    marks = next(free, ""), next(free, "")
    pieces: list[str] = []
    formulas: list[Formula] = []
    position = 0
    for span in latex.spans(source) if all(marks) else ():
        pieces.append(source[position : span.start])
        pieces.append(f"{marks[0]}{len(formulas)}{marks[1]}")
        formula = source[span.start : span.end]
        formulas.append(Formula(_QUOTE_SIGNS.sub("\n", formula) if quoted else formula, span.display))
        position = span.end
    pieces.append(source[position:])
    return Masked("".join(pieces), tuple(formulas), marks)


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """Make CommonMark with tables, without what would swallow text: HTML, reference definitions, setext headings."""
    made = MarkdownIt("commonmark", {"html": False})
    made.enable(["table", "strikethrough"])
    made.disable(["html_block", "html_inline", "reference", "lheading"])
    made.inline.ruler.before("escape", "delimiter", _delimiter)
    return made


def _delimiter(state: StateInline, silent: bool) -> bool:
    """Keep a delimiter of mathematics that has no partner as typed."""
    if state.src.startswith(("\\(", "\\)", "\\[", "\\]"), state.pos):
        if not silent:
            state.pending += state.src[state.pos : state.pos + 2]
        state.pos += 2
        return True
    return False
