"""Sessions and what was found in them as rows of a screen. Pure; knows no store."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from r1chat.core.events import Answer, Reasoning, Started
from r1chat.core.messages import Message, Role
from r1chat.core.sanitize import clean
from r1chat.core.transcript import INTERRUPTED, UNFINISHED, Hit, Session, Transcript, Turn
from r1chat.terminal import progress
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.screen import Screen
from r1chat.terminal.tables import Column, ago, counted, one_line, table
from r1chat.terminal.wrap import breaks

INDENT = "  "


def session_rows(sessions: Sequence[Session], now: float, screen: Screen) -> list[str]:
    """List sessions under headings, in the screen's width."""
    columns = [
        Column("ID"),
        Column("TITLE", shrinks=True, at_end=True),
        Column("TURNS", right=True),
        Column("MODEL", shrinks=True),
        Column("USED"),
    ]
    rows = [
        [one.key, one.title, f"{one.n_turns:,}", model_name(one.model), "now" if one.running else ago(one.updated, now)]
        for one in sessions
    ]
    return table(columns, rows, columns_wide=screen.columns, mark=screen.glyph("…", "..."))


def found_rows(hits: Iterable[Hit], now: float, screen: Screen) -> list[str]:
    """Show hits: a line about the session, and below it what was found, where it stands."""
    rows: list[str] = []
    for hit in hits:
        one = hit.session
        heads = [[one.key, one.title, ago(one.updated, now)]]
        columns = [Column(), Column(shrinks=True, at_end=True), Column()]
        rows += table(columns, heads, columns_wide=screen.columns, mark=screen.glyph("…", "..."))
        if hit.place != "title":
            rows += _excerpt(hit, screen)
    return rows


def model_name(word: str) -> str:
    """Show the word for a model: of a path, the file's name."""
    return word.replace("\\", "/").rpartition("/")[2] if word.endswith(".gguf") else word


def _excerpt(hit: Hit, screen: Screen) -> list[str]:
    """Break an excerpt into rows, and make what was found bold."""
    head = f"{hit.place}: "
    text = hit.excerpt.text
    left, middle, right = text[: hit.excerpt.start], text[hit.excerpt.start : hit.excerpt.end], text[hit.excerpt.end :]
    left, middle, right = (clean(part) for part in (left, middle, right))
    plain = head + left + middle + right
    start, end = len(head) + len(left), len(head) + len(left) + len(middle)
    offsets = [0, *breaks(plain, max(10, screen.columns - len(INDENT))), len(plain)]
    rows = []
    for begin, stop in pairwise(offsets):
        a, b = sorted((min(max(start, begin), stop), min(max(end, begin), stop)))
        row = screen.dim(plain[begin:a]) + screen.sgr("1", plain[a:b]) + screen.dim(plain[b:stop].rstrip())
        rows.append(INDENT + row)
    return rows


def transcript_rows(transcript: Transcript, screen: Screen, *, thinking: bool) -> list[str]:
    """Show a chat as it was on the screen: its path, with or without the thinking."""
    session = transcript.session
    about = f"{session.key} · {counted(len(transcript.path), 'turn')}"
    rows = [screen.sgr("1", one_line(session.title)), screen.dim(screen.plain(about))]
    for turn in transcript.path:
        rows += ["", *_question(turn, screen), "", *answer_rows(turn, screen, thinking=thinking)]
        n_others = len(transcript.versions(turn)) - 1
        if n_others:
            rows.append(screen.dim(f"({counted(n_others, 'other version')})"))
    return rows


def answer_rows(turn: Turn, screen: Screen, *, thinking: bool = False, formulas: bool = True) -> list[str]:
    """Show the answer of a turn as it was on the screen, and why it ended if it is not whole."""
    moment = [0.0]
    way = Thinking.SHOW if thinking else Thinking.HIDE
    live = Live(screen, thinking=way, formulas=formulas, clock=lambda: moment[0])
    live.handle(Started(1, Message(Role.USER, "")))
    if turn.reasoning:
        live.handle(Reasoning(turn.reasoning, turn.usage.reasoning_tokens))
        moment[0] = turn.timings.reasoning_s
    live.handle(Answer(turn.answer, turn.usage.answer_tokens))
    live.close()
    rows = list(live.frame().finished)
    cut = turn.reason if turn.reason in (INTERRUPTED, UNFINISHED) else progress.ending(turn.ending)
    return [*rows, screen.dim(f"({cut})")] if cut else rows


def _question(turn: Turn, screen: Screen) -> list[str]:
    names = [screen.dim(f"@{one_line(name)}") for name, _ in turn.files]
    lines = clean(turn.asked).strip().split("\n") if turn.asked.strip() else []
    return [*names, *((">>> " if number == 0 else "... ") + line for number, line in enumerate(lines))]
