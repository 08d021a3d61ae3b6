"""Bars that show what is taken of something, by kinds. Pure: knows no screen but its glyphs."""

import itertools
from collections.abc import Sequence
from typing import Final

UNICODE: Final = "█▓▒░"
ASCII: Final = "#=+."


def meter(parts: Sequence[int], whole: int, n_cells: int, glyphs: str = UNICODE) -> str:
    """Draw parts of a whole, each with a glyph of its own and what is left with the last one.

    The ends are rounded, not the lengths, so that no error adds up. More than the whole fills the bar.
    """
    scale = max(whole, sum(parts), 1)
    ends = [round(end * n_cells / scale) for end in itertools.accumulate(parts, initial=0)]
    drawn = "".join(
        glyph * (end - begin) for glyph, (begin, end) in zip(glyphs, itertools.pairwise(ends), strict=False)
    )
    return drawn + glyphs[len(parts)] * (n_cells - len(drawn))
