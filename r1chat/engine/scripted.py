"""An Engine that replays given pieces: for tests and demonstrations. Knows no model and no process."""

import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from r1chat.core.events import Event, Finished, Progress, Reason, Usage
from r1chat.core.memory import Plan
from r1chat.core.prompt import Segment, Text
from r1chat.core.reasoning import ReasoningSplitter
from r1chat.engine.base import Cancel, Control, EngineInfo, Request


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
    """One replayed answer. Stops at `max_tokens` pieces and at a Cancel."""

    def __init__(self, request: Request, pieces: tuple[str, ...]) -> None:
        self._request = request
        self._pieces = pieces
        self._controls: queue.SimpleQueue[Control] = queue.SimpleQueue()

    def control(self, control: Control) -> None:
        """Interfere; only Cancel does something here."""
        self._controls.put(control)

    def __iter__(self) -> Iterator[Event]:
        """Give the events of the answer."""
        splitter = ReasoningSplitter(self._request.starts_inside)
        n_reasoning = n = 0
        reason = Reason.STOP
        yield Progress("prefill", 0, 1)
        for piece in self._pieces:
            if not self._controls.empty() and isinstance(self._controls.get(), Cancel):
                reason = Reason.CANCELLED
                break
            if n == self._request.max_tokens:
                reason = Reason.LENGTH
                break
            if self._request.pace:
                time.sleep(1 / self._request.pace)
            n += 1
            n_reasoning += splitter.inside
            yield from splitter.feed(piece)
        yield from splitter.finish()
        yield Finished(reason, Usage(1, 0, n_reasoning, n - n_reasoning))
