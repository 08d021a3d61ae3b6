"""One answer: draw token after token, turn bytes into text and text into events, until something ends it.

Knows the model's functions and one request; the prompt is in the cache already. `run` is a generator, so that whoever
iterates it decides where the events go. Between two tokens it obeys the user, and asks `thinking.Guide` whether
something is to be put into the thinking, only between two whole characters.

A cut leaves the cache at the last whole character, and the text with it, so that the turn can be gone on with.
"""

import codecs
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from r1chat.core.events import Answer, Event, Failure, Finished, Notice, Reason, Reasoning, TextEvent, Timings, Usage
from r1chat.core.loops import LoopDetector
from r1chat.core.prompt import THINK_CLOSE, Text
from r1chat.core.reasoning import ReasoningSplitter
from r1chat.core.stops import StopFinder
from r1chat.engine.base import DEFAULT_LIMIT, Cancel, Control, Request, Spent, Steer
from r1chat.engine.llama import Context, Model, Sampler
from r1chat.engine.thinking import Guide, Phrases, Room, Step
from r1chat.errors import EngineError

ANSWER_CIRCLE = 256  # tokens: an answer may be asked to repeat itself, so it is ended later than a thinking is nudged
TRIES = 64  # draws for one token, when the model wants to end a thinking that is to go on


