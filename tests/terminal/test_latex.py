"""Mathematics on a screen: every picture as it should be, and nothing else touched, lost or hung up on."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1chat.core.events import Answer, Finished, Reason
from r1chat.terminal import latex
from r1chat.terminal.formula_parser import MAX_LENGTH
from r1chat.terminal.live import Live
from r1chat.terminal.paint import TerminalSink, cells
from r1chat.terminal.screen import Colors, Screen, Size
from r1chat.terminal.wrap import width

Emulate = Callable[[Size], Any]  # the fixture of conftest.py
FORMULAS = Path(__file__).parents[1] / "data" / "formulas.txt"
COLUMNS = 76


def corpus() -> Iterator[tuple[str, str, list[str]]]:
    """Read the corpus: the form, the source and the picture of each formula."""
    form, source, rows = "", "", list[str]()
    for line in [*FORMULAS.read_text("utf-8").splitlines(), "# End"]:
        found = re.match(r"(?:(display|inline): (.*)|# [A-Z].*)$", line)
        if found is None:
            rows.append(line)
            continue
        if form:
            while rows and not rows[-1]:
                rows.pop()
            yield form, source, rows
        form, source, rows = found[1] or "", found[2] or "", []


CORPUS = list(corpus())


@pytest.mark.parametrize(("form", "source", "picture"), CORPUS, ids=[source for _, source, _ in CORPUS])
def test_a_formula_has_its_picture(form: str, source: str, picture: list[str]) -> None:
    """Each formula of the corpus is drawn as a person found it to be good."""
    if form == "inline":
        assert picture == [latex.inline(source)]
    else:
        assert picture == list(latex.display(source, COLUMNS) or ())


def test_the_corpus_is_large() -> None:
    """There are at least 150 different formulas in it, each with a picture."""
    assert len({source for _, source, _ in CORPUS}) >= 150
    assert [] == [source for _, source, picture in CORPUS if not any(picture)]


def shown(text: str, columns: int = 80, piece: int = 10**9, **options: Any) -> list[str]:
    """Show an answer without attributes, with a frame after every piece. Return the rows that stay."""
    unicode = options.pop("unicode", True)
    live = Live(Screen(dumb=True, unicode=unicode, size=lambda: Size(columns, 24)), clock=lambda: 0.0, **options)
    rows: list[str] = []
    for start in range(0, len(text), piece):
        live.handle(Answer(text[start : start + piece]))
        rows += live.frame().finished
    live.close()
    return rows + list(live.frame().finished)


# Where mathematics is


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"so \(x^2\) is", "so x² is"),
        (r"so $x^2$ is", "so x² is"),
        (r"so $x$, $n+1$, $-5$ and $ \alpha $.", "so x, n + 1, -5 and α."),
        (r"the answer is \boxed{42}.", "the answer is ⟦42⟧."),
        (r"the answer is $\boxed{\frac{1}{2}}$.", "the answer is ⟦1/2⟧."),
        (r"\(x_1 * y_1\) and \(x_2 * y_2\)", "x₁ · y₁ and x₂ · y₂"),
        (r"\(a_i\) _and_ \(b_i\) *or* \(c_i\)", "aᵢ and bᵢ or cᵢ"),
        (r"**Step \(n\)**: $k$", "Step n: k"),
        (r"\(\text{a}\,\text{b}\)", "a b"),
        (r"\(a < b\) and \(c > d\)", "a < b and c > d"),
        (r"\([1, 2)\) or $[0, 1)$", "[1, 2) or [0, 1)"),
        (r"so $$\Delta = b^2 - 4ac$$ as usual", "so Δ = b² - 4ac as usual"),
        (r"[a \(x^2\)](http://x.y/$z_1$)", "a x² (http://x.y/$z_1$)"),
    ],
)
def test_formulas_in_running_text(text: str, expected: str) -> None:
    """Every kind of delimiter is known, and Markdown and mathematics live side by side."""
    assert [expected] == shown(text)


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "It costs $5, or $10 with tax.",
        "Between $5-$10, or $5/$10.",
        "US$5 and CA$6, 5$ or 6$.",
        "I paid $5 (you paid 10$).",
        "Set $HOME and $PATH, or $HOME/$USER.",
        "From $1,000 to $2,000; then $3 million or $4 billion.",
        "A lone $ and another $ sign.",
        "He has $20. She has 30$ more.",
        "Pay $5 for lunch and keep 10$ for later",
        "Costs: $100 - $50 = $50.",
    ],
)
def test_prices_stay_prices(text: str) -> None:
    """Dollars that are money are left alone."""
    assert [text] == shown(text)


@pytest.mark.parametrize(
    "text",
    [
        r"`\(x^2\)` and `$x^2$`",
        r"``a ` \(x^2\) b``",
        "```\n\\(x^2\\)\n$x^2$\n\\boxed{1}\n```",
        "- item\n  ```\n  $x^2$\n  ```",
        "> ```\n> $x^2$\n> ```",
    ],
)
def test_code_is_never_mathematics(text: str) -> None:
    """Code spans and code blocks keep their dollars and backslashes."""
    source = "\n".join(shown(text))
    assert ("x^2" in source, "x²" in source) == (True, False)
    assert text.count("$") == source.count("$")


@pytest.mark.parametrize(
    "text",
    [
        r"\(\frac{1\)",
        r"\(x^\)",
        r"\(\left( x\)",
        r"\(x}\)",
        r"\(\begin{pmatrix} 1\)",
        r"\(a_1_2\)",
        r"\(x",
        r"\boxed{1",
        r"x\) and \(",
        r"\foo{x}",
        r"\(\begin{tikzpicture}x\end{tikzpicture}\)",
        r"\(\)",
    ],
)
def test_what_cannot_be_read_stays_as_it_was_written(text: str) -> None:
    """Broken LaTeX in running text is shown to the letter."""
    assert [text] == shown(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\[\n\\frac{1}{x\n\\]", ["  \\[", "  \\frac{1}{x", "  \\]"]),
        ("\\[ \\begin{foo} x \\end{foo} \\]", ["  \\[ \\begin{foo} x \\end{foo} \\]"]),
        ("\\begin{tikzpicture}\nx\n\\end{tikzpicture}", ["  \\begin{tikzpicture}", "  x", "  \\end{tikzpicture}"]),
    ],
)
def test_a_display_that_cannot_be_read_stays_as_it_was_written(text: str, expected: list[str]) -> None:
    """Broken LaTeX on lines of its own keeps its lines."""
    assert expected == shown(text)


DISPLAYS = r"""Text before: \[
\frac{a}{b}
\]
1. **First**: \[
   \frac{a}{b}
   - c
   \]
   then more
