"""Stop strings in text that comes in pieces."""

import pytest

from r1chat.core.stops import StopFinder
from tests.chunks import every_split

CASES = [
    ("one, two, three", ("two",), "one, ", True),
    ("one, two, three", ("three", "two"), "one, ", True),
    ("abcabd", ("abd",), "abc", True),
    ("aaab", ("aab",), "a", True),
    ("END", ("END",), "", True),
    ("nothing here", ("STOP",), "nothing here", False),
    ("half a STO", ("STOP",), "half a STO", False),
    ("anything", (), "anything", False),
    ("anything", ("",), "anything", False),
    ("x\n\ny", ("\n\n",), "x", True),
    ("你好，世界", ("，世",), "你好", True),
    ("abc", ("bc", "abc"), "", True),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_text_ends_before_the_first_stop_string(number: int) -> None:
    """However the text is cut, what is passed on is all of it, up to the first stop string."""
    text, stops, wanted, found = CASES[number]
    for pieces in every_split(text):
        finder = StopFinder(stops)
        shown = "".join(finder.feed(piece) for piece in pieces) + finder.finish()
        assert (wanted, found) == (shown, finder.found), pieces


def test_nothing_is_held_back_without_need() -> None:
    """Only what may begin a stop string waits."""
    finder = StopFinder(("STOP",))
    assert "go on " == finder.feed("go on ")
    assert "go on" == finder.feed("go onS")
    assert "Sx" == finder.feed("x")
