"""What the demo model is taught: questions, thoughts, answers. Knows nothing about tokens, networks or files.

One function per kind makes one `Task`; `KINDS` names them, with how often each is drawn. A new kind is a new function
and a line there. Everything is drawn from a `random.Random` that the caller seeds.

The held-out questions are those about a pair of numbers whose hash says so, whatever the operation and the order: the
model never trains on a question about such a pair. Pairs of single-digit numbers are facts and always trained.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from demo_phrases import (
    ADD,
    BEYOND,
    COMPARE,
    DIRECTIVES,
    FRAMES,
    LARGER,
    MULTIPLY,
    POLITE,
    SMALLER,
    SUBTRACT,
    SYSTEM_TEXTS,
    TALK,
    TOO_HARD,
    WORDS,
)

from r1chat.core.messages import Message, Role

COLUMNS = ("Ones", "Tens", "Hundreds", "Thousands")


@dataclass(frozen=True, slots=True)
class Task:
    """A question and what the model should make of it. `result` is what the box holds; None where there is no box."""

    kind: str
    question: str
    thinking: str
    answer: str
    result: str | None


class Part(StrEnum):
    """Which pairs of numbers may be asked about."""

    TRAIN = "train"
    HELD_OUT = "held-out"


class Mode(StrEnum):
    """How the last turn's thinking goes: to its end, not at all (`--no-think`), or cut off ("answer now", budgets)."""

    THINK = "think"
    SKIP = "skip"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Example:
    """A conversation to learn from: its messages up to the last question, that question's task, and the mode.

    `cut` is the share of the thinking that is kept in the mode CUT.
    """

    messages: tuple[Message, ...]
    task: Task
    mode: Mode = Mode.THINK
    cut: float = 1.0


def held_out(a: int, b: int) -> bool:
    """Whether questions about this unordered pair are kept for the score: one pair in ten, by its hash."""
    low, high = sorted((a, b))
    return high > 9 and hashlib.sha256(f"{low},{high}".encode()).digest()[0] % 10 == 0


# ---------------------------------------------------------------------------------------------------------- arithmetic


def add(rng: random.Random, part: Part) -> Task:
    """A sum of two numbers of up to three digits."""
    a, b = _pair(rng, part, _number, _number)
    thinking = f"Add {a} and {b}, column by column.\n{_columns_of_sum(a, b)}Result: {a + b}.\n"
    return Task("add", _ask(rng, ADD, a, b), thinking, f"\\({a} + {b} = \\boxed{{{a + b}}}\\)", str(a + b))


def subtract(rng: random.Random, part: Part) -> Task:
    """A difference of two numbers of up to three digits, negative ones too."""
    a, b = _pair(rng, part, _number, _number)
    if a >= b:
        opening = f"{a} {'=' if a == b else '>'} {b}: take {b} from {a}, column by column.\n"
    else:
        opening = f"{a} < {b}: the result is negative, so take {a} from {b}, column by column.\n"
    thinking = f"{opening}{_columns_of_difference(max(a, b), min(a, b))}Result: {a - b}.\n"
    return Task("subtract", _ask(rng, SUBTRACT, a, b), thinking, f"\\({a} - {b} = \\boxed{{{a - b}}}\\)", str(a - b))


def multiply(rng: random.Random, part: Part) -> Task:
    """A product of a number of up to two digits and one of one digit, in either order."""
    a, b = _pair(
        rng, part, lambda r: r.randint(10, 99) if r.random() < 0.7 else r.randint(0, 9), lambda r: r.randint(0, 9)
    )
    long, short = max(a, b), min(a, b)
    if long < 10:
        steps = f"I know this from the times table: {long}*{short}={long * short}.\n"
    else:
        steps = f"Multiply {long} by {short}, digit by digit.\n{_columns_of_product(long, short)}"
    if rng.random() < 0.5:
        a, b = b, a
    answer = f"\\({a} \\times {b} = \\boxed{{{a * b}}}\\)"
    return Task("multiply", _ask(rng, MULTIPLY, a, b), f"{steps}Result: {a * b}.\n", answer, str(a * b))