2. Second:
   $$
   x_1 = 2
   $$

> In a quote:
> \[
> - \frac{1}{2}
> \]

| $x$ | \(P(A|B)\) |
|-----|----|
| $\frac{1}{2}$ | $|a|$ |

## The area \(\pi r^2\)

**Answer**
\boxed{42}
\begin{align*}
a &= b \\
  &= c
\end{align*}
After."""
DRAWN = """Text before:

  a
  ─
  b
1. First:

     a
     ─ - c
     b

   then more
2. Second:
     x₁ = 2

│ In a quote:
│
│     1
│   - ─
│     2

╭─────┬────────╮
│ x   │ P(A|B) │
├─────┼────────┤
│ 1/2 │ |a|    │
╰─────┴────────╯

The area πr²

Answer

  ┌────┐
  │ 42 │
  └────┘

  a = b
    = c

After."""


def test_displays_stand_on_lines_of_their_own_everywhere() -> None:
    """In paragraphs, items, quotes and tables, a formula is drawn where it stands, and no line of it is Markdown."""
    assert DRAWN.splitlines() == shown(DISPLAYS)


def test_the_source_can_be_asked_for() -> None:
    """Without drawing, and on a terminal without Unicode, mathematics is shown as it was written, untouched."""
    text = r"so \(x_1 * y_1 * z_1\) and \[\frac{a}{b}\] is"
    assert [text] == shown(text, formulas=False)
    assert [text] == shown(text, unicode=False)
    assert ["  \\[", "  \\frac{a}{b}", "  \\]"] == shown("\\[\n\\frac{a}{b}\n\\]", formulas=False)


# Streaming


@pytest.mark.parametrize("columns", [40, 80])
def test_every_cut_gives_the_same_screen(columns: int) -> None:
    """A frame at any one place, or after every character, does not change what stays."""
    expected = shown(DISPLAYS, columns)
    assert expected == shown(DISPLAYS, columns, piece=1)
    for cut in range(1, len(DISPLAYS)):
        live = Live(Screen(dumb=True, size=lambda: Size(columns, 24)), clock=lambda: 0.0)
        live.handle(Answer(DISPLAYS[:cut]))
        rows = list(live.frame().finished)
        live.handle(Answer(DISPLAYS[cut:]))
        live.close()
        assert expected == rows + list(live.frame().finished)


def test_scrollback_and_screen_are_the_final_text(emulate: Emulate) -> None:
    """On an emulated terminal each row of a growing answer with formulas is there once."""

    def play(piece: int) -> list[str]:
        size = Size(60, 24)
        emulator = emulate(size)
        screen = Screen(stdout_tty=True, colors=Colors.PALETTE, size=lambda: size)
        with TerminalSink(emulator, screen, Live(screen, clock=lambda: 0.0), clock=iter(range(10**6)).__next__) as sink:
            for start in range(0, len(DISPLAYS), piece):
                sink.handle(Answer(DISPLAYS[start : start + piece]))
            sink.handle(Finished(Reason.STOP))
        return list(emulator.rows())

    assert play(10**6) == play(1) == play(5)


def test_an_open_formula_waits_in_the_tail() -> None:
    """A formula without its end is not printed, whatever comes in it; it is drawn when its end is there."""
    live = Live(Screen(dumb=True), clock=lambda: 0.0)
    live.handle(Answer("Now: \\[\n\\frac{a}\n{\n- b}\n"))
    assert () == live.frame().finished
    live.handle(Answer("\\]\nText\n\n"))
    assert ("Now:", "", "  a", "  ──", "  -b", "", "Text") == live.frame().finished
    live = Live(Screen(dumb=True), clock=lambda: 0.0)
    live.handle(Answer("\\[\n\\frac{a}\n"))
    assert () == live.frame().finished
    live.handle(Answer("{b}\n\\]\n"))
    assert ("  a", "  ─", "  b") == live.frame().finished


# Width


@pytest.mark.parametrize("columns", [20, 30, 45, 60])
@pytest.mark.parametrize("form", ["\\[{}\\]", "- \\[{}\\]", "> $${}$$", "so \\({}\\)", "| ${}$ |\n|---|\n| x |"])
def test_no_row_is_too_wide(form: str, columns: int) -> None:
    """Every formula of the corpus stays within the width, drawn, broken or as its source."""
    for _, source, _ in CORPUS[::7]:
        assert [] == [row for row in shown(form.replace("{}", source), columns) if cells(row) > columns]


def test_a_wide_formula_breaks_before_its_relations() -> None:
    """What does not fit goes on in the next row, at a relation if that is enough, else at plus and minus."""
    source = r"S = a_1 + a_2 + a_3 = b_1 + b_2 + b_3 = c"
    assert ("S = a₁ + a₂ + a₃", "    = b₁ + b₂ + b₃ = c") == latex.display(source, 24)
    assert ("S = a₁ + a₂", "    + a₃", "    = b₁ + b₂", "    + b₃ = c") == latex.display(source, 13)
    assert (
        "    1   1",
        "x = ─ + ─",
        "    2   3",
        "",
        "      5",
        "    = ─",
        "      6",
    ) == latex.display(r"x = \frac12 + \frac13 = \frac56", 10)


def test_steps_that_are_too_wide_break_one_by_one() -> None:
    """Aligned lines give up their alignment when they have to."""
    source = r"\begin{aligned} f(x) &= a + b + c \\ &= d \end{aligned}"
    assert ("f(x) = a + b + c", "     = d") == latex.display(source, 16)
    assert ("f(x) = a + b", "    + c", "= d") == latex.display(source, 12)


def test_what_cannot_be_broken_is_shown_as_its_source() -> None:
    """A matrix that is wider than the screen is folded source."""
    text = r"\[\begin{pmatrix} aaaaaaaaaa & bbbbbbbbbb & cccccccccc \end{pmatrix}\]"
    rows = shown(text, 30)
    assert "".join(text.split()) == "".join("".join(rows).split())
    assert max(map(width, rows)) <= 30


# Hostile input

HOSTILE = {
    "groups": "{" * 10_000,
    "balanced": "{" * 10_000 + "x" + "}" * 10_000,
    "fractions": "\\frac{" * 10_000,
    "deep fractions": "\\frac{" * 600 + "1" + "}{2}" * 600,
    "roots": "\\sqrt" * 800 + "x",
    "double scripts": "x" + "^x" * 1900,
    "unknown": "\\foo[" * 790,
    "open boxes": "\\boxed{" * 1100,
    "scripts": "x" + "^{x" * 1000 + "}" * 1000,
    "brackets": "(" * 2000 + ")" * 2000,
    "fences": "\\left(" * 300 + "\\right)" * 300,
    "options": "\\sqrt[" * 300 + "]" * 300,
    "matrices": "\\begin{pmatrix}" * 100 + "\\end{pmatrix}" * 100,
    "rows": "\\begin{pmatrix}" + "\\\\" * 1900 + "x" * 100 + "\\end{pmatrix}",
    "grid": "\\begin{matrix}" + "x" * 1900 + "\\\\" * 900 + "\\end{matrix}",
    "accents": "\\hat" * 900 + "x",
    "boxes": "\\boxed{" * 500 + "x" + "}" * 500,
    "texts": "\\text{$" * 400 + "$}" * 400,
    "dollars": "$" * 4000,
    "openers": "\\(" * 2000,
    "backticks": "".join("`" * n + " " for n in range(1, 88)),
    "megabyte": "x + " * 250_000,
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=list(HOSTILE))
@pytest.mark.parametrize("form", ["{}", "\\({}\\)", "${}$", "\\[{}\\]", "- \\[{}\\]"])
def test_hostile_input_is_shown(source: str, form: str) -> None:
    """Depth and size are bounded: nothing raises, and every letter that is no markup is on the screen."""
    rows = shown(form.replace("{}", source))
    assert rows
    if len(source) > MAX_LENGTH:
        assert source.count("x") == sum(row.count("x") for row in rows)


PIECES = list(
    re.findall(
        r"\S+",
        r"""\frac \sqrt \left( \right) \begin{pmatrix} \end{pmatrix} \\ & { } ^ _ x 1 + = ( ) [ ] | \text \sum \int 
\hat \boxed \begin{cases} \end{cases} \binom \overset \xrightarrow \not \left. \right| \hline \over $ ` ' , \, \foo
\overline \underbrace \substack \operatorname \begin{array}{c|c} \end{array} \limits \mathbb \tag 中 é \big""",
    )
)
PIECES += [" ", "\n"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.integers(1, 90))
def test_no_formula_raises_and_every_picture_fits(source: str, columns: int) -> None:
    """Whatever the pieces, there is a picture within the width, or none; one row inline."""
    rows = latex.display(source, columns)
    assert rows is None or max(map(width, rows)) <= columns
    row = latex.inline(source)
    assert row is None or "\n" not in row


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([*PIECES, "\\(", "\\)", "\\[", "\\]", "$$", "\n\n", "\n- ", "\n> "]), max_size=30))
def test_no_answer_raises_and_frames_do_not_matter(pieces: list[str]) -> None:
    """Every mixture of formulas and markup is shown, and the same rows leave however often the screen was drawn."""
    text = "".join(pieces)
    assert shown(text, 40) == shown(text, 40, piece=3)
