"""Tables, facts, sizes and times as text: in line at any width, clean whatever the names are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1chat.core.sizes import size_text
from r1chat.terminal.tables import Column, ago, counted, cut, facts, home_short, one_line, table
from r1chat.terminal.wrap import width

COLUMNS = [Column("NAME", shrinks=True), Column("SIZE", right=True), Column("CHANGED")]


def test_columns_stand_in_line() -> None:
    """Text to the left, numbers to the right, two cells between, nothing after the last."""
    rows = [["7b:Q4_K_M", "4.7 GB", "yesterday"], ["a", "12.0 GB", "now"]]
    assert [
        "NAME          SIZE  CHANGED",
        "7b:Q4_K_M   4.7 GB  yesterday",
        "a          12.0 GB  now",
    ] == table(COLUMNS, rows)


def test_no_titles_no_head() -> None:
    """Columns without titles give the rows alone."""
    assert ["a  b"] == table([Column(), Column()], [["a", "b"]])
    assert [] == table([Column(), Column()], [])


@pytest.mark.parametrize("mark", ["…", "..."])
@pytest.mark.parametrize("name", ["n" * 300 + "-Q4_K_M.gguf", "模型" * 150 + "Q4_K_M", "e\u0301" * 300, "🙂" * 300])
def test_long_names_are_cut_in_their_middle(name: str, mark: str) -> None:
    """A name of 300 characters leaves the row at 80 cells, with the beginning and the end of the name in it."""
    head, row = table(COLUMNS, [[name, "4.7 GB", "just now"]], mark=mark)
    assert mark in row
    assert width(row) <= 80
    assert row.startswith(name[:10])
    assert row.endswith("  4.7 GB  just now")
    assert width(head) <= 80


@given(st.lists(st.tuples(st.text(), st.text(max_size=8), st.text(max_size=8)), max_size=5), st.integers(36, 200))
def test_any_text_makes_rows_of_the_same_columns(rows: list[tuple[str, str, str]], columns_wide: int) -> None:
    """Whatever is in the cells, a row is one line, has no control character and stays within the width."""
    shown = table(COLUMNS, [list(row) for row in rows], columns_wide=columns_wide)
    short = all(width(one_line(cell)) <= 8 for row in rows for cell in row[1:])
    for row in shown:
        assert "\n" not in row
        assert one_line(row).split() == row.split()
        assert not short or width(row) <= columns_wide


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_has_room(text: str, columns_wide: int) -> None:
    """Cutting never gives more cells than asked for, and never cuts what fits."""
    text = one_line(text)
    found = cut(text, columns_wide)
    assert width(found) <= columns_wide
    assert width(text) > columns_wide or found == text


def test_a_text_may_be_cut_at_its_end() -> None:
    """A value is cut at its end, a name in its middle."""
    assert ("abc…", "ab…h") == (cut("abcdefgh", 4, at_end=True), cut("abcdefgh", 4))


def test_hostile_cells_are_shown_and_not_obeyed() -> None:
    """Escapes, line breaks and bidi marks of a name are visible text."""
    assert ["␛[2J\\u202e evil  x"] == table([Column(), Column()], [["\x1b[2J\u202e\nevil", "x"]])


def test_facts_go_on_under_themselves() -> None:
    """A long value is folded at words, in line with its beginning."""
    rows = facts([("name", "short"), ("about", "one two three four")], columns_wide=21)
    assert ["  name   short", "  about  one two", "         three four"] == rows


@pytest.mark.parametrize(
    ("n_bytes", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (12_000, "12.0 kB"),
        (1_863_424, "1.9 MB"),
        (93_200_000, "93.2 MB"),
        (669_000_000, "669.0 MB"),
        (4_683_073_504, "4.7 GB"),
        (404_500_000_000, "404.5 GB"),
        (1_342_300_000_000, "1,342.3 GB"),
    ],
)
def test_sizes_are_in_powers_of_ten(n_bytes: int, expected: str) -> None:
    """As the Hub shows them, with one digit."""
    assert expected == size_text(n_bytes)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-100, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3599, "59 minutes ago"),
        (7200, "2 hours ago"),
        (86400, "1 day ago"),
        (13 * 86400, "13 days ago"),
        (14 * 86400, "2 weeks ago"),
        (100 * 86400, "3 months ago"),
        (800 * 86400, "2 years ago"),
    ],
)
def test_times_are_told_as_a_person_would(seconds: float, expected: str) -> None:
    """One number and one unit; the future is now, and a file without a time has none."""
    assert expected == ago(2e9 - seconds, 2e9)
    assert "unknown" == ago(0, 2e9)


def test_counting() -> None:
    """One is singular, everything else plural."""
    assert ("1 model", "0 models", "1,000 models") == tuple(counted(n, "model") for n in (1, 0, 1000))


def test_the_home_folder_is_short() -> None:
    """A path inside the home folder begins with ~, one that only looks alike doesn't."""
    assert ("~/a", "/home/uu/a", "/x") == tuple(home_short(p, "/home/u") for p in ("/home/u/a", "/home/uu/a", "/x"))
