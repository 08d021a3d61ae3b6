"""Events into rows of ANSI text: what is finished, what is still open, and a status line. Never moves the cursor.

Knows no stream and no painter. `handle` is cheap and may be called for every token; `frame` does the rendering and is
called as often as a screen is redrawn. Everything a model or an engine says is cleaned here.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from r1chat.core.events import Answer, Event, Failure, Finished, Notice, Progress, Reasoning, Started
from r1chat.core.messages import Partial
from r1chat.core.sanitize import Cleaner, clean
from r1chat.terminal import progress
from r1chat.terminal.blocks import Block, Blocks, Kind
from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import breaks, fit, fold

if TYPE_CHECKING:
    from rich.text import Text

    from r1chat.terminal.markdown import Markdown

CUT_ATTEMPTS = 8  # places to try before a long paragraph waits for more text
TAIL_SHARE = 3  # the open tail takes at most a third of the screen


class Thinking(StrEnum):
    """What becomes of the thinking on a screen."""

    SHOW = "show"  # dim, in a gutter, as it comes
    FOLD = "fold"  # one live line, then one line that stays
    HIDE = "hide"  # nothing stays


@dataclass(frozen=True, slots=True)
class Frame:
    """What to put on the screen: rows to print once, the open rows below them, and a status line that passes."""

    finished: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    status: str = ""


class Live:
    """One screen's view of the turns. Not thread-safe: its owner takes care that one thread at a time is in it."""

    def __init__(
        self,
        screen: Screen,
        *,
        thinking: Thinking = Thinking.SHOW,
        session: bool = False,
        formulas: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`session`: more turns follow, so that a failed turn is reported here, and a blank row ends each turn.

        `formulas`: mathematics is drawn; else its source is shown. Both it and `thinking` may be changed at any time.
        """
        self.formulas = formulas
        self.thinking = thinking
        self._screen = screen
        self._session = session
        self._clock = clock
        self._rows: list[str] = []  # finished, not yet fetched by `frame`
        self._begin()

    def _begin(self) -> None:
        self._stage = ""  # the status before the first token
        self._thought = _Part()
        self._answer = _Part()
        self._prose = Prose()
        self._blocks = Blocks()
        self._open = OpenParagraph()
        self._wrote = False  # whether a row of this turn is out, so that the answer keeps its distance
        self._answered = False  # whether a block of the answer is out
        self._running = False

    def handle(self, event: Event) -> None:
        """Take one event. Only sample 0 has a place on a screen."""
        if not isinstance(event, Started) and event.sample:
            return
        match event:
            case Started():
                self._begin()
                self._running = True
                if event.resumed is not None:
                    self._go_on(event.resumed)
            case Progress():
                self._stage = progress.before_the_answer(event)
            case Reasoning():
                self._thought.take(event, self._clock())
            case Answer():
                self._end_thinking()
                self._answer.take(event, self._clock())
            case Notice():
                self._absorb()
                if self._thought.begun and not self._thought.ended:  # it explains what comes after this row
                    self._think(self._prose.finish())
                self.note(event.text)
            case Finished():
                self._finish(event)

    def prepare(self) -> None:
        """Import what renders an answer, which takes a tenth of a second, before the first answer needs it."""
        _ = self._markdown

    def note(self, text: str) -> None:
        """Put a remark of the program between the model's rows."""
        self._remark(clean(text), self._screen.shade("33", "35"), self._screen.glyph("▸ ", "> "))

    def show(self, failure: Failure) -> None:
        """Put an error, its way out and the last lines of the native log on the screen."""
        self._remark(clean(failure.message), self._screen.shade("1;91", "1;31"), self._screen.glyph("✗ ", "! "))
        for line in (failure.hint, *failure.log):
            if line:
                self._remark(clean(line), "2", "  ")

    def switch(self, thinking: Thinking) -> None:
        """Show, fold or hide the thinking from now on. What is shown stays, the open row too."""
        self._absorb()
        if thinking is not Thinking.SHOW and not self._thought.ended:
            self._think(self._prose.finish())
        self.thinking = thinking

    def recalled(self, thinking: str) -> list[str]:
        """Render the thinking of an earlier turn as it would have been shown."""
        return [self._gutter(row) for row in plain_rows(thinking, self._screen.columns - 2)]

    def close(self) -> None:
        """End a turn that was cut off without its Finished: what is open becomes final. Safe to call twice."""
        self._end_thinking()
        self._absorb()
        for block in (*self._blocks.feed(self._answer.finish()), *self._blocks.finish()):
            self._put(block)
        self._blocks, self._open = Blocks(), OpenParagraph()
        self._running = False

    def frame(self) -> Frame:
        """Render what came since the last call."""
        self._absorb()
        finished, self._rows = tuple(self._rows), []
        tail, status = self._tail(), self._status()
        room = max(1, self._screen.rows // TAIL_SHARE - bool(status))
        return Frame(finished, tuple(tail[-room:]), status)

    # What comes in

    def _go_on(self, said: Partial) -> None:
        """Begin with what was open when the turn was cut: the block, or the row, is shown again whole, and grows."""
        if said.answer is None:
            row = said.reasoning.rpartition("\n")[2]
            self._prose.feed(self._thought.recall(row), self._screen.columns - 2)
        else:
            self._thought.ended = True
            self._blocks.feed(self._answer.recall(said.answer))

    def _absorb(self) -> None:
        """Turn the text that came since the last time into finished rows."""
        if thought := self._thought.fetch():
            self._think(self._prose.feed(thought, self._screen.columns - 2))
        if answer := self._answer.fetch():
            for block in self._blocks.feed(answer):
                self._put(block)
            self._settle()

    def _think(self, rows: list[str]) -> None:
        if self.thinking is Thinking.SHOW:
            self._rows += [self._gutter(row) for row in rows]
            self._wrote = self._wrote or bool(rows)

    def _end_thinking(self) -> None:
        """Close the thinking, once, and say how long it was. Empty thinking leaves no trace."""
        part = self._thought
        if part.ended:
            return
        part.ended = True
        self._think(self._prose.feed(part.finish(), self._screen.columns - 2))
        self._think(self._prose.finish())
        if self._prose.empty or not part.begun or self.thinking is Thinking.HIDE:
            return
        self._rows.append(self._screen.dim(progress.thought(part.tokens, self._clock() - part.began)))
        self._wrote = True

    def _finish(self, end: Finished) -> None:
        self.close()
        if end.failure is not None and self._session:
            self.show(end.failure)
        if end.failure is None or end.usage.reasoning_tokens + end.usage.answer_tokens > 0:
            if self._wrote:
                self._rows.append("")
            summary = self._screen.plain(progress.summary(end))
            self._rows += map(self._screen.dim, fold(summary, self._screen.columns))
        if self._session:
            self._rows.append("")

    def _put(self, block: Block) -> None:
        """Print a finished block, below a blank row unless it goes on with the one before."""
        if block.kind is Kind.TEXT:
            rows = self._open.rows(self._markdown, block, self._screen.columns)
            fresh = self._open.fresh
            self._open = OpenParagraph()
        else:
            rows, fresh = self._markdown.rows(block, self._screen.columns), True
        if any(rows) or block.kind is Kind.CODE:
            self._space(joined=block.joined or not fresh)
            self._rows += rows

    def _settle(self) -> None:
        """Print the rows of a long open paragraph that can't change any more."""
        tail = self._blocks.tail
        if not tail or tail[0].kind is not Kind.TEXT:
            return
        fresh = self._open.fresh
        room = max(1, self._screen.rows // TAIL_SHARE - 2)  # a blank row above it and the status below
        if rows := self._open.settle(self._markdown, tail[0], self._screen.columns, room):
            self._space(joined=tail[0].joined or not fresh)
            self._rows += rows

    def _space(self, *, joined: bool) -> None:
        if self._wrote and not (joined and self._answered):
            self._rows.append("")
        self._wrote = self._answered = True

    # What is shown

    def _tail(self) -> list[str]:
        columns = self._screen.columns
        if not self._thought.ended:
            return [self._gutter(row) for row in self._prose.tail] if self.thinking is Thinking.SHOW else []
        rows: list[str] = []
        for block in self._blocks.tail:
            fresh = not (block.kind is Kind.TEXT and not self._open.fresh)
            more = (
                self._open.rows(self._markdown, block, columns)
                if block.kind is Kind.TEXT
                else self._markdown.rows(block, columns)
            )
            if not any(more):
                continue
            if self._wrote and fresh and not (block.joined and (self._answered or rows)):
                rows.append("")
            rows += more
        return rows

    def _status(self) -> str:
        if not self._running:
            return ""
        if self._answer.begun:
            part, what = self._answer, "answering"
        elif self._thought.begun:
            part, what = self._thought, "thinking"
        else:
            return self._shape_status(self._stage or "waiting…")
        return self._shape_status(progress.running(what, part.tokens, self._clock() - part.began))

    def _shape_status(self, text: str) -> str:
        return self._screen.dim(fit(self._screen.plain(text), self._screen.columns - 1))

    def _gutter(self, row: str) -> str:
        return self._screen.dim(f"{self._screen.glyph('│', '|')} {row}".rstrip())

    def _remark(self, text: str, codes: str, sign: str) -> None:
        for line in self._screen.plain(text).splitlines():
            offsets = [0, *breaks(line, self._screen.columns - len(sign)), len(line)]
            for index, (start, end) in enumerate(pairwise(offsets)):
                row = (sign if index == 0 else " " * len(sign)) + line[start:end].rstrip()
                self._rows.append(self._screen.sgr(codes, row))
        self._wrote = True

    @property
    def _markdown(self) -> "Markdown":
        return self._drawing if self.formulas else self._sourcing

    @cached_property
    def _drawing(self) -> "Markdown":
        # rich takes a tenth of a second to import, which the prompt should not wait for.
        from r1chat.terminal.markdown import Markdown

        return Markdown(self._screen, formulas=True)

    @cached_property
    def _sourcing(self) -> "Markdown":
        from r1chat.terminal.markdown import Markdown

        return Markdown(self._screen, formulas=False)


class _Part:
    """The text of one channel that has not been rendered yet, cleaned, and its counts."""

    def __init__(self) -> None:
        self.tokens = 0
        self.began = 0.0
        self.begun = False
        self.ended = False
        self._cleaner = Cleaner()
        self._pieces: list[str] = []

    def take(self, event: Reasoning | Answer, now: float) -> None:
        if not self.begun:
            self.begun, self.began = True, now
        self.tokens += event.n_tokens
        self._pieces.append(self._cleaner.feed(event.text))

    def recall(self, text: str) -> str:
        """Clean what was said before, which is not counted; what it left open goes on in what is taken."""
        return self._cleaner.feed(text)

    def fetch(self) -> str:
        text, self._pieces = "".join(self._pieces), []
        return text

    def finish(self) -> str:
        return self.fetch() + self._cleaner.finish()


class Prose:
    """Plain text into wrapped rows; a row leaves as soon as the next one begins. Blanks at both ends are left out."""

    def __init__(self) -> None:
        self.empty = True
        self._row = ""
        self._blank = False  # a blank row that leaves when more text follows

    @property
    def tail(self) -> list[str]:
        """The rows that are still open."""
        row = self._row.rstrip()
        return [""] * (self._blank and not self.empty) + [row] if row else []

    def feed(self, text: str, columns: int) -> list[str]:
        """Take more text. Return the rows that are final."""
        rows: list[str] = []
        *lines, rest = text.replace("\t", "    ").split("\n")
        for line in lines:
            self._wrap(line, columns, rows)
            self._end_row(rows)
        self._wrap(rest, columns, rows)
        return rows

    def finish(self) -> list[str]:
        """Return the last row, if there is one."""
        rows: list[str] = []
        self._end_row(rows)
        return rows

    def _wrap(self, text: str, columns: int, rows: list[str]) -> None:
        line = self._row + text
        offsets = [0, *breaks(line, max(1, columns))]
        for start, end in pairwise(offsets):
            self._row = line[start:end]
            self._end_row(rows)
        self._row = line[offsets[-1] :]

    def _end_row(self, rows: list[str]) -> None:
        """Let the open row go, if something is in it."""
        rows += self.tail
        self._blank = not self._row.strip()
        self.empty = self.empty and self._blank
        self._row = ""


def plain_rows(text: str, columns: int) -> list[str]:
    """Wrap a whole plain text; clean, without blanks at its ends."""
    prose = Prose()
    return [*prose.feed(clean(text), columns), *prose.finish()]


class OpenParagraph:
    """A paragraph that still grows. Its first rows can leave early, where no markup is open that could change them."""

    def __init__(self) -> None:
        self._gone = 0  # characters of the source whose text has left, or waits in `_lead`
        self._lead: Text | None = None  # the last row of what is gone: it may still grow
        self._patience = 0  # after a vain attempt, the length at which the next one is made

    @property
    def fresh(self) -> bool:
        """Whether no row has left yet."""
        return self._lead is None

    def rows(self, markdown: "Markdown", block: Block, columns: int) -> list[str]:
        """Render what has not left."""
        return [markdown.ansi(row) for row in markdown.paragraph(block.source[self._gone :], columns, self._lead)]

    def settle(self, markdown: "Markdown", block: Block, columns: int, room: int) -> list[str]:
        """If more than `room` rows are open, let those go that are final."""
        source = block.source[self._gone :]
        if len(source) < max(columns, self._patience):
            return []
        if len(markdown.paragraph(source, columns, self._lead)) <= room:
            return []
        for cut in _cuts(source):
            if markdown.settled(source[:cut]):
                break
        else:
            self._patience = len(source) + columns
            return []
        self._patience = 0
        *rows, lead = markdown.paragraph(source[:cut], columns, self._lead)
        lead.append(" ")
        self._gone += cut + 1
        self._lead = lead
        return [markdown.ansi(row) for row in rows]


def _cuts(source: str) -> Iterator[int]:
    """Find places, the last first, where an open paragraph might be cut: at a blank between two words of one line.

    The last lines may turn out to be the head of a table, which must not have left.
    """
    end = len(source) - 1
    lines = source.rsplit("\n", 2)
    while lines and "|" in "".join(lines[-2:]):
        end = min(end, len("\n".join(lines)) - len(lines[-1]))
        lines.pop()
    for _ in range(CUT_ATTEMPTS):
        end = source.rfind(" ", 1, end)
        if end <= 0:
            return
        if not (source[end - 1].isspace() or source[end + 1].isspace()):
            yield end
