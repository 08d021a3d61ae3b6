"""What happens while a question is answered: the events, their law, and the Sink that receives them.

Knows nothing about engines or screens. The law, which a test holds for every engine and every way to cut the text:

    turn    = Started, sample+            (one sample per index below Request.samples; their events may interleave)
    sample  = Progress* Reasoning* Answer* Finished
    Notice  may stand anywhere before the sample's Finished

Exactly one Finished per sample, also after a cancel and after the engine's death. The texts of Reasoning and Answer
joined are the model's text without its tags; whitespace before an opening tag is Reasoning. Every blank is kept.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from r1chat.core.messages import Message, Partial


class Reason(StrEnum):
    """Why a sample ended."""

    STOP = "stop"  # the model ended its answer, or a stop string was met
    LENGTH = "length"  # the user's own --max-tokens
    LIMIT = "limit"  # the default limit on generated tokens
    CONTEXT = "context"  # the context window is full
    LOOP = "loop"  # the answer ran in circles and was ended
    CANCELLED = "cancelled"  # the user interrupted
    DIED = "died"  # the engine's process died
    ERROR = "error"  # the engine refused or failed; `Finished.failure` says why


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts of tokens. `cached_tokens` of the prompt were in the KV cache already and not computed again."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall-clock seconds as the engine measured them. `first_token_s` counts from the start of the request."""

    load_s: float = 0.0
    prompt_s: float = 0.0
    first_token_s: float = 0.0
    reasoning_s: float = 0.0
    answer_s: float = 0.0
    tokens_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a value: the exit code, the sentence, the way out and, after a death, the last native log lines."""

    code: int
    message: str
    hint: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A turn begins. `turn` counts from 1; `message` is the user's. `resumed`: what was said before it was cut."""

    turn: int
    message: Message
    resumed: Partial | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work before the first token is. `done` and `total` are permille for load, tokens for prefill."""

    stage: Literal["load", "prefill"]
    done: int
    total: int
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Reasoning:
    """A piece of thinking. `n_tokens` tokens were decoded for it; `forced` ones were put in by the engine."""

    text: str
    n_tokens: int = 0
    forced: bool = False
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A piece of the answer."""

    text: str
    n_tokens: int = 0
    forced: bool = False
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know, in one sentence. `code` is a stable word for scripts ("think-budget", …)."""

    code: str
    text: str
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a sample. `failure` is set for the reasons `died` and `error`."""

    reason: Reason
    usage: Usage = field(default_factory=Usage)
    timings: Timings = field(default_factory=Timings)
    failure: Failure | None = None
    sample: int = 0


TextEvent = Reasoning | Answer
Event = Started | Progress | Reasoning | Answer | Notice | Finished


class Sink(Protocol):
    """Receives every event of every turn, in order: a screen, a pipe, a session store."""

    def handle(self, event: Event) -> None:
        """Take one event. Must not block for long and must not raise for anything a model can say."""

    def close(self) -> None:
        """No more events will come. Safe to call twice."""
