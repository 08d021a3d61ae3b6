"""Formulas as MathML: well-formed, with their source, and with the elements that their parts ask for."""

import xml.etree.ElementTree as ET

import pytest

from r1chat.export.mathml import mathml


def elements(source: str, *, display: bool = False) -> ET.Element:
    """Write a formula and read it as XML."""
    written = mathml(source, display=display)
    assert written is not None
    return ET.fromstring(written)


def shape(node: ET.Element) -> str:
    """Write a tree in short: names, and the text of leaves."""
    inside = " ".join(shape(child) for child in node) or (node.text or "").strip()
    return f"{node.tag}({inside})"


@pytest.mark.parametrize(
    ("source", "written"),
    [
        (r"x", "mi(x)"),
        (r"12.5", "mn(12.5)"),
        (r"\frac{a}{b}", "mfrac(mi(a) mi(b))"),
        (r"\sqrt{x}", "msqrt(mi(x))"),
        (r"\sqrt[3]{x}", "mroot(mi(x) mn(3))"),
        (r"x^2", "msup(mi(x) mn(2))"),
        (r"x_i", "msub(mi(x) mi(i))"),
        (r"x_i^2", "msubsup(mi(x) mi(i) mn(2))"),
        (r"{}^2", "msup(mrow() mn(2))"),
        (r"\sum_{i}^{n}", "munderover(mo(∑) mi(i) mi(n))"),
        (r"\lim_{x}", "munder(mi(lim) mi(x))"),
        (r"\int_a^b", "msubsup(mo(∫) mi(a) mi(b))"),
        (r"-1", "mrow(mo(−) mn(1))"),
        (r"a-1", "mrow(mi(a) mo(−) mn(1))"),
        (r"\sin x", "mrow(mi(sin) mspace() mi(x))"),
        (r"(x)", "mrow(mo(() mi(x) mo()))"),
        (r"\left\{ x \right.", "mrow(mo({) mi(x))"),
        (r"\boxed{4}", "mrow(mn(4))"),
        (r"\binom{n}{k}", "mrow(mo(() mfrac(mi(n) mi(k)) mo()))"),
        (r"\text{if } x", "mrow(mtext(if) mi(x))"),
        (r"\vec{v}", "mover(mi(v) mo(→))"),
        (r"\underbrace{a}_{b}", "munder(munder(mi(a) mo(⏟)) mi(b))"),
        (r"\begin{pmatrix}1&2\end{pmatrix}", "mrow(mo(() mtable(mtr(mtd(mn(1)) mtd(mn(2)))) mo()))"),
        (r"\xrightarrow{f}", "mover(mo(→) mi(f))"),
        (r"\frobnicate{x}", r"mtext(\frobnicate{x})"),
        (r"\phantom{x}", "mphantom(mi(x))"),
    ],
)
def test_elements(source: str, written: str) -> None:
    """Each construct becomes its element, with as many children as that element takes."""
    (semantics,) = elements(source)
    assert written == shape(semantics[0])


@pytest.mark.parametrize(
    "source",
    [
        r"\(a < b \& c\)",
        r"$$\text{<script>alert(1)</script> 'x'}$$",
        r"$$\frobnicate{<b>}$$",
        r"\[ x > \mathrm{\&amp;} \]",
    ],
)
def test_what_is_dirty_is_escaped(source: str) -> None:
    """Signs of XML in a formula are text of it, in its elements, its annotation and its alternative text."""
    found = elements(source, display=True)
    assert "block" == found.get("display")
    annotation = found.find("semantics/annotation")
    assert annotation is not None
    assert annotation.text == found.get("alttext")
    assert annotation.text in source
    assert {"math", "semantics", "annotation", "mrow", "mi", "mo", "mn", "mtext"} >= {each.tag for each in found.iter()}


@pytest.mark.parametrize("source", [r"\frac{a}", "{", "x^^2", "a" * 5000, "{" * 200 + "}" * 200])
def test_what_cannot_be_read(source: str) -> None:
    """What is no LaTeX that can be read gives nothing, and the caller shows the source."""
    assert mathml(source, display=False) is None


def test_aligned_steps_have_their_sides() -> None:
    """Columns of a calculation are right and left in turn, those of an array as it says, with its lines."""
    steps = elements(r"\begin{aligned} a &= 1 & b &= 2 \end{aligned}")
    assert ["r", "l", "r", "l"] == [cell.get("class") for cell in steps.iter("mtd")]
    array = elements(r"\begin{array}{c|r} 1 & 2 \\ \hline 3 & 4 \end{array}")
    assert ["c", "r bar", "c above", "r above bar"] == [cell.get("class") for cell in array.iter("mtd")]
