"""One conversation with an engine: what is asked, gone on with, tried again and taken back.

Renders the path to the current exchange into a prompt, asks the engine, hands every event to the caller and to the
sinks, and keeps what was said, whole or cut. Knows no terminal, no file on disk but the attached ones, and no engine
but its protocol.

Nothing is computed twice in front of the user: after a whole answer the engine is given the next prompt's beginning,
which holds the answer without its thinking, to compute while the user reads. A cut turn keeps its cache, to go on from.
"""

import bisect
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from r1chat.core.conversation import Exchange, Tree
from r1chat.core.events import (
    Answer,
    Event,
    Finished,
    Notice,
    Progress,
    Reason,
    Reasoning,
    Sink,
    Started,
)
from r1chat.core.messages import Message, Partial, Role
from r1chat.core.prompt import (
    CORE_MARKERS,
    FAMILIES,
    TOOL_MARKERS,
    Segment,
    attach,
    lookalikes,
    parse_raw,
    prefix,
    render,
    starts_inside,
)
from r1chat.core.sampling import N_SEEDS
from r1chat.engine.base import Control, Engine, Request, Spent, Turn
from r1chat.errors import UsageError
from r1chat.files import read_text
from r1chat.options import Options, Overflow
from r1chat.outcome import WAYS, Reply, error_of, explained, failure_of, is_too_long

__all__ = ("Chat", "Exchange", "Options", "Overflow", "Reply", "failure_of")

File = str | Path | tuple[str, str]
SCARCE = 1 / 8  # share of the context: where less is free for thinking and answer, it counts as full
ROOMY = 1 / 4  # what is free after the oldest exchanges were left out; so it does not happen at every turn
SHOWN = 60  # characters of a question that is left out


