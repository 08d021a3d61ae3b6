"""Rows by cell width."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1chat.terminal.wrap import breaks, clusters, fit, fold, width


def rows(text: str, columns: int, used: int = 0) -> list[str]:
    """Cut the text where `breaks` says."""
    return [text[start:end] for start, end in pairwise([0, *breaks(text, columns, used), len(text)])]


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("", 10, [""]),
        ("one two three", 8, ["one two ", "three"]),
        ("one two", 7, ["one two"]),
        ("a  b    c", 4, ["a  b    ", "c"]),
        ("  indented text", 10, ["  indented ", "text"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("ab cdefghij", 4, ["ab ", "cdef", "ghij"]),
        ("中文没有空格", 5, ["中文", "没有", "空格"]),
        ("ab中文", 5, ["ab中", "文"]),
        ("中文。", 4, ["中", "文。"]),
        ("（中）", 3, ["（", "中", "）"]),
        ("👩‍👩‍👧👩‍👩‍👧", 3, ["👩‍👩‍👧", "👩‍👩‍👧"]),
        ("e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]),
    ],
)
def test_rows_break_at_blanks_and_around_wide_characters(text: str, columns: int, expected: list[str]) -> None:
    """Words stay whole, wide characters part anywhere but before closing punctuation, clusters never part."""
    assert expected == rows(text, columns)


def test_the_first_row_may_be_taken_in_part() -> None:
    """What stands in the first row already counts, and a word that does not fit goes below it."""
    assert ["one ", "two"] == rows("one two", 8, used=4)
    assert ["", "four"] == rows("four", 6, used=4)


TEXT = st.text(alphabet="ab  中文。（👩‍\u0301\u200d\ufe0f", max_size=60)


@settings(deadline=None)
@given(TEXT, TEXT, st.integers(2, 12))
def test_rows_never_change_once_a_further_row_has_begun(text: str, more: str, columns: int) -> None:
    """All rows but the last read the same, whatever is appended."""
    before = rows(text, columns)[:-1]
    assert before == rows(text + more, columns)[: len(before)]


@settings(deadline=None)
@given(TEXT, st.integers(2, 12))
def test_no_row_is_wider_than_the_screen(text: str, columns: int) -> None:
    """Every row fits, blanks at its end aside, and together they are the text."""
    cut = rows(text, columns)
    assert text == "".join(cut)
    assert [] == [row for row in cut if width(row.rstrip(" ")) > columns]


@settings(deadline=None)
@given(TEXT)
def test_clusters_cover_the_text(text: str) -> None:
    """No character is lost between two clusters."""
    assert text == "".join(text[cluster.start : cluster.end] for cluster in clusters(text))


@pytest.mark.parametrize(("columns", "expected"), [(0, ""), (1, "a"), (2, "a"), (3, "a中"), (9, "a中b")])
def test_fit_cuts_between_clusters(columns: int, expected: str) -> None:
    """A wide character that does not fit as a whole is left out."""
    assert expected == fit("a中b", columns)


@pytest.mark.parametrize(
    ("text", "columns", "expected"),
    [
        ("one two three", 8, ["one two", "three"]),
        ("  one two three", 8, ["  one", "  two", "  three"]),
        ("a\n\nb", 8, ["a", "", "b"]),
        ("", 8, [""]),
        ("  indented more than fits", 2, None),
    ],
)
def test_a_text_is_folded_with_its_indentation(text: str, columns: int, expected: list[str] | None) -> None:
    """Rows break at words and keep the line's indentation; a width that leaves no room still ends."""
    folded = fold(text, columns)
    assert expected is None or expected == folded
    assert text.split() == " ".join(folded).split() or columns < 4