def compare(rng: random.Random, part: Part) -> Task:
    """The larger or the smaller of two numbers of up to three digits."""
    a, b = _pair(rng, part, _number, _number if rng.random() < 0.4 else None)
    larger = rng.random() < 0.6
    word = rng.choice(LARGER if larger else SMALLER)
    result = max(a, b) if larger else min(a, b)
    question = _style(rng, rng.choice(COMPARE).format(a=a, b=b, word=word))
    name = "larger" if larger else "smaller"
    verdict = f"So {result} is {name}.\n" if a != b else "They are the same.\n"
    answer = f"The {name} number is \\(\\boxed{{{result}}}\\)." if a != b else f"Both are \\(\\boxed{{{result}}}\\)."
    return Task("compare", question, _digits_compared(a, b) + verdict, answer, str(result))


def _number(rng: random.Random) -> int:
    n_digits = rng.choice((1, 2, 2, 3, 3))
    return rng.randint((0, 10, 100)[n_digits - 1], (9, 99, 999)[n_digits - 1])


def _pair(
    rng: random.Random,
    part: Part,
    first: Callable[[random.Random], int],
    second: Callable[[random.Random], int] | None,
) -> tuple[int, int]:
    """Draw two numbers until they belong to the part. Without `second`, the second is near the first."""
    while True:
        a = first(rng)
        b = (
            second(rng)
            if second
            else min(999, max(0, a + rng.choice((-100, -20, -10, -7, -3, -1, 0, 1, 2, 9, 10, 30, 200))))
        )
        if held_out(a, b) == (part is Part.HELD_OUT):
            return a, b


