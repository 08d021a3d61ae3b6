"""The README's example runs, and its commands are what .ci/run runs."""

import doctest
import runpy
from pathlib import Path

from r1chat.repl.table import markdown

ROOT = Path(__file__).resolve().parents[1]


def test_the_python_example_is_true(checked: Path) -> None:
    """Every line of the README's Python example gives what stands below it, on the bundled model."""
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert (0, True) == (result.failed, result.attempted >= 4)


def test_ci_runs_what_the_newcomer_is_told_to_type() -> None:
    """The two commands of the README's first screen stand in .ci/run as they are."""
    first, second = (
        'python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/r1chat run demo "What is 17 + 25?"',
        ".venv/bin/pip install '.[dev]' && scripts/check",
    )
    screen = "\n".join((ROOT / "README.md").read_text("utf-8").splitlines()[:24])
    ci = (ROOT / ".ci/run").read_text("utf-8").replace(" >&2", "")
    for command in (first, second):
        assert command in screen
        assert command in ci


def test_the_table_of_commands_is_the_chats_own() -> None:
    """What stands between the README's markers is what scripts/commands_table prints."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.partition("<!-- commands -->\n")[2].partition("\n<!-- /commands -->")[0]
    assert markdown() == table


def test_the_table_of_what_fits_is_the_planners() -> None:
    """The README's copy is what scripts/fit_table makes; `scripts/fit_table --write` puts it there."""
    script = runpy.run_path(str(ROOT / "scripts/fit_table"))
    found = script["PLACE"].search((ROOT / "README.md").read_text("utf-8"))
    assert script["table"]() == found[0]
