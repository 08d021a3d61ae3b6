"""The final answer in a text, and the equality of two answers."""

import random
from fractions import Fraction

import pytest

from r1chat.core.answers import equal, final_answer
from r1chat.core.exact import exact

FINAL_ANSWERS = [
    (r"So \(17 + 25 = \boxed{42}\).", "42"),
    (r"First \boxed{1}, then \boxed{2}.", "2"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    (r"\boxed{ \left\{ 1, 2 \right\} }", r"\left\{ 1, 2 \right\}"),
    (r"\boxed{a_{n_{k}}} and more", r"a_{n_{k}}"),
    (r"\boxed{\}\{}", r"\}\{"),
    (r"\boxed{\text{it is } 5}", r"\text{it is } 5"),
    (r"\boxed {7}", "7"),
    ("\\boxed\n{8}", "8"),
    (r"\fbox{9}", "9"),
    (r"\boxed 42", "42"),
    (r"\boxed x", "x"),
    (r"\boxed{\boxed{5}}", "5"),
    (r"\boxed{3} but then \boxed{}", "3"),
    (r"\boxed{3} but then \boxed{4", "3"),
    (r"\boxedly 7", "7"),
    (r"the box holds \boxed{", None),
    (r"The answer is 5, so \boxed{6}.", "6"),
    ("The answer is 42.", "42"),
    ("The final answer is: **12**.", "12"),
    ("Answer: -3", "-3"),
    ("ANSWER = 1,234.5 because", "1,234.5"),
    ("The answer is 5. No, the answer is 6 after all.", "6"),
    ("The answer is $x^2$, clearly.", "x^2"),
    (r"The answer is \(\frac{3}{4}\).", r"\frac{3}{4}"),
    (r"The answer is \[ 9 \]", "9"),
    ("The answer is (B).", "B"),
    ("The answer is B", "B"),
    ("The answer is A nice one", "A nice one"),
    ("The answer is Paris. It is in France.", "Paris"),
    ("The answer is **yes**", "yes"),
    ("Its answer is $5", "$5"),
    ("12 and 30 make 42.", "42"),
    ("That is 10 - 3", "3"),
    ("minus: −7", "−7"),
    ("half of it, 1/2", "1/2"),
    (r"which is \frac{5}{6}", r"\frac{5}{6}"),
    (r"so 50\% of it", r"50\%"),
    ("a price of $1,000", "$1,000"),
    ("one of .5", ".5"),
    ("DeepSeek-R1 says nothing", None),
    ("", None),
    ("nothing at all", None),
]


@pytest.mark.parametrize(("text", "answer"), FINAL_ANSWERS, ids=range(len(FINAL_ANSWERS)))
def test_final_answer(text: str, answer: str | None) -> None:
    """The last box counts, else what is stated as the answer, else the last number."""
    assert answer == final_answer(text)


CLASSES = [
    ["1000", "1,000", "1 000", r"1\,000", "1{,}000", r"1,\!000", "1000.", "1000.00", "1e3", r"10^3", "$1000$"],
    ["1/2", "0.5", ".5", r"\frac{1}{2}", r"\dfrac{1}{2}", r"\tfrac12", r"\frac12", "½", r"50\%", "50%", "2^{-1}"],
    ["-3", "−3", "- 3", r"\(-3\)", "$-3$", r"\boxed{-3}", "-3.0", r"-\frac{6}{2}", r"\text{-3}", "{-3}", "-(3)"],
    ["3/2", "1.5", r"1\frac{1}{2}", r"1\frac12", "1½", r"\frac{3}{2}", "+1.5"],
    ["5", "x=5", "x = 5", r"$x = 5$", r"\theta = 5", "x_{1} = 5", "f(x)=5", "5 cm", r"5\,\mathrm{cm}", r"5~cm"],
    ["6 cm", r"6\text{ cm}", "6cm", r"6\text{cm}.", "6", "d = 6 cm"],
    ["90", r"90^\circ", r"90^{\circ}", "90°", r"90\degree", "90 degrees"],
    ["7 dollars", "7 dollar", "7", r"\$7", "$7.00"],
    ["€8", "8 €", "8€", "8"],
    ["12 km/h", r"12\text{ km/h}", "12 km / h", "12"],
    ["4 cm²", r"4\text{ cm}^2", r"4 \mathrm{cm}^{2}", "4"],
    ["2000000", "2 million", "2,000,000", r"2 \times 10^6", r"2\cdot10^{6}", "2 Million"],
    ["A", "(A)", "a", "A.", "A)", r"\text{A}", r"\textbf{(A)}", r"\mathrm{A}"],
    [r"\textbf{(B)}\ 5", "B", "(B)", "5", "(B) 5", "B. 5", "B: 5"],
    ["Paris", "paris", "paris.", r"\text{Paris}", " Paris "],
    ["(1, 2)", "(1,2)", r"\left(1, 2\right)", r"(\frac{2}{2}, 2.0)", "（1，2）"],
    ["(100,200)", "(100, 200)"],
    [r"\{1, 2\}", r"\{2,1\}", "1, 2", "2 and 1", "1 or 2", r"\left\{ 1, \frac{4}{2} \right\}", "x = 1, 2"],
    [r"\lbrace 3;4 \rbrace", "{3,4}", "x = 3 or x = 4"],
    ["[0, 1)", r"\left[0, 1\right)", "[0,1)", r"x \in [0,1)"],
    [r"(-\infty, 3]", r"(−∞,3]"],
    ["(1,2), (3,4)", "(3, 4) and (1, 2)"],
    [r"\frac{x}{2}", "x/2", r"\dfrac{x}{2}", "x / 2"],
    [r"\frac{x+1}{2}", "(x+1)/2"],
    [r"2\pi", r"2 \pi", "2π", r"2\cdot\pi"],
    [r"x^2 + 1", r"x^{2}+1", "x²+1", "y = x^2+1"],
    ["4", r"\sqrt{16}", r"\sqrt 16", "2^2", "8/2", "(2+2)", r"\sqrt{16}.", "４", "٤"],
    ["0", "-0", "0.0", "0/5", "0%"],
    [r"\sqrt{2}", r"\sqrt{ 2 }"],
    ["１０", "10", "१०"],
    ["", "  "],
]  # fmt: skip
SAME = [(spellings[0], spelling) for spellings in CLASSES for spelling in spellings]


@pytest.mark.parametrize(("a", "b"), SAME, ids=range(len(SAME)))
def test_spellings_of_the_same_answer_are_equal(a: str, b: str) -> None:
    """Every spelling of a value equals the first one of its row, in both orders."""
    assert (True, True) == (equal(a, b), equal(b, a))


DIFFERENT = [
    ("1", "2"),
    ("1000", "1001"),
    ("0.333", "1/3"),
    ("50%", "50"),
    ("3", "-3"),
    ("5 cm", "5 m"),
    ("5 cm", "6 cm"),
    ("€5", "£5"),
    ("5 mW", "5 MW"),
    ("5x", "5"),
    ("5 million", "5"),
    ("x = 5", "y = 5"),
    ("x = 5", "x = 6"),
    ("x = 5", "6"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "[1, 2]"),
    ("(1, 2)", r"\{1, 2\}"),
    ("[0, 1)", "[0, 1]"),
    (r"\{1, 2\}", r"\{1, 2, 3\}"),
    (r"\{1, 1, 2\}", r"\{1, 2, 2\}"),
    ("1, 2", "12"),
    ("100, 200", "100200"),
    ("A", "B"),
    ("(A)", "(B)"),
    ("A", "AB"),
    ("(A) 5", "(B) 5"),
    ("(A) 5", "6"),
    ("x = 5", "(x, 5)"),
    ("x = 5", "x"),
    ("Paris", "London"),
    ("Paris", "5"),
    ("5", "(5, 5)"),
    (r"\sqrt{2}", "2"),
    (r"\sqrt{-4}", "2"),
    (r"\frac{1}{0}", "0"),
    (r"0^{-1}", "0"),
    ("2^{1/2}", "1"),
    (r"\frac{x+1}{2}", "x+1/2"),
    ("", "0"),
    ("(1", "1"),
    ("1)", "1"),
    ("1 2", "12"),
    ("(1,,2)", "(1,2)"),
]


@pytest.mark.parametrize(("a", "b"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_different_answers_are_not_equal(a: str, b: str) -> None:
    """Two answers that mean different things are not equal, in both orders."""
    assert (False, False) == (equal(a, b), equal(b, a))


NUMBERS = [
    ("1 + 2 * 3", Fraction(7)),
    ("(1 + 2) * 3", Fraction(9)),
    ("-2^2", Fraction(-4)),
    ("(-2)^2", Fraction(4)),
    ("2^-2", Fraction(1, 4)),
    ("10 - 4 - 3", Fraction(3)),
    ("8 / 4 / 2", Fraction(1)),
    (r"\frac{1+1}{2^2}", Fraction(1, 2)),
    (r"\sqrt{\frac{9}{16}}", Fraction(3, 4)),
    ("1.5e-2", Fraction(3, 200)),
    ("12.5%", Fraction(1, 8)),
    ("1,234,567.5", Fraction(2469135, 2)),
    ("12,34", None),
    ("(1,234)", None),
    ("1 1/2", None),
    ("2(3)", None),
    (r"2\frac{1}{0}", None),
    (r"0.5\frac{1}{2}", None),
    (r"\frac{1}", None),
    ("{1", None),
    ("(1", None),
    ("1 +", None),
    ("x", None),
    ("", None),
    ("2^2^2", None),
    ("9^999999999999", None),
    ("1e999999999", None),
    ("9999^" * 2 + "9", None),
    ("(" * 13 + "1" + ")" * 13, None),
    ("*".join(["9" * 500] * 4), None),
]


@pytest.mark.parametrize(("text", "value"), NUMBERS, ids=range(len(NUMBERS)))
def test_exact(text: str, value: Fraction | None) -> None:
    """A text that is all number has its exact value; anything else, or what is too large, has none."""
    assert value == exact(text)


HOSTILE = [
    r"\boxed{" * 50_000,
    "{" * 100_000,
    "(" * 900 + "1" + ")" * 900,
    r"\frac{" * 150 + "1" + "}{2}" * 150,
    r"\text{" * 160 + "5" + "}" * 160,
    "{" * 20 + "5" + "}" * 20,
    "9" * 990,
    "9^" * 400 + "9",
    "1e" + "9" * 900,
    "(9^999)" * 100,
    ",".join(str(n) for n in range(250)),
    r"\{" * 300 + "1" + r"\}" * 300,
    "x=" * 400 + "1",
    "the answer is " * 10_000,
    "answer" + " " * 100_000,
    "1" + " " * 100_000 + "x",
    "1" * 100_000,
    "1,111" * 20_000,
    "\\" * 999,
    "\x00\x1b[31m\ud800",
    "5 " + "a " * 450 + "!",
    "½" * 500,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_answered(text: str) -> None:
    """A text made to be too deep, too long or too large gets an answer, and equals itself but not 7."""
    found = final_answer(text)
    assert (True, False) == (equal(text, text + " "), equal(text, "7"))
    assert found is None or found in text


def test_random_texts_never_raise() -> None:
    """Texts put together at random from the pieces of answers are compared without an error, and alike both ways."""
    rng = random.Random(1)
    pieces = [
        *r"0 1 9 . , ; - + * / ^ ( ) [ ] { } \{ \} = % $ x A cm ½ −",
        *(r"\frac", r"\sqrt", r"\boxed", r"\text", " ", "and"),
    ]
    for _ in range(3_000):
        a, b = ("".join(rng.choices(pieces, k=rng.randint(0, 12))) for _ in range(2))
        final_answer(a)
        assert equal(b, a) == equal(a, b)


def test_a_box_that_is_too_long_is_no_answer() -> None:
    """A box that goes on for thousands of characters is passed over for the one before it."""
    assert "1" == final_answer(r"\boxed{1} \boxed{" + "2" * 5_000 + "}")


def test_long_sets_are_compared_in_order() -> None:
    """Sets with hundreds of members are compared one by one as they stand, which keeps the work small."""
    ordered, turned = ",".join(["1"] * 250 + ["2"]), ",".join(["2"] + ["1"] * 250)
    assert (True, False) == (equal(ordered, ordered.replace("2", "2.0")), equal(ordered, turned))
