"""The token loop: bring the KV cache to the prompt, draw tokens, turn bytes into text and text into events.

Runs inside the engine's child process. Knows nothing about processes, files or screens. One Session holds one loaded
model with one KV cache; `answer` is a generator, so that whoever iterates it decides where the events go.

How thinking is controlled: before every draw the loop asks whether the thinking must end (a budget is spent, the user
wants the answer, or the rest of the window is the answer's reserve). If so, and only between two whole characters, it
puts the closing tag in as if the model had written it. The cache keeps everything.
"""

import codecs
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from r1chat.core.events import (
    Answer,
    Event,
    Failure,
    Finished,
    Notice,
    Progress,
    Reason,
    Reasoning,
    TextEvent,
    Timings,
    Usage,
)
from r1chat.core.prompt import CORE_MARKERS, THINK_CLOSE, Segment, Special, Text
from r1chat.core.reasoning import ReasoningSplitter
from r1chat.core.stops import StopFinder
from r1chat.engine.base import DEFAULT_LIMIT, AnswerNow, Cancel, Control, Request, Steer
from r1chat.engine.llama import PENALTY_WINDOW, Context, Model, Sampler
from r1chat.errors import EngineError, ExitCode

LONG_TEXT = 1 << 16  # characters; above it, whether a prompt can fit at all is asked before it is tokenised


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


class Session:
    """One loaded model with one KV cache."""

    def __init__(self, model: Model, context: Context, *, n_ctx: int, reserve: int, n_batch: int) -> None:
        self._model = model
        self._context = context
        self._n_ctx = n_ctx
        self._reserve = reserve
        self._n_batch = n_batch
        self._closings: dict[bool, list[int]] = {}

    def ids(self, segments: Iterable[Segment]) -> list[int]:
        """Turn segments into token ids: one per Special, and never a special one out of a Text.

        The distilled models' vocabularies lack the tool markers; such a Special is taken as the text it spells, which
        is what their official tokenizers do. Raises EngineError when a marker that every turn needs is missing.
        """
        vocabulary = self._model.vocabulary
        ids: list[int] = []
        for segment in segments:
            match segment:
                case Text(text):
                    ids += vocabulary.tokenize(text)
                case Special(name):
                    if (id := vocabulary.special(name)) is not None:
                        ids.append(id)
                    elif name in CORE_MARKERS:
                        hint = "It is no model of the DeepSeek-R1 family, or its file was converted wrongly."
                        raise EngineError(f"The model's vocabulary has no token {name}.", hint=hint)
                    else:
                        ids += vocabulary.tokenize(name)
        return ids

    def warm(self, segments: Sequence[Segment]) -> None:
        """Compute a prompt into the cache; ends early, without an error, when the abort flag is set."""
        ids = self.ids(segments)
        if len(ids) < self._n_ctx:
            for _ in self._prefill(ids):
                pass

    def answer(self, request: Request, inbox: Inbox) -> Iterator[Event]:
        """Answer a request. Ends in one Finished, whatever happens short of the process's death.

        Raises EngineError when the library fails; the caller turns it into Finished(error).
        """
        clock = _Clock()
        room = self._n_ctx - (len(self.closing()) if request.starts_inside else 0) - 1  # for a token of the answer
        if (least := self._fewest_tokens(request.segments)) > room:
            yield Finished(
                Reason.ERROR, Usage(prompt_tokens=least), clock.timings(0), self._too_long(least, room, "at least ")
            )
            return
        ids = self.ids(request.segments)
        usage = Usage(prompt_tokens=len(ids))
        if inbox.cancelled:
            yield Finished(Reason.CANCELLED, usage, clock.timings(0))
            return
        if len(ids) > room:
            yield Finished(Reason.ERROR, usage, clock.timings(0), self._too_long(len(ids), room))
            return
        usage = replace(usage, cached_tokens=self._shared_prefix(ids))
        for n_done in self._prefill(ids):
            yield Progress("prefill", n_done, len(ids))
        if len(self._context.tokens) < len(ids):
            yield Finished(Reason.CANCELLED, usage, clock.timings(0))
            return
        clock.prompt_done()
        sampler = Sampler(self._model, request.sampling, recent=ids[-PENALTY_WINDOW:])
        try:
            yield from _Generation(self, request, inbox, sampler, clock, usage).run()
        finally:
            sampler.close()

    def closing(self, *, new_line: bool = True) -> list[int]:
        """Ids that end the thinking the way R1 does: a line of its own, and an empty line after it."""
        if new_line not in self._closings:
            before = [Text("\n")] if new_line else []
            self._closings[new_line] = self.ids([*before, Special(THINK_CLOSE), Text("\n\n")])
        return self._closings[new_line]

    def _fewest_tokens(self, segments: Iterable[Segment]) -> int:
        """A lower bound that costs nothing, so that a text of many megabytes is refused before it is tokenised."""
        n_bytes = sum(len(segment.text) for segment in segments if isinstance(segment, Text))
        return n_bytes // self._model.vocabulary.longest() if n_bytes > LONG_TEXT else 0

    def _too_long(self, n_tokens: int, room: int, bound: str = "") -> Failure:
        return Failure(
            ExitCode.NO_ANSWER,
            f"The prompt has {bound}{n_tokens:,} tokens, but the context of {self._n_ctx:,} has room for {room:,}.",
            "Shorten it, or give the model a larger context with --ctx.",
        )

    def _shared_prefix(self, ids: Sequence[int]) -> int:
        """How many leading ids are in the cache already; one is always left to compute, for its logits."""
        n = 0
        for cached, wanted in zip(self._context.tokens, ids[:-1], strict=False):
            if cached != wanted:
                break
            n += 1
        return n

    def _prefill(self, ids: Sequence[int]) -> Iterator[int]:
        """Bring the cache to `ids`, batch by batch; gives the number of ids in place. Stops where it was aborted."""
        context = self._context
        context.trim(self._shared_prefix(ids))
        while len(context.tokens) < len(ids):
            yield len(context.tokens)
            if not context.decode(ids[len(context.tokens) : len(context.tokens) + self._n_batch]):
                return


