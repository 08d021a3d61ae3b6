"""Kept chats from outside: what `run` keeps, how it goes on, and `r1chat sessions`. Whole processes, real model."""

import json
import os
import stat
from pathlib import Path

import pytest

from r1chat.store import database
from r1chat.store.store import open_store
from tests.conftest import ROOT, Command
from tests.console import Console
from tests.store.kept import transcript
from tests.store.test_store import put

ASK = ("--seed", "1", "--max-tokens", "60")
HEAT = transcript(("What is entropy?", "Let me recall Clausius.", "热量 is $Q$."), key="heat22", when=1_600_000_000.0)
SUMS = transcript(("What is 2 + 2?", "Easy.", "Four."), ("And 3 + 3?", "", "Six."), key="sums33")


@pytest.fixture
def file(checked: Path) -> Path:
    """The sessions of the command, two there already."""
    put(checked / "sessions.db", HEAT, SUMS)
    return checked / "sessions.db"


def on_a_terminal(r1chat: Command, *args: str, typed: str = "") -> tuple[int, list[str]]:
    """Run a command on a terminal; give its exit code and what was shown."""
    with Console([*r1chat.argv, *args], env=r1chat.environ, cwd=ROOT, columns=100) as console:
        if typed:
            console.wait("[y/N]")
            console.type(typed)
        return console.end(), console.lines


def questions(file: Path) -> list[list[str]]:
    """The questions of every session, the one used last first."""
    with open_store(file) as store:
        return [[turn.question for turn in store.read(one.key).path] for one in store.sessions()]


def test_what_is_kept(r1chat: Command, checked: Path) -> None:
    """A question on a terminal is kept; one in a pipe is not, and --no-history writes nothing at all."""
    before = set(checked.iterdir())
    assert 0 == r1chat("run", "demo", "What is 1 + 1?", "--no-history", *ASK).code
    assert 0 == on_a_terminal(r1chat, "run", "demo", "What is 2 + 2?", "--no-history", *ASK)[0]
    assert before == set(checked.iterdir())
    assert 0 == r1chat("run", "demo", "What is 3 + 3?", *ASK).code
    assert not (checked / "sessions.db").exists()
    assert 0 == on_a_terminal(r1chat, "run", "demo", "What is 4 + 4?", *ASK)[0]
    assert [["What is 4 + 4?"]] == questions(checked / "sessions.db")


def test_going_on(r1chat: Command, checked: Path) -> None:
    """-c goes on with the session used last and its model, in a pipe too; --resume with another one, by its title."""
    file = checked / "sessions.db"
    on_a_terminal(r1chat, "run", "demo", "What is 4 + 4?", *ASK)
    on_a_terminal(r1chat, "run", "demo", "What is 5 + 5?", *ASK)
    done = r1chat("run", "-c", "And 1 + 1?", *ASK)
    assert (0, b"") == (done.code, done.err)
    assert b"2" in done.out
    assert 0 == r1chat("run", "--resume", "4 + 4", "And 2 + 2?", *ASK).code
    assert [["What is 4 + 4?", "And 2 + 2?"], ["What is 5 + 5?", "And 1 + 1?"]] == questions(file)
    told = json.loads(r1chat("run", "-c", "demo", "And 3 + 3?", "--json", *ASK).out)
    first = json.loads(r1chat("run", "demo", "And 3 + 3?", "--json", *ASK).out)
    assert told["usage"]["prompt_tokens"] > first["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("run", "-c", "--resume", "heat22"), 2, "exclude each other"),
        (("run", "-c", "--raw", "x"), 2, "exclude each other"),
        (("run", "-c", "--no-history"), 2, "says that none is kept"),
        (("run", "--resume", "nothing"), 3, "There is no session 'nothing'."),
        (("run", "--resume", "what is", "demo", "x"), 2, "means 2 sessions"),
        (("run", "--resume", "heat22", "why"), 3, "name the model before it: r1chat run demo --resume heat22 why"),
        (("sessions", "show", "nothing"), 3, "There is no session 'nothing'."),
        (("sessions", "search", "nothing"), 3, "Nothing is found for nothing."),
        (("sessions", "search", "?!"), 2, "There is no word to search for."),
        (("sessions", "export", "heat22", "out.pdf"), 2, "does not tell the form"),
        (("sessions", "rename", "heat22", " "), 2, "at least one letter"),
        (("sessions", "frobnicate"), 2, "frobnicate"),
        (("sessions", "rm", "heat22"), 2, "Nobody can be asked"),
    ],
)
def test_what_cannot_be(r1chat: Command, file: Path, args: tuple[str, ...], code: int, said: str) -> None:
    """What can't be done is one sentence, with the exit code of its kind."""
    done = r1chat(*args)
    assert (code, b"") == (done.code, done.out)
    assert said in done.err.decode()
    assert "Traceback" not in done.err.decode()


