"""The REPL as a person sees it, scene by scene: in tmux, with the real model on its way to slow answers."""

import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command
from tests.processes import wait_for
from tests.tmux import Tmux, needs_tmux

pytestmark = needs_tmux
SLOW = ("--pace", "4", "--seed", "1")
SHORT = ("--max-tokens", "12", "--seed", "1")
DONE = " tok/s · "
NO_PAGER = {"PAGER": "", "LESS": ""}


@contextmanager
def scene(r1chat: Command, *args: str, columns: int = 80, rows: int = 24, **environ: str) -> Iterator[Tmux]:
    """Start a chat with the demo in a window, and wait for its prompt."""
    env = {"R1CHAT_HOME": r1chat.environ["R1CHAT_HOME"], **environ}
    argv = [*r1chat.argv, "run", "demo", *args]
    with Tmux(argv, env=env, cwd=ROOT, columns=columns, rows=rows) as tmux:
        tmux.wait("context 0 of")
        yield tmux


def bar(tmux: Tmux) -> str:
    """The last row with something in it; none while the screen is just being redrawn."""
    return next((row for row in reversed(tmux.screen) if row), "")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60)])
def test_typing_goes_on_while_the_model_thinks(r1chat: Command, columns: int, rows: int) -> None:
    """Messages that are entered meanwhile are listed above the prompt, come back with Up, and with Ctrl-C."""
    with scene(r1chat, *SLOW, columns=columns, rows=rows) as tmux:
        tmux.type("What is 17 + 25?")
        tmux.press("Enter")
        tmux.wait("thinking… ")
        for message in ("second", "third"):
            tmux.type(message)
            tmux.press("Enter")

        def listed() -> bool:
            shown = [row for row in tmux.screen if row]
            below = shown[-4:-1] == ["queued: second", "queued: third", ">>>"]
            return below and shown[-5].startswith("thinking… ")

        wait_for(listed, "the queue between the status and the prompt")
        tmux.press("Up")
        wait_for(lambda: ">>> third" in tmux.screen and "queued: third" not in tmux.screen, "the third at the prompt")
        tmux.press("C-c")
        tmux.wait("interrupted")
        wait_for(lambda: ">>> second" in tmux.screen and "... third" in tmux.screen, "both at the prompt")
        assert "queued" not in tmux.text


def test_queued_messages_are_sent_in_order(r1chat: Command) -> None:
    """After the end of a turn the next message is asked, repeated above its answer."""
    with scene(r1chat, "--no-think", "--pace", "12", *SHORT) as tmux:
        for number in range(1, 4):
            tmux.type(f"What is {number} + 1?")
            tmux.press("Enter")
        tmux.wait(DONE, 3)
        questions = [line for line in tmux.text.split("\n") if line.startswith(">>> What")]
        assert [f">>> What is {number} + 1?" for number in range(1, 4)] == questions
        assert "queued" not in "\n".join(tmux.screen)


def test_the_thinking_folds_and_unfolds(r1chat: Command) -> None:
    """Shift-Tab folds the running thinking into its one line; what is printed stays; after the turn it prints all."""
    with scene(r1chat, "--pace", "6", "--seed", "1") as tmux:
        tmux.type("What is 17 + 25?")
        tmux.press("Enter")
        tmux.wait("│ ", 2)
        tmux.press("BTab")
        wait_for(lambda: "the thinking is folded from now on" in tmux.screen, "the word of the bar")
        printed = [line for line in tmux.text.split("\n") if line.startswith("│")]
        wait_for(
            lambda: any(re.match(r"thinking… \d+ tokens, [\d.]+ s, [\d.]+ tok/s$", r) for r in tmux.screen), "status"
        )
        tmux.wait("thought for ")
        tmux.wait(DONE)
        assert printed == [line for line in tmux.text.split("\n") if line.startswith("│")]
        tmux.press("BTab")
        tmux.wait("thought for ", 2)
        again = [line for line in tmux.text.split("\n") if line.startswith("│")][len(printed) :]
        assert len(again) >= len(printed)
        assert re.search(r"thought for [\d.]+ s, \d+ tokens", tmux.text)


def test_f2_asks_for_the_answer_now(r1chat: Command) -> None:
    """The thinking ends there, and the answer comes."""
    with scene(r1chat, "--pace", "5", "--seed", "1") as tmux:
        tmux.type("What is 17 + 25?")
        tmux.press("Enter")
        tmux.wait("thinking… ")
        tmux.press("F2")
        tmux.wait("answering… ")
        n_tokens = re.search(r"thought for [\d.]+ s, (\d+) token", tmux.text)
        assert n_tokens
        assert int(n_tokens[1]) < 40  # it has 52 when it is left alone
        tmux.press("C-c")
        tmux.wait("interrupted")


