"""r1chat's engine as the benchmarks use it: launched, asked, timed, in a real child process."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from r1chat import paths
from r1chat.core.events import Finished, Reason
from r1chat.core.memory import Wishes
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import render, starts_inside
from r1chat.core.sampling import Sampling
from r1chat.engine.base import Request
from r1chat.engine.selfcheck import SelfCheck, Verdict
from r1chat.launch import Launched, at_hand, launch
from r1chat.models import library


def verdict() -> Verdict:
    """Give the self-check's verdict, made now if it is not remembered yet."""
    return SelfCheck(paths.find().self_check, library.demo_path()).verdict()


@contextmanager
def launched(model: str, wishes: Wishes | None = None) -> Iterator[Launched]:
    """Launch a model as the commands do, wait until it is loaded, close it at the end."""
    found = launch(at_hand(model, paths.find()), wishes or Wishes(), paths.find())
    try:
        found.engine.count(())
        yield found
    finally:
        found.engine.close()


def question(text: str, *, max_tokens: int | None = None, sampling: Sampling | None = None) -> Request:
    """Make the request that a first question becomes, thinking forced open."""
    segments = tuple(render([Message(Role.USER, text)]))
    return Request(segments, starts_inside(segments), sampling or Sampling(seed=1), max_tokens)


def finish(found: Launched, request: Request) -> Finished:
    """Answer a request and give its end. Raises RuntimeError when the engine failed."""
    for event in found.engine.start(request):
        if isinstance(event, Finished):
            end = event
    if end.reason in (Reason.DIED, Reason.ERROR):
        raise RuntimeError(end.failure.message if end.failure else end.reason)
    return end


def text_of(found: Launched, n_tokens: int, seed: int) -> str:
    """Write a text whose question has as many tokens as `n_tokens` allows; other seeds begin otherwise."""
    rng = random.Random(seed)
    text = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz      ") for _ in range(8 * n_tokens))
    low, high = 0, len(text)  # the longest beginning that fits lies in between
    while high - low > 1:
        middle = (low + high) // 2
        if found.engine.count(question(text[:middle]).segments) <= n_tokens:
            low = middle
        else:
            high = middle
    return text[:low]
