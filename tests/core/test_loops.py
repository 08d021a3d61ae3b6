"""The loop detector: circles of every period and noise are found in time, and no normal text is taken for one."""

import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import pytest

from r1chat.core.loops import LEAST, WINDOW, LoopDetector

_COMMON = """
    the of and a to in is that it was for on are as with they be at one have this from or had by hot but some what there
    we can out other were all your when up use word how said an each she which do their time if will way about many then
    them would write like so these her long make thing see him two has look more day could go come did my sound no most
    number who over know water than call first people may down side been now find any new work part take get place made
    live where after back little only round man year came show every good me give our under name very through just form
"""
WORDS = _COMMON.split()


def tokens(text: str) -> list[bytes]:
    """Cut a text about as a tokenizer does: words with the blank before them, single digits, runs of one sign."""
    pieces = re.finditer(r"[\u4e00-\u9fff]{1,2}| ?[A-Za-z]+|\d|\n+| +| ?([^\w\s]|_)\1{0,15}|.", text)
    return [piece.group().encode() for piece in pieces]


def sentence(rng: random.Random, n_words: int) -> str:
    """Make up a sentence."""
    return " ".join(rng.choice(WORDS) for _ in range(n_words)).capitalize() + ". "


def prose(rng: random.Random, n_words: int) -> str:
    """Make up a text."""
    text = ""
    while len(text.split()) < n_words:
        text += sentence(rng, rng.randint(4, 20))
    return text


def first_circle(text: Iterable[bytes], detector: LoopDetector | None = None) -> int | None:
    """How many tokens were taken when the detector complained; None if it never did."""
    detector = detector or LoopDetector()
    return next((n for n, token in enumerate(text, start=1) if detector.feed(token)), None)


# --- Circles ----------------------------------------------------------------------------------------------------------


def circle(rng: random.Random, period: Sequence[bytes], noise: float) -> Iterator[bytes]:
    """Repeat a period for ever; with noise, tokens are replaced, left out or put in, as often in each repetition."""
    while True:
        out = list(period)
        for _ in range(int(noise * len(period))):
            at = rng.randrange(len(out))
            match rng.randrange(3):
                case 0:
                    out[at] = rng.choice(WORDS).encode()
                case 1:
                    del out[at]
                case _:
                    out.insert(at, rng.choice(WORDS).encode())
        yield from out


CIRCLES = [
    (period, noise) for period in (1, 3, 8, 20, 32, 50, 90, 150, 260, 400) for noise in (0, 0, 0.01, 0.01, 0.015)
]


@pytest.mark.parametrize(("number", "period", "noise"), [(n, *circle) for n, circle in enumerate(CIRCLES)])
def test_a_circle_is_found_within_three_periods(number: int, period: int, noise: float) -> None:
    """After some thinking the text begins to repeat itself; three periods later that is known (or LEAST tokens)."""
    rng = random.Random(number)
    before = tokens(prose(rng, rng.randint(0, 400)))
    repeated = tokens(prose(rng, 2 * period))[:period]
    turns = max(3 * period, period + LEAST)
    found = first_circle([*before, *itertools.islice(circle(rng, repeated, noise), turns)])
    assert found is not None
    assert found > len(before) + period  # and not before anything was repeated


@pytest.mark.parametrize(
    "phrase",
    [
        "Wait, no, that's not right. Let me check again. If x = 3, then x + 2 = 5, so the answer is 5. Hmm, but the "
        "problem says x is even. ",
        "等等，我再想一想。如果小明有三个苹果，那么他还剩下两个。可是题目说他有四个苹果。所以我需要重新计算一下，看看结果对不对。",
        "So, r, a, s, p. That's it. But wait, maybe I'm missing an r somewhere? Let me count: s-t-r-a-w-b-e-r-r-y. ",
        "\\[ x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a} \\] Substituting, \\( a = 1, b = 2 \\), hence this again. ",
    ],
)
def test_the_circles_of_thinking_are_found(phrase: str) -> None:
    """What R1 says when it can't let go."""
    once = len(tokens(phrase))
    found = first_circle(tokens("Okay, so I need to find the value. " + phrase * 3))
    assert found is not None
    assert found > 2 * once


def test_a_counter_does_not_hide_a_circle() -> None:
    """A long passage that is said again and again with another number in it is a circle."""
    rng = random.Random(1)
    passage = prose(rng, 60)
    assert first_circle(tokens("".join(f"Attempt {n}. {passage}" for n in range(1, 4)))) is not None


def test_a_circle_with_repetitions_in_it_is_found() -> None:
    """What is said three times over, with a word before it, again and again, has two periods; the longer one counts."""
    period = [b"Hmm", *tokens(sentence(random.Random(5), 14)) * 3]
    assert first_circle(period * 4) is not None


def test_a_circle_that_goes_on_is_found_again() -> None:
    """Who complained once complains again, sooner, if nothing changes; but not at every token."""
    detector = LoopDetector()
    period = tokens(prose(random.Random(3), 60))[:50]
    complaints = [n for n in range(500) if detector.feed(period[n % 50])]
    assert 100 < complaints[0] <= 150
    assert all(50 < later - earlier <= 100 for earlier, later in itertools.pairwise(complaints))


def test_a_patient_detector_wants_a_longer_circle() -> None:
    """`least` is what an answer gets, in which the user may have asked for repetitions."""
    line = tokens("I will not talk in class. ") * 100
    eager, patient = first_circle(line), first_circle(line, LoopDetector(256))
    assert eager is not None
    assert patient is not None
    assert eager < 80
    assert 256 < patient < 280


# --- Normal texts -----------------------------------------------------------------------------------------------------


