"""Bars by kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1chat.terminal.meters import ASCII, meter


@pytest.mark.parametrize(
    ("parts", "whole", "drawn"),
    [
        ([50, 20, 10], 100, "#####==+.."),
        ([0, 0, 0], 100, ".........."),
        ([0, 0, 0], 0, ".........."),
        ([100, 0, 0], 100, "##########"),
        ([80, 60, 60], 100, "####===+++"),
    ],
)
def test_a_bar_shows_its_parts(parts: list[int], whole: int, drawn: str) -> None:
    """Each part has its own sign, the rest the last one, and too much fills the bar."""
    assert drawn == meter(parts, whole, 10, ASCII)


@given(st.lists(st.integers(0, 10**12), min_size=3, max_size=3), st.integers(0, 10**12), st.integers(0, 60))
def test_a_bar_has_its_length(parts: list[int], whole: int, n_cells: int) -> None:
    """Rounding never makes a bar longer or shorter, whatever it shows."""
    assert n_cells == len(meter(parts, whole, n_cells))
