"""The REPL on a real terminal: what a person types, and what is on the screen then. Whole processes, real model."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from r1chat.repl.table import COMMANDS
from tests.conftest import ROOT, Command
from tests.console import Console
from tests.processes import children, engine_of, wait_for, wait_until_gone

PROMPT = ">>> "
DONE = " tok/s · "  # of the line below an answer; the status line of a running one ends with the speed
SHORT = ("--max-tokens", "12", "--seed", "1")
SLOW = ("--pace", "6", "--seed", "1")


@contextmanager
def repl(r1chat: Command, *args: str, columns: int = 80, rows: int = 24, **environ: str) -> Iterator[Console]:
    """Start a chat and wait for its prompt."""
    env = {**r1chat.environ, **environ}
    with Console([*r1chat.argv, "run", *args], env=env, cwd=ROOT, columns=columns, rows=rows) as console:
        console.wait(PROMPT.strip())
        yield console


def context(console: Console) -> int:
    """How many tokens the bar, the last line of the screen, says are in use; -1 while it says nothing of it."""
    found = re.search(r"context ([\d,]+) of", console.text.rpartition("\n")[2])
    return int(found[1].replace(",", "")) if found else -1


def test_a_conversation(r1chat: Command) -> None:
    """Several turns grow one conversation; every answer ends in a line that says what it took, and Ctrl-D leaves."""
    with repl(r1chat, "demo", "--no-think", *SHORT) as console:
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        wait_for(lambda: context(console) > 0, "the count in the bar")
        first = context(console)
        console.type("And 2 + 2?\r")
        console.wait(DONE, 2)
        wait_for(lambda: context(console) > first, "a longer conversation")
        assert f"{PROMPT}What is 1 + 1?" in console.lines
        assert f"{PROMPT}And 2 + 2?" in console.lines
        family = children(console.process.pid)
        console.type("\x04")
        assert 0 == console.end()
        wait_until_gone(family)


def test_the_prompt_is_there_before_the_model(r1chat: Command) -> None:
    """A question typed while the model loads is answered; the greeting of the demo tells what it is."""
    with Console([*r1chat.argv, "run", *SHORT], env=r1chat.environ, cwd=ROOT) as console:
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        console.wait("This is the bundled demo, a toy that does small sums and counts letters.")
        assert [] != [line for line in console.lines if "r1chat run 7b" in line]


def test_a_named_demo_needs_no_explanation(r1chat: Command) -> None:
    """Who names the demo is not told what it is."""
    with repl(r1chat, "demo") as console:
        console.wait("Ctrl-D leaves")
        assert "toy" not in console.text


def test_the_commands(r1chat: Command) -> None:
    """/help lists what there is, /stats tells of the last turn, /think sets, /clear forgets, /exit leaves."""
    with repl(r1chat, "demo", *SHORT) as console:
        console.type("/help\r")
        console.wait("Ctrl-D leaves", 2)
        listed = [line.split()[0] for line in console.lines if line.startswith("  /")]
        assert list(COMMANDS) == listed
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        console.type("/stats\r")
        console.wait("together")
        for word in ("plan", "engine", "prompt", "thinking", "answer", "together"):
            assert [] != [line for line in console.lines if line.startswith(f"  {word} ")]
        console.type("/think fold\r")
        console.wait("The thinking is set to fold.")
        console.type("/think\r")
        console.wait("The thinking is set to fold.", 2)
        console.type("/think loud\r")
        console.wait("loud is none of show, fold and hide.")
        console.type("/clear\r")
        console.wait("A new conversation begins")
        wait_for(lambda: context(console) == 0, "an empty context")
        console.type("/frobnicate\r")
        console.wait("There is no command /frobnicate; /help lists them.")
        console.type("/exit\r")
        assert 0 == console.end()


@pytest.mark.parametrize("columns", [40, 200])
def test_nothing_is_cut_between_letters(r1chat: Command, columns: int) -> None:
    """The program's own lines break between words, whatever the width."""
    with repl(r1chat, columns=columns) as console:
        console.type("/frobnicate\r")
        console.wait("question.")
        words = " ".join(console.lines)
        assert "There is no command /frobnicate; /help lists them. A space before it makes it a question." in words
        assert "For a real R1: `r1chat run 7b` gets one first, `r1chat models` lists them." in words


