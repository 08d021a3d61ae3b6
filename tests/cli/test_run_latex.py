"""Mathematics of `run` on a real terminal, and in a pipe."""

import sys

import pytest

from tests.conftest import ROOT, Command

if sys.platform == "win32":
    pytest.skip("needs a pty", allow_module_level=True)

from tests.console import Console

ASK = ("run", "demo", "What is 17 + 25?", "--temp", "0")


@pytest.mark.parametrize(
    ("options", "seen", "unseen"), [((), "⟦", "\\boxed"), (("--no-latex",), "\\boxed{", "⟦")], ids=["drawn", "source"]
)
def test_a_terminal_shows_formulas_or_their_source(
    r1chat: Command, options: tuple[str, ...], seen: str, unseen: str
) -> None:
    """On a terminal the answer's box is drawn; with --no-latex it is there as it was written."""
    environ = {**r1chat.environ, "PYTHONIOENCODING": "utf-8"}
    with Console([*r1chat.argv, *ASK, *options], env=environ, cwd=ROOT) as console:
        assert 0 == console.end()
        assert seen in console.text
        assert unseen not in console.text


def test_a_pipe_gets_the_source(r1chat: Command) -> None:
    """What is piped is LaTeX, whatever a terminal would show."""
    assert b"\\boxed{" in r1chat(*ASK).out