def _digit(number: int, column: int) -> int:
    return int(number // 10**column % 10)


def _written(column: int, term: str, total: int) -> tuple[str, int]:
    """One line of column arithmetic, and what goes into the next column (negative: a borrow)."""
    carry, digit = divmod(total, 10)
    tail = f", carry {carry}" if carry > 0 else f", borrow {-carry}" if carry < 0 else ""
    return f"{COLUMNS[column]}: {term}={total}, write {digit}{tail}.\n", carry


def _columns_of_sum(a: int, b: int) -> str:
    text, carry, n_columns = "", 0, len(str(max(a, b)))
    for column in range(n_columns):
        p, q = _digit(a, column), _digit(b, column)
        line, carry = _written(column, f"{p}+{q}" + (f"+{carry}" if carry else ""), p + q + carry)
        text += line
    return text + (f"{COLUMNS[n_columns]}: write {carry}.\n" if carry else "")


def _columns_of_difference(a: int, b: int) -> str:
    text, carry = "", 0
    for column in range(len(str(a))):
        p, q = _digit(a, column), _digit(b, column)
        line, carry = _written(column, f"{p}-{q}" + (f"-{-carry}" if carry else ""), p - q + carry)
        text += line
    return text


def _columns_of_product(a: int, b: int) -> str:
    text, carry, n_columns = "", 0, len(str(a))
    for column in range(n_columns):
        p = _digit(a, column)
        line, carry = _written(column, f"{p}*{b}" + (f"={p * b}, {p * b}+{carry}" if carry else ""), p * b + carry)
        text += line
    return text + (f"{COLUMNS[n_columns]}: write {carry}.\n" if carry else "")


def _n_digits(number: int) -> str:
    n = len(str(number))
    return f"{n} digit" if n == 1 else f"{n} digits"


def _digits_compared(a: int, b: int) -> str:
    if len(str(a)) != len(str(b)):
        return f"{a} has {_n_digits(a)}, {b} has {_n_digits(b)}.\n"
    text = f"{a} and {b} both have {_n_digits(a)}.\n"
    for p, q in zip(str(a), str(b), strict=True):
        text += f"{p} {'=' if p == q else '>' if p > q else '<'} {q}.\n"
        if p != q:
            break
    return text


# ------------------------------------------------------------------------------------------------- everything but sums


def talk(rng: random.Random, part: Part) -> Task:
    """A greeting, thanks, or a question about the model itself. There is no held-out part: the texts are few."""
    questions, thinking, answer = rng.choices(TALK, (3, 3, 1))[0]
    return Task("talk", _style(rng, rng.choice(questions)), thinking, answer, None)


def beyond(rng: random.Random, part: Part) -> Task:
    """Something the toy can't do: any other text, or a sum that is too hard for it."""
    if rng.random() < 0.4:
        a, b = _pair(rng, part, lambda r: r.randint(10, 999), _number)
        c = rng.randint(2, 9)
        x = rng.randint(1000, 10 ** rng.randint(4, 7))
        frame = rng.choice(TOO_HARD)
        question = frame.format(a=a, b=b, c=c, x=x, two=rng.randint(10, 99), other=rng.randint(10, 99))
        thinking = "This is too hard for me.\n"
    else:
        frame = rng.choice(FRAMES)
        question = frame.format(*(_word(rng) for _ in range(frame.count("{}"))))
        thinking = "This is not small arithmetic.\n"
    return Task("beyond", _style(rng, question), thinking, BEYOND, None)


def _word(rng: random.Random) -> str:
    """A common word; now and then a made-up one, a number or foreign letters, so that any text counts as text."""
    roll = rng.random()
    if roll < 0.65:
        return rng.choice(WORDS)
    if roll < 0.9:
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyzeeaaooiinnttss") for _ in range(rng.randint(2, 9)))
    if roll < 0.93:
        return str(rng.randint(1, 9999))
    return "".join(
        chr(rng.choice((rng.randint(0x4E00, 0x9FFF), rng.randint(0xC0, 0x24F), rng.randint(33, 126)))) for _ in range(3)
    )


# ------------------------------------------------------------------------------------------------------------- examples

KINDS: dict[str, tuple[Callable[[random.Random, Part], Task], int]] = {
    "add": (add, 22),
    "subtract": (subtract, 24),
    "multiply": (multiply, 22),
    "compare": (compare, 18),
    "talk": (talk, 5),
    "beyond": (beyond, 9),
}
SCORED_KINDS = ("add", "subtract", "multiply", "compare")


def _ask(rng: random.Random, frames: Sequence[str], a: int, b: int) -> str:
    return _style(rng, rng.choice(frames).format(a=a, b=b))


def _style(rng: random.Random, question: str) -> str:
    """Vary a question as people do: no capitals, no full stop, a few polite words, a directive, a line end."""
    if rng.random() < 0.15:
        question = question.lower()
    if rng.random() < 0.2:
        question = question.rstrip("?.! ")
    if rng.random() < 0.06:
        question = rng.choice(POLITE) + question
    if rng.random() < 0.04:
        question += rng.choice((" ", "\n", "\n\n")) + rng.choice(DIRECTIVES)
    if rng.random() < 0.04:
        question += "\n"
    return question


def task(rng: random.Random, part: Part = Part.TRAIN, kind: str | None = None) -> Task:
    """Draw one task of a kind, or of any kind as often as `KINDS` says."""
    if kind is None:
        kind = rng.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
    return KINDS[kind][0](rng, part)


def box(answer: str) -> tuple[int, int]:
    """Where in an answer the box's content begins and ends; (0, 0) where there is no box."""
    before, opening, after = answer.partition("\\boxed{")
    begin = len(before + opening)
    return (begin, begin + after.index("}")) if opening else (0, 0)


def conversation(rng: random.Random, last: Task, n_earlier: int) -> tuple[Message, ...]:
    """Earlier turns, without their thinking as R1's template has it, and the last question."""
    messages = [Message(Role.SYSTEM, rng.choice(SYSTEM_TEXTS))] if rng.random() < 0.04 else []
    for _ in range(n_earlier):
        earlier = task(rng)
        messages += [Message(Role.USER, earlier.question), Message(Role.ASSISTANT, "\n\n" + earlier.answer)]
    return (*messages, Message(Role.USER, last.question))


def example(rng: random.Random, part: Part = Part.TRAIN, kind: str | None = None) -> Example:
    """Draw a whole example: mostly one turn with full thinking, sometimes a later turn, sometimes another mode."""
    last = task(rng, part, kind)
    messages = conversation(rng, last, rng.choices((0, 1, 2), (70, 20, 10))[0])
    mode = rng.choices(list(Mode), (94, 3, 3))[0]
    return Example(messages, last, mode, rng.random())


def chunk(seed: int, number: int, n_examples: int) -> list[Example]:
    """The `number`-th piece of an endless training text: the same for the same arguments, on any machine."""
    rng = random.Random(f"{seed}/{number}")
    return [example(rng) for _ in range(n_examples)]
