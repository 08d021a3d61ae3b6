"""Whatever a model says: no exception, no lost word, no row that is too wide."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1chat.core.events import Answer, Finished, Progress, Reason, Reasoning, Started, Timings, Usage
from r1chat.core.messages import Message, Partial, Role
from r1chat.terminal import progress
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.paint import cells
from r1chat.terminal.screen import Colors, Screen, Size

WORDS = [
    "a",
    "word ",
    "longer words ",
    "中文",
    "👩‍👩‍👧",
    "\n",
    "\n\n",
    "    ",
    "\t",
    "\x1b[2J",
    "\ud800",
    "&amp;",
    "\\",
]
INLINE = ["`", "*", "**", "_", "~~", "[", "](", ")", "![", "$", "$$", "\\(", "\\)", "<b>", "<http://x.y>"]
STARTS = ["- ", "   - ", "1. ", "> ", "# ", "```\n", "```py\n", "\\[\n", "\\]\n", "---\n", "===", "| a |\n|--|\n| c |"]
MARKUP = st.lists(st.sampled_from([*WORDS, *INLINE, *("\n" + start for start in STARTS)]), max_size=40)


def finished(pieces: list[str], *, each: bool, columns: int = 40) -> list[str]:
    """Show an answer; `each`: with a frame after every piece."""
    live = Live(Screen(colors=Colors.PALETTE, size=lambda: Size(columns, 24)), clock=lambda: 0.0)
    rows: list[str] = []
    for piece in pieces:
        live.handle(Answer(piece))
        if each:
            rows += live.frame().finished
    live.handle(Finished(Reason.STOP))
    return rows + list(live.frame().finished)


@settings(deadline=None)  # the first example imports rich
@given(MARKUP)
def test_no_text_raises_and_frames_do_not_matter(pieces: list[str]) -> None:
    """Every mixture of markup is shown, and the same rows leave however often the screen was drawn."""
    assert finished(pieces, each=False) == finished(pieces, each=True)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.sampled_from(["word ", "**", "`", "_x_ ", "中", "* ", "\\(", ". "]), min_size=100, max_size=200))
def test_a_long_paragraph_leaves_row_by_row_without_losing_a_word(pieces: list[str]) -> None:
    """The rows that leave early hold the same words as the paragraph rendered at once, and none is too wide."""
    early, at_once = finished(pieces, each=True), finished(pieces, each=False)
    text, expected = (re.sub(r"\x1b\[[0-9;]*m|\s", "", "".join(rows)) for rows in (early, at_once))
    assert expected == text
    assert [] == [row for row in early if cells(row) > 40]


THINKING = "Add the ones first, which is easy:\n3 + 6 = 9.\n\nThen the tens, and there is nothing to carry at all."
ANSWER = r"""

The sum is \(123 + 456\), which one adds **digit by digit**, from the right to the left, as everybody does at school.

- ones: \(\frac{3 + 6}{1}\)
- tens:
  ```py
  print(2 + 5)
  ```

```c
int a;
int b;
int c;
int d;
int e;
int f;
int g;
int h;  /* the code leaves in pieces */
int i;
```

| place | sum |
|------:|-----|
| 100   | 5   |

\[ \boxed{1} \]

\boxed{579}
"""


@cache
def turn(thinking: str, answer: str, way: Thinking, resumed: Partial | None = None) -> list[str]:
    """The rows with text that a turn leaves, but for those that count its tokens."""
    live = Live(Screen(colors=Colors.PALETTE, size=lambda: Size(50, 24)), thinking=way, clock=lambda: 0.0)
    live.handle(Started(1, Message(Role.USER, "question"), resumed))
    for event in (Reasoning(thinking), Answer(answer)):
        if event.text:
            live.handle(event)
    live.handle(Finished(Reason.STOP))
    rows = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in live.frame().finished]
    return [row for row in rows[:-1] if row.strip("│ ") and not row.startswith("thought for")]


def whole_and_resumed(cut: int, way: Thinking = Thinking.SHOW) -> tuple[list[str], list[str], list[str]]:
    """Show a turn at once; and one that was cut behind so many characters, its two parts apart."""
    in_answer = max(0, cut - len(THINKING))
    said = Partial(THINKING[:cut], ANSWER[:in_answer] or None)
    whole = turn(THINKING, ANSWER, way)
    before = turn(said.reasoning, ANSWER[:in_answer], way)
    return whole, before, turn(THINKING[cut:], ANSWER[in_answer:], way, said)


@pytest.mark.parametrize("cut", range(1, len(THINKING + ANSWER)))
def test_a_turn_that_goes_on_shows_again_what_was_open(cut: int) -> None:
    """Wherever it was cut, the open row or block is below the cut as a whole, and all above it is above the cut."""
    whole, before, after = whole_and_resumed(cut)
    n_kept = len(whole) - len(after)
    assert whole[n_kept:] == after
    assert whole[:n_kept] == before[:n_kept]


@pytest.mark.parametrize("thinking", [Thinking.FOLD, Thinking.HIDE])
def test_a_folded_thinking_that_goes_on_stays_folded(thinking: Thinking) -> None:
    """No row of it comes back."""
    whole, before, after = whole_and_resumed(20, thinking)
    assert ([], whole) == (before, after)


def test_what_was_open_is_there_before_more_of_it_comes() -> None:
    """While the engine reads the prompt, the rows that will grow are on the screen already."""
    live = Live(Screen(size=lambda: Size(50, 24)), clock=lambda: 0.0)
    question = Message(Role.USER, "question")
    live.handle(Started(1, question, Partial("One.\nTwo, ")))
    assert ("\x1b[2m│ Two,\x1b[0m",) == live.frame().tail
    live.switch(Thinking.FOLD)
    assert ("\x1b[2m│ Two,\x1b[0m",) == live.frame().finished
    live.handle(Started(1, question, Partial("One.", "Done.\n\n- It is \\(4")))
    assert "• It is" in live.frame().tail[0]


@pytest.mark.parametrize(
    ("value", "expected"), [(0.0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (119.4, "119 s"), (125, "2 min 05 s")]
)
def test_durations_read_naturally(value: float, expected: str) -> None:
    """Tenths only where they matter, minutes only where they help."""
    assert expected == progress.seconds(value)


def test_status_lines() -> None:
    """The words of every stage."""
    assert "loading… 45 %" == progress.before_the_answer(Progress("load", 456, 1000))
    assert "reading the prompt… 512/2048" == progress.before_the_answer(Progress("prefill", 512, 2048))
    assert "thinking… 812 tokens, 41 s, 19.8 tok/s" == progress.running("thinking", 812, 41)
    assert "thinking… 1 token, 0.1 s" == progress.running("thinking", 1, 0.1)
    assert "thought for 41 s, 812 tokens" == progress.thought(812, 41)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Finished(Reason.STOP, Usage(9, 0, 30, 12), Timings(tokens_per_second=12.34)), "42 tokens · 12.3 tok/s"),
        (Finished(Reason.CONTEXT, Usage(9, 0, 0, 1)), "1 token · cut: the context window is full"),
        (Finished(Reason.CANCELLED), "0 tokens · interrupted"),
    ],
)
def test_the_summary_says_why_a_turn_ended(end: Finished, expected: str) -> None:
    """A turn that ended by itself needs no words for it; any other has them."""
    assert expected == progress.summary(end)