def test_an_interrupted_answer_is_kept(r1chat: Command) -> None:
    """Ctrl-C stops the answer, says so, and the conversation goes on with what there was."""
    with repl(r1chat, "demo", "--no-think", *SLOW) as console:
        console.type("What is 1 + 1?\r")
        console.wait("answering")
        wait_for(lambda: len(console.lines) > 3, "the beginning of an answer")
        console.type("\x03")
        console.wait("interrupted")
        wait_for(lambda: context(console) > 0, "the count in the bar")
        kept = context(console)
        console.type("And 2 + 2?\r")
        console.wait("answering")
        console.type("\x03")
        console.wait("interrupted", 2)
        wait_for(lambda: context(console) > kept, "a longer conversation")
        assert "Traceback" not in console.text


def test_a_second_ctrl_c_ends_an_engine_that_does_not_listen(r1chat: Command) -> None:
    """Where the engine hangs, the second Ctrl-C gives the prompt back, and the next question starts another engine."""
    with repl(r1chat, "demo", "--no-think", "--max-tokens", "8", "--pace", "4") as console:
        console.type("What is 1 + 1?\r")
        console.wait("answering")
        engine = engine_of(console.process.pid)
        engine.suspend()
        console.type("\x03\x03")
        console.wait("interrupted")
        wait_until_gone([engine])
        console.type("And 2 + 2?\r")
        console.wait(DONE)


def test_a_paste_is_no_command(r1chat: Command) -> None:
    """Text that was pasted is a question, even if it begins like a command."""
    with repl(r1chat, "demo", *SHORT) as console:
        console.paste("/exit")
        console.type("\r")
        console.wait(DONE)
        assert console.process.poll() is None
        console.paste("/help\nme")
        console.type("\r")
        console.wait(DONE, 2)


def test_an_engine_that_dies_costs_one_turn(r1chat: Command) -> None:
    """After the engine's death the screen says what happened, and the next question is answered, with the history."""
    with repl(r1chat, "demo", "--no-think", "--max-tokens", "12", "--pace", "10") as console:
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        wait_for(lambda: context(console) > 0, "the first turn")
        first = context(console)
        console.type("And 2 + 2?\r")
        console.wait("answering")
        engine_of(console.process.pid).kill()
        console.wait("The engine died (SIGKILL) while it answered.")
        console.type("And 3 + 3?\r")
        console.wait("was started again")
        console.wait(DONE, 2)
        wait_for(lambda: context(console) > first, "the conversation as it was, and more")


def test_an_engine_that_dies_while_idle_costs_nothing(r1chat: Command) -> None:
    """An engine that died between two questions is started anew for the next one."""
    with repl(r1chat, "demo", *SHORT) as console:
        console.wait("context 0 of")
        engine = engine_of(console.process.pid)
        engine.kill()
        wait_until_gone([engine])
        console.type("What is 1 + 1?\r")
        console.wait("was started again")
        console.wait(DONE)


def test_ctrl_c_at_an_empty_prompt(r1chat: Command) -> None:
    """The first Ctrl-C at an empty prompt tells how to leave, the second leaves; one with text clears the text."""
    with repl(r1chat, "demo") as console:
        console.type("some text")
        console.wait("some text")
        console.type("\x03")
        wait_for(lambda: "some text" not in console.text, "an empty prompt")
        console.type("\x03")
        console.wait("Ctrl-C again or Ctrl-D leaves.")
        console.type("\x03")
        assert 0 == console.end()


def test_leaving_in_the_middle_of_an_answer(r1chat: Command) -> None:
    """Ctrl-D while the model answers ends at once, and the engine with it."""
    with repl(r1chat, "demo", "--no-think", *SLOW) as console:
        console.type("What is 1 + 1?\r")
        console.wait("answering")
        family = children(console.process.pid)
        console.type("\x04")
        assert 0 == console.end()
        wait_until_gone(family)


