"""What a token costs outside the native library, and that the cost does not grow with the text.

The session runs over a stand-in for the library that answers at once; so what remains is our own Python. Behind it come
the wire to the parent, the pipe's sink and the screen, each measured alone over the same events.
"""

import io
import random
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from time import perf_counter
from typing import Any

from benches.report import table
from r1chat.core.events import Answer, Event, Reasoning
from r1chat.core.prompt import Segment, Special, Text
from r1chat.core.reasoning import ReasoningSplitter
from r1chat.core.sampling import Sampling
from r1chat.engine import llama, wire
from r1chat.engine.base import Request
from r1chat.engine.generation import Inbox
from r1chat.engine.session import Session
from r1chat.terminal.live import Live
from r1chat.terminal.plain import PlainSink
from r1chat.terminal.screen import Screen, Size

EARLY, LATE = 100, 8000  # tokens
WINDOW = 50  # tokens on either side
N_CTX = 32_768
PIECES = [b" the", b" number", b" is", b" 12", b",", b" so", b" we", b" add", b".", b"\n", b" \xe4\xbd", b"\xa0"]
HALF = 10  # the piece that ends within a character
CLOSE = 1000  # the id of the closing tag


class Library:
    """llama.cpp's functions as the sampler calls them: each answers at once; drawing gives pieces in random order.

    A text that repeated itself would be ended. The two halves of a character follow each other.
    """

    def __init__(self, *, thinks: bool) -> None:
        self._thinks = thinks
        self._n = 0
        rng = random.Random(0)
        drawn = (rng.randrange(len(PIECES) - 1) for _ in range(2 * LATE))
        self._ids = [id for first in drawn for id in ([first, first + 1] if first == HALF else [first])]

    def __getattr__(self, name: str) -> Callable[..., int]:
        return lambda *arguments: 1

    def llama_sampler_sample(self, *arguments: Any) -> int:
        self._n += 1
        return CLOSE if self._n == 1 and not self._thinks else self._ids[self._n]


class Vocabulary:
    """Twelve tokens and the closing tag."""

    n_tokens, bos = CLOSE + 1, 0

    def special(self, name: str) -> int:
        return CLOSE

    def tokenize(self, text: str) -> list[int]:
        return [9]

    def piece(self, token: int) -> bytes:
        return b"</think>" if token == CLOSE else PIECES[token]

    def is_end(self, token: int) -> bool:
        return False


class Model:
    """A model that costs nothing; its vocabulary may be a real one."""

    def __init__(self, *, thinks: bool, vocabulary: Any = None) -> None:
        self.lib = Library(thinks=thinks)
        self.vocabulary = vocabulary or Vocabulary()


class Context:
    """A cache that holds ids and computes nothing."""

    pointer = None

    def __init__(self) -> None:
        self.tokens: list[int] = []

    def decode(self, ids: Sequence[int]) -> bool:
        self.tokens += ids
        return True

    def trim(self, n_keep: int) -> None:
        del self.tokens[n_keep:]


def run(options: Namespace) -> None:
    """Measure and print."""
    thinking, answer = events(thinks=True), events(thinks=False)
    measures: list[tuple[str, Callable[[], Iterator[object]]]] = [
        ("session, thinking", lambda: session(thinks=True)),
        ("session, answer", lambda: session(thinks=False)),
        ("splitter alone, thinking", lambda: splitter(thinking, inside=True)),
        ("splitter alone, answer", lambda: splitter(answer, inside=False)),
        ("wire, both ways", lambda: through_the_wire(thinking)),
        ("pipe's sink, answer", lambda: into(plain_sink(), answer)),
        ("screen, thinking", lambda: onto_the_screen(thinking)),
        ("screen, answer", lambda: onto_the_screen(answer)),
    ]
    if options.model:
        real = llama.Model(str(options.model), n_gpu_layers=0, extra_buffers=False, vocabulary_only=True).vocabulary
        measures.insert(1, ("session, thinking, real vocabulary", lambda: session(thinks=True, vocabulary=real)))
    rows = []
    for name, make in measures:
        early, late = zip(*(costs(make()) for _ in range(options.rounds)), strict=True)
        first, last = median(early) * 1e6, median(late) * 1e6
        rows.append((name, f"{first:.1f}", f"{last:.1f}", f"{last / first:.2f}", "≤ 1.2"))
    headings = ("", f"at token {EARLY}", f"at token {LATE:,}", "ratio", "target")
    table(f"Our own cost of one token, microseconds: medians over {2 * WINDOW} tokens", headings, rows)


def costs(steps: Iterator[object]) -> tuple[float, float]:
    """Walk through the steps, one per token; give the median seconds of a step early and late."""
    times = []
    before = perf_counter()
    for _ in steps:
        now = perf_counter()
        times.append(now - before)
        before = now
    return median(times[EARLY - WINDOW : EARLY + WINDOW]), median(times[LATE - WINDOW : LATE + WINDOW])


def session(*, thinks: bool, vocabulary: Any = None) -> Iterator[Event]:
    """Answer with a model that costs nothing, giving the text events."""
    context: Any = Context()
    model: Any = Model(thinks=thinks, vocabulary=vocabulary)
    loop = Session(model, context, n_ctx=N_CTX, reserve=1024, n_batch=512)
    segments: tuple[Segment, ...] = (Special("<think>"), Text("\n"))
    request = Request(segments, True, Sampling(seed=1), max_tokens=LATE + 2 * WINDOW)
    return (event for event in loop.answer(request, Inbox()) if isinstance(event, Reasoning | Answer))


def events(*, thinks: bool) -> list[Event]:
    """Keep the text events of such an answer."""
    return list(session(thinks=thinks))


def splitter(pieces: Sequence[Event], *, inside: bool) -> Iterator[object]:
    """Feed a splitter the texts again."""
    split = ReasoningSplitter(inside)
    return (split.feed(event.text) for event in pieces if isinstance(event, Reasoning | Answer))


def through_the_wire(pieces: Sequence[Event]) -> Iterator[object]:
    """Write every event as the child does and read it as the parent does."""
    return (wire.decode(wire.encode(wire.Happened(1, event))) for event in pieces)


def into(sink: PlainSink, pieces: Sequence[Event]) -> Iterator[object]:
    """Hand every event to a sink."""
    for event in pieces:
        sink.handle(event)
        yield event


def plain_sink() -> PlainSink:
    """Make the sink of a pipe."""
    return PlainSink(io.StringIO(), io.StringIO(), Screen())


def onto_the_screen(pieces: Sequence[Event]) -> Iterator[object]:
    """Hand every event to the screen and redraw after each, which is more often than it happens."""
    live = Live(Screen(stdout_tty=True, size=lambda: Size(80, 24)))
    for event in pieces:
        live.handle(event)
        yield live.frame()
