"""Windows that change their size in the middle of an answer, in tmux, which wraps what is on its screen anew."""

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence

import pytest

from r1chat.core.events import Answer, Reasoning
from r1chat.terminal.live import Live
from r1chat.terminal.screen import Colors, Screen, Size
from tests.answers import CODE, MATHEMATICS, SCRIPTS, Spoken
from tests.conftest import ROOT
from tests.replay import parts
from tests.tmux import Tmux, needs_tmux

SIZES = {
    "narrower and wider": [(50, 24), (100, 24), (60, 24), (120, 24), (70, 24)],
    "step by step": [(79, 24), (78, 24), (77, 23), (76, 22), (75, 21)],
    "lower and higher": [(80, 10), (80, 40), (80, 12), (80, 24), (80, 8)],
    "everything": [(40, 12), (200, 60), (41, 30), (160, 10), (80, 24)],
}
# Each faster than tmux tells of it.
BURSTS = [
    [(100, 24), (60, 24)],
    [(120, 30), (70, 22), (90, 20)],
    [(50, 24), (90, 20)],
    [(77, 23), (120, 30), (60, 24)],
    [(110, 24), (60, 24), (110, 24)],
    [(45, 24), (80, 24), (55, 24)],
]


def compact(text: str) -> str:
    """Leave out what depends on the width: blanks, line ends, the gutter, and rules."""
    return re.sub(r"[\s│─]", "", text)


def final(spoken: Spoken) -> str:
    """All that an answer leaves on a screen."""
    live = Live(
        Screen(stdout_tty=True, colors=Colors.PALETTE, size=lambda: Size(120, 24)), session=True, clock=lambda: 0.0
    )
    for part in parts(spoken, 1):
        for event in part:
            live.handle(event)
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(live.frame().finished))


@needs_tmux
@pytest.mark.parametrize(("spoken", "way"), [*((CODE, way) for way in SIZES), (MATHEMATICS, "everything")])
@pytest.mark.parametrize("form", ["sink", "repl"])
def test_a_resize_at_any_moment_leaves_each_line_once(form: str, spoken: Spoken, way: str) -> None:
    """However the window changes between two parts of an answer, all of it is there in the end, and nothing else."""
    replay(form, spoken, [[size] for size in SIZES[way]], Tmux.resize)


@needs_tmux
@pytest.mark.parametrize("form", ["sink", "repl"])
def test_a_burst_of_resizes_leaves_each_line_once(form: str) -> None:
    """The same where the rows have been wrapped anew by a size that the program has not been told yet."""
    replay(form, SCRIPTS, BURSTS, Tmux.resize_untold)


def replay(
    form: str, spoken: Spoken, changes: Sequence[list[tuple[int, int]]], resize: Callable[[Tmux, int, int], None]
) -> None:
    """Show an answer in parts, with changes of the size between them, and look whether each line is there once."""
    argv = [sys.executable, "-m", "tests.replay", form, spoken.name, str(len(changes) + 1)]
    with Tmux(argv, env={}, cwd=ROOT) as tmux:
        question = ""
        if form == "repl":
            tmux.wait("a bar")
            tmux.type("go")
            tmux.press("Enter")
            question = ">>> go"
        n_thought = n_answered = 0
        for sizes, part in zip([[], *changes], parts(spoken, len(changes) + 1), strict=False):
            for size in sizes:
                resize(tmux, *size)
            if sizes:
                os.kill(tmux.pid, signal.SIGUSR1)
            n_thought += sum(isinstance(event, Reasoning) for event in part)
            n_answered += sum(isinstance(event, Answer) for event in part)
            tmux.wait(f"answering… {n_answered} token" if n_answered else f"thinking… {n_thought} token")
        os.kill(tmux.pid, signal.SIGUSR1)
        tmux.wait("\n1 token")
        os.kill(tmux.pid, signal.SIGUSR1)
        tmux.wait_for_end()
        assert compact(question + final(spoken)) == compact(tmux.text)
