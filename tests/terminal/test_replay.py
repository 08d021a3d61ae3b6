"""Whole answers as R1 writes them, replayed on an emulated terminal at five widths, by both ways onto a screen.

Scrollback and screen together must be the final text, each line once: nothing lost, repeated, or left behind.
"""

import itertools
import re
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from prompt_toolkit.data_structures import Size as PtkSize
from prompt_toolkit.input import create_pipe_input

from r1chat.core.events import Answer, Event, Finished, Notice, Progress, Reason, Reasoning, Started, Usage
from r1chat.core.messages import Message, Role
from r1chat.terminal import input as terminal_input
from r1chat.terminal.application import ReplOutput
from r1chat.terminal.dumb import DumbTerminal
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.outbox import Entry
from r1chat.terminal.paint import TerminalSink
from r1chat.terminal.screen import Colors, Screen, Size
from r1chat.terminal.wrap import clusters
from tests.answers import ALL, LISTS, SCRIPTS, Spoken

WIDTHS = (40, 60, 80, 120, 200)
ROWS = 24
KINDS = {
    "colours": Screen(stdin_tty=True, stdout_tty=True, colors=Colors.TRUE),
    "light": Screen(stdin_tty=True, stdout_tty=True, colors=Colors.BASIC, light=True),
    "NO_COLOR": Screen(stdin_tty=True, stdout_tty=True),
    "ASCII": Screen(stdin_tty=True, stdout_tty=True, unicode=False),
}
SGR = re.compile(r"\x1b\[[0-9;]*m")

Emulate = Callable[[Size], Any]  # the fixture of conftest.py


def turn(spoken: Spoken, piece: int) -> Iterator[Event]:
    """A turn whose texts come in pieces of so many characters, with a notice in the middle of the thinking."""
    yield Started(1, Message(Role.USER, "question"))
    yield Progress("prefill", 512, 2048)
    middle = len(spoken.thinking) // 2
    for half in (spoken.thinking[:middle], spoken.thinking[middle:]):
        for start in range(0, len(half), piece):
            yield Reasoning(half[start : start + piece], 1)
        if half is not spoken.thinking[middle:]:
            yield Notice("remark", "A notice in the middle of the thinking, which is long enough to be broken.")
    for start in range(0, len(spoken.answer), piece):
        yield Answer(spoken.answer[start : start + piece], 1)
    yield Finished(Reason.STOP, Usage(10, 0, 30, 12))


def final(spoken: Spoken, screen: Screen, piece: int, thinking: Thinking = Thinking.SHOW) -> list[str]:
    """The rows that a turn consists of, as a terminal of that width shows them: longer ones (code) go on below."""
    live = Live(screen, thinking=thinking, session=True, clock=lambda: 0.0)
    for event in turn(spoken, piece):
        live.handle(event)
    shown = []
    for row in live.frame().finished:
        shown += folded(SGR.sub("", row).expandtabs(8), screen.columns)
    return without_end(shown)


def folded(row: str, columns: int) -> Iterator[str]:
    """Cut a row as a terminal does that has no room for it."""
    start = used = 0
    for cluster in clusters(row):
        if used + cluster.cells > columns:
            yield row[start : cluster.start]
            start, used = cluster.start, 0
        used += cluster.cells
    yield row[start:]


def without_end(rows: Sequence[str]) -> list[str]:
    """Take off the blanks at the ends of rows and the empty rows at the end, and compose what can be composed."""
    rows = [unicodedata.normalize("NFC", row.rstrip()) for row in rows]
    while rows and not rows[-1]:
        rows.pop()
    return rows


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spoken", ALL, ids=lambda spoken: spoken.name)
def test_one_shot_grows_into_the_final_text(emulate: Emulate, spoken: Spoken, kind: str, columns: int) -> None:
    """With a redraw at every third piece, all that a terminal of this width shows in the end is the text, once."""
    size = Size(columns, ROWS)
    screen = replace(KINDS[kind], size=lambda: size)
    emulator = emulate(size)
    ticks = itertools.count()
    live = Live(screen, session=True, clock=lambda: 0.0)
    with TerminalSink(emulator, screen, live, clock=lambda: next(ticks) / 60) as sink:
        for event in turn(spoken, 5):
            sink.handle(event)
    assert final(spoken, screen, 5) == without_end(emulator.rows())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("spoken", ALL, ids=lambda spoken: spoken.name)
