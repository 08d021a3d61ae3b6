"""The sessions' file: what is written is read back, found, renamed and removed; old, broken and foreign files."""

import os
import sqlite3
import stat
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from r1chat.core.transcript import Transcript
from r1chat.errors import NotFoundError, StoreError, UsageError
from r1chat.store import database, schema, writing
from r1chat.store.store import Store, open_store
from tests.store.kept import transcript


@pytest.fixture
def file(home: Path) -> Path:
    """Where the sessions are."""
    return home / "deeper" / "sessions.db"


def put(file: Path, *transcripts: Transcript) -> None:
    """Write whole sessions."""
    with database.opened(file) as found, database.transaction(found.connection):
        for each in transcripts:
            writing.add_transcript(found.connection, each)


def keys(store: Store, typed: str) -> list[str]:
    """Search, and give the keys of what is found."""
    return [hit.session.key for hit in store.search(typed)]


HEAT = transcript(
    ("What is entropy?", "Let me recall Clausius.", "热量不能自发地从低温物体传到高温物体。"), key="heat22"
)
SUMS = transcript(
    ("What is 2 + 2?", "Easy.", "Four."), ("And 3 + 3?", "Add them: café.", "Six, an entropic number."), key="sums33"
)


def test_what_is_written_is_read_back(file: Path) -> None:
    """A session comes back as it was, to the seed, the plan and the blanks."""
    odd = transcript(("Q\n \ttail ", "\n\n think\u2028 ", "  A\x1b[2J\x00b"), key="odd444")
    put(file, odd, SUMS)
    with open_store(file) as store:
        assert [odd, SUMS] == [store.read("odd444"), store.read("sums33")]


def test_lone_surrogates_are_kept_as_question_marks(file: Path) -> None:
    """Text that no encoding can write does not stop a session from being kept."""
    put(file, transcript(("a\udcffb", "", "c"), key="surr55"))
    with open_store(file) as store:
        assert "a?b" == store.read("surr55").turns[0].question


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes: the user's folder is private by its own rules")
def test_only_the_owner_can_read(file: Path) -> None:
    """The file, what SQLite keeps beside it, and its folder are private, also where the file was open to all before."""
    put(file, HEAT)
    file.chmod(0o644)
    with database.opened(file) as found, database.transaction(found.connection):
        writing.add_transcript(found.connection, SUMS)
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}
    assert {"sessions.db": 0o600, "sessions.db-wal": 0o600, "sessions.db-shm": 0o600} == modes
    assert 0o700 == stat.S_IMODE(file.parent.stat().st_mode)


def test_the_list(file: Path) -> None:
    """The session used last stands first; `at_most` bounds the list, not the count."""
    put(file, HEAT, transcript(("Later?", "", "Yes."), key="late66", when=1_800_000_000.0))
    with open_store(file) as store:
        assert ["late66", "heat22"] == [one.key for one in store.sessions()]
        assert ["late66"] == [one.key for one in store.sessions(1)]
        assert 2 == store.count()
        assert "late66" == store.last().key


def test_nothing_is_there_yet(file: Path) -> None:
    """Without a session, there is none to go on with."""
    with open_store(file) as store:
        assert [] == store.sessions()
        with pytest.raises(NotFoundError):
            store.last()
        assert [] == store.search("entropy")


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("heat22", "heat22"),
        ("HEAT22", "heat22"),
        ("h", "heat22"),
        ("entropy", "heat22"),
        ("2 + 2", "sums33"),
        ("WHAT entr", "heat22"),
    ],
)
def test_a_word_for_a_session(file: Path, word: str, key: str) -> None:
    """A key, the beginning of one, or words of the title mean a session."""
    put(file, HEAT, SUMS)
    with open_store(file) as store:
        assert key == store.find(word).key


def test_words_that_mean_none_or_several(file: Path) -> None:
    """Several sessions are told by key and title; none is an error that says where to look."""
    put(file, HEAT, SUMS)
    with open_store(file) as store:
        with pytest.raises(UsageError, match="means 2 sessions") as several:
            store.find("what is")
        assert "heat22 (What is entropy?)" in several.value.hint
        for word in ("zzz", "", "%", "'"):
            with pytest.raises(NotFoundError):
                store.find(word)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("热力", []),
        ("高温", ["heat22"]),
        ("温", ["heat22"]),
        ("低温物体", ["heat22"]),
        ("clausius", ["heat22"]),
        ("CAFE", ["sums33"]),
        ("entropy", ["heat22"]),
        ("entrop", ["heat22", "sums33"]),  # nothing has it as it is
        ("entropic six", ["sums33"]),
        ("six four", []),  # two turns
        ('"an entropic"', ["sums33"]),
        ('"entropic an"', []),
        ("2", ["sums33"]),
        ("nothing", []),
    ],
)
def test_search(file: Path, typed: str, found: Sequence[str]) -> None:
    """All words of a turn's question, thinking and answer are found, Chinese ones of any length, and in any case."""
    put(file, HEAT, SUMS)
    with open_store(file) as store:
        assert sorted(found) == sorted(keys(store, typed))


