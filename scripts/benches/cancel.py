"""How long a cancel takes, from Turn.control(Cancel()) to Finished, at random moments of prefill and of generation."""

import random
import threading
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from benches import engine
from benches.report import Samples, table
from r1chat.core.events import Answer, Event, Finished, Progress, Reason, Reasoning
from r1chat.core.sampling import Sampling
from r1chat.engine.base import Cancel, Request
from r1chat.launch import Launched

N_PROMPT = 4000
LONGEST = 2.0  # seconds of a phase within which the cancel comes
ATTEMPTS = 10  # per cancel: it counts only where something was running


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of a turn: the event it begins with, and a request that spends its time in it."""

    name: str
    begins: Callable[[Event], bool]
    request: Callable[[Launched, int], Request]


def run(options: Namespace) -> None:
    """Measure and print."""
    rows = []
    for model in options.models:
        with engine.launched(model) as found:
            for phase in (Phase("prefill", is_prefill, long_prompt), Phase("generation", is_text, long_answer)):
                span = seconds_of(found, phase)
                times = Samples(tuple(cancelled(found, phase, span, n) for n in range(options.rounds)))
                longest = f"{times.most * 1e3:.1f}"
                rows.append((found.target.name, phase.name, times.show(1, 1e3), longest, "≤ 150"))
    headings = ("model", "during", "median (range)", "longest", "target")
    table(f"From the cancel to Finished, {options.rounds} times each, in milliseconds", headings, rows)


def is_prefill(event: Event) -> bool:
    """Tell whether the prompt is being computed."""
    return isinstance(event, Progress) and event.stage == "prefill"


def is_text(event: Event) -> bool:
    """Tell whether the model is writing."""
    return isinstance(event, Reasoning | Answer)


def long_prompt(found: Launched, number: int) -> Request:
    """Ask something of which nothing is in the cache, as long as the context allows."""
    text = engine.text_of(found, min(N_PROMPT, found.plan.n_ctx - 64), seed=number)
    return engine.question(text, max_tokens=1)


def long_answer(found: Launched, number: int) -> Request:
    """Ask something short; another seed each time."""
    return engine.question(f"{number} * 7 = ?", sampling=Sampling(temperature=1.0, seed=number))


def seconds_of(found: Launched, phase: Phase) -> float:
    """Measure how long the phase lasts when nobody cancels it, up to LONGEST."""
    turn = found.engine.start(phase.request(found, 10_000))
    begun = 0.0
    for event in turn:
        if not begun and phase.begins(event):
            begun = perf_counter()
            bound = threading.Timer(LONGEST, turn.control, (Cancel(),))
            bound.start()
    bound.cancel()
    return min(LONGEST, perf_counter() - begun)


def cancelled(found: Launched, phase: Phase, span: float, number: int) -> float:
    """Cancel once within the phase; give the seconds until Finished came."""
    rng = random.Random(number)
    for attempt in range(ATTEMPTS):
        turn = found.engine.start(phase.request(found, number + 1000 * attempt))
        asked: list[float] = []

        def cancel() -> None:
            asked.append(perf_counter())  # noqa: B023 - the timer is over before the next attempt begins
            turn.control(Cancel())  # noqa: B023

        timer = threading.Timer(rng.uniform(0.0, 0.8) * span, cancel)
        begun = False
        for event in turn:
            if not begun and phase.begins(event):
                begun = True
                timer.start()
            if isinstance(event, Finished):
                ended, reason = perf_counter(), event.reason
        timer.cancel()
        if begun:
            timer.join()
        if asked and reason is Reason.CANCELLED:
            return ended - asked[0]
    raise RuntimeError(f"{ATTEMPTS} turns ended before they could be cancelled.")
