"""Chats are kept as they happen: whatever becomes of the program, the disk or the file, little is lost."""

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from r1chat.chat import Chat, Options
from r1chat.core.events import Answer, Finished, Reason
from r1chat.core.memory import Plan
from r1chat.engine.scripted import ScriptedEngine
from r1chat.sessions import Keeper, Model, exchanges_of, kept_settings, take
from r1chat.store import database
from r1chat.store.store import open_store
from tests.processes import wait_for
from tests.store.kills import kill_some, problem

N_KILLS = 20
AT_ONCE = 4
THINKS = ("think", "ing ", "</think>", "The ", "answer.")


class Kept:
    """A chat with a script, and its keeper."""

    def __init__(self, file: Path, *, pace: float = 0.0) -> None:
        self.file = file
        self.notices: list[str] = []
        self.engine = ScriptedEngine()
        self.engine.load(Plan(n_ctx=4096, n_threads=1))
        self.chat = Chat(self.engine, family="r1-distill", options=Options(pace=pace), ahead=False)
        self.keeper = Keeper(
            self.chat, lambda: Model("7b", "r1:7b", "cd" * 32, {"n_ctx": 4096}), file, self.notices.append
        )
        self.chat.add_sink(self.keeper)

    def ask(self, text: str, *pieces: str) -> None:
        """Ask, and let the script answer."""
        self.turn(lambda: self.chat.ask(text), *pieces)

    def turn(self, begin: Callable[[], Iterator[Any]], *pieces: str) -> None:
        """Take the events of a turn to their end, as the loop does."""
        self.engine.enqueue(*(pieces or THINKS))
        for _ in begin():
            pass
        self.keeper.follow()


@pytest.fixture
def file(home: Path) -> Path:
    """Where the sessions are."""
    return home / "sessions.db"


@pytest.fixture
def kept(file: Path) -> Iterator[Kept]:
    """A kept chat."""
    made = Kept(file)
    yield made
    made.keeper.close()


def read(kept: Kept) -> Any:
    """Read what is kept of the chat's session."""
    key = kept.keeper.key
    with open_store(kept.file) as store:
        return store.read(key)


def test_a_turn_with_all_it_has(kept: Kept) -> None:
    """A turn is kept with its texts, who answered it, how it was asked, and how it ended."""
    kept.ask("What is it?")
    found = read(kept)
    assert ("What is it?", "7b", 1, 0) == (
        found.session.title,
        found.session.model,
        found.session.n_turns,
        found.session.leaf,
    )
    (turn,) = found.turns
    assert ("What is it?", "thinking ", "The answer.") == (turn.question, turn.reasoning, turn.answer)
    assert ("r1:7b", "cd" * 32, {"n_ctx": 4096}, "stop") == (turn.model, turn.digest, turn.plan, turn.reason)
    assert kept.chat.seed == turn.sampling.seed
    assert kept.chat.path[-1].finished.usage == turn.usage


def test_nothing_is_written_before_the_first_question(file: Path) -> None:
    """A chat in which nothing is asked leaves no file."""
    made = Kept(file)
    made.keeper.close()
    assert not file.exists()


def test_the_tree(kept: Kept) -> None:
    """Versions stand beside each other; what was taken back stays, and the conversation stands where it stood."""
    kept.ask("One?")
    kept.ask("Two?")
    kept.turn(kept.chat.retry, "another", "</think>", "Other.")
    kept.chat.undo()
    kept.keeper.follow()
    kept.ask("Two, in other words?")
    found = read(kept)
    assert [None, 0, 0, 0] == [turn.parent for turn in found.turns]
    assert ["One?", "Two, in other words?"] == [turn.question for turn in found.path]
    kept.chat.undo()
    kept.keeper.follow()
    assert ["One?"] == [turn.question for turn in read(kept).path]


def test_a_turn_that_is_gone_on_with(kept: Kept) -> None:
    """A turn that was cut and gone on with is one turn, with the whole of its text."""
    kept.chat.options = Options(max_tokens=2)
    kept.ask("Long?", "a ", "b ", "c ", "</think>", "d")
    cut = read(kept).turns[0]
    kept.chat.options = Options()
    kept.turn(kept.chat.resume, "c ", "</think>", "d")
    (turn,) = read(kept).turns
    assert ("length", "stop") == (cut.reason, turn.reason)
    assert ("a b c ", "d") == (turn.reasoning, turn.answer)


def test_a_new_conversation_is_a_new_session(kept: Kept) -> None:
    """After /clear the next question begins another session; the old one stays as it was."""
    kept.ask("Old?")
    old = kept.keeper.key
    kept.chat.reset()
    kept.keeper.restart()
    kept.ask("New?")
    kept.ask("Newer?")
    assert ["New?", "Newer?"] == [turn.question for turn in read(kept).path]
    with open_store(kept.file) as store:
        assert ["Old?"] == [turn.question for turn in store.read(old).path]
        assert {"Old?", "New?"} == {one.title for one in store.sessions()}


def test_a_session_is_resumed(kept: Kept) -> None:
    """A session becomes a chat again, tree and settings, and goes on as the same session."""
    kept.ask("One?")
    kept.turn(kept.chat.retry, "</think>", "Second.")
    kept.keeper.close()
    later = Kept(kept.file)
    found = take(kept.file, None)
    later.chat.restore(exchanges_of(found), found.session.leaf)
    later.keeper.resume(found)
    assert kept.chat.exchanges == later.chat.exchanges
    assert 0.6 == kept_settings(found)["temperature"]
    later.ask("Two?")
    assert [None, None, 1] == [turn.parent for turn in read(later).turns]
    later.keeper.close()
    with open_store(kept.file) as store:
        assert 1 == store.count()


