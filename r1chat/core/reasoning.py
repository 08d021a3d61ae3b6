"""Splits what the model writes into thinking and answer as it comes. Knows no tokens and no template but the two tags.

Strategy. The text has at most one thinking, at its start; whatever looks like a tag later is text. So there are four
states, passed in this order and never backwards:

    START      no template opened the thinking. Blanks are held back: behind them either the opening tag comes, and they
               are Reasoning, or anything else, and all of the text is Answer.
    REOPENING  the template opened the thinking. Blanks are Reasoning and go out at once; the first thing behind them
               may be the opening tag once more (models do that), which is swallowed.
    THINKING   all is Reasoning up to the closing tag, which is swallowed.
    ANSWER     all is Answer.

Held back is, apart from START's blanks, only what may be the beginning of a tag that counts here. So the events come as
early as they can, and the cost of a call depends on the text it gets, not on the text so far.
"""

from enum import Enum, auto

from r1chat.core.events import Answer, Reasoning, TextEvent


class _State(Enum):
    START = auto()
    REOPENING = auto()
    THINKING = auto()
    ANSWER = auto()


class ReasoningSplitter:
    """Turns text into Reasoning and Answer events. Their texts and the swallowed tags together are the text.

    `starts_inside` says that the prompt ends within the thinking. Text that the engine forces is fed like the model's.
    The events carry no count of tokens and no sample: who counts them adds that. Raises ValueError for a tag that is
    empty or begins with a blank.
    """

    def __init__(self, starts_inside: bool, open_tag: str = "<think>", close_tag: str = "</think>") -> None:
        if not open_tag.strip() or not close_tag or open_tag != open_tag.lstrip():
            raise ValueError("a tag must not be empty, nor begin with a blank")
        self._open_tag = open_tag
        self._close_tag = close_tag
        self._state = _State.REOPENING if starts_inside else _State.START
        self._blanks: list[str] = []  # START's; a list, so that a model that writes nothing else costs no more per call
        self._held = ""  # the beginning of a tag, perhaps
        self._opened = starts_inside

    @property
    def inside(self) -> bool:
        """Whether what comes next is thinking, as far as is known: False while a first tag may still come."""
        return self._state in (_State.REOPENING, _State.THINKING)

    @property
    def opened(self) -> bool:
        """Whether there is a thinking at all, open or closed, by the template or by the model."""
        return self._opened

    def feed(self, text: str) -> list[TextEvent]:
        """Take the next piece of text, of any length. Return what is decided by now."""
        reasoning: list[str] = []
        text = self._held + text
        self._held = ""
        if self._state is _State.START:
            text = self._start(text, reasoning)
        elif self._state is _State.REOPENING:
            text = self._reopening(text, reasoning)
        if self._state is _State.THINKING:
            text = self._thinking(text, reasoning)
        return _events("".join(reasoning), text)

    def finish(self) -> list[TextEvent]:
        """End the text. Return what was held back: half a tag is text, and blanks alone are an answer."""
        rest = "".join(self._blanks) + self._held
        self._blanks.clear()
        self._held = ""
        return _events(rest, "") if self.inside else _events("", rest)

    # Each state's method appends to `reasoning` and returns the rest of the text, for the next state or as the answer.

    def _start(self, text: str, reasoning: list[str]) -> str:
        rest = text.lstrip()
        self._blanks.append(text[: len(text) - len(rest)])
        if self._open_tag.startswith(rest) and rest != self._open_tag:
            self._held = rest
            return ""
        blanks = "".join(self._blanks)
        self._blanks.clear()
        if not rest.startswith(self._open_tag):
            self._state = _State.ANSWER
            return blanks + rest
        reasoning.append(blanks)
        self._opened = True
        self._state = _State.THINKING
        return rest.removeprefix(self._open_tag)

    def _reopening(self, text: str, reasoning: list[str]) -> str:
        rest = text.lstrip()
        reasoning.append(text[: len(text) - len(rest)])
        if self._open_tag.startswith(rest) and rest != self._open_tag:
            self._held = rest
            return ""
        self._state = _State.THINKING
        return rest.removeprefix(self._open_tag)

    def _thinking(self, text: str, reasoning: list[str]) -> str:
        before, tag, after = text.partition(self._close_tag)
        if tag:
            reasoning.append(before)
            self._state = _State.ANSWER
            return after
        n_held = _overlap(text, self._close_tag)
        reasoning.append(text[: len(text) - n_held])
        self._held = text[len(text) - n_held :]
        return ""


def _overlap(text: str, tag: str) -> int:
    """Return the length of the longest end of the text that is a beginning of the tag, but not all of it."""
    longest = min(len(text), len(tag) - 1)
    return next((length for length in range(longest, 0, -1) if text.endswith(tag[:length])), 0)


def _events(reasoning: str, answer: str) -> list[TextEvent]:
    events: list[TextEvent] = []
    if reasoning:
        events.append(Reasoning(reasoning))
    if answer:
        events.append(Answer(answer))
    return events