def test_a_chat_grows_into_the_final_text(
    emulate: Emulate, monkeypatch: pytest.MonkeyPatch, spoken: Spoken, columns: int
) -> None:
    """The same above a prompt that is typed into meanwhile: question, answer, question, and nothing of the prompt."""
    monkeypatch.setattr(terminal_input, "pause", lambda took: 0.0)
    size = Size(columns, ROWS)
    screen = replace(KINDS["colours"], size=lambda: size)
    emulator = emulate(size)
    done = 0
    with create_pipe_input() as pipe:

        def work(entry: Entry) -> None:
            nonlocal done
            for number, event in enumerate(turn(spoken, 11)):
                terminal.sink.handle(event)
                if number % 10 == 0:
                    pipe.send_text("\x7f" if number % 20 else "x")
                time.sleep(0.001)  # lets the other thread draw; what comes of it does not depend on when it does
            done += 1
            pipe.send_text("\x15" if done == 1 else "\x15\x04")
            terminal.busy = False

        def answer(entry: Entry) -> None:
            terminal.busy = True
            threading.Thread(target=work, args=(entry,)).start()

        terminal = ReplTerminal(
            screen,
            Live(screen, session=True, clock=lambda: 0.0),
            on_submit=answer,
            on_interrupt=lambda: None,
            bar=lambda: ["a bar"],
            input=pipe,
            output=ReplOutput(emulator, lambda: PtkSize(rows=ROWS, columns=columns), enable_cpr=False),
        )
        pipe.send_text("one\rtwo\r")
        terminal.run()
    answers = final(spoken, screen, 11)
    assert [">>> one", "", *answers, "", ">>> two", "", *answers] == without_end(emulator.rows())


@pytest.mark.parametrize("spoken", [SCRIPTS, LISTS], ids=lambda spoken: spoken.name)
def test_a_dumb_terminal_gets_the_text_and_no_escape(emulate: Emulate, spoken: Spoken) -> None:
    """Where the cursor can't be moved, only finished rows are written."""
    screen = Screen(stdin_tty=True, stdout_tty=True, dumb=True)
    emulator = emulate(screen.size())
    written: list[str] = []
    write = emulator.write
    emulator.write = lambda text: written.append(text) or write(text)
    terminal = DumbTerminal(
        screen,
        Live(screen, session=True, clock=lambda: 0.0),
        on_submit=lambda entry: None,
        on_interrupt=lambda: None,
        stdout=emulator,
    )
    for event in turn(spoken, 3):
        terminal.sink.handle(event)
    assert final(spoken, screen, 3) == without_end(emulator.rows())
    assert "\x1b" not in "".join(written)


def test_the_thinking_can_be_switched_while_it_runs(emulate: Emulate) -> None:
    """What is printed stays printed; what comes after the switch is folded, and one line says how much it was."""
    size = Size(80, ROWS)
    screen = Screen(stdout_tty=True, size=lambda: size)
    emulator = emulate(size)
    live = Live(screen, clock=lambda: 0.0)
    sink = TerminalSink(emulator, screen, live)
    sink.handle(Started(1, Message(Role.USER, "question")))
    for number in range(40):
        if number == 20:
            live.switch(Thinking.FOLD)
        sink.handle(Reasoning(f"Thought {number}.\n", 2))
        sink.draw()
    assert "thinking… 80 tokens, 0.0 s" == emulator.rows()[-1]
    sink.handle(Answer("So."))
    sink.close()
    shown = [f"│ Thought {number}." for number in range(20)]
    assert [*shown, "thought for 0.0 s, 80 tokens", "", "So."] == emulator.rows()