class Chat:
    """A conversation with one engine. A context manager that closes the engine.

    `ahead`: after each whole answer the engine computes the next prompt's beginning. `opening` is told in the first
    turn.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        family: str,
        options: Options | None = None,
        system: str = "",
        opening: Iterable[Notice] = (),
        sinks: Iterable[Sink] = (),
        ahead: bool = True,
    ) -> None:
        self._engine = engine
        self._family = family
        self.options = options or Options()
        self.system = system  # may be changed between turns, like the options
        self._opening = tuple(opening)  # told in the next turn
        self._advised = False  # whether a first turn has told what we do otherwise than DeepSeek recommends
        self._warned = False  # whether it was said that the context is nearly full
        self._sinks = tuple(sinks)
        self._ahead = ahead
        self._tree = Tree()
        self._turn: Turn | None = None
        self._asking = False
        self._answering = False  # whether the turn's thinking is over, or it has none
        self._early: deque[Control] = deque()  # controls that came before the engine had the request
        self.seed: int | None = None  # the seed of the last turn, drawn or given
        self.last: Finished | None = None  # the end of the last turn, of its last part if it was gone on with

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
        self._tree = Tree(exchanges, leaf)
        self._warned = False

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the model sees, system text first. Exchanges without an answer, or left out for room, are not in it."""
        return (*self._system_messages(), *self._tree.messages(self._tree.seen(self._tree.leaf)))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every exchange, in the order in which they began, those that no path leads to any more included."""
        return tuple(self._tree.exchanges)

    @property
    def leaf(self) -> int | None:
        """The index of the current exchange, which the next one follows; None at the beginning.

        After a turn's Finished the exchange there is new, or has grown if it was gone on with.
        """
        return self._tree.leaf

    @property
    def path(self) -> tuple[Exchange, ...]:
        """The exchanges from the first to the current one, unanswered ones too."""
        return tuple(self._tree.exchanges[index] for index in self._tree.path(self._tree.leaf))

    def reset(self) -> None:
        """Begin a new conversation. The old one stays in the tree, but nothing leads to it any more."""
        self._tree.leaf = None
        self._warned = False

    def undo(self) -> Exchange | None:
        """Take the current exchange back; the one before it is the current one then. None: there is none.

        Raises UsageError while a turn runs.
        """
        self._refuse_if_busy()
        taken = self._tree.current
        if taken is not None:
            self._tree.leaf = taken.parent
        return taken

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._asking

    @property
    def thinking(self) -> bool:
        """Whether a turn is running whose thinking can still be ended or steered."""
        return self._asking and not self._answering

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

    def ask(self, text: str, *, files: Sequence[File] = (), think: bool | None = None) -> Iterator[Event]:
        """Ask, and give the events as they happen. Files come before the text, in R1's own template.

        A path is read as text; a pair is a name and its content. `think` None is as the options say. Dropping the
        iterator cancels the turn, and what was said until then is kept. Raises NotFoundError or UsageError for a file
        that can't be attached; the iterator raises UsageError when it is begun while another turn runs.
        """
        question = Message(Role.USER, _with_files(text, files))
        asked = _Asked(question, self._tree.leaf, self.options.think if think is None else think, self._draw_seed())
        return self._run(asked, (*self._advice(), *_lookalike(text)))

    def ask_raw(self, text: str) -> Iterator[Event]:
        """Ask with token text as it is, special tokens spelled out, no template and no history."""
        raw = tuple(parse_raw(text, (*CORE_MARKERS, *TOOL_MARKERS)))
        asked = _Asked(Message(Role.USER, text), self._tree.leaf, self.options.think, self._draw_seed(), raw=raw)
        return self._run(asked, tuple(self._advice()))

    def resume(self) -> Iterator[Event]:
        """Go on exactly where the current exchange was cut, in its thinking or its answer; it grows by what comes.

        The events are those of the new part alone. Raises UsageError if nothing was cut.
        """
        index, cut = self._tree.leaf, self._tree.current
        if index is None or cut is None or not cut.cut:
            raise UsageError("There is nothing to go on with: no answer was cut.", hint="Ask something.")
        asked = _Asked(cut.question, cut.parent, cut.think, self._draw_seed(), resumed=index)
        return self._run(asked, tuple(self._advice()))

    def retry(self, seed: int | None = None) -> Iterator[Event]:
        """Ask the current question again, for another version of the answer; the old one stays beside it.

        Raises UsageError if nothing was asked, or for a seed out of range.
        """
        old = self._tree.current
        if old is None:
            raise UsageError("There is no question to ask again.", hint="Ask something.")
        asked = _Asked(old.question, old.parent, old.think, self._draw_seed(seed))
        return self._run(asked, tuple(self._advice()))

    def anticipate(self, text: str = "", files: Sequence[File] = ()) -> None:
        """Let the idle engine compute a question that is still being written, as far as it is there.

        Raises what `ask` raises for a file. Does nothing while a turn runs.
        """
        if not self._asking:
            self._warm(_with_files(text, files))

    def reply(self, text: str, *, files: Sequence[File] = ()) -> Reply:
        """Ask and wait for the answer. Raises ContextError or EngineError when there can't be one."""
        for event in self.ask(text, files=files):
            if isinstance(event, Finished):
                finished = event
        if finished.failure:
            raise error_of(finished.failure)
        answer = self.path[-1].answer
        reason = finished.reason.value
        return Reply(answer.reasoning.strip(), answer.content.strip(), reason, finished.usage, finished.timings)

    def count(self) -> int:
        """Count the tokens of the conversation as it stands, as the next prompt would hold them."""
        return self._engine.count(render(self.messages, family=self._family, think=None))

    def _system_messages(self) -> list[Message]:
        return [Message(Role.SYSTEM, self.system)] if self.system else []

    def _draw_seed(self, seed: int | None = None) -> int:
        seed = self.options.sampling.seed if seed is None else replace(self.options.sampling, seed=seed).seed
        self.seed = secrets.randbelow(N_SEEDS) if seed is None else seed
        return self.seed

    def _segments(self, asked: "_Asked", seen: Sequence[int]) -> list[Segment]:
        """The prompt of a turn in front of which the model sees these exchanges."""
        messages = [*self._system_messages(), *self._tree.messages(seen), asked.question]
        return render(messages, family=self._family, think=asked.think, partial=self._said(asked))

    def _said(self, asked: "_Asked") -> Partial | None:
        """What a turn that goes on had said before."""
        return None if asked.resumed is None else self._tree.exchanges[asked.resumed].partial

    def _request(self, asked: "_Asked") -> Request:
        options, seen = self.options, self._tree.seen(asked.parent)
        segments = asked.raw or tuple(self._segments(asked, seen))
        spent = None
        if asked.resumed is not None:
            before = self._tree.exchanges[asked.resumed].finished
            spent = Spent(before.usage.reasoning_tokens, before.timings.reasoning_s)
        return Request(
            segments=segments,
            starts_inside=starts_inside(segments),
            sampling=replace(options.sampling, seed=asked.seed),
            max_tokens=options.max_tokens,
            think_budget=options.think_budget,
            stop=options.stop,
            pace=options.pace,
            spent=spent,
            free=SCARCE if seen and not asked.raw and options.overflow is Overflow.OLDEST else 0.0,
        )

    def _warm(self, draft: str = "") -> None:
        segments = prefix(self.messages, family=self._family, draft=draft)
        self._engine.warm(Request(tuple(segments), starts_inside=False))

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

    def _run(self, asked: "_Asked", notices: Iterable[Notice]) -> Iterator[Event]:
        """Give the turn's events to the sinks and the caller, and keep the exchange at its end."""
        reasoning: list[str] = []
        answer: list[str] = []
        finished = Finished(Reason.CANCELLED)  # holds if the caller drops us before the end
        self._refuse_if_busy()
        self._asking = True
        self._answering = not starts_inside(asked.raw) if asked.raw else not asked.think
        try:
            index = len(self._tree.exchanges) if asked.resumed is None else asked.resumed
            yield self._tell(Started(index + 1, asked.question, resumed=self._said(asked)))
            for notice in notices:
                yield self._tell(notice)
            for event in self._events(asked):
                match event:
                    case Reasoning(text):
                        reasoning.append(text)
                    case Answer(text):
                        answer.append(text)
                        self._answering = True
                    case Finished():
                        finished = event
                yield self._tell(event)
        finally:
            self._turn = None
            self._early.clear()
            self.last = finished
            said = Message(Role.ASSISTANT, "".join(answer), "".join(reasoning))
            if asked.resumed is None:
                self._tree.add(Exchange(asked.parent, asked.question, said, finished, asked.think))
            else:
                grown = self._tree.exchanges[asked.resumed].extended(said, finished)
                self._tree.exchanges[asked.resumed] = grown
            self._asking = False
            if self._ahead and finished.reason is Reason.STOP and not asked.raw:
                self._warm()

    def _events(self, asked: "_Asked") -> Iterator[Event]:
        """The engine's events. A prompt that does not fit is tried again without the oldest exchanges, if so wished."""
        while True:
            self._turn = self._engine.start(self._request(asked))
            self._forward()
            refusal = None
            for event in self._turn:
                if isinstance(event, Finished) and is_too_long(event):
                    refusal = event
                    continue
                if isinstance(event, Progress) and event.stage == "prefill":
                    yield from self._warn(asked, event.total)
                yield event
            if refusal is None:
                return
            self._turn = None
            seen = self._tree.seen(asked.parent)
            if asked.raw or not seen or not self._fits_alone(asked):
                yield refusal
                return
            if self.options.overflow is Overflow.STOP:
                yield explained(refusal)
                return
            yield self._leave_out_oldest(asked, seen)

    def _warn(self, asked: "_Asked", n_prompt: int) -> Iterator[Notice]:
        """Say once how little of the context is left, before it is too late for the conversation."""
        info = self._engine.info
        if self._warned or info is None or n_prompt <= (1 - ROOMY) * info.n_ctx or not self._tree.seen(asked.parent):
            return
        self._warned = True
        left = f"{info.n_ctx - n_prompt:,} of the context's {info.n_ctx:,} tokens are left for this turn"
        yield Notice("context-left", f"The conversation is long: {left}. {WAYS}")

    def _fits_alone(self, asked: "_Asked") -> bool:
        info = self._engine.info
        return info is not None and self._engine.count(self._segments(asked, ())) < info.n_ctx

    def _leave_out_oldest(self, asked: "_Asked", seen: Sequence[int]) -> Notice:
        """Leave out as many of the oldest exchanges as make room, one at least."""
        info = self._engine.info
        bound = (1 - ROOMY) * info.n_ctx if info else 0

        def fits(n_gone: int) -> bool:
            return self._engine.count(self._segments(asked, seen[n_gone:])) <= bound

        n_gone = 1 + bisect.bisect_left(range(1, len(seen)), True, key=fits)
        gone = seen[:n_gone]
        self._tree.leave_out(gone)
        questions = (" ".join(self._tree.exchanges[index].question.content.split()) for index in gone)
        listed = [text if len(text) <= SHOWN else text[: SHOWN - 1] + "…" for text in questions]
        what = "the oldest exchange is" if n_gone == 1 else f"the {n_gone} oldest exchanges are"
        return Notice("overflow", "\n".join([f"The context is full: {what} left out from now on.", *listed]))

    def _refuse_if_busy(self) -> None:
        if self._asking:
            raise UsageError("Another question is being answered.", hint="Take its events to their end first.")

    def _tell(self, event: Event) -> Event:
        for sink in self._sinks:
            sink.handle(event)
        return event


@dataclass(frozen=True, slots=True)
class _Asked:
    """A turn to be run: a question behind the exchange `parent`, or the exchange `resumed` to be gone on with.

    `raw` is the prompt of a turn that has no template.
    """

    question: Message
    parent: int | None
    think: bool
    seed: int
    resumed: int | None = None
    raw: tuple[Segment, ...] = ()


def _with_files(text: str, files: Sequence[File]) -> str:
    attached = [file if isinstance(file, tuple) else read_text(Path(file)) for file in files]
    return attach(attached, text) if attached else text


def _lookalike(text: str) -> Iterator[Notice]:
    if found := lookalikes(text):
        message = f"{found} in your text looks like a marker of R1's template. It is sent as the text it is."
        yield Notice("lookalike", message)
