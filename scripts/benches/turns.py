"""What is computed between Enter and the first token, turn by turn, with long answers and time to read them.

Each turn has a short thinking and an answer of a fixed length. Random weights end neither, so both are bounded; a bound
cuts a turn, and a cut turn is not followed up, so what a whole answer sets off is asked for here: the next prompt's
beginning is computed while the user reads. The same new tokens are then computed once more at the same depth of the
cache, with nothing else in between: that is the time to compare with.
"""

import time
from argparse import Namespace

from benches import engine, server
from benches.report import table
from r1chat.chat import Chat, Options
from r1chat.core.events import Finished
from r1chat.core.memory import Wishes
from r1chat.core.prompt import ASSISTANT, THINK_OPEN, USER, Special, Text, prefix, render, starts_inside
from r1chat.core.sampling import Sampling
from r1chat.engine.base import Request, ThinkBudget
from r1chat.launch import Launched

N_THOUGHT = 64  # tokens


def run(options: Namespace) -> None:
    """Measure and print."""
    n_ctx = 1024 + options.turns * (options.tokens + N_THOUGHT + 128)
    with engine.launched(str(options.model), Wishes(n_ctx=n_ctx)) as found:
        bounds = ThinkBudget(N_THOUGHT)
        limits = Options(Sampling(seed=1), max_tokens=options.tokens + N_THOUGHT, think_budget=bounds)
        chat = Chat(found.engine, family=found.shape.family, options=limits)
        rows = []
        before = 0
        for number in range(1, options.turns + 1):
            question = f"Question {number}: what else is there to say about the number {number * 7919}?"
            history = chat.messages
            end = last(chat, question)
            n_new = found.engine.count([Special(USER), Text(question), Special(ASSISTANT), Special(THINK_OPEN)])
            usage = end.usage
            n_evaluated = usage.prompt_tokens - usage.cached_tokens
            alone = seconds_alone(found, chat, history, options.pause)
            counts = (usage.prompt_tokens, n_new, n_evaluated, usage.prompt_tokens - before)
            times = (f"{seconds * 1e3:,.0f}" for seconds in (end.timings.prompt_s, alone))
            rows.append((str(number), *(f"{n:,}" for n in counts), *times, f"{end.timings.prompt_s / alone:.2f}"))
            before = usage.prompt_tokens
            chat.anticipate()
            time.sleep(options.pause)
    headings = ("turn", "prompt", "new", "computed", "else", "ms", "the same alone", "ratio")
    title = (
        f"Tokens and time between Enter and the first token; answers of {options.tokens} tokens, {options.pause:g} s"
    )
    table(f"{title} between the turns ({found.target.name})", headings, rows[1:])
    if options.llama_bin:
        server.compare(options, n_ctx, options.tokens + N_THOUGHT)
    print("Targets: computed ≤ new + 8; ratio ≤ 1.15. Else: what is computed when nothing is computed ahead.")


def last(chat: Chat, question: str) -> Finished:
    """Ask, and give the end. Raises RuntimeError when the engine failed."""
    for event in chat.ask(question):
        if isinstance(event, Finished):
            end = event
    if end.failure:
        raise RuntimeError(end.failure.message)
    return end


def seconds_alone(found: Launched, chat: Chat, history: tuple[object, ...], pause: float) -> float:
    """Bring the cache to where the turn began, and compute its question again; give the seconds."""
    family = found.shape.family
    messages = chat.messages[: len(history) + 1]
    found.engine.warm(Request(tuple(prefix(messages[:-1], family=family)), starts_inside=False))
    time.sleep(pause)
    segments = tuple(render(messages, family=family))
    request = Request(segments, starts_inside(segments), Sampling(seed=1), max_tokens=1)
    return engine.finish(found, request).timings.prompt_s
