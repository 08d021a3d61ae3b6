"""What the demo model is taught: questions, thoughts, answers. Knows nothing about tokens, networks or files.

One function per kind makes one `Task`; `KINDS` names them, with how often each is drawn. A new kind is a new function
and a line there. Everything is drawn from a `random.Random` that the caller seeds.

The held-out questions are those about a pair of numbers whose hash says so, whatever the operation and the order, and
about the letters of a word whose hash says so: the model never trains on a question about such a pair or word, in any
wording or turn. Pairs of single-digit numbers are facts and always trained. Talk is held out by its wording: the
prompts of `demo_talk.HELD_OUT` are not among the trained ones.
"""

import hashlib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import demo_phrases as phrases
import demo_talk as talks
import demo_words as words

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
    question = _sum_question(rng, phrases.ADD_EXPRESSIONS, phrases.ADD_NOUNS, phrases.ADD_SENTENCES, a, b)
    thinking = f"Add {a} and {b}, column by column.\n{_columns_of_sum(a, b)}Result: {a + b}.\n"
    return Task("add", question, thinking, f"\\({a} + {b} = \\boxed{{{a + b}}}\\)", str(a + b))


def subtract(rng: random.Random, part: Part) -> Task:
    """A difference of two numbers of up to three digits, negative ones too."""
    a, b = _pair(rng, part, _number, _number)
    question = _sum_question(
        rng, phrases.SUBTRACT_EXPRESSIONS, phrases.SUBTRACT_NOUNS, phrases.SUBTRACT_SENTENCES, a, b
    )
    if a >= b:
        opening = f"{a} {'=' if a == b else '>'} {b}: take {b} from {a}, column by column.\n"
    else:
        opening = f"{a} < {b}: the result is negative, so take {a} from {b}, column by column.\n"
    thinking = f"{opening}{_columns_of_difference(max(a, b), min(a, b))}Result: {a - b}.\n"
    return Task("subtract", question, thinking, f"\\({a} - {b} = \\boxed{{{a - b}}}\\)", str(a - b))


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
    question = _sum_question(
        rng, phrases.MULTIPLY_EXPRESSIONS, phrases.MULTIPLY_NOUNS, phrases.MULTIPLY_SENTENCES, a, b
    )
    answer = f"\\({a} \\times {b} = \\boxed{{{a * b}}}\\)"
    return Task("multiply", question, f"{steps}Result: {a * b}.\n", answer, str(a * b))


def compare(rng: random.Random, part: Part) -> Task:
    """Two numbers of up to three digits: the larger or the smaller one, or whether one of them is."""
    a, b = _pair(rng, part, _number, _number if rng.random() < 0.4 else None)
    larger = rng.random() < 0.6
    roll = rng.random()
    if roll < 0.3:
        return _compare_yes_no(rng, a, b, larger)
    if roll < 0.75:
        frame, names = rng.choice(phrases.COMPARE), phrases.LARGER if larger else phrases.SMALLER
    elif roll < 0.85:
        frame, names = rng.choice(phrases.COMPARE_MOST), phrases.LARGEST if larger else phrases.SMALLEST
    elif roll < 0.95:
        frame, names = rng.choice(phrases.COMPARE_NOUNS), phrases.LARGER_NOUNS if larger else phrases.SMALLER_NOUNS
    else:
        frame, names, larger = rng.choice(phrases.COMPARE_PLAIN), ("",), True
    question = _style(rng, frame.format(a=a, b=b, word=rng.choice(names)))
    result = max(a, b) if larger else min(a, b)
    name = "larger" if larger else "smaller"
    verdict = f"So {result} is {name}.\n" if a != b else "They are the same.\n"
    answer = f"The {name} number is \\(\\boxed{{{result}}}\\)." if a != b else f"Both are \\(\\boxed{{{result}}}\\)."
    return Task("compare", question, _digits_compared(a, b) + verdict, answer, str(result))


def _compare_yes_no(rng: random.Random, a: int, b: int, larger: bool) -> Task:
    """Whether a number is larger or smaller than another."""
    if rng.random() < 0.7:
        word = rng.choice(phrases.LARGER if larger else phrases.SMALLER)
        question = rng.choice(phrases.COMPARE_YES_NO).format(a=a, b=b, word=word)
    else:
        question = rng.choice(phrases.COMPARE_SIGNS).format(a=a, b=b, sign=">" if larger else "<")
    name = "the same as" if a == b else "larger than" if a > b else "smaller than"
    result = "Yes" if (a > b if larger else a < b) else "No"
    thinking = f"{_digits_compared(a, b)}So {a} is {name} {b}.\n"
    answer = f"\\(\\boxed{{\\text{{{result}}}}}\\): {a} is {name} {b}."
    return Task("compare", _style(rng, question), thinking, answer, result)