def test_folded_and_hidden_from_the_start(r1chat: Command) -> None:
    """`/think fold` leaves one line of a thinking, `/think hide` none; Shift-Tab prints it all the same."""
    with scene(r1chat, "--seed", "1") as tmux:
        for number, way in enumerate(("fold", "hide"), 1):
            tmux.type(f"/think {way}")
            tmux.press("Enter")
            tmux.wait(f"The thinking is set to {way}.")
            tmux.type("What is 17 + 25?")
            tmux.press("Enter")
            tmux.wait(DONE, number)
            assert "│" not in tmux.text
            assert 1 == tmux.text.count("thought for")
        tmux.press("BTab")
        tmux.wait("│ ")
        tmux.wait("thought for", 2)


def test_an_old_thinking_is_paged(r1chat: Command) -> None:
    """/thoughts prints a short thinking, or gives a long one to less; q leads back to the prompt."""
    if shutil.which("less") is None:
        pytest.skip("less is not installed")
    with scene(r1chat, "--seed", "1", rows=6, **NO_PAGER) as tmux:
        tmux.type("How many letters r are in strawberry?")
        tmux.press("Enter")
        tmux.wait(DONE)
        tmux.type("/thoughts")
        tmux.press("Enter")
        wait_for(lambda: tmux.screen[0].startswith("Turn 1: How many letters r"), "the pager")
        assert ">>>" not in "\n".join(tmux.screen)
        tmux.type("q")
        wait_for(lambda: any(row.startswith(">>>") for row in tmux.screen), "the prompt")
        tmux.type("/thoughts 2")
        tmux.press("Enter")
        tmux.wait("There is no thinking of a turn 2; these turns have one: 1.")


@pytest.mark.parametrize("pager", ["gone", "false"])
def test_a_pager_of_our_own(r1chat: Command, tmp_path: Path, pager: str) -> None:
    """Where PAGER can't be started, or fails, there is a simple one."""
    command = str(tmp_path / pager) if pager == "gone" else pager
    with scene(r1chat, "--seed", "1", rows=4, PAGER=command) as tmux:
        tmux.type("How many letters r are in strawberry?")
        tmux.press("Enter")
        tmux.wait(DONE)
        tmux.type("/thoughts")
        tmux.press("Enter")
        wait_for(lambda: "PgUp/PgDn" in tmux.screen[-2] + tmux.screen[-1], "the pager")
        assert tmux.screen[0].startswith("Turn 1: How many letters r")
        tmux.press("Down", "Down", "Down", "Down", "Down", "Down", "Down", "Down")
        wait_for(lambda: not tmux.screen[0].startswith("Turn 1"), "the rows below")
        tmux.type("q")
        wait_for(lambda: any(row.startswith(">>>") for row in tmux.screen), "the prompt")


def test_a_paste_of_ten_thousand_lines(r1chat: Command) -> None:
    """It takes one place in the prompt, can be moved over and deleted as one, and is one message, never a command."""
    lines = "\n".join(f"/line {number}" for number in range(10_000))
    with scene(r1chat, *SHORT) as tmux:
        tmux.type("Read ")
        tmux.paste(lines)
        wait_for(lambda: ">>> Read [10,000 lines]" in tmux.screen, "the folded paste")
        tmux.press("BSpace")
        wait_for(lambda: ">>> Read" in tmux.screen, "the paste deleted")
        tmux.press("C-u")
        tmux.paste(lines)
        tmux.type(" now")
        tmux.press("Enter")
        tmux.wait("... (9,990 more lines)")
        tmux.wait("The prompt has ")  # more than the demo's context holds: so all of it was sent, as one message
        assert 1 == tmux.text.count(">>> /line 0")