def test_a_session_whose_model_is_gone(r1chat: Command, file: Path) -> None:
    """It is said how the session goes on with another model, which it then does."""
    with database.opened(file) as found:
        found.connection.execute("UPDATE sessions SET model = '7b'")
    done = r1chat("run", "--resume", "heat22", "And 1 + 1?", *ASK)
    assert 3 == done.code
    assert b"With another model: r1chat run MODEL --resume heat22. Get it" in done.err
    assert 0 == r1chat("run", "demo", "--resume", "heat22", "And 1 + 1?", *ASK).code


def test_no_session_yet(r1chat: Command) -> None:
    """Before the first chat the list says how one begins, and -c that there is none."""
    assert b"There is no session yet." in r1chat("sessions").out
    done = r1chat("run", "-c", "demo", "x")
    assert (3, b"r1chat: There is no session yet.\n  Begin one: r1chat run\n") == (done.code, done.err)


def test_the_list(r1chat: Command, file: Path) -> None:
    """`r1chat sessions` lists what there is, the last first; --json says the same."""
    lines = r1chat("sessions").out.decode().splitlines()
    assert ["ID", "sums33", "heat22"] == [line.split()[0] for line in lines[:3]]
    assert "What is entropy?" in lines[2]
    found = json.loads(r1chat("sessions", "list", "--json").out)
    assert ["sums33", "heat22"] == [one["key"] for one in found["sessions"]]
    assert found == json.loads(r1chat("sessions", "--json").out)


def test_showing(r1chat: Command, file: Path) -> None:
    """A chat is shown as it was on a terminal, its thinking if that is asked for; in a pipe as Markdown."""
    code, lines = on_a_terminal(r1chat, "sessions", "show", "entropy")
    assert (0, ["What is entropy?", "heat22 · 1 turn", ">>> What is entropy?"]) == (code, lines[:3])
    assert [] == [line for line in lines if "Clausius" in line]
    assert "│ Let me recall Clausius." in on_a_terminal(r1chat, "sessions", "show", "heat22", "--thinking")[1]
    assert "# What is entropy?" == r1chat("sessions", "show", "heat").out.decode().splitlines()[0]
    assert "heat22" == json.loads(r1chat("sessions", "show", "heat", "--json").out)["key"]


def test_searching(r1chat: Command, file: Path) -> None:
    """Search finds what was thought and answered, in Chinese too, and shows where."""
    assert "thinking: Let me recall Clausius." in r1chat("sessions", "search", "clausius").out.decode()
    assert "answer: 热量 is $Q$." in r1chat("sessions", "search", "热量").out.decode()
    assert 3 == r1chat("sessions", "search", '"recall me"').code
    (hit,) = json.loads(r1chat("sessions", "search", "--json", "six").out)["hits"]
    assert ("sums33", 1, "answer", "Six") == (
        hit["session"]["key"],
        hit["turn"],
        hit["place"],
        hit["text"][hit["start"] : hit["end"]],
    )


def test_renaming_and_removing(r1chat: Command, file: Path) -> None:
    """A session gets another title; it is removed when that is confirmed, and only then."""
    assert 0 == r1chat("sessions", "rename", "sums", "Adding", "up").code
    assert "Adding up" in r1chat("sessions").out.decode()
    code, lines = on_a_terminal(r1chat, "sessions", "rm", "adding", typed="n\r")
    assert (1, "Nothing was removed.") == (code, lines[-1])
    assert 0 == on_a_terminal(r1chat, "sessions", "rm", "adding", typed="y\r")[0]
    assert 0 == r1chat("sessions", "rm", "heat", "heat22", "--yes").code
    assert [] == questions(file)


def test_exporting(r1chat: Command, file: Path, tmp_path: Path) -> None:
    """A chat is written to stdout or a private file, in the form that the name or --format says."""
    page = tmp_path / "a.html"
    assert 0 == r1chat("sessions", "export", "heat22", str(page)).code
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    if os.name != "nt":
        assert 0o600 == stat.S_IMODE(page.stat().st_mode)
    assert 2 == r1chat("sessions", "export", "heat22", str(page)).code
    assert 0 == r1chat("sessions", "export", "sums33", str(page), "--force").code
    assert "2 + 2" in page.read_text("utf-8")
    assert 2 == len(json.loads(r1chat("sessions", "export", "sums33", "--format", "json").out)["turns"])
    assert b"# What is 2 + 2?" in r1chat("sessions", "export", "sums33").out
    assert b"# What is 2 + 2?" in r1chat("sessions", "export", "sums33", "-").out
    assert b"is a folder" in r1chat("sessions", "export", "heat22", str(tmp_path), "--format", "md").err


def test_a_broken_file(r1chat: Command, checked: Path) -> None:
    """A broken file of sessions is moved aside with a sentence, and nothing else stops."""
    (checked / "sessions.db").write_bytes(b"broken" * 1000)
    done = r1chat("sessions")
    assert 0 == done.code
    assert b"was broken. It is kept as" in done.err
    code, lines = on_a_terminal(r1chat, "run", "demo", "What is 4 + 4?", *ASK)
    assert 0 == code
    assert "Traceback" not in "".join(lines)