def count(rng: random.Random, part: Part, draw: Callable[[random.Random], str] | None = None) -> Task:
    """How often a letter stands in a word. Words are common ones or made up; one in five lacks the letter."""
    while True:
        shown = (draw or _any_word)(rng)
        word = shown.lower()
        if 2 <= len(word) <= 14 and words.held_out(word) == (part is Part.HELD_OUT):
            break
    letter = rng.choice(word) if rng.random() < 0.8 else rng.choice("abcdefghijklmnopqrstuvwxyz")
    n, steps = 0, []
    for each in word:
        n += each == letter
        steps.append(f"{each} {n}")
    thinking = f"Spell {word} and count each {letter}: {', '.join(steps)}.\nResult: {n}.\n"
    answer = f"The letter {letter} is in {word} \\(\\boxed{{{n}}}\\) {'time' if n == 1 else 'times'}."
    return Task("count", _count_question(rng, letter, shown), thinking, answer, str(n))


def _any_word(rng: random.Random) -> str:
    return rng.choice(_KNOWN_WORDS) if rng.random() < 0.4 else words.made_up(rng)


def _piece(rng: random.Random, pieces: Sequence[str]) -> str:
    """A word with one of these pieces in it: alone, lengthened, or two of them."""
    piece, roll = rng.choice(pieces), rng.random()
    if rng.random() < 0.2:
        piece = piece.capitalize()
    return piece if roll < 0.45 else piece + rng.choice(words.ENDINGS) if roll < 0.75 else piece + rng.choice(pieces)


def _own_words() -> list[str]:
    """Every word of the training text's own wordings."""
    texts = [text for value in vars(phrases).values() if isinstance(value, tuple) for text in value]
    for topic in talks.TOPICS:
        texts += [*topic.prompts, *topic.thoughts, *topic.answers]
    texts += [*talks.BEYOND_FRAMES, *talks.BEYOND_THOUGHTS, *talks.BEYOND_ANSWERS, *talks.TOO_HARD, *words.PROPER_NAMES]
    texts += [*talks.TOO_HARD_THOUGHTS, *talks.TOO_HARD_ANSWERS, *words.SMALL_WORDS, *COLUMNS, "borrow carry write"]
    found = re.findall(r"[a-z]{2,}", " ".join(map(str, texts)).lower())
    return sorted(set(found))


_OWN_WORDS = _own_words()
_KNOWN_WORDS = sorted({*words.WORDS, *_OWN_WORDS})


def _count_question(rng: random.Random, letter: str, word: str) -> str:
    roll = rng.random()
    shown = word.capitalize() if roll < 0.12 else word.upper() if roll < 0.2 else word
    if rng.random() < 0.2:
        letter = letter.upper()
    if rng.random() < 0.15:
        opening, closing = rng.choice(phrases.QUOTES)
        shown = f"{opening}{shown}{closing}"
        if rng.random() < 0.5:
            letter = f"{opening}{letter}{closing}"
    return _style(rng, rng.choice(phrases.COUNT).format(l=letter, w=shown), lower=False)


def _sum_question(
    rng: random.Random, expressions: Sequence[str], nouns: Sequence[str], sentences: Sequence[str], a: int, b: int
) -> str:
    """An expression in a frame, mostly; bare expressions more often than any other, because people type these most."""
    roll = rng.random()
    if roll < 0.3:
        question = rng.choice(expressions)
    elif roll < 0.65:
        question = rng.choice(phrases.EXPRESSION_FRAMES).format(e=rng.choice(expressions))
    elif roll < 0.8:
        question = rng.choice(phrases.NOUN_FRAMES).format(e=rng.choice(nouns))
    else:
        question = rng.choice(sentences)
    return _style(rng, question.format(a=a, b=b))


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
    """A greeting, thanks, or a question about the model itself. What is held out of these is `demo_talk.HELD_OUT`."""
    topic = rng.choices(talks.TOPICS, (3, 4, 3, 2))[0]
    return Task(
        "talk", _style(rng, rng.choice(topic.prompts)), rng.choice(topic.thoughts), rng.choice(topic.answers), None
    )


def beyond(rng: random.Random, part: Part) -> Task:
    """Something the toy can't do: any other text, or a sum that is too hard for it."""
    while True:
        if rng.random() < 0.3:
            question, thoughts, answers = _too_hard(rng), talks.TOO_HARD_THOUGHTS, talks.TOO_HARD_ANSWERS
        else:
            question, thoughts, answers = _filled(rng), talks.BEYOND_THOUGHTS, talks.BEYOND_ANSWERS
        question = _style(rng, question)
        if bare(question) not in _HELD_OUT_TALK:
            return Task("beyond", question, rng.choice(thoughts), rng.choice(answers), None)


def in_character(prompt: str, answer: str) -> bool:
    """Whether an answer to a held-out prompt is one that was taught for a topic that fits it, to the letter."""
    topics = next(topics for known, topics in talks.HELD_OUT if known == prompt)
    return any(answer in _ANSWERS[topic] for topic in topics)


