"""The real command where the memory is too small after all: under a limit of the system that the planner can't know."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Command
from tests.console import Console
from tests.processes import wait_for
from tests.shapes import WIDE, write_shape

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory on request")
# The cache of 32k takes 1,074 MB in f16 and 570 in q8_0; the rest of the process some 200.
LIMIT = 900_000_000
LIMITED = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0})); os.execvp(sys.argv[1], sys.argv[1:])"
)
FIXED = ("--ctx", "32768", "--gpu-layers", "0", "--kv", "f16")


class Limited(Command):
    """The command, under the limit."""

    @property
    def argv(self) -> list[str]:
        """Set the limit first."""
        return [sys.executable, "-c", LIMITED.format(LIMIT), *super().argv]


@pytest.fixture
def limited(checked: Path) -> Limited:
    """The command with the self-check made."""
    return Limited(checked)


@pytest.fixture
def ask(tmp_path: Path) -> tuple[str, ...]:
    """A model with a large cache, and a question."""
    file = tmp_path / "wide.gguf"
    write_shape(file, WIDE, "Q8_0")
    return "run", str(file), "Hi", "--max-tokens", "3", "--ram", "16G"


def test_a_smaller_plan_answers(limited: Limited, ask: tuple[str, ...]) -> None:
    """The plan in the output is the one that was really used, and a notice says that it is a smaller one."""
    done = limited(*ask, "--json")
    value: dict[str, Any] = json.loads(done.out)
    assert (0, "length") == (done.code, value["finish_reason"])
    assert (32_768, "q8_0") == (value["plan"]["n_ctx"], value["plan"]["type_k"])
    assert ["step-down"] == [notice["code"] for notice in value["notices"]]
    assert "KV q8_0" in value["notices"][0]["text"]


def test_what_was_taken_is_the_smaller_plan(limited: Limited, ask: tuple[str, ...]) -> None:
    """--verbose shows the second plan beside the second load."""
    err = limited(*ask, "--verbose").err.decode()
    assert "memory: weights 25.8 MB planned, 25.8 MB taken" in err
    assert "KV cache 570.4 MB planned, 570.4 MB taken" in err


def test_a_plan_that_was_fixed_is_exit_5(limited: Limited, ask: tuple[str, ...]) -> None:
    """With everything said there is nothing to step down to: the numbers, and what to do."""
    done = limited(*ask, *FIXED)
    assert (5, b"") == (done.code, done.out)
    err = done.err.decode()
    assert "could not get the memory it needed while it loaded the model" in err
    assert "KV cache 1.1 GB for 32,768 tokens in f16" in err
    assert "--ctx" in err


def test_the_chat_steps_down_behind_its_prompt(limited: Limited, ask: tuple[str, ...]) -> None:
    """The prompt is there, the first turn tells of the smaller plan, and /stats shows it."""
    argv = [*limited.argv, *ask[:2], *ask[3:]]
    with Console(argv, env=limited.environ, cwd=ROOT) as console:
        console.wait(">>>")
        console.type("Hi\r")
        console.wait("Loading with less")
        console.wait(" tok/s · ")  # of the line below the answer
        console.type("/stats\r")
        console.wait("plan      context 32,768 (all it was trained for), KV q8_0")
        console.type("\x04")
        assert 0 == console.end()


def test_the_chat_says_at_once_that_nothing_fits(limited: Limited, ask: tuple[str, ...]) -> None:
    """Before any question, and again after one; the bar does not say any more that the model is loading."""
    with Console([*limited.argv, *ask[:2], *ask[3:], *FIXED], env=limited.environ, cwd=ROOT) as console:
        console.wait("no smaller one fits")
        console.wait("wide.gguf · not loaded")
        console.type("Hi\r")
        console.wait("no smaller one fits", 2)
        console.wait("There is no answer")
        wait_for(lambda: "wide.gguf · not loaded" in console.lines[-1], "the bar")
        assert 1 == console.text.count("not loaded")