@dataclass(slots=True)
class _Clock:
    """Wall-clock marks of one request, in seconds of time.perf_counter."""

    begun: float = field(default_factory=time.perf_counter)
    prompt: float = 0.0
    first: float = 0.0
    closed: float = 0.0

    def prompt_done(self) -> None:
        self.prompt = time.perf_counter()

    def token_done(self) -> None:
        if not self.first:
            self.first = time.perf_counter()

    def thinking_done(self) -> None:
        if not self.closed:
            self.closed = time.perf_counter()

    def timings(self, n_tokens: int) -> Timings:
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


class _Generation:
    """The state of one answer while its tokens are drawn."""

    def __init__(
        self, session: Session, request: Request, inbox: Inbox, sampler: Sampler, clock: _Clock, usage: Usage
    ) -> None:
        self._session = session
        self._context = session._context
        self._vocabulary = session._model.vocabulary
        self._request = request
        self._inbox = inbox
        self._sampler = sampler
        self._clock = clock
        self._usage = usage
        self._limit = request.max_tokens if request.max_tokens is not None else DEFAULT_LIMIT
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._splitter = ReasoningSplitter(request.starts_inside)
        self._stops = StopFinder(request.stop)
        self._n_drawn = 0  # tokens of this answer, drawn or put in
        self._n_unseen = 0  # of them, those whose text has not been given out yet
        self._n_reasoning = 0
        self._last_character = "\n" if request.starts_inside else ""  # the prompt then ends in "<think>\n"
        self._close_wanted = False
        self._hints: deque[str] = deque()

    def run(self) -> Iterator[Event]:
        """Give the events of the answer, Finished included."""
        failure = None
        try:
            reason = yield from self._loop()
        except EngineError as error:  # what the model has said so far is not lost with it
            reason, failure = Reason.ERROR, Failure(error.exit_code, error.message, error.hint)
        yield from self._rest()
        n_answer = self._n_drawn - self._n_reasoning
        usage = replace(self._usage, reasoning_tokens=self._n_reasoning, answer_tokens=n_answer)
        yield Finished(reason, usage, self._clock.timings(self._n_drawn), failure)

    def _loop(self) -> Generator[Event, None, Reason]:
        while True:
            if reason := self._obey() or self._out_of_room():
                return reason
            forced, notice = self._forced()
            if notice:
                yield notice
            ids = forced or [self._sampler.sample(self._context)]
            self._clock.token_done()
            if not forced and self._vocabulary.is_end(ids[0]):
                return Reason.STOP
            yield from self._take(ids, forced=bool(forced))
            if self._stops.found:
                return Reason.STOP
            self._keep_pace()
            for token in forced:
                self._sampler.accept(token)
            n_batch = self._session._n_batch
            for start in range(0, len(ids), n_batch):
                if not self._context.decode(ids[start : start + n_batch]):
                    return Reason.CANCELLED

    # What may end or turn the answer, asked before every token.

    def _obey(self) -> Reason | None:
        """Take what the user has sent meanwhile."""
        while control := self._inbox.take():
            match control:
                case Cancel():
                    return Reason.CANCELLED
                case AnswerNow():
                    self._close_wanted = True
                case Steer(text):
                    self._hints.append(text)
        return None

    def _out_of_room(self) -> Reason | None:
        if self._n_drawn >= self._limit:
            return Reason.LENGTH if self._request.max_tokens is not None else Reason.LIMIT
        return Reason.CONTEXT if self._room() <= 0 else None

    def _room(self) -> int:
        return self._session._n_ctx - len(self._context.tokens)

    def _forced(self) -> tuple[list[int], Notice | None]:
        """Ids to put in now, and what to say about it. Nothing while a character is only half written."""
        if not self._splitter.inside or self._decoder.getstate()[0]:
            return [], None
        empty = self._n_drawn == 0 and self._request.starts_inside  # R1's empty thinking: "<think>\n\n</think>\n\n"
        closing = self._session.closing(new_line=empty or self._last_character != "\n")
        notice = self._must_close(len(closing))
        room = min(self._room(), self._limit - self._n_drawn)
        if notice or self._close_wanted:
            self._close_wanted = False
            return closing[:room], notice
        if self._hints:
            hint = self._session.ids([Text(self._hints.popleft())])
            return hint[: max(0, room - self._session._reserve - len(closing))], None
        return [], None

    def _must_close(self, n_closing: int) -> Notice | None:
        """Say why the thinking has to end now, if it has to."""
        budget = self._request.think_budget
        if budget.n_tokens is not None and self._n_reasoning >= budget.n_tokens:
            return Notice("think-budget", f"The thinking was ended at its budget of {budget.n_tokens:,} tokens.")
        if budget.seconds is not None and time.perf_counter() - self._clock.prompt >= budget.seconds:
            return Notice("think-budget", f"The thinking was ended at its budget of {budget.seconds:g} s.")
        reserve = self._session._reserve
        if self._room() <= reserve + n_closing:
            text = (
                f"The context of {self._session._n_ctx:,} tokens is nearly full: the thinking was ended early so that"
            )
            return Notice(
                "context-reserve", f"{text} {max(self._room() - n_closing, 0):,} tokens remain for the answer."
            )
        if self._request.max_tokens is None and self._limit - self._n_drawn <= reserve + n_closing:
            text = f"The limit of {self._limit:,} tokens is near: the thinking was ended early so that"
            return Notice("limit-reserve", f"{text} {reserve:,} tokens remain for the answer.")
        return None

    # What happens with a token.

    def _take(self, ids: Sequence[int], *, forced: bool) -> Iterator[TextEvent]:
        """Turn ids into text events, and count them."""
        was_inside = self._splitter.inside
        text = self._decoder.decode(b"".join(map(self._vocabulary.piece, ids)))
        if text:
            self._last_character = text[-1]
        events = list(self._splitter.feed(text)) if text else []
        inside = was_inside or self._splitter.inside
        self._n_drawn += len(ids)
        self._n_unseen += len(ids)
        if inside:
            self._n_reasoning += len(ids)
        if not self._splitter.inside:
            self._clock.thinking_done()
        yield from self._shown(events, forced=forced)

    def _shown(self, events: Iterable[Event], *, forced: bool = False) -> Iterator[TextEvent]:
        """Look for stop strings in the answer and put the token counts on the events."""
        for event in events:
            match event:
                case Answer(text):
                    text = self._stops.feed(text)
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

    def _rest(self) -> Iterator[TextEvent]:
        """Give out what was held back: half a character, half a tag, half a stop string."""
        text = self._decoder.decode(b"", final=True)
        events = [*(self._splitter.feed(text) if text else ()), *self._splitter.finish()]
        yield from self._shown(events)
        if held := self._stops.finish():
            yield Answer(held, n_tokens=self._n_unseen)