def bare(text: str) -> str:
    """A text without what `_style` may change."""
    return re.sub(r"[\W_]+", " ", text).strip().lower()


_ANSWERS = {topic.name: topic.answers for topic in talks.TOPICS} | {
    "beyond": talks.BEYOND_ANSWERS + talks.TOO_HARD_ANSWERS
}
_HELD_OUT_TALK = {bare(prompt) for prompt, _ in talks.HELD_OUT}


def _too_hard(rng: random.Random) -> str:
    a, b = _pair(rng, Part.TRAIN, lambda r: r.randint(10, 999), _number)
    return rng.choice(talks.TOO_HARD).format(
        a=a,
        b=b,
        c=rng.randint(2, 9),
        x=rng.randint(1000, 10 ** rng.randint(4, 7)),
        y=rng.randint(1000, 10 ** rng.randint(4, 7)),
        two=rng.randint(10, 99),
        other=rng.randint(10, 99),
        hundred=rng.randint(100, 999),
    )


def _filled(rng: random.Random) -> str:
    """A frame filled with words; {w}, {s}, {n} and {d} stand for kinds of them (see demo_talk)."""
    fill = {
        "{w}": _word,
        "{s}": lambda r: r.choice(words.SMALL_WORDS),
        "{n}": lambda r: r.choice(words.PROPER_NAMES),
        "{d}": lambda r: str(r.choice((r.randint(2, 12), r.randint(1, 9999)))),
    }
    return re.sub(r"\{[wsnd]\}", lambda match: fill[match[0]](rng), rng.choice(talks.BEYOND_FRAMES))


def _word(rng: random.Random) -> str:
    """A common word; now and then a small one, a made-up one or foreign letters, so that any text counts as text."""
    roll = rng.random()
    if roll < 0.62:
        word = rng.choice(words.WORDS)
        return word + rng.choice(("s", "ing", "ed", "er", "ly")) if rng.random() < 0.15 else word
    if roll < 0.76:
        return rng.choice(words.SMALL_WORDS)
    if roll < 0.96:
        return words.made_up(rng)
    return "".join(
        chr(rng.choice((rng.randint(0x4E00, 0x9FFF), rng.randint(0xC0, 0x24F), rng.randint(33, 126)))) for _ in range(3)
    )


# ------------------------------------------------------------------------------------------------------------- examples

KINDS: dict[str, tuple[Callable[[random.Random, Part], Task], int]] = {
    "add": (add, 18),
    "subtract": (subtract, 21),
    "multiply": (multiply, 17),
    "compare": (compare, 14),
    "count": (count, 16),
    "talk": (talk, 5),
    "beyond": (beyond, 9),
}
SCORED_KINDS = ("add", "subtract", "multiply", "compare", "count")


def _style(rng: random.Random, question: str, *, lower: bool = True) -> str:
    """Vary a question as people do: no capitals, no full stop, a few polite words, a directive, a line end."""
    if rng.random() < 0.2:
        question = question.lower() if lower else question[:1].lower() + question[1:]
    if rng.random() < 0.25:
        question = question.rstrip("?.! ") or question
    if rng.random() < 0.03:
        question = question.rstrip("?.! ") + rng.choice((" ?", "??", "!", " .", "..."))
    if rng.random() < 0.06:
        question = rng.choice(phrases.POLITE) + question
    if rng.random() < 0.03:
        question += rng.choice(phrases.AFTERWORDS)
    if rng.random() < 0.04:
        question += rng.choice((" ", "\n", "\n\n")) + rng.choice(phrases.DIRECTIVES)
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
    messages = [Message(Role.SYSTEM, rng.choice(phrases.SYSTEM_TEXTS))] if rng.random() < 0.04 else []
    for _ in range(n_earlier):
        earlier = task(rng)
        messages += [Message(Role.USER, earlier.question), Message(Role.ASSISTANT, "\n\n" + earlier.answer)]
    return (*messages, Message(Role.USER, last.question))


def example(rng: random.Random, pieces: Sequence[str] = ()) -> Example:
    """Draw a whole example: mostly one turn with full thinking, sometimes a later turn, sometimes another mode.

    With `pieces`, half of the tasks are to count letters in words that are made of these.
    """
    of_pieces = bool(pieces) and rng.random() < 0.5
    last = count(rng, Part.TRAIN, lambda rng: _piece(rng, pieces)) if of_pieces else task(rng)
    messages = conversation(rng, last, rng.choices((0, 1, 2), (70, 20, 10))[0])
    mode = rng.choices(list(Mode), (94, 3, 3))[0]
    return Example(messages, last, mode, rng.random())


def chunk(seed: int, number: int, n_examples: int, pieces: Sequence[str] = ()) -> list[Example]:
    """The `number`-th piece of an endless training text: the same for the same arguments, on any machine."""
    rng = random.Random(f"{seed}/{number}")
    return [example(rng, pieces) for _ in range(n_examples)]