def test_a_model_that_is_not_there_opens_no_chat(r1chat: Command) -> None:
    """A wrong name is told in place of a prompt."""
    with Console([*r1chat.argv, "run", "no-such-model"], env=r1chat.environ, cwd=ROOT) as console:
        assert 3 == console.end()
        assert "r1chat: There is no model 'no-such-model'." == console.lines[0]


def test_the_last_model_is_taken(r1chat: Command, tmp_path: Path) -> None:
    """Without a name, the chat is with R1CHAT_MODEL, else with the model used last."""
    copy = tmp_path / "copy.gguf"
    copy.symlink_to(ROOT / "r1chat" / "data" / "demo.gguf")
    remembered = Path(r1chat.environ["R1CHAT_HOME"]) / "last-model"
    with repl(r1chat, R1CHAT_MODEL=str(copy)) as console:
        console.wait("copy.gguf · context 0 of 2,048")  # loaded: only a model that loads is remembered
        wait_for(
            lambda: remembered.is_file() and remembered.stat().st_size > 0, "its name on the disk"
        )  # after the bar
    with repl(r1chat) as console:
        console.wait("· copy.gguf ·")


# One shot on a terminal


def test_one_shot_on_a_terminal(r1chat: Command) -> None:
    """On a terminal the thinking is shown in front of the answer, and a line says what it took."""
    args = ("run", "demo", "What is 1 + 1?", *SHORT)
    with Console([*r1chat.argv, *args], env=r1chat.environ, cwd=ROOT) as console:
        assert 0 == console.end()
        assert console.lines[0].startswith("│ ")
        assert [] != [line for line in console.lines if line.startswith("thought for ")]
        assert DONE in console.lines[-1]


def test_ctrl_c_in_one_shot_on_a_terminal(r1chat: Command) -> None:
    """Ctrl-C typed on a terminal ends the answer, keeps it on the screen, and exits with 130."""
    args = ("run", "demo", "What is 1 + 1?", *SLOW)
    with Console([*r1chat.argv, *args], env=r1chat.environ, cwd=ROOT) as console:
        console.wait("│ ")
        family = children(console.process.pid)
        console.type("\x03")
        assert 130 == console.end()
        wait_until_gone(family)
        assert console.lines[0].startswith("│ ")
        assert "interrupted" in console.lines[-1]


@pytest.mark.parametrize("args", [("run", "demo", "What is 1 + 1?"), ("run", "demo")])
def test_ctrl_z_and_fg(r1chat: Command, args: tuple[str, ...]) -> None:
    """Ctrl-Z gives the shell back, and `fg` goes on where it was."""
    env = {**r1chat.environ, "PS1": "shell> ", "BASH_SILENCE_DEPRECATION_WARNING": "1"}
    with Console(["bash", "--norc", "--noprofile", "-i"], env=env, cwd=ROOT, columns=200) as console:
        console.wait("shell>")
        line = " ".join(f"'{word}'" for word in (*r1chat.argv, *args, "--pace", "10", "--max-tokens", "20"))
        console.type(f"{line}\r")
        console.wait("thinking… " if len(args) == 3 else PROMPT.strip())
        console.type("\x1a")
        console.wait("Stopped")
        console.type("echo still $((40 + 2))\r")
        console.wait("still 42")
        console.type("fg\r")
        if len(args) == 2:  # what is typed before the chat has the terminal again would be the shell's
            wait_for(lambda: PROMPT.strip() in console.text.rpartition("fg")[2], "the prompt")
            console.type("What is 1 + 1?\r")
            console.wait(DONE)
            console.type("\x04")
        console.wait(DONE)
        console.wait("shell>", 4)  # what is typed before would be the chat's
        console.type("echo back $((40 + 3))\r")
        console.wait("back 43")
        assert "Traceback" not in console.text


def test_a_hang_up(r1chat: Command) -> None:
    """The signal of a terminal that goes away ends the chat, and its engine with it."""
    with repl(r1chat, "demo", "--no-think", *SLOW) as console:
        console.type("What is 1 + 1?\r")
        console.wait("answering")
        family = children(console.process.pid)
        os.kill(console.process.pid, signal.SIGHUP)
        console.end()
        wait_until_gone(family)