def test_an_editor_writes_the_message(r1chat: Command, tmp_path: Path) -> None:
    """Ctrl-X Ctrl-E opens $EDITOR with what is typed, pastes whole; its result is in the prompt, not sent."""
    editor = tmp_path / "my editor"
    editor.write_text(f'#!/bin/sh\ncp "$1" "{tmp_path}/seen"\nprintf "edited\\nby hand\\n" > "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    with scene(r1chat, *SHORT, EDITOR=f"'{editor}'", VISUAL="") as tmux:
        tmux.type("before ")
        tmux.paste("\n".join(map(str, range(100))))
        tmux.press("C-x", "C-e")
        wait_for(lambda: {">>> edited", "... by hand"} <= set(tmux.screen), "the edited text")
        assert "before " + "\n".join(map(str, range(100))) + "\n" == (tmp_path / "seen").read_text()
        tmux.press("C-_")
        wait_for(lambda: ">>> before [100 lines]" in tmux.screen, "the text before")


def test_an_editor_that_fails_changes_nothing(r1chat: Command, tmp_path: Path) -> None:
    """One that says it failed leaves the text; one that is not there, or takes the file away, is told in the bar."""
    for editor, told in (
        ("false", "context"),
        (str(tmp_path / "gone"), "can't be started: No such file"),
        ("rm", "The file for the editor can't be used: No such file or directory."),
    ):
        with scene(r1chat, *SHORT, columns=200, EDITOR=editor, VISUAL="") as tmux:
            tmux.type("my text")
            tmux.press("C-x", "C-e")
            wait_for(lambda told=told: told in bar(tmux), "the bar")
            tmux.type("!")
            wait_for(lambda: ">>> my text!" in tmux.screen, "the text")


def test_a_window_of_one_row(r1chat: Command) -> None:
    """The prompt has the only row, and the answer is in the scrollback."""
    argv = [*r1chat.argv, "run", "demo", *SHORT]
    env = {"R1CHAT_HOME": r1chat.environ["R1CHAT_HOME"]}
    with Tmux(argv, env=env, cwd=ROOT, rows=1) as tmux:
        wait_for(lambda: tmux.screen[0] == ">>>", "the prompt")
        tmux.type("What is 1 + 2?")
        tmux.press("Enter")
        tmux.wait(DONE)
        wait_for(lambda: tmux.screen[0] == ">>>" and tmux.cursor == (4, 0), "the prompt")


def test_remarks_break_at_words(r1chat: Command) -> None:
    """In a narrow window no word of /stats, /context, an error or the line below an answer is torn."""
    with scene(r1chat, *SHORT, columns=40) as tmux:
        tmux.type("What is 1 + 2?")
        tmux.press("Enter")
        tmux.wait("tok/s ·")
        for command, last in (
            ("/stats", "together"),
            ("/context", "takes no room."),
            ("/copy everything", "/copy thinking."),
        ):
            tmux.type(command)
            tmux.press("Enter")
            wait_for(lambda last=last: last in " ".join(tmux.text.split()), last)
        assert [] == [row for row in tmux.text.split("\n") if len(row) > 40]  # what the terminal broke is joined


def test_a_file_is_named_completed_and_attached(r1chat: Command, tmp_path: Path) -> None:
    """Tab completes the path after an @, Enter attaches the file; what can't be attached is told in a sentence."""
    (tmp_path / "my notes.txt").write_text("The code word is plum.\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    (tmp_path / "huge.txt").write_text("x" * 100_000)
    with scene(r1chat, *SHORT, columns=200) as tmux:
        tmux.type(f"Repeat @{tmp_path}/my")
        tmux.press("Tab")
        wait_for(lambda: any(row.endswith('my notes.txt"') for row in tmux.screen), "the completed path")
        tmux.press("Enter")
        tmux.wait("Attached: my notes.txt (23 characters).")
        tmux.wait(DONE)
        for name, told in (
            ("picture.png", "is not a text file."),
            ("huge.txt", "has 100.0 kB, far more than the context"),
        ):
            tmux.type(f"Read @{tmp_path}/{name}")
            tmux.press("Enter")
            tmux.wait(told)
            wait_for(
                lambda name=name: f">>> Read @{tmp_path}/{name}" in tmux.screen[-8:] + tmux.screen, "the text back"
            )
            tmux.press("C-c")
        tmux.type(f"Read @{tmp_path}/gone now")
        tmux.press("Enter")
        wait_for(lambda: "There is no file" in bar(tmux), "the bar")
        tmux.press("C-c")
        tmux.type(f"/file {tmp_path}/my notes.txt")
        tmux.press("Enter")
        wait_for(lambda: "1 file attached" in bar(tmux), "the bar")
        tmux.type("/file none")
        tmux.press("Enter")
        wait_for(lambda: "attached" not in bar(tmux), "the bar without it")


def test_commands_are_completed_with_what_they_do(r1chat: Command) -> None:
    """Tab lists what fits, a second one chooses, Enter takes it; words that follow a command are completed too."""
    with scene(r1chat, *SHORT) as tmux:
        tmux.type("/thi")
        tmux.press("Tab")
        wait_for(lambda: ">>> /think" in tmux.screen, "the only one")
        tmux.press("C-u")
        tmux.type("/th")
        tmux.press("Tab")
        tmux.wait("show, fold or hide the thinking from now on")
        tmux.wait("read the thinking of an earlier turn")
        tmux.press("Tab", "Enter")
        wait_for(lambda: "from now on" not in tmux.text and ">>> /think" in tmux.screen, "no menu, and the command")
        tmux.type(" fo")
        tmux.press("Tab")
        wait_for(lambda: ">>> /think fold" in tmux.screen, "the word")
        tmux.press("Enter")
        tmux.wait("The thinking is set to fold.")


def test_history_across_sessions(r1chat: Command) -> None:
    """Up brings back the last session's messages, Ctrl-R finds one by a part of it."""
    with scene(r1chat, *SHORT) as tmux:
        for message in ("/think show", "/stats"):
            tmux.type(message)
            tmux.press("Enter")
        tmux.wait("plan ")
        tmux.press("C-d")
        tmux.wait_for_end()
    with scene(r1chat, *SHORT) as tmux:
        tmux.press("Up")
        wait_for(lambda: ">>> /stats" in tmux.screen, "the last message")
        tmux.press("C-c", "C-r")
        tmux.type("show")
        wait_for(lambda: {">>> /think show", "search back: show"} <= set(tmux.screen), "the found message")
        tmux.press("Enter", "Enter")
        tmux.wait("The thinking is set to show.")


def test_the_bar_says_what_matters_most_where_there_is_little_room(r1chat: Command) -> None:
    """At 200 columns the model, the context and the plan; at 40 as much of it as fits, no word cut."""
    with scene(r1chat, columns=200) as tmux:
        wait_for(lambda: "demo · context 0 of 2,048, 2,048 left · CPU, KV f16" == bar(tmux), "the whole bar")
        tmux.resize(40, 24)
        wait_for(lambda: "demo · context 0 of 2,048, 2,048 left" == bar(tmux), "the short bar")


def test_a_very_small_window(r1chat: Command) -> None:
    """In 20 by 5 cells one can still ask, and read the answer."""
    with scene(r1chat, *SHORT, columns=80, rows=24) as tmux:
        tmux.resize(20, 5)
        tmux.type("What is 1 + 1?")
        tmux.press("Enter")
        tmux.wait("12 tokens")
        assert "Window too small" not in tmux.text


@pytest.mark.parametrize(
    ("environ", "thought"), [({"NO_COLOR": "1"}, "│ "), ({"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0"}, "")]
)
def test_without_colours_and_without_unicode(r1chat: Command, environ: dict[str, str], thought: str) -> None:
    """The chat works, and what the terminal can't show is written in other signs."""
    with scene(r1chat, "--seed", "1", PYTHONCOERCECLOCALE="0", **environ) as tmux:
        tmux.type("What is 17 + 25?")
        tmux.press("Enter")
        tmux.wait(" tok/s ")
        gutter = [line[:2] for line in tmux.text.split("\n") if line[:1] in ("│", "|")]
        assert gutter
        assert {"│ "} >= set(gutter) if thought else {"| "} >= set(gutter)
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]", tmux.styled)
        tmux.type("/stats")
        tmux.press("Enter")
        tmux.wait("together")
        assert " ? " not in tmux.text  # what an encoding lacks becomes one


def test_a_dumb_terminal_is_a_terminal_of_lines(r1chat: Command) -> None:
    """With TERM=dumb no escape is written; Ctrl-C stops an answer, three quotes hold lines together, Ctrl-D leaves."""
    argv = ["env", "TERM=dumb", *r1chat.argv, "run", "demo", *SLOW]
    env = {"R1CHAT_HOME": r1chat.environ["R1CHAT_HOME"]}
    with Tmux(argv, env=env, cwd=ROOT) as tmux:
        tmux.wait(">>>")
        tmux.type("What is 17 + 25?")
        tmux.press("Enter")
        tmux.wait("│ ")
        tmux.press("C-c")
        tmux.wait("interrupted")
        tmux.wait(">>>", 2)
        tmux.type('"""/help')
        tmux.press("Enter")
        tmux.wait("...")
        tmux.type('me"""')
        tmux.press("Enter")
        tmux.wait("│ ", 2)
        tmux.press("C-c")
        tmux.wait("interrupted", 2)
        tmux.wait(">>>", 3)
        tmux.type("/think fold")
        tmux.press("Enter")
        tmux.wait("The thinking is set to fold.")
        tmux.press("C-d")
        tmux.wait_for_end()
        assert "Traceback" not in tmux.text