def test_a_turn_that_is_dropped(kept: Kept) -> None:
    """A turn whose events are not taken to their end is kept as interrupted by the user, with what was said."""
    kept.engine.enqueue(*THINKS)
    events = kept.chat.ask("Hm?")
    for event in events:
        if isinstance(event, Answer):
            break
    events.close()  # type: ignore[attr-defined]
    kept.keeper.follow()
    (turn,) = read(kept).turns
    assert ("The ", Reason.CANCELLED) == (turn.answer, turn.reason)


def test_text_is_written_while_it_comes(file: Path) -> None:
    """Another process sees the beginning of an answer before its end, and that it is under way."""
    made = Kept(file, pace=50)
    thread = threading.Thread(target=made.ask, args=("Slow?", *(f"{n} " for n in range(100))))
    thread.start()

    def begun() -> bool:
        if not file.exists():
            return False
        with open_store(file) as store:
            return any(store.read(one.key).turns[0].reasoning.startswith("0 1 2 ") for one in store.sessions())

    wait_for(begun, "the beginning of the text")
    with open_store(file) as store:
        (one,) = store.sessions()
        (turn,) = store.read(one.key).turns
    assert ("", True) == (turn.reason, one.running)
    thread.join()
    made.keeper.close()


def test_kills_lose_the_last_second_at_most(file: Path) -> None:
    """SIGKILL at random moments, of several programs that keep their chats in one file: see kills.py for what holds."""
    rng = random.Random(8)
    for first in range(0, N_KILLS, AT_ONCE):
        names = [f"writer{number}" for number in range(first, first + AT_ONCE)]
        said = kill_some(file, names, rng, longest=2.2)
        assert "" == problem(file, said)


# What goes wrong


class Full:
    """A connection to a full disk: whatever changes the file is refused, until there is room."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.full = True

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        """Refuse, or let it be done."""
        if self.full and sql.startswith(("INSERT", "UPDATE")):
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return self._connection.execute(sql, *args)

    def close(self) -> None:
        """Close."""
        self._connection.close()


def test_a_full_disk(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told once and stops no chat; when there is room again, everything is written after all."""
    disks: list[Full] = []
    connect = database.connect

    def on_a_full_disk(path: Path) -> database.Opened:
        found = connect(path)
        disks.append(Full(found.connection))
        return replace(found, connection=disks[0])  # type: ignore[arg-type]

    monkeypatch.setattr(database, "connect", on_a_full_disk)
    kept.ask("One?")
    wait_for(lambda: bool(kept.notices), "the notice")
    kept.ask("Two?")
    kept.keeper.follow()
    assert "The disk is full" in kept.notices[0]
    assert "The answer." == kept.chat.path[-1].answer.content
    disks[0].full = False
    kept.ask("Three?")
    key = kept.keeper.key
    monkeypatch.undo()
    with open_store(kept.file) as store:
        assert ["One?", "Two?", "Three?"] == [turn.question for turn in store.read(key).turns]
    assert 1 == len(kept.notices)


def test_a_disk_that_is_full_from_the_start(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the file can be made for want of room, it is tried again as well."""
    connect, attempts = sqlite3.connect, [0]

    def full_at_first(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        attempts[0] += 1
        if attempts[0] == 1:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error
        return connect(*args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", full_at_first)
    kept.ask("One?")
    assert ["One?"] == [turn.question for turn in read(kept).turns]
    assert [True] == ["is kept as soon as that can be done" in notice for notice in kept.notices]


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    """Where no file can be made, one sentence says so, and the chat goes on."""
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    made = Kept(blocked / "sessions.db")
    made.ask("One?")
    made.ask("Two?")
    assert "" == made.keeper.key
    made.keeper.close()
    assert ["can't be kept"] == [notice[13:26] for notice in made.notices]
    assert 2 == len(made.chat.path)


def test_a_broken_file_does_not_stop_a_chat(kept: Kept) -> None:
    """A broken file is moved aside with a sentence, and the chat is kept in a new one."""
    kept.file.write_bytes(b"broken" * 1000)
    kept.ask("One?")
    assert ["One?"] == [turn.question for turn in read(kept).turns]
    assert [True] == ["was broken" in notice for notice in kept.notices]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody remove a file that is open")
def test_a_file_that_is_removed_is_told(kept: Kept) -> None:
    """Who removes the file under a chat is told that it is not kept any more, also with a new file in its place."""
    kept.ask("One?")
    assert kept.keeper.key
    for each in kept.file.parent.glob("sessions.db*"):
        each.unlink()
    database.connect(kept.file).connection.close()
    kept.ask("Two?")
    kept.keeper.close()
    assert [True] == ["was removed" in notice and "is not kept" in notice for notice in kept.notices]


def test_the_end_of_a_turn_is_an_event_of_every_turn(kept: Kept) -> None:
    """The keeper never comes between a chat and its events: a turn's end is there, whatever the disk says."""
    kept.file.mkdir()  # a folder in the file's place
    kept.engine.enqueue(*THINKS)
    events = list(kept.chat.ask("One?"))
    kept.keeper.follow()
    assert isinstance(events[-1], Finished)
    assert "" == kept.keeper.key
