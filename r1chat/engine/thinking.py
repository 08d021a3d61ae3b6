"""Who leads a thinking: decides before every token whether something is put into it, and puts it into words.

Knows token ids, and neither the cache nor the sampler. What is put in counts as thinking, and the model goes on from it
as if it had written it: so everything is said in the first person, but for the user's hint, which is named as one.

The end comes softly: a sentence that says so, then the closing tag; with a budget, at the end of a sentence if one
comes shortly before. The bound holds all the same, because the closing sentence is counted before it is written. Where
there is little thinking so far, the tag alone has to do.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from r1chat.core.events import Notice
from r1chat.core.loops import LoopDetector
from r1chat.core.prompt import THINK_CLOSE, Segment, Special, Text, is_chinese
from r1chat.engine.base import AnswerNow, Spent, Steer, ThinkBudget

# In English and in Chinese: the sentence is chosen by what the thinking was written in last.
ENDING = ("I have thought about this for long enough, so I give my answer now.", "我想得够久了，现在给出我的答案。")
CIRCLE = ("I am going round in circles. Let me try something else.", "我在原地打转，换一种方法试试。")
HINT = ("Wait, the user gives me a hint: {}", "等等，用户给了我一个提示：{}")
# "Budget forcing": Muennighoff et al., s1: Simple test-time scaling (arXiv:2501.19393), section 3.1, put "Wait" in the
# place of the closing tag to make a model think on.
MORE = (
    ("Wait,", "Let me check this again.", "Is there another way?"),
    ("等等，", "让我再检查一遍。", "还有别的方法吗？"),
)

SHARE = 4  # a closing sentence is written where there are so many times its tokens of thinking
LANDING = 48  # tokens before the end of a budget in which the end of a sentence is waited for; an eighth of a small one
HASTE = 0.05  # the same as a share of a budget in seconds
MANNERS = 24  # tokens that a hint waits for the end of a sentence
QUIET = 16  # tokens behind a nudge in which the model may not try to end again
TAIL = 200  # characters of the thinking that are looked at
_SENTENCE_END = re.compile(r"(?:[^\W\d_][\"'’”)\]*]*[.!?…][\"'’”)\]*]*|[。！？]|\n)[ \t]*\Z")


class Phrases:
    """The ids of what is put in, made once each. `ids` turns segments into ids."""

    def __init__(self, ids: Callable[[Iterable[Segment]], list[int]]) -> None:
        self._ids = ids
        self._made: dict[str, list[int]] = {}

    def text(self, text: str) -> list[int]:
        """Give the ids of a text."""
        if text not in self._made:
            self._made[text] = self._ids([Text(text)])
        return self._made[text]

    def closing(self, *, new_line: bool = True) -> list[int]:
        """Give the ids that end the thinking as R1 does: a line of its own, and an empty line after it."""
        name = THINK_CLOSE + "\n" * new_line
        if name not in self._made:
            self._made[name] = self._ids([*([Text("\n")] if new_line else []), Special(THINK_CLOSE), Text("\n\n")])
        return self._made[name]


@dataclass(frozen=True, slots=True)
class Step:
    """The ids that come next, whether they are put in or drawn, and what the user is told before them."""

    ids: list[int]
    notice: Notice | None = None
    forced: bool = True


@dataclass(slots=True)
class Room:
    """How many tokens there may still be: `context` of its `n_ctx`, and `left` of the request's `limit`.

    `reserve` of them are kept for the answer; within the limit only if it is ours and not the user's.
    """

    n_ctx: int
    limit: int
    is_users_limit: bool
    reserve: int
    context: int = 0
    left: int = 0

    @property
    def least(self) -> int:
        """The smaller one."""
        return max(0, min(self.context, self.left))


class Guide:
    """Leads one thinking. `tail` is the text before its first token."""

    def __init__(self, phrases: Phrases, budget: ThinkBudget, spent: Spent, tail: str) -> None:
        self._phrases = phrases
        self._budget = budget
        self._spent = spent
        self._tail = tail
        self._begun = time.perf_counter()
        self._n_ending = max(len(phrases.text(f"\n\n{ending}")) for ending in ENDING)
        self._loops = LoopDetector()
        self._n_circles = 0
        self._circle = False  # one was completed by the last token
        self._now = False
        self._hints: deque[str] = deque()
        self._n_waited = 0  # tokens that a hint has waited
        self._n_nudges = 0
        self._since_nudge = 0  # tokens

    def hear(self, control: AnswerNow | Steer) -> None:
        """Take what the user wants; it is done before the next token."""
        if isinstance(control, Steer):
            self._hints.append(control.text)
        else:
            self._now = True

    def read(self, text: str) -> None:
        """Take the text of a piece of thinking."""
        self._tail = (self._tail + text)[-TAIL:]

    def drawn(self, piece: bytes) -> None:
        """Take a token that the model has drawn."""
        self._since_nudge += 1
        if self._loops.feed(piece):
            self._circle = True
            self._n_circles += 1

    def put_in(self, n_thought: int, room: Room) -> Step | None:
        """Say what to put in after so many tokens of thinking; None lets the model go on."""
        notice = self._must_end(n_thought, room)
        if notice or self._now:
            return self.end(n_thought, room, notice)
        if self._circle:
            self._circle = False
            if self._n_circles > 1:
                return self.end(n_thought, room, Notice("loop", "The thinking went in circles again: it was ended."))
            notice = Notice("loop", "The thinking went in circles: a nudge to try something else was put in.")
            return Step(self._paragraph(CIRCLE, room), notice)
        if self._hints and self._is_polite():
            hint = self._hints.popleft().strip().replace(THINK_CLOSE, "</ think>")  # the text must not end the thinking
            return Step(self._paragraph(tuple(form.format(hint) + "\n\n" for form in HINT), room))
        return None

    def _is_polite(self) -> bool:
        """Whether a hint may be put in: at the end of a sentence, or where one has been waited for long enough."""
        self._n_waited += 1
        if self._n_waited <= MANNERS and self._tail.strip() and not self._ends_a_sentence:
            return False
        self._n_waited = 0
        return True

    def end(self, n_thought: int, room: Room, notice: Notice | None) -> Step:
        """End the thinking, with a sentence where there is enough of it and room."""
        left = room.left if room.is_users_limit else room.left - room.reserve
        fits = min(room.context - room.reserve, left) >= self._n_ending + len(self._phrases.closing())
        if self._has_a_sentence(n_thought) and fits:
            sentence = self._phrases.text(self._gap() + ENDING[self._language])
            ids = [*sentence, *self._phrases.closing()]
        else:
            empty = not self._tail.strip()  # R1's empty thinking is "<think>\n\n</think>\n\n"
            ids = self._phrases.closing(new_line=empty or not self._tail.endswith("\n"))
        self._now = False
        return Step(ids[: room.least], notice)

    def wants_more(self, n_thought: int) -> bool:
        """Whether the model, which wants to end its thinking now, is to think on."""
        return n_thought < self._budget.least

    def nudge(self, room: Room) -> Step | None:
        """Make the model think on; None if it was told so a moment ago: it then has to draw something else."""
        if self._n_nudges and self._since_nudge < QUIET:
            return None
        phrases = MORE[self._language]
        phrase = phrases[self._n_nudges % len(phrases)]
        self._n_nudges += 1
        self._since_nudge = 0
        return Step(self._fit(self._phrases.text(self._gap() + phrase), room))

    def _must_end(self, n_thought: int, room: Room) -> Notice | None:
        """Say why the thinking has to end now, if it has to."""
        budget = self._budget
        n_ending = self._n_ending if self._has_a_sentence(n_thought) else 0
        if budget.n_tokens is not None:
            left = budget.n_tokens - n_thought - n_ending
            if left <= 0 or (n_ending and left <= min(LANDING, budget.n_tokens // 8) and self._ends_a_sentence):
                return Notice("think-budget", f"The thinking was ended at its budget of {budget.n_tokens:,} tokens.")
        if budget.seconds is not None:
            seconds = budget.seconds - self._spent.seconds - (time.perf_counter() - self._begun)
            if seconds <= 0 or (seconds <= HASTE * budget.seconds and self._ends_a_sentence):
                return Notice("think-budget", f"The thinking was ended at its budget of {budget.seconds:g} s.")
        needed = room.reserve + n_ending + len(self._phrases.closing())
        if room.context <= needed:
            text = f"The context of {room.n_ctx:,} tokens is nearly full: the thinking was ended early so that"
            n_left = max(room.context - needed + room.reserve, 0)
            return Notice("context-reserve", f"{text} {n_left:,} tokens remain for the answer.")
        if not room.is_users_limit and room.left <= needed:
            text = f"The limit of {room.limit:,} tokens is near: the thinking was ended early so that"
            return Notice("limit-reserve", f"{text} {room.reserve:,} tokens remain for the answer.")
        return None

    def _has_a_sentence(self, n_thought: int) -> bool:
        """Whether a thinking of so many tokens is closed by a sentence: if there is enough of it, within its budget."""
        bound = self._budget.n_tokens
        return n_thought >= SHARE * self._n_ending and (bound is None or n_thought + self._n_ending <= bound)

    @property
    def _ends_a_sentence(self) -> bool:
        return _SENTENCE_END.search(self._tail) is not None

    def _paragraph(self, phrases: tuple[str, ...], room: Room) -> list[int]:
        return self._fit(self._phrases.text(self._gap() + phrases[self._language]), room)

    def _fit(self, ids: list[int], room: Room) -> list[int]:
        """Cut what would take the answer's room."""
        return ids[: max(0, room.least - room.reserve - self._n_ending - len(self._phrases.closing()))]

    def _gap(self) -> str:
        """What is missing for a new paragraph."""
        n_line_ends = len(self._tail) - len(self._tail.rstrip("\n"))
        return "" if not self._tail.strip() else "\n" * max(0, 2 - n_line_ends)

    @property
    def _language(self) -> int:
        """The index of what the thinking was written in last: English 0, Chinese 1."""
        return int(is_chinese(self._tail))
