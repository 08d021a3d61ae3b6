"""An Engine that replays given pieces: for tests and demonstrations. Knows no model and no process."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from r1chat.core.events import Event, Finished, Notice, Progress, Reason, TextEvent, Usage
from r1chat.core.memory import Plan
from r1chat.core.prompt import THINK_CLOSE, Segment, Text
from r1chat.core.reasoning import ReasoningSplitter
from r1chat.engine.base import AnswerNow, Cancel, Control, EngineInfo, Request, Steer


class ScriptedEngine:
    """Answers each request with the next enqueued pieces of raw model text, split into thinking and answer.

    `requests` keeps what was asked. A token is one piece; `pace` of the request is kept.
    """

    def __init__(self, *answers: Iterable[str]) -> None:
        self._answers = deque(tuple(answer) for answer in answers)
        self.requests: list[Request] = []
        self.warmed: list[Request] = []
        self._info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo | None:
        """A made-up description once `load` was called."""
        return self._info

    def enqueue(self, *pieces: str) -> None:
        """Add the pieces of one more answer."""
        self._answers.append(pieces)

    def load(self, plan: Plan) -> None:
        """Be loaded at once."""
        self._info = EngineInfo("scripted", plan.n_ctx, 0, 0.0, "none")

    def start(self, request: Request) -> "ScriptedTurn":
        """Replay the next answer; none left gives an empty one."""
        self.requests.append(request)
        return ScriptedTurn(request, self._answers.popleft() if self._answers else ())

    def warm(self, request: Request) -> None:
        """Keep the request in `warmed`."""
        self.warmed.append(request)

    def count(self, segments: Sequence[Segment]) -> int:
        """Count a Special as one token and a Text as its words."""
        return sum(len(segment.text.split()) if isinstance(segment, Text) else 1 for segment in segments)

    def close(self) -> None:
        """Be gone."""
        self._info = None


class ScriptedTurn:
    """One replayed answer. Stops at `max_tokens` pieces and at a Cancel.

    AnswerNow and the budget in tokens close the thinking and skip what the script still has of it; a Steer's text is
    put in as it is. `spent` pieces count as thought already.
    """

    def __init__(self, request: Request, pieces: tuple[str, ...]) -> None:
        self._request = request
        self._pieces = deque(pieces)
        self._controls: queue.SimpleQueue[Control] = queue.SimpleQueue()
        self._splitter = ReasoningSplitter(request.starts_inside)
        self._n_reasoning = self._n_answer = 0

    def control(self, control: Control) -> None:
        """Interfere, between two pieces."""
        self._controls.put(control)

    def __iter__(self) -> Iterator[Event]:
        """Give the events of the answer."""
        request = self._request
        budget = request.think_budget.n_tokens
        n_before = request.spent.n_tokens if request.spent else 0
        reason = Reason.STOP
        yield Progress("prefill", 0, 1)
        while True:
            while not self._controls.empty():
                match self._controls.get():
                    case Cancel():
                        reason = Reason.CANCELLED
                        self._pieces.clear()
                    case Steer(text) if self._splitter.inside:
                        yield from self._put_in(text)
                    case AnswerNow() if self._splitter.inside:
                        yield from self._end_thinking()
            if budget is not None and self._splitter.inside and n_before + self._n_reasoning >= budget:
                yield Notice("think-budget", f"The thinking was ended at its budget of {budget:,} tokens.")
                yield from self._end_thinking()
            if not self._pieces:
                break
            if self._n_reasoning + self._n_answer == request.max_tokens:
                reason = Reason.LENGTH
                break
            if request.pace:
                time.sleep(1 / request.pace)
            yield from self._say(self._pieces.popleft())
        yield from self._splitter.finish()
        yield Finished(reason, Usage(1, 0, self._n_reasoning, self._n_answer))

    def _say(self, piece: str) -> list[TextEvent]:
        if self._splitter.inside:
            self._n_reasoning += 1
        else:
            self._n_answer += 1
        return self._splitter.feed(piece)

    def _put_in(self, text: str) -> Iterator[TextEvent]:
        return (replace(event, forced=True) for event in self._say(text))

    def _end_thinking(self) -> Iterator[TextEvent]:
        """Close it, and go on behind the script's own closing tag."""
        yield from self._put_in("\n</think>\n\n")
        rest = "".join(self._pieces).partition(THINK_CLOSE)[2].lstrip()
        self._pieces = deque([rest] if rest else [])
