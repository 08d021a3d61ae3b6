"""What the screen costs while an answer comes: one shot and chat, early and late, with a slow model and a fast one.

The events of R1-like answers are handed over in real time to what a user would have, only that the bytes go nowhere.
The cost is the processor time of the whole process, in a window near the beginning and in one after 50,000 tokens, less
what the measuring itself takes: waking up for each token, and handing it to nobody.
"""

import io
import itertools
import threading
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from statistics import median

from prompt_toolkit.data_structures import Size as PtkSize
from prompt_toolkit.input import create_pipe_input

from benches.report import table
from r1chat.core.events import Answer, Event, Reasoning, Sink, Started
from r1chat.core.messages import Message, Role
from r1chat.terminal.application import ReplOutput
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live
from r1chat.terminal.paint import REDRAW_SECONDS, TerminalSink
from r1chat.terminal.screen import Colors, Screen, Size
from tests.answers import ALL

EARLY, LATE = 100, 50_000  # tokens
PIECE = 4  # characters of one token
RATES = (20, 500)  # tokens a second
SECONDS, SETTLE_SECONDS = 3.0, 1.0  # of one window, and before it
BURST = 250  # tokens that are handed over at once, outside of the windows
MOST_SHARE, MOST_MICROSECONDS = 5.0, 100.0
SCREEN = Screen(stdin_tty=True, stdout_tty=True, colors=Colors.TRUE, size=lambda: Size(80, 24))

Costs = dict[tuple[int, int], float]  # seconds of one token, by rate and place


class Nobody:
    """A sink that does nothing."""

    def handle(self, event: Event) -> None:
        pass

    def close(self) -> None:
        pass


class Nowhere(io.StringIO):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


def run(options: Namespace) -> None:
    """Measure and print."""
    rows = []
    nobody = {rate: paced(Nobody(), itertools.cycle(events(thinks=True)), rate, SECONDS) for rate in RATES}
    for form, thinks in itertools.product((one_shot, chat), (True, False)):
        runs = [form(events(thinks=thinks)) for _ in range(options.rounds)]
        for rate in RATES:
            first, last = (median(found[rate, when] for found in runs) - nobody[rate] for when in (EARLY, LATE))
            share = max(first, last) * rate * 100
            target = f"≤ {MOST_SHARE:.0f} %" if rate == RATES[0] else f"≤ {MOST_MICROSECONDS:.0f} µs"
            what = f"{form.__name__.replace('_', ' ')}, {'thinking' if thinks else 'answer'}"
            costs = f"{first * 1e6:.0f}", f"{last * 1e6:.0f}", f"{last / first:.2f}", f"{share:.2f} %"
            rows.append((what, f"{rate}", *costs, target))
    headings = ("", "tokens/s", f"µs a token from {EARLY}", f"from {LATE:,}", "ratio", "of the time", "target")
    table("What the screen costs, in processor time", headings, rows)


def one_shot(answers: Sequence[Event]) -> Costs:
    """Measure what `r1chat run MODEL QUESTION` shows."""
    live = Live(SCREEN)
    live.prepare()
    with TerminalSink(Nowhere(), SCREEN, live) as sink:
        return measured(sink, answers)


def chat(answers: Sequence[Event]) -> Costs:
    """Measure what a chat shows, above its prompt."""
    found: list[Costs] = []

    def measure() -> None:
        terminal.busy = True
        found.append(measured(terminal.sink, answers))
        terminal.exit()

    live = Live(SCREEN, session=True)
    live.prepare()
    with create_pipe_input() as keys:
        terminal = ReplTerminal(
            SCREEN,
            live,
            on_submit=lambda entry: threading.Thread(target=measure).start(),
            on_interrupt=lambda: None,
            bar=lambda: ["DeepSeek-R1-Distill-Qwen-7B", "context 1,234 of 32,768"],
            input=keys,
            output=ReplOutput(Nowhere(), lambda: PtkSize(rows=24, columns=80), enable_cpr=False),
        )
        keys.send_text("question\r")
        terminal.run()
    return found[0]


def measured(sink: Sink, answers: Sequence[Event]) -> Costs:
    """Measure one turn at each rate, early and late, at the same place of the repeated answers.

    Between them the tokens come fast, but are drawn all the same.
    """
    tokens = itertools.cycle(answers)
    sink.handle(Started(1, Message(Role.USER, "question")))
    found, n_before = {}, 0
    for when in (EARLY, LATE):
        n_tokens = when - n_before + (EARLY - when) % len(answers)
        for start in range(0, n_tokens, BURST):
            for event in itertools.islice(tokens, min(BURST, n_tokens - start)):
                sink.handle(event)
            time.sleep(REDRAW_SECONDS)
        for rate in RATES:
            paced(sink, tokens, rate, SETTLE_SECONDS)
            found[rate, when] = paced(sink, tokens, rate, SECONDS)
            n_before += int(SETTLE_SECONDS * rate) + int(SECONDS * rate)
        n_before += n_tokens
    return found


def paced(sink: Sink, tokens: Iterator[Event], rate: int, seconds: float) -> float:
    """Hand over so many seconds' tokens, each at its time. Give the processor time of one."""
    n_tokens = int(seconds * rate)
    spent, begun = time.process_time(), time.monotonic()
    for number, event in enumerate(itertools.islice(tokens, n_tokens)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        sink.handle(event)
    return (time.process_time() - spent) / n_tokens


def events(*, thinks: bool) -> list[Event]:
    """Cut all answers into tokens, as thinking or as an answer."""
    kind = Reasoning if thinks else Answer
    text = "\n\n".join(spoken.thinking if thinks else spoken.answer for spoken in ALL) + "\n\n"
    return [kind(text[start : start + PIECE], 1) for start in range(0, len(text), PIECE)]
