"""The Engine protocol and its Turn, and the values that cross it. Knows no model file, process or library."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from r1chat.core.events import Event
from r1chat.core.memory import Plan
from r1chat.core.prompt import Segment
from r1chat.core.sampling import Sampling
from r1chat.errors import UsageError

DEFAULT_LIMIT = 32_768  # generated tokens; R1's evaluation setting (README of deepseek-ai/DeepSeek-R1, section 4)


@dataclass(frozen=True, slots=True)
class ThinkBudget:
    """How much thinking is wanted: at most so many tokens or seconds (None: no bound), and at least `least` tokens.

    Zero tokens end the thinking before it begins. The bound counts what is put in to end the thinking, but for the
    closing tag and the blank lines around it. Raises UsageError for bounds that mean nothing.
    """

    n_tokens: int | None = None
    seconds: float | None = None
    least: int = 0

    def __post_init__(self) -> None:
        if (self.n_tokens or 0) < 0 or (self.seconds or 0) < 0 or self.least < 0:
            raise UsageError("The budget for the thinking is negative.", hint="Use 0 to end it before it begins.")
        if self.n_tokens is not None and self.n_tokens < self.least:
            message = f"The thinking can't have at least {self.least:,} and at most {self.n_tokens:,} tokens."
            raise UsageError(message, hint="Leave out one of the two.")

    @classmethod
    def parse(cls, word: str, least: int = 0) -> "ThinkBudget":
        """Read what a user writes for the upper bound: 500 are tokens, 30s are seconds. Raises UsageError."""
        match = re.fullmatch(r"([0-9]{1,9})(\.[0-9]{1,3})? ?(s?)", word.strip().lower())
        if match is None or (match[2] and not match[3]):
            hint = "Give tokens (500) or seconds (30s)."
            raise UsageError(f"{word!r} is no budget for the thinking.", hint=hint)
        if match[3]:
            return cls(seconds=float(match[1] + (match[2] or "")), least=least)
        return cls(n_tokens=int(match[1]), least=least)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a turn that is gone on with had thought before it was cut."""

    n_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """One question for the engine: the rendered conversation and how to answer it.

    `starts_inside` says whether the segments end inside an open thinking. `max_tokens` is the user's own bound on
    generated tokens, None leaves DEFAULT_LIMIT. `stop` strings end the answer (they are not looked for in the
    thinking) and are not part of it. `pace` is a bound on tokens per second, 0 for none.

    `spent` is set for a turn that is gone on with: the segments then end in what the engine said itself, and the tokens
    that it drew are kept where the cache still has them. A prompt that leaves less than the `free` share of the context
    for thinking and answer is refused.
    """

    segments: tuple[Segment, ...]
    starts_inside: bool
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    think_budget: ThinkBudget = field(default_factory=ThinkBudget)
    stop: tuple[str, ...] = ()
    pace: float = 0.0
    samples: int = 1
    spent: Spent | None = None
    free: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself once the model is loaded. `load_s` is wall-clock seconds."""

    description: str
    n_ctx: int
    n_vocab: int
    load_s: float
    library: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop, keep what there is. A second one ends the engine's process if the first has not been heeded yet."""


@dataclass(frozen=True, slots=True)
class AnswerNow:
    """Close the thinking now and answer."""


@dataclass(frozen=True, slots=True)
class Steer:
    """Put a hint into the thinking and let it go on."""

    text: str


Control = Cancel | AnswerNow | Steer


class Turn(Protocol):
    """One request under way. Iterating it gives the events; it always ends in Finished, one per sample."""

    def __iter__(self) -> Iterator[Event]:
        """Give the events. Dropping the iterator before its end cancels the turn."""

    def control(self, control: Control) -> None:
        """Interfere, from any thread or from a signal handler, while the turn is iterated."""


class Engine(Protocol):
    """Something that answers: the child process, a script, later a server."""

    @property
    def info(self) -> EngineInfo | None:
        """What is loaded, or None until it is."""

    def load(self, plan: Plan) -> None:
        """Begin to load the model and return at once. A failure shows in every turn's Finished."""

    def start(self, request: Request) -> Turn:
        """Begin to answer. Loads (again) first where needed; the turn then shows the progress."""

    def warm(self, request: Request) -> None:
        """Compute the request's prompt into the cache while nothing else is to do. Any start supersedes it."""

    def count(self, segments: Sequence[Segment]) -> int:
        """Count the tokens of a rendered conversation. Raises EngineError when the model can't be loaded."""

    def close(self) -> None:
        """Give everything back. Safe to call twice."""