def test_a_hit_says_where(file: Path) -> None:
    """A hit has its turn, its place, and what is around it; a title is found by its new name too."""
    put(file, SUMS)
    with open_store(file) as store:
        (hit,) = store.search("entropic")
        assert (1, "answer", "entropic") == (hit.turn, hit.place, hit.excerpt.text[hit.excerpt.start : hit.excerpt.end])
        assert ["thinking"] == [one.place for one in store.search("café")]
        store.rename("sums33", "Kopfrechnen")
        assert ["title"] == [one.place for one in store.search("kopfrechnen")]


def test_search_needs_a_word(file: Path) -> None:
    """Signs alone are no question."""
    with open_store(file) as store, pytest.raises(UsageError):
        store.search("?!")


def test_to_look_makes_no_file(file: Path) -> None:
    """Where nothing is kept nothing is found, and no file is made by looking."""
    with open_store(file) as store:
        assert ([], 0, []) == (store.sessions(), store.count(), store.search("entropy"))
        for look in (store.last, lambda: store.find("heat22"), lambda: store.read("heat22")):
            with pytest.raises(NotFoundError):
                look()
    assert [] == list(file.parent.glob("sessions.db*"))


def test_what_is_removed_is_gone(file: Path) -> None:
    """A removed session is not listed, not found, and no byte of it is left in the file or beside it."""
    put(file, HEAT, transcript(("my xyzzysecret", "plughsecret", "frobsecret"), key="priv77"))
    with open_store(file) as store:
        assert ["priv77"] == keys(store, "plughsecret")
        store.remove(["priv77"])
        assert [] == keys(store, "plughsecret")
        assert ["heat22"] == [one.key for one in store.sessions()]
    left = b"".join(each.read_bytes() for each in file.parent.iterdir())
    assert [] == [word for word in (b"xyzzy", b"plugh", b"frob", b"secret", b"priv77") if word in left]
    with database.opened(file) as found:
        found.connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        assert [("ok",)] == found.connection.execute("PRAGMA integrity_check").fetchall()


def test_a_turn_that_grows_is_found_by_its_new_words(file: Path) -> None:
    """A turn that was gone on with is indexed anew, and once."""
    put(file, HEAT)
    with open_store(file) as store:
        assert ["heat22"] == keys(store, "clausius")
    with database.opened(file) as found, database.transaction(found.connection):
        id = writing.claim(found.connection, "heat22")
        turn = replace(HEAT.turns[0], reasoning="Boltzmann instead.")
        writing.open_turn(found.connection, id, turn)
        writing.put_turn(found.connection, id, turn)
        writing.release(found.connection, id)
    with open_store(file) as store:
        assert (["heat22"], []) == (keys(store, "boltzmann"), keys(store, "clausius"))


# Files of other times and Pythons

VERSION_1 = """
CREATE TABLE sessions (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, title TEXT NOT NULL, model TEXT NOT NULL,
    system TEXT NOT NULL DEFAULT '', created REAL NOT NULL, updated REAL NOT NULL, leaf INTEGER, owner TEXT);
CREATE INDEX sessions_updated ON sessions (updated);
CREATE TABLE turns (id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, number INTEGER NOT NULL, parent INTEGER,
    question TEXT NOT NULL, reasoning TEXT NOT NULL DEFAULT '', answer TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '', asked TEXT NOT NULL DEFAULT '{}', reason TEXT,
    took TEXT NOT NULL DEFAULT '{}', created REAL NOT NULL, updated REAL NOT NULL, UNIQUE (session, number));
CREATE INDEX turns_open ON turns (session) WHERE reason IS NULL;
CREATE TABLE pieces (id INTEGER PRIMARY KEY, turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    kind TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX pieces_turn ON pieces (turn);
INSERT INTO sessions VALUES (1, 'old888', 'An old chat', 'demo', '', 1.0, 2.0, 1, NULL);
INSERT INTO turns VALUES (1, 1, 0, NULL, '什么是热力学?', 'hmm', 'Entropy.', 'demo', '', '{}', 'stop', '{}', 1, 1);
INSERT INTO turns VALUES (2, 1, 1, 0, 'More?', 'thought', '', 'demo', '', '{}', NULL, '{}', 2.0, 2.0);
INSERT INTO pieces (turn, kind, text) VALUES (2, 'reasoning', ' and more'), (2, 'answer', 'Half an ans');
PRAGMA user_version = 1;
"""


