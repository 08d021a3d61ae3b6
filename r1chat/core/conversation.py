"""A conversation as a tree of exchanges, of which the path to the current leaf is what the model sees. Pure values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from r1chat.core.events import Finished, Reason
from r1chat.core.messages import Message, Partial
from r1chat.errors import UsageError


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what came of it. `parent` is the index of the exchange before it; versions share one parent.

    One that was gone on with holds the whole of it: all the text, how it ended at last, and the sums of what it took.
    """

    parent: int | None
    question: Message
    answer: Message
    finished: Finished
    think: bool = True  # whether it was asked with thinking

    @property
    def answered(self) -> bool:
        """Whether there is an answer to go on from, whole or cut."""
        return bool(self.answer.content.strip())

    @property
    def cut(self) -> bool:
        """Whether it did not come to its own end, so that it can be gone on with."""
        return self.finished.reason is not Reason.STOP

    @property
    def partial(self) -> Partial:
        """What there is of the answer, to be gone on with."""
        return Partial(self.answer.reasoning, self.answer.content or None)

    def extended(self, more: Message, finished: Finished) -> "Exchange":
        """Give the exchange with what came when it was gone on with."""
        answer = replace(
            self.answer,
            content=self.answer.content + more.content,
            reasoning=self.answer.reasoning + more.reasoning,
        )
        return replace(self, answer=answer, finished=_sum(self.finished, finished))


class Tree:
    """All exchanges of a conversation in the order in which they began, and the current one, None at the beginning."""

    def __init__(self, exchanges: Iterable[Exchange] = (), leaf: int | None = None) -> None:
        """Raises UsageError for what is no tree: a parent that does not stand before its child."""
        self.exchanges = list(exchanges)
        self.leaf = leaf
        self._left_out: set[int] = set()
        parents = [*(exchange.parent for exchange in self.exchanges), leaf]
        if any(parent is not None and not 0 <= parent < index for index, parent in enumerate(parents)):
            raise UsageError("The kept conversation is damaged: an exchange follows one that is not there.")

    @property
    def current(self) -> Exchange | None:
        """The exchange at the leaf."""
        return None if self.leaf is None else self.exchanges[self.leaf]

    def path(self, to: int | None) -> list[int]:
        """The exchanges from the first to the one with this index."""
        path = []
        while to is not None:
            path.append(to)
            to = self.exchanges[to].parent
        return path[::-1]

    def seen(self, to: int | None) -> list[int]:
        """Those of the path that the model sees: answered ones that were not left out."""
        return [index for index in self.path(to) if self.exchanges[index].answered and index not in self._left_out]

    def messages(self, of: Iterable[int]) -> list[Message]:
        """Questions and answers of these exchanges."""
        return [message for index in of for message in (self.exchanges[index].question, self.exchanges[index].answer)]

    def add(self, exchange: Exchange) -> None:
        """Append an exchange, which becomes the current one."""
        self.exchanges.append(exchange)
        self.leaf = len(self.exchanges) - 1

    def leave_out(self, indices: Sequence[int]) -> None:
        """Let the model not see these exchanges any more."""
        self._left_out.update(indices)


def _sum(first: Finished, second: Finished) -> Finished:
    """How a turn ended that was gone on with, and what both parts took together. The prompt is the first one's."""
    a, b = first.usage, second.usage
    usage = replace(
        a if a.prompt_tokens else b,
        reasoning_tokens=a.reasoning_tokens + b.reasoning_tokens,
        answer_tokens=a.answer_tokens + b.answer_tokens,
    )
    s, t = first.timings, second.timings
    reasoning_s, answer_s = s.reasoning_s + t.reasoning_s, s.answer_s + t.answer_s
    n_tokens, seconds = usage.reasoning_tokens + usage.answer_tokens, reasoning_s + answer_s
    timings = replace(
        s if s.first_token_s else t,
        reasoning_s=reasoning_s,
        answer_s=answer_s,
        tokens_per_second=n_tokens / seconds if seconds else 0.0,
    )
    return replace(second, usage=usage, timings=timings)