class Inbox:
    """Controls for the running request, put in by one thread and taken out by the token loop."""

    def __init__(self) -> None:
        self._controls: deque[Control] = deque()
        self._arrived = threading.Event()
        self.cancelled = False

    def put(self, control: Control) -> None:
        """Leave a control; the loop takes it before its next token."""
        self.cancelled = self.cancelled or isinstance(control, Cancel)
        self._controls.append(control)
        self._arrived.set()

    def take(self) -> Control | None:
        """Give the oldest control, if there is one."""
        return self._controls.popleft() if self._controls else None

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the arrival of a control."""
        if self._arrived.wait(seconds):
            self._arrived.clear()


@dataclass(slots=True)
class Clock:
    """Wall-clock marks of one request, in seconds of time.perf_counter."""

    begun: float = field(default_factory=time.perf_counter)
    prompt: float = 0.0
    first: float = 0.0
    closed: float = 0.0

    def prompt_done(self) -> None:
        """The first token can be drawn."""
        self.prompt = time.perf_counter()

    def token_done(self) -> None:
        """A token has been drawn."""
        if not self.first:
            self.first = time.perf_counter()

    def thinking_done(self) -> None:
        """The thinking has ended, or there was none."""
        if not self.closed:
            self.closed = time.perf_counter()

    def timings(self, n_tokens: int) -> Timings:
        """Sum up, at the end of the request."""
        now = time.perf_counter()
        if not self.first:
            return Timings(prompt_s=(self.prompt or now) - self.begun)
        closed = self.closed or now
        return Timings(
            prompt_s=self.prompt - self.begun,
            first_token_s=self.first - self.begun,
            reasoning_s=closed - self.prompt,
            answer_s=now - closed,
            tokens_per_second=n_tokens / (now - self.prompt),
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """What draws the tokens: a model, its cache, and their sizes (see core.memory.Plan)."""

    model: Model
    context: Context
    phrases: Phrases
    n_ctx: int
    reserve: int
    n_batch: int


class Generation:
    """The state of one answer while its tokens are drawn."""

    def __init__(
        self, machine: Machine, request: Request, inbox: Inbox, sampler: Sampler, clock: Clock, usage: Usage
    ) -> None:
        self._context = machine.context
        self._vocabulary = machine.model.vocabulary
        self._n_batch = machine.n_batch
        self._request = request
        self._inbox = inbox
        self._sampler = sampler
        self._clock = clock
        self._usage = usage
        limit = request.max_tokens if request.max_tokens is not None else DEFAULT_LIMIT
        self._room = Room(machine.n_ctx, limit, request.max_tokens is not None, machine.reserve)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.splitter = ReasoningSplitter(request.starts_inside)
        self.stops = StopFinder(request.stop)
        spent = request.spent or Spent()
        last = request.segments[-1] if request.segments else None
        tail = last.text if isinstance(last, Text) else ""
        self.guide = Guide(machine.phrases, request.think_budget, spent, tail)
        self._n_thought_before = spent.n_tokens
        self._answer_loops = LoopDetector(ANSWER_CIRCLE)
        self._closing_id = self._vocabulary.special(THINK_CLOSE)
        self._n_drawn = 0  # tokens of this answer, drawn or put in
        self._n_unseen = 0  # of them, those whose text has not been given out yet
        self._n_reasoning = 0
        self._n_half = 0  # tokens at the end that make up half a character

    def run(self) -> Iterator[Event]:
        """Give the events of the answer, Finished included."""
        failure = None
        try:
            reason = yield from self._loop()
        except EngineError as error:  # what the model has said so far is not lost with it
            reason, failure = Reason.ERROR, Failure(error.exit_code, error.message, error.hint)
        if reason is not Reason.STOP:
            self._cut_half()
        yield from self.rest()
        n_answer = self._n_drawn - self._n_reasoning
        usage = replace(self._usage, reasoning_tokens=self._n_reasoning, answer_tokens=n_answer)
        yield Finished(reason, usage, self._clock.timings(self._n_drawn), failure)

    def _loop(self) -> Generator[Event, None, Reason]:
        while True:
            if reason := (yield from self._obey()) or self._out_of_room():
                return reason
            step = self.put_in() or self._draw()
            if step is None:
                return Reason.STOP
            if step.notice:
                yield step.notice
            ids = step.ids
            self._clock.token_done()
            yield from self.take(ids, forced=step.forced)
            if self.stops.found:
                return Reason.STOP
            if self._answers_in_circles(step):
                yield Notice("loop", "The answer went in circles: it was ended.")
                return Reason.LOOP
            self._keep_pace()
            for token in ids if step.forced else ():
                self._sampler.accept(token)
            for start in range(0, len(ids), self._n_batch):
                if not self._context.decode(ids[start : start + self._n_batch]):
                    return Reason.CANCELLED

    # What may end or turn the answer, asked before every token.

    def _obey(self) -> Generator[Event, None, Reason | None]:
        """Take what the user has sent meanwhile."""
        while control := self._inbox.take():
            if isinstance(control, Cancel):
                return Reason.CANCELLED
            if self.splitter.inside or not self._n_drawn:
                self.guide.hear(control)
            elif isinstance(control, Steer):
                yield Notice("steer-late", "The hint came too late: the model was answering already.")
        return None

    def _out_of_room(self) -> Reason | None:
        self._room.context = self._room.n_ctx - len(self._context.tokens)
        self._room.left = self._room.limit - self._n_drawn
        if self._room.left <= 0:
            return Reason.LENGTH if self._room.is_users_limit else Reason.LIMIT
        return Reason.CONTEXT if self._room.context <= 0 else None

    def put_in(self) -> Step | None:
        """Say what is put in now. Nothing outside a thinking, nor while a character is only half written."""
        if not self.splitter.inside or self._n_half:
            return None
        step = self.guide.put_in(self._n_thought, self._room)
        return step if step and step.ids else None

    @property
    def _n_thought(self) -> int:
        return self._n_thought_before + self._n_reasoning

    def _draw(self) -> Step | None:
        """Draw a token; None where the model ends its answer. Where it may not end its thinking, it goes on."""
        token = self._sampler.sample(self._context)
        inside = self.splitter.inside
        if not self._vocabulary.is_end(token) and not (inside and token == self._closing_id):
            return Step([token], forced=False)
        if not inside:
            return None
        if not self.guide.wants_more(self._n_thought):
            return Step([token], forced=False) if token == self._closing_id else self._unclosed()
        nudge = self.guide.nudge(self._room)
        return nudge if nudge and nudge.ids else self._draw_other(token)

    def _draw_other(self, token: int) -> Step:
        """Draw something that does not end the thinking, in the place of a token that does."""
        for _ in range(TRIES):
            self._context.forbid(token)
            token = self._sampler.sample(self._context)
            if token != self._closing_id and not self._vocabulary.is_end(token):
                return Step([token], forced=False)
        return self._unclosed()

    def _unclosed(self) -> Step:
        """Close a thinking within which the model stopped, so that there is an answer."""
        notice = Notice("think-unclosed", "The model stopped within its thinking: it was made to answer.")
        return self.guide.end(self._n_thought, self._room, notice)

    def _answers_in_circles(self, step: Step) -> bool:
        if step.forced or self.splitter.inside:
            return False
        return self._answer_loops.feed(self._vocabulary.piece(step.ids[0]))

    # What happens with a token.

    def take(self, ids: Sequence[int], *, forced: bool) -> Iterator[TextEvent]:
        """Turn ids into text events, and count them."""
        was_inside = self.splitter.inside
        data = b"".join(map(self._vocabulary.piece, ids))
        text = self._decoder.decode(data)
        events = list(self.splitter.feed(text)) if text else []
        inside = was_inside or self.splitter.inside
        self._n_drawn += len(ids)
        self._n_unseen += len(ids)
        self._n_half = self._n_half + len(ids) if self._decoder.getstate()[0] else 0
        if inside:
            self._n_reasoning += len(ids)
            self.guide.read(text)
            if not forced:
                self.guide.drawn(data)
        if not self.splitter.inside:
            self._clock.thinking_done()
        yield from self._shown(events, forced=forced)

    def _shown(self, events: Iterable[Event], *, forced: bool = False) -> Iterator[TextEvent]:
        """Look for stop strings in the answer and put the token counts on the events."""
        for event in events:
            match event:
                case Answer(text):
                    text = self.stops.feed(text)
                    kind: type[Answer] | type[Reasoning] = Answer
                case Reasoning(text):
                    kind = Reasoning
                case _:
                    continue
            if text:
                yield kind(text, n_tokens=self._n_unseen, forced=forced)
                self._n_unseen = 0

    def _keep_pace(self) -> None:
        """Wait until the next token is due, but not past the arrival of a control."""
        if self._request.pace > 0:
            due = self._clock.prompt + self._n_drawn / self._request.pace
            self._inbox.wait(min(max(0.0, due - time.perf_counter()), threading.TIMEOUT_MAX))

    def _cut_half(self) -> None:
        """Forget half a character at the end of a cut answer: who goes on draws it again, whole."""
        if self._n_half:
            self._decoder.reset()
            self._context.trim(len(self._context.tokens) - self._n_half)
            self._n_drawn -= self._n_half
            self._n_unseen -= self._n_half
            self._n_reasoning -= self._n_half if self.splitter.inside else 0

    def rest(self) -> Iterator[TextEvent]:
        """Give out what was held back: half a character, half a tag, half a stop string."""
        text = self._decoder.decode(b"", final=True)
        events = [*(self.splitter.feed(text) if text else ()), *self.splitter.finish()]
        yield from self._shown(events)
        if held := self.stops.finish():
            yield Answer(held, n_tokens=self._n_unseen)
