"""What the index holds of a text, what it is asked, and what is cut out of a text to be shown."""

import pytest

from r1chat.store.words import excerpt, index_text, opened, query_of, terms_of


@pytest.mark.parametrize(
    ("text", "indexed"),
    [
        ("The heat equation", "The heat equation"),
        ("热力学", " 热力 力学 学 "),
        ("R1模型很好。", "R1 模型 型很 很好 好 。"),
        ("カタカナ and 한국", " カタ タカ カナ ナ  and  한국 국 "),
        ("naïve", "naïve"),
        ("", ""),
    ],
)
def test_what_is_indexed(text: str, indexed: str) -> None:
    """Only runs of scripts without blanks are written otherwise than they are: as pairs, and the last one alone."""
    assert indexed == index_text(text)


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("heat", '"heat"'),
        ("heat equation", '"heat" AND "equation"'),
        ('"heat equation" law', '"heat equation" AND "law"'),
        ('"heat equation', '"heat equation"'),
        ("entro*", '"entro" *'),
        ("热力", '"热力"'),
        ("热力学", '"热力 力学"'),
        ("热", '"热" *'),
        ("R1模型", '"R1 模型"'),
        ("R1型", '"R1 型" *'),
        ("型R1", '"型 R1"'),
        ("OR NOT a:b -c ^d", '"OR" AND "NOT" AND "a b" AND "c" AND "d"'),
        ("isn't", '"isn t"'),
        ('"', ""),
        ("?! …", ""),
    ],
)
def test_what_is_asked(typed: str, query: str) -> None:
    """Every word must be found; nothing that is typed is a sign of the index's language."""
    assert query == query_of(terms_of(typed))


def test_opened_terms() -> None:
    """Words of three letters and more are taken as beginnings when nothing has them as they are."""
    assert '"entro" * AND "of"' == query_of(opened(terms_of("entro of")))


@pytest.mark.parametrize(
    ("text", "typed", "found"),
    [
        ("All about Entropy.", "entropy", "Entropy"),
        ("Über alles: CAFÉ", "cafe", "CAFÉ"),
        ("Über alles", "uber", "Über"),
        ("the heat\n\nequation", '"heat equation"', "heat equation"),
        ("热量不能自发地从低温物体传到高温物体。", "高温物体", "高温物体"),
        ("reentropy entropy", "entropy", "entropy"),
        ("thermodynamics", "thermo*", "thermo"),
        ("x" * 5000 + " needle " + "y" * 5000, "needle", "needle"),
    ],
)
def test_excerpts(text: str, typed: str, found: str) -> None:
    """An excerpt is one short line that marks what was found in it, without regard to case and accents."""
    cut = excerpt(text, terms_of(typed))
    assert cut is not None
    assert found == cut.text[cut.start : cut.end]
    assert "\n" not in cut.text
    assert len(cut.text) <= 140


def test_no_excerpt() -> None:
    """What is not in a text gives none."""
    assert excerpt("thermodynamics", terms_of("thermo")) is None


def test_folding_keeps_places() -> None:
    """Characters that become two without their case (İ, ß, ŉ) do not move what comes behind them."""
    cut = excerpt("İİİ ßß ŉ needle here", terms_of("needle"))
    assert cut is not None
    assert "needle" == cut.text[cut.start : cut.end]
