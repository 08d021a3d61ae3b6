"""One conversation: a tree of turns, of which the path to the current leaf is what the model sees.

Renders the path into a prompt, asks the engine, hands every event to the caller and to the sinks, and keeps what was
said, whole or cut. Knows no terminal, no file on disk but the attached ones, and no engine but its protocol.
"""

import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

from r1chat.core.events import (
    Answer,
    Event,
    Failure,
    Finished,
    Notice,
    Reason,
    Reasoning,
    Sink,
    Started,
    Timings,
    Usage,
)
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import (
    CORE_MARKERS,
    FAMILIES,
    TOOL_MARKERS,
    Segment,
    attach,
    lookalikes,
    parse_raw,
    render,
    starts_inside,
)
from r1chat.core.sampling import N_SEEDS, Sampling
from r1chat.engine.base import DEFAULT_LIMIT, Control, Engine, Request, ThinkBudget, Turn
from r1chat.errors import ContextError, EngineError, ExitCode, FitError, R1ChatError, UsageError
from r1chat.files import read_text

File = str | Path | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Options:
    """How every turn of a chat is answered, unless the turn says otherwise. See engine.base.Request."""

    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    think_budget: ThinkBudget = field(default_factory=ThinkBudget)
    think: bool = True
    stop: tuple[str, ...] = ()
    pace: float = 0.0

    def __post_init__(self) -> None:
        """Refuse bounds that mean nothing. Raises UsageError."""
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"At most {self.max_tokens} tokens is no answer.", hint="Allow at least one.")
        budget = self.think_budget
        if (budget.n_tokens or 0) < 0 or (budget.seconds or 0) < 0:
            raise UsageError("The budget for the thinking is negative.", hint="Use 0 to end it before it begins.")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and what came of it. `parent` is the index of the exchange before it; versions share one parent."""

    parent: int | None
    question: Message
    answer: Message
    finished: Finished

    @property
    def answered(self) -> bool:
        """Whether there is an answer to go on from, whole or cut."""
        return bool(self.answer.content.strip())


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as a whole, blank ends stripped. `finish_reason` is one of the words of core.events.Reason."""

    reasoning: str
    answer: str
    finish_reason: str
    usage: Usage
    timings: Timings