def test_a_file_of_version_1(file: Path) -> None:
    """A file from before the index is brought up to date: its chats are there, are found, and what was cut is whole."""
    file.parent.mkdir()
    old = sqlite3.connect(file)
    old.executescript(VERSION_1)
    old.close()
    with open_store(file) as store:
        kept = store.read("old888")
        assert ("Entropy.", "stop") == (kept.turns[0].answer, kept.turns[0].reason)
        cut = kept.turns[1]
        assert ("thought and more", "Half an ans", "interrupted") == (cut.reasoning, cut.answer, cut.reason)
        assert ["old888"] == keys(store, "热力") == keys(store, "half")
    with database.opened(file) as found:
        assert (schema.VERSION,) == found.connection.execute("PRAGMA user_version").fetchone()


def test_a_file_of_a_newer_version_is_left_alone(file: Path) -> None:
    """A file that a newer r1chat wrote is neither read nor changed, and the error says what to do."""
    put(file, HEAT)
    with database.opened(file) as found:
        found.connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    with pytest.raises(StoreError, match="newer r1chat"), open_store(file):
        pass
    assert [] == list(file.parent.glob("*.broken*"))


@pytest.mark.parametrize(
    "damage", [b"This is no database, but a letter to my aunt. " * 100, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_broken_file_is_moved_aside(file: Path, damage: bytes) -> None:
    """A broken file is kept under another name, with a sentence that tells it, and a new one begins."""
    file.parent.mkdir()
    file.write_bytes(damage)
    told: list[str] = []
    with open_store(file, told.append) as store:
        assert [] == store.sessions()
    (aside,) = file.parent.glob("sessions.db.broken-*")
    assert damage == aside.read_bytes()
    assert aside.name in told[0]


def test_without_full_text_search(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python without FTS5 keeps sessions and says what it can't do; one that has it finds them all later."""
    with monkeypatch.context() as without:
        without.setattr(schema, "_WORDS", "CREATE VIRTUAL TABLE words USING no_such_fts (question)")
        put(file, HEAT)
        with open_store(file) as store:
            assert ["heat22"] == [one.key for one in store.sessions()]
            with pytest.raises(StoreError, match="no full-text search"):
                store.search("entropy")
    with open_store(file) as store:
        assert ["heat22"] == keys(store, "entropy")


# Two programs


def test_a_session_that_is_open_elsewhere(file: Path) -> None:
    """A session that a living process writes to is neither taken nor removed; one whose process died is."""
    put(file, HEAT, SUMS)
    with database.opened(file) as found:
        alive = f"{os.getppid()}/{psutil.Process(os.getppid()).create_time():.0f}"
        dead = f"{os.getpid()}/1"  # our number, but begun in 1970
        found.connection.execute("UPDATE sessions SET owner = ? WHERE key = 'heat22'", (alive,))
        found.connection.execute("UPDATE sessions SET owner = ? WHERE key = 'sums33'", (dead,))
    with open_store(file) as store:
        assert {"heat22": True, "sums33": False} == {one.key: one.running for one in store.sessions()}
        with pytest.raises(StoreError, match="is open in another r1chat"):
            store.claim("heat22")
        with pytest.raises(StoreError, match="is open in an r1chat"):
            store.remove(["heat22"])
        store.claim("sums33")


def test_many_make_the_file_at_once(tmp_path: Path) -> None:
    """Programs that find no file and make it in the same moment wait for each other."""
    problems: list[Exception] = []

    def begin(file: Path, together: threading.Barrier) -> None:
        together.wait()
        try:
            with open_store(file) as store:
                store.sessions()
        except StoreError as error:
            problems.append(error)

    for number in range(40):
        together = threading.Barrier(6)
        threads = [
            threading.Thread(target=begin, args=(tmp_path / f"{number}.db", together)) for _ in range(together.parties)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [] == problems
