"""One loaded model with one KV cache: brings the cache to the prompt, and answers from there.

Runs inside the engine's child process. Knows nothing about processes, files or screens. `answer` is a generator, so
that whoever iterates it decides where the events go; what happens from the first token on is in `generation`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from r1chat.core.events import Event, Failure, Finished, Progress, Reason, Usage
from r1chat.core.prompt import CORE_MARKERS, Segment, Special, Text
from r1chat.engine.base import Request
from r1chat.engine.generation import Clock, Generation, Inbox, Machine
from r1chat.engine.llama import PENALTY_WINDOW, Context, Model, Sampler
from r1chat.engine.thinking import Phrases
from r1chat.errors import EngineError, ExitCode

LONG_TEXT = 1 << 16  # characters; above it, whether a prompt can fit at all is asked before it is tokenised


class Session:
    """One loaded model with one KV cache."""

    def __init__(self, model: Model, context: Context, *, n_ctx: int, reserve: int, n_batch: int) -> None:
        self._model = model
        self._context = context
        self._phrases = Phrases(self.ids)
        self.machine = Machine(model, context, self._phrases, n_ctx, reserve, n_batch)

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

    def warm(self, segments: Sequence[Segment]) -> bool:
        """Compute a prompt into the cache. False when the abort flag was set before it was done."""
        if self._fewest_tokens(segments) >= self.machine.n_ctx:
            return True
        ids = self.ids(segments)
        if len(ids) >= self.machine.n_ctx:
            return True
        for _ in self._prefill(ids):
            pass
        return len(self._context.tokens) >= len(ids)

    def answer(self, request: Request, inbox: Inbox) -> Iterator[Event]:
        """Answer a request. Ends in one Finished, whatever happens short of the process's death.

        Raises EngineError when the library fails; the caller turns it into Finished(error).
        """
        clock = Clock()
        room = self._room(request)
        if (least := self._fewest_tokens(request.segments)) > room:
            yield Finished(
                Reason.ERROR, Usage(prompt_tokens=least), clock.timings(0), self._too_long(least, room, "at least ")
            )
            return
        ids = self.ids(request.segments) if request.spent is None else self.ids_as_drawn(request.segments)
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
            yield from Generation(self.machine, request, inbox, sampler, clock, usage).run()
        finally:
            sampler.close()

    def ids_as_drawn(self, segments: Sequence[Segment]) -> list[int]:
        """Turn segments into ids, keeping those in the cache as far as it spells them.

        For a turn that is gone on with: a model may draw a text in other tokens than the tokenizer makes of it, and
        another cut would be another turn. If the cache holds something else, these are the ids that `ids` gives.
        """
        cached, vocabulary = self._context.tokens, self._model.vocabulary
        n = 0  # cached ids that are spelled by the segments so far
        for index, segment in enumerate(segments):
            id = vocabulary.special(segment.name) if isinstance(segment, Special) else None
            if id is not None and cached[n : n + 1] == [id]:
                n += 1
                continue
            data = (segment.text if isinstance(segment, Text) else segment.name).encode("utf-8", "replace")
            at = 0
            while id is None and n < len(cached) and data.startswith(piece := vocabulary.piece(cached[n]), at):
                at += len(piece)
                n += 1
                if at == len(data):
                    break
            if at < len(data):
                if n < len(cached) or not _begins_whole(data[at:]):
                    return self.ids(segments)
                rest = [segment] if id is not None else [Text(data[at:].decode())]
                return [*cached, *self.ids([*rest, *segments[index + 1 :]])]
        return cached[:n]

    def _room(self, request: Request) -> int:
        """How many tokens a prompt may have: there must be room for the closing tag and a token of the answer."""
        n_ctx = self.machine.n_ctx
        least = n_ctx - (len(self._phrases.closing()) if request.starts_inside else 0) - 1
        return min(least, int(n_ctx * (1 - request.free)))

    def _fewest_tokens(self, segments: Iterable[Segment]) -> int:
        """A lower bound that costs nothing, so that a text of many megabytes is refused before it is tokenised."""
        n_bytes = sum(len(segment.text) for segment in segments if isinstance(segment, Text))
        return n_bytes // self._model.vocabulary.longest() if n_bytes > LONG_TEXT else 0

    def _too_long(self, n_tokens: int, room: int, bound: str = "") -> Failure:
        n_ctx = self.machine.n_ctx
        return Failure(
            ExitCode.NO_ANSWER,
            f"The prompt has {bound}{n_tokens:,} tokens, but the context of {n_ctx:,} has room for {room:,}.",
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
            if not context.decode(ids[len(context.tokens) : len(context.tokens) + self.machine.n_batch]):
                return


def _begins_whole(data: bytes) -> bool:
    """Whether UTF-8 does not begin in the middle of a character."""
    return data[0] & 0b1100_0000 != 0b1000_0000