class Chat:
    """A conversation with one engine. A context manager that closes the engine."""

    def __init__(
        self,
        engine: Engine,
        *,
        family: str,
        options: Options | None = None,
        system: str = "",
        opening: Iterable[Notice] = (),
        sinks: Iterable[Sink] = (),
    ) -> None:
        self._engine = engine
        self._family = family
        self.options = options or Options()
        self.system = system  # may be changed between turns, like the options
        self._opening = tuple(opening)  # told in the next turn
        self._advised = False  # whether a first turn has told what we do otherwise than DeepSeek recommends
        self._sinks = tuple(sinks)
        self._exchanges: list[Exchange] = []
        self._leaf: int | None = None
        self._turn: Turn | None = None
        self._asking = False
        self._early: deque[Control] = deque()  # controls that came before the engine had the request
        self.seed: int | None = None  # the seed of the last turn, drawn or given

    def __enter__(self) -> "Chat":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the engine back. Safe to call twice."""
        self._engine.close()

    def add_sink(self, sink: Sink) -> None:
        """Let one more sink have every event from now on."""
        self._sinks = (*self._sinks, sink)

    def use(self, engine: Engine, family: str, opening: Iterable[Notice] = ()) -> None:
        """Go on with another model: the conversation stays, the old engine is closed.

        `opening` is told in the next turn. Raises UsageError while a turn runs.
        """
        self._refuse_if_busy()
        self._engine.close()
        self._engine, self._family, self._opening = engine, family, tuple(opening)

    def restore(self, exchanges: Sequence[Exchange], leaf: int | None) -> None:
        """Put a kept tree of exchanges in the place of this one. `leaf` is the index of the current one, None for none.

        Raises UsageError while a turn runs, and for a tree that is none: a parent that does not stand before its child.
        """
        self._refuse_if_busy()
        parents = [*(exchange.parent for exchange in exchanges), leaf]
        if any(parent is not None and not 0 <= parent < index for index, parent in enumerate(parents)):
            raise UsageError("The kept conversation is damaged: an exchange follows one that is not there.")
        self._exchanges, self._leaf = list(exchanges), leaf

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far, system text first. Questions that got no answer are left out."""
        system = (Message(Role.SYSTEM, self.system),) if self.system else ()
        return (*system, *(m for e in self.path if e.answered for m in (e.question, e.answer)))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange, in the order in which they began, those that no path leads to any more included."""
        return tuple(self._exchanges)

    @property
    def leaf(self) -> int | None:
        """The index of the current exchange, which the next one follows; None at the beginning."""
        return self._leaf

    @property
    def path(self) -> tuple[Exchange, ...]:
        """The exchanges from the first to the current one, unanswered ones too."""
        path = []
        at = self._leaf
        while at is not None:
            path.append(self._exchanges[at])
            at = self._exchanges[at].parent
        return tuple(reversed(path))

    def reset(self) -> None:
        """Begin a new conversation. The old one stays in the tree, but nothing leads to it any more."""
        self._leaf = None

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._asking

    def control(self, control: Control) -> None:
        """Interfere with the running turn, from any thread or a signal handler; without one, do nothing."""
        if self._asking:
            self._early.append(control)
            self._forward()

    def _forward(self) -> None:
        """Hand the controls to the turn, if there is one already. A signal may come in the middle and do the same."""
        with suppress(IndexError):  # none is left
            while self._early and (turn := self._turn) is not None:
                turn.control(self._early.popleft())

    def ask(self, text: str, *, files: Sequence[File] = ()) -> Iterator[Event]:
        """Ask, and give the events as they happen. Files come before the text, in R1's own template.

        A path is read as text; a pair is a name and its content. Dropping the iterator cancels the turn, and what was
        said until then is kept. Raises NotFoundError or UsageError for a file that can't be attached; the iterator
        raises UsageError when it is begun while another turn runs.
        """
        attached = [file if isinstance(file, tuple) else read_text(Path(file)) for file in files]
        question = Message(Role.USER, attach(attached, text) if attached else text)
        segments = render((*self.messages, question), family=self._family, think=self.options.think)
        notices = (*self._advice(), *_lookalike(text))
        return self._run(question, self._request(tuple(segments)), notices)

    def ask_raw(self, text: str) -> Iterator[Event]:
        """Ask with token text as it is, special tokens spelled out, no template and no history."""
        segments = parse_raw(text, (*CORE_MARKERS, *TOOL_MARKERS))
        return self._run(Message(Role.USER, text), self._request(tuple(segments)), self._advice())

    def reply(self, text: str, *, files: Sequence[File] = ()) -> Reply:
        """Ask and wait for the answer. Raises ContextError or EngineError when there can't be one."""
        for event in self.ask(text, files=files):
            if isinstance(event, Finished):
                finished = event
        if finished.failure:
            raise _error(finished.failure)
        answer = self._exchanges[-1].answer
        reason = finished.reason.value
        return Reply(answer.reasoning.strip(), answer.content.strip(), reason, finished.usage, finished.timings)

    def count(self) -> int:
        """Count the tokens of the conversation as it stands, as the next prompt would hold them."""
        return self._engine.count(render(self.messages, family=self._family, think=None))

    def _request(self, segments: tuple[Segment, ...]) -> Request:
        options = self.options
        self.seed = options.sampling.seed if options.sampling.seed is not None else secrets.randbelow(N_SEEDS)
        return Request(
            segments=segments,
            starts_inside=starts_inside(segments),
            sampling=replace(options.sampling, seed=self.seed),
            max_tokens=options.max_tokens,
            think_budget=options.think_budget,
            stop=options.stop,
            pace=options.pace,
        )

    def _advice(self) -> Iterator[Notice]:
        """What is told in the first turn: how it came to this model, and where we do not what DeepSeek recommends."""
        yield from self._opening
        self._opening = ()
        if self._advised:
            return
        self._advised = True
        if self.options.sampling.greedy:
            text = "At temperature 0, R1 tends to repeat itself without end; DeepSeek recommends 0.6."
            yield Notice("greedy", text)
        if self.system and not FAMILIES[self._family].advises_system:
            text = "DeepSeek recommends R1 without a system prompt: put instructions into the question."
            yield Notice("system-prompt", text)

    def _run(self, question: Message, request: Request, notices: Iterable[Notice]) -> Iterator[Event]:
        """Give the turn's events to the sinks and the caller, and keep the exchange at its end."""
        reasoning: list[str] = []
        answer: list[str] = []
        finished = Finished(Reason.CANCELLED)  # holds if the caller drops us before the end
        self._refuse_if_busy()
        self._asking = True
        try:
            yield self._tell(Started(len(self._exchanges) + 1, question))
            for notice in notices:
                yield self._tell(notice)
            self._turn = self._engine.start(request)
            self._forward()
            for event in self._turn:
                match event:
                    case Reasoning(text):
                        reasoning.append(text)
                    case Answer(text):
                        answer.append(text)
                    case Finished():
                        finished = event
                yield self._tell(event)
        finally:
            self._asking = False
            self._turn = None
            self._early.clear()
            said = Message(Role.ASSISTANT, "".join(answer), "".join(reasoning))
            self._exchanges.append(Exchange(self._leaf, question, said, finished))
            self._leaf = len(self._exchanges) - 1

    def _refuse_if_busy(self) -> None:
        if self._asking:
            raise UsageError("Another question is being answered.", hint="Take its events to their end first.")

    def _tell(self, event: Event) -> Event:
        for sink in self._sinks:
            sink.handle(event)
        return event


def failure_of(exchange: Exchange) -> Failure | None:
    """Say what was wrong with a turn as a whole, with its exit code (docs/design.md, section 5); None for nothing.

    A cut at the user's own --max-tokens is no failure, even if it left no answer.
    """
    finished = exchange.finished
    if finished.failure:
        return finished.failure
    match finished.reason:
        case Reason.CANCELLED:
            return Failure(ExitCode.INTERRUPTED, "Interrupted.")
        case Reason.CONTEXT:
            hint = "Give the model a larger context with --ctx, or less to think about with --think-budget."
            return Failure(ExitCode.NO_ANSWER, "The answer was cut: the context window is full.", hint)
        case Reason.LIMIT:
            hint = "Allow more with --max-tokens."
            return Failure(ExitCode.NO_ANSWER, f"The answer was cut at the limit of {DEFAULT_LIMIT:,} tokens.", hint)
        case Reason.STOP if not exchange.answered:
            return Failure(ExitCode.NO_ANSWER, "The model gave no answer.", "Ask again: every try is drawn anew.")
    return None


def _lookalike(text: str) -> Iterator[Notice]:
    if found := lookalikes(text):
        message = f"{found} in your text looks like a marker of R1's template. It is sent as the text it is."
        yield Notice("lookalike", message)


def _error(failure: Failure) -> R1ChatError:
    kinds: dict[int, type[R1ChatError]] = {ExitCode.NO_ANSWER: ContextError, ExitCode.NO_FIT: FitError}
    return kinds.get(failure.code, EngineError)(failure.message, hint=failure.hint)
