"""How a chat answers: values, checked, that every turn takes along. Knows no engine but its protocol."""

from dataclasses import dataclass, field
from enum import StrEnum

from r1chat.core.sampling import Sampling
from r1chat.engine.base import ThinkBudget
from r1chat.errors import UsageError


class Overflow(StrEnum):
    """What becomes of a conversation that fills the context. Nothing is ever dropped without a word."""

    STOP = "stop"  # the question is refused, and what can be done is said
    OLDEST = "oldest"  # whole exchanges are left out, the oldest first, and listed


@dataclass(frozen=True, slots=True)
class Options:
    """How every turn of a chat is answered, unless the turn says otherwise. See engine.base.Request."""

    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    think_budget: ThinkBudget = field(default_factory=ThinkBudget)
    think: bool = True
    stop: tuple[str, ...] = ()
    pace: float = 0.0
    overflow: Overflow = Overflow.STOP

    def __post_init__(self) -> None:
        """Refuse bounds that mean nothing. Raises UsageError."""
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"At most {self.max_tokens} tokens is no answer.", hint="Allow at least one.")