def markdown_table(rng: random.Random) -> str:
    """A table of words and figures, some of whose cells are equal or empty."""
    columns = rng.randint(2, 6)
    rows = ["| " + " | ".join(rng.choice(WORDS) for _ in range(columns)) + " |", "|" + "---|" * columns]
    for row in range(rng.randint(4, 30)):
        cells = [str(row), *(rng.choice(["yes", "no", "", str(rng.randint(0, 99))]) for _ in range(columns - 1))]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def times_table(rng: random.Random) -> str:
    """A multiplication table."""
    n = rng.randint(2, 99)
    return "\n".join(f"{n} × {k} = {n * k}" for k in range(1, 25))


def trial_division(rng: random.Random) -> str:
    """How R1 looks for a divisor."""
    n = rng.randint(200, 2000)
    return " ".join(f"Is {n} divisible by {k}? {k} times {n // k} is {k * (n // k)}, so no." for k in range(2, 40))


def spelling(rng: random.Random) -> str:
    """How R1 counts letters."""
    word = "".join(rng.choice("abcdefghilmnoprst") for _ in range(rng.randint(5, 25)))
    letter = rng.choice(word)
    lines = [f"{n}. The letter '{c}': {'yes' if c == letter else 'no'}." for n, c in enumerate(word, start=1)]
    return f"Let me count the {letter}'s in {word}.\n" + "\n".join(lines)


def python_code(rng: random.Random) -> str:
    """Boilerplate: properties, a dispatch, tests that look alike."""
    names = rng.sample(WORDS, 12)
    accessors = "".join(
        f"    @property\n    def {name}(self) -> int:\n        return self._{name}\n\n" for name in names[:6]
    )
    branches = "".join(f"    elif kind == {name!r}:\n        return make_{name}(value)\n" for name in names[6:])
    return f"class Thing:\n{accessors}\ndef make(kind, value):\n    if kind is None:\n        return None\n{branches}"


def json_records(rng: random.Random) -> str:
    """Records that differ in what records differ in."""
    record = '{{"id": {}, "name": "{}", "age": {}, "active": {}}}'
    return (
        "[\n"
        + ",\n".join(
            record.format(n, rng.choice(WORDS), rng.randint(18, 99), rng.choice(["true", "false"])) for n in range(20)
        )
        + "\n]"
    )


def song(rng: random.Random) -> str:
    """Verses with a refrain of four lines between them, whose last line is sung twice."""
    lines = [sentence(rng, rng.randint(4, 8)).strip() for _ in range(4)]
    refrain = "\n".join([*lines, lines[-1]])
    return f"\n\n{refrain}\n\n".join(
        "\n".join(sentence(rng, rng.randint(5, 9)).strip() for _ in range(8)) for _ in range(5)
    )


def steps(rng: random.Random) -> str:
    """A list whose items begin and end alike."""
    return "\n".join(
        f"{n}. First, make sure that the {rng.choice(WORDS)} is {rng.choice(WORDS)}." for n in range(1, 20)
    )


def derivation(rng: random.Random) -> str:
    """Equations, each of which is the last one with something changed."""
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    lines = [
        f"x_{{{n}}} &= \\frac{{{a}x_{{{n - 1}}} + {b}}}{{{n * a}}} = {rng.random():.4f} \\\\" for n in range(1, 20)
    ]
    return "\\begin{align}\n" + "\n".join(lines) + "\n\\end{align}"


def matrices(rng: random.Random) -> str:
    """An identity, a matrix of zeros, an empty board and a ruled line."""
    n = rng.randint(4, 6)
    identity = " \\\\\n".join(" & ".join(str(int(i == j)) for j in range(n)) for i in range(n))
    zeros = " \\\\\n".join(" & ".join("0" * n) for _ in range(n))
    board = "\n".join(". " * 8 for _ in range(8))
    return f"\\begin{{pmatrix}}{identity}\\end{{pmatrix}}\n\n{zeros}\n\n{board}\n\n{'-' * 80}\n{prose(rng, 50)}"


def second_thoughts(rng: random.Random) -> str:
    """A thinking that goes through the same passage twice, with other ones between: no circle yet."""
    passage = prose(rng, 80)
    return f"{prose(rng, 100)}{passage}\n\nWait, let me check that again. {passage}\n\n{prose(rng, 100)}{passage}"


def essay(rng: random.Random) -> str:
    """Just prose."""
    return prose(rng, 600)


KINDS = (
    *(markdown_table, times_table, trial_division, spelling, python_code, json_records),
    *(song, steps, derivation, matrices, second_thoughts, essay),
)


@pytest.mark.parametrize("kind", KINDS)
def test_normal_texts_are_no_circles(kind: Callable[[random.Random], str]) -> None:
    """204 texts of twelve kinds, none of which is stopped."""
    stopped = [seed for seed in range(17) if first_circle(tokens(kind(random.Random(seed)))) is not None]
    assert [] == stopped


def test_this_projects_own_texts_are_no_circles() -> None:
    """Real Python, Markdown and TOML, whole files."""
    from tests.conftest import ROOT

    paths = [p for pattern in ("r1chat/**/*.py", "tests/*.py", "docs/*.md", "*.md") for p in sorted(ROOT.glob(pattern))]
    assert len(paths) > 100
    stopped = {str(path) for path in paths if first_circle(tokens(path.read_text("utf-8"))) is not None}
    assert set() == stopped


def test_the_memory_is_bounded() -> None:
    """However long the text, only the last tokens are kept."""
    detector = LoopDetector()
    rng = random.Random(0)
    for _ in range(5 * WINDOW):
        detector.feed(rng.choice(WORDS).encode())
    assert len(detector._tokens) < 2 * WINDOW
    assert len(detector._places) < 2 * WINDOW
