"""Whole answers on an emulated terminal: nothing is lost, nothing is printed twice, nothing is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from r1chat.core.events import (
    Answer,
    Event,
    Failure,
    Finished,
    Notice,
    Progress,
    Reason,
    Reasoning,
    Started,
    Timings,
    Usage,
)
from r1chat.core.messages import Message, Role
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.paint import TerminalSink
from r1chat.terminal.screen import Colors, Screen, Size

THINKING = """
Okay, the user asks why the sky is blue. That is Rayleigh scattering, which favours short waves; let me recall it.

Violet is shorter still. 中文的句子没有空格，所以换行要按字符宽度来计算，而不是按单词来计算。
"""
ANSWER = r"""

# The sky

The sky is blue because of **Rayleigh scattering**: molecules scatter short waves *much* more than long ones. This
paragraph is long on purpose, so that its first rows have to leave before its last ones are known, at the width of every
screen. It has `code`, [a link](https://example.org/sky), and goes on, and on, and on, and on, and on, and on, and on,
until it is certainly more than a third of a screen of twenty-four rows at forty columns, and of eighty at last.

1. one
   - nested
2. two

```python
def square(x):
    return x * x


for i in range(3):
    print(square(i))
a = 1
b = 2
c = 3
d = 4
```

| name | 名字 |
|------|-----:|
| a    | 12 |

> quoted

\[
\frac{a}{b}
\]
The end: \( x_1 * y_1 * z \).
"""


def events(thinking: str, answer: str, size: int) -> Iterator[Event]:
    """A turn whose texts come in pieces of `size` characters."""
    yield Started(1, Message(Role.USER, "question"))
    yield Progress("load", 450, 1000)
    yield Progress("prefill", 512, 2048)
    for start in range(0, len(thinking), size):
        yield Reasoning(thinking[start : start + size], len(thinking[start : start + size]))
    for start in range(0, len(answer), size):
        yield Answer(answer[start : start + size], len(answer[start : start + size]))
    yield Finished(Reason.STOP, Usage(10, 0, 30, 12), Timings(tokens_per_second=12.3, first_token_s=0.4))


Emulate = Callable[[Size], Any]  # the fixture of conftest.py


class Clock:
    """A clock that moves a little at every look."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        """Look."""
        self.now += self.step
        return self.now


def play(emulate: Emulate, size: Size, piece: int, step: float, thinking: Thinking = Thinking.SHOW) -> list[str]:
    """Show a turn on an emulated terminal of that size. Return all that it then shows."""
    emulator = emulate(size)
    screen = Screen(stdout_tty=True, colors=Colors.PALETTE, size=lambda: size)
    live = Live(screen, thinking=thinking, clock=lambda: 0.0)
    with TerminalSink(emulator, screen, live, clock=Clock(step)) as sink:
        for event in events(THINKING, ANSWER, piece):
            sink.handle(event)
    assert not emulator.screen.cursor.hidden
    assert 0 == emulator.screen.cursor.x
    return emulator.rows()


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize(("piece", "step"), [(1, 1.0), (4, 1.0), (7, 0.01), (100, 1.0)])
def test_scrollback_and_screen_are_the_final_text(emulate: Emulate, columns: int, piece: int, step: float) -> None:
    """However the text comes and however often the tail is redrawn, the screen ends as if it had come at once."""
    assert play(emulate, Size(columns, 24), 10_000, 1.0) == play(emulate, Size(columns, 24), piece, step)


FINAL = r"""│ Okay, the user asks why the sky is blue. That is Rayleigh scattering, which
│ favours short waves; let me recall it.
│
│ Violet is shorter still. 中文的句子没有空格，所以换行要按字符宽度来计算，而不
│ 是按单词来计算。
thought for 0.0 s, 177 tokens

The sky

The sky is blue because of Rayleigh scattering: molecules scatter short waves
much more than long ones. This
paragraph is long on purpose, so that its first rows have to leave before its
last ones are known, at the width of every
screen. It has `code`, a link (https://example.org/sky), and goes on, and on,
and on, and on, and on, and on, and on,
until it is certainly more than a third of a screen of twenty-four rows at forty
columns, and of eighty at last.

1. one
   • nested
2. two

```python
def square(x):
    return x * x


for i in range(3):
    print(square(i))
a = 1
b = 2
c = 3
d = 4
```

╭──────┬──────╮
│ name │ 名字 │
├──────┼──────┤
│ a    │   12 │
╰──────┴──────╯

│ quoted

  a
  ─
  b

The end: x₁ · y₁ · z.

42 tokens · 12.3 tok/s · first after 0.4 s
"""


def test_the_final_text_reads_well() -> None:
    """At 80 columns, without attributes, the turn has this form."""
    live = Live(Screen(dumb=True), clock=lambda: 0.0)
    for event in events(THINKING, ANSWER, 10_000):
        live.handle(event)
    assert FINAL.splitlines() == list(live.frame().finished)


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [(Thinking.FOLD, ["thought for 0.0 s, 177 tokens", "", "The sky"]), (Thinking.HIDE, ["The sky"])],
)
def test_thinking_folds_to_one_line_or_hides(emulate: Emulate, thinking: Thinking, expected: list[str]) -> None:
    """Folded thinking leaves one line, hidden thinking none."""
    assert expected == play(emulate, Size(80, 24), 10_000, 1.0, thinking)[: len(expected)]


def test_the_open_rows_never_take_more_than_a_third() -> None:
    """The tail and the status line stay within a third of the screen, whatever is open."""
    size = Size(40, 24)
    screen = Screen(stdout_tty=True, size=lambda: size)
    live = Live(screen)
    tallest = 0
    for event in events(THINKING, ANSWER + "- a long item " * 60, 3):
        live.handle(event)
        frame = live.frame()
        tallest = max(tallest, len(frame.tail) + bool(frame.status))
    assert 8 == tallest


def test_a_resize_in_the_middle_leaves_nothing_behind(emulate: Emulate) -> None:
    """Each line is there once when the window grew while the tail was open."""
    emulator, sizes = emulate(Size(40, 24)), [Size(40, 24)]
    screen = Screen(stdout_tty=True, size=lambda: sizes[-1])
    with TerminalSink(emulator, screen, Live(screen, clock=lambda: 0.0), clock=Clock(1.0)) as sink:
        for index, event in enumerate(events(THINKING, ANSWER, 4)):
            if index == 90:
                sizes.append(Size(100, 24))
                emulator.screen.resize(24, 100)
            sink.handle(event)
    rows = [row for row in emulator.rows() if len(row) > 12]
    assert sorted(set(rows)) == sorted(rows)


def test_a_turn_cut_off_leaves_its_tail(emulate: Emulate) -> None:
    """Closing without Finished prints what was open, and the status line goes."""
    emulator = emulate(Size(80, 24))
    screen = Screen(stdout_tty=True)
    sink = TerminalSink(emulator, screen, Live(screen), clock=Clock(1.0))
    sink.handle(Answer("half an ans"))
    sink.close()
    sink.close()
    assert ["half an ans"] == emulator.rows()


def test_a_session_reports_failures() -> None:
    """In a session a failed turn says why, cleaned; in one shot that is the caller's part."""
    end = Finished(Reason.DIED, failure=Failure(6, "It died\x1b[2J.", "Try again.", ("last line",)))
    screen = Screen(dumb=True)
    session, single = Live(screen, session=True), Live(screen)
    for live in (session, single):
        live.handle(Notice("x", "note\x1b"))
        live.handle(end)
    rows = ["▸ note␛", "✗ It died␛[2J.", "  Try again.", "  last line", ""]
    assert rows == list(session.frame().finished)
    assert ["▸ note␛"] == list(single.frame().finished)


@pytest.mark.parametrize(
    "payload", ["[/INST]", "[link=http://x]y[/link]", ":bomb:", "<think>", "a < b > c", "snake_case_name", "\\(\\)"]
)
def test_text_that_looks_like_markup_is_shown_as_typed(payload: str) -> None:
    """Neither rich's markup nor emoji codes nor HTML exist in a model's text."""
    live = Live(Screen(dumb=True))
    live.handle(Answer(f"{payload}\n"))
    live.handle(Finished(Reason.STOP))
    assert payload == live.frame().finished[0]


@pytest.mark.parametrize("payload", ["\x1b[2J", "\x1b]8;;u\x07", "\x9b2J", "\x1b", "\x07", "`\x1b[2J`", "# \x1b[2J"])
@pytest.mark.parametrize("fence", ["", "```\n", "```python\n", "| a |\n|-|\n| ", "- "])
def test_only_our_own_attributes_reach_the_screen(payload: str, fence: str) -> None:
    """Whatever a model writes, the only escapes in a frame are SGR."""
    for kind in (Reasoning, Answer):
        live = Live(Screen(colors=Colors.TRUE))
        for char in fence + payload:
            live.handle(kind(char))
            frame = live.frame()
            text = "".join([*frame.finished, *frame.tail, frame.status])
            left = "".join(part.partition("m")[2] for part in ("\x1b[m" + text).split("\x1b["))
            assert [] == [char for char in left if not char.isprintable()]


STOPPED_CHILD = """
import sys, time
from r1chat.core.events import Answer, Started
from r1chat.core.messages import Message, Role
from r1chat.terminal.live import Live
from r1chat.terminal.paint import TerminalSink
from r1chat.terminal.screen import Screen
screen = Screen(stdout_tty=True)
with TerminalSink(sys.stdout, screen, Live(screen, clock=lambda: 0.0)) as sink:
    sink.handle(Started(1, Message(Role.USER, "question")))
    sink.handle(Answer("open", 1))
    sink.draw()
    time.sleep(60)
"""


def test_a_stop_erases_the_tail_and_going_on_draws_it_again(emulate: Emulate) -> None:
    """Ctrl-Z leaves a clean screen to the shell, and after `fg` the open rows are there again."""
    parent, terminal = os.openpty()
    child = subprocess.Popen([sys.executable, "-c", STOPPED_CHILD], stdin=terminal, stdout=terminal, process_group=0)
    emulator = emulate(Size(80, 24))
    try:
        emulator.follow(parent, lambda shown: "answering…" in shown)
        child.send_signal(signal.SIGTSTP)
        assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
        emulator.follow(parent, lambda shown: not shown)
        emulator.write("fg\n")
        child.send_signal(signal.SIGCONT)
        emulator.follow(parent, lambda shown: "answering…" in shown)
        assert ["fg", "open", "answering… 1 token, 0.0 s"] == emulator.rows()
    finally:
        child.kill()
        child.wait()
        os.close(parent)
        os.close(terminal)
