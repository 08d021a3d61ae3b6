"""Sessions in the REPL on a real terminal, as a person uses them. Whole processes, real model."""

import os
from pathlib import Path

from r1chat.store.store import open_store
from tests.conftest import ROOT, Command
from tests.console import Console
from tests.processes import wait_for
from tests.store.kept import transcript
from tests.store.test_store import put
from tests.test_repl import DONE, PROMPT, SHORT, repl

HEAT = transcript(("What is entropy?", "Let me recall.", "It is **heat** by\n\ntemperature."), key="heat22", when=1e9)


def test_a_session_from_its_first_question_on(r1chat: Command, checked: Path) -> None:
    """A chat is listed, renamed, found, and gone on with after r1chat was left; the last answer is there again."""
    with repl(r1chat, "demo", "--no-think", *SHORT) as console:
        console.type("/rename x\r")
        console.wait("It begins with the first question.")
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        console.type("/rename Little sums\r")
        console.wait("This session is called Little sums now.")
        console.type("/sessions\r")
        wait_for(lambda: any("Little sums" in line and line.endswith("now") for line in console.lines), "the list")
        console.type("\x04")
        assert 0 == console.end()
    with repl(r1chat, "-c", "--no-think", *SHORT) as console:
        console.wait("Continued: Little sums · 1 turn, last ")
        console.wait(f"{PROMPT}What is 1 + 1?")
        console.type("/undo\r")
        console.wait("Taken back: What is 1 + 1?")
        console.type("And 2 + 2?\r")
        console.wait(DONE)
        console.type("\x04")
        assert 0 == console.end()
    with open_store(checked / "sessions.db") as store:
        (one,) = store.sessions()
        kept = store.read(one.key)
        assert [None, None] == [turn.parent for turn in kept.turns]
        assert ["And 2 + 2?"] == [turn.question for turn in kept.path]


def test_changing_to_another_session(r1chat: Command, checked: Path) -> None:
    """/search finds a session, Tab completes its ID, /resume goes on with it; the one before stays as it was."""
    put(checked / "sessions.db", HEAT)
    with repl(r1chat, "demo", "--no-think", *SHORT) as console:
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        console.type("/search temperature\r")
        console.wait("answer: It is **heat** by temperature.")
        console.type("/resume hea\t")
        console.wait("/resume heat22")
        console.type("\r")
        console.wait("Continued: What is entropy? · 1 turn")
        console.wait("It is heat by")
        console.type("And 2 + 2?\r")
        console.wait(DONE, 2)
        console.type("/resume zzz\r")
        console.wait("There is no session 'zzz'.")
        console.type("/new\r")
        console.wait("A new conversation begins")
        console.type("And 3 + 3?\r")
        console.wait(DONE, 3)
        console.type("\x04")
        assert 0 == console.end()
    with open_store(checked / "sessions.db") as store:
        kept = [[turn.question for turn in store.read(one.key).path] for one in store.sessions()]
    assert [["And 3 + 3?"], ["What is entropy?", "And 2 + 2?"], ["What is 1 + 1?"]] == kept


def test_a_session_is_open_once(r1chat: Command, checked: Path) -> None:
    """A session that is open in one terminal can't be taken in another; a chat beside it is kept as well."""
    with repl(r1chat, "demo", "--no-think", *SHORT) as console:
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        done = r1chat("run", "-c", "And 2 + 2?")
        assert (1, True) == (done.code, b"is open in another r1chat." in done.err)
        with repl(r1chat, "demo", "--no-think", *SHORT) as other:
            other.type("And 3 + 3?\r")
            other.wait(DONE)
            other.type("/sessions\r")
            wait_for(lambda: sum(line.endswith(" now") for line in other.lines) == 2, "both")


def test_a_chat_that_was_killed(r1chat: Command, checked: Path) -> None:
    """SIGKILL in the middle of an answer: what was said is there at the next start, and goes on from there."""
    with repl(r1chat, "demo", "--no-think", "--pace", "10", "--seed", "1") as console:
        console.type("What is 1234 + 4321?\r")

        def kept() -> bool:
            if not (checked / "sessions.db").exists():
                return False
            with open_store(checked / "sessions.db") as store:
                return any(turn.answer for one in store.sessions() for turn in store.read(one.key).turns)

        wait_for(kept, "the beginning of an answer on the disk")
        os.kill(console.process.pid, 9)
        console.end()
    with repl(r1chat, "-c", "--no-think", *SHORT) as console:
        console.wait("(interrupted)")
        with open_store(checked / "sessions.db") as store:
            cut = store.read(store.last().key).turns[0].answer
        console.type("/continue\r")
        console.wait(DONE)
    with open_store(checked / "sessions.db") as store:
        (one,) = store.sessions()
        (turn,) = store.read(one.key).turns
    assert turn.answer.startswith(cut)
    assert len(turn.answer) > len(cut) > 0
    assert "interrupted" != turn.reason


def test_exporting(r1chat: Command, checked: Path, tmp_path: Path) -> None:
    """/export writes the session as its name says, and says where; without one there is nothing to write."""
    with Console(
        [*r1chat.argv, "run", "demo", *SHORT], env={**r1chat.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path
    ) as console:
        console.wait(PROMPT.strip())
        console.type("/export\r")
        console.wait("There is no session yet.")
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        console.type("/export\r")
        console.wait("Written to r1chat-what-is-1-1.html, readable for you alone.")
        console.type(f"/export {tmp_path}/a.md\r")
        wait_for((tmp_path / "a.md").exists, "the file")
        console.type("/export a.pdf\r")
        console.wait("a.pdf does not tell the form.")
    assert "What is 1 + 1?" in (tmp_path / "r1chat-what-is-1-1.html").read_text("utf-8")


def test_nothing_is_kept(r1chat: Command, checked: Path, tmp_path: Path) -> None:
    """With --no-history a chat leaves nothing behind; what needs a kept one says so, and exporting still works."""
    before = set(checked.iterdir())
    with repl(r1chat, "demo", "--no-think", "--no-history", *SHORT) as console:
        console.type("What is 1 + 1?\r")
        console.wait(DONE)
        for command in ("/rename x", "/resume x"):
            console.type(f"{command}\r")
        console.wait("This chat is not kept.", 2)
        console.type("/sessions\r")
        console.wait("There is no session yet.")
        console.type(f"/export {tmp_path}/a.json\r")
        wait_for((tmp_path / "a.json").exists, "the file")
        console.type("\x04")
        assert 0 == console.end()
    assert before == set(checked.iterdir())
