"""The sessions as commands use them: listed, found, read, searched, renamed, removed. One connection, one thread."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from r1chat.core.sanitize import clean
from r1chat.core.transcript import Hit, Place, Session, Transcript, Turn
from r1chat.errors import NotFoundError, StoreError, UsageError
from r1chat.store import database, rows, words, writing

SEVERAL = 5  # candidates that are told when a word means more than one session
_PORTION = 200  # turns that are indexed in one transaction
_MERGED = 500  # pages of the index that are merged in one transaction: some tens of milliseconds
_COLUMNS: tuple[tuple[Place, str], ...] = (("answer", "answer"), ("question", "question"), ("thinking", "reasoning"))


class Store:
    """The sessions' file, open. Made by `open_store`."""

    def __init__(self, connection: sqlite3.Connection, *, searchable: bool) -> None:
        self._connection = connection
        self._searchable = searchable

    def sessions(self, at_most: int | None = None) -> list[Session]:
        """Give the sessions, the one that was used last first."""
        found = self._connection.execute(
            f"SELECT {rows.SESSION} FROM sessions s ORDER BY s.updated DESC, s.id DESC LIMIT ?",
            (-1 if at_most is None else at_most,),
        )
        return [rows.session_of(row) for row in found]

    def count(self) -> int:
        """Count the sessions."""
        return int(self._connection.execute("SELECT count(*) FROM sessions").fetchone()[0])

    def last(self) -> Session:
        """Give the session that was used last. Raises NotFoundError if there is none."""
        if found := self.sessions(1):
            return found[0]
        raise NotFoundError("There is no session yet.", hint="Begin one: r1chat run")

    def find(self, word: str) -> Session:
        """Find the session that a word means: its key or the beginning of one, or words of its title.

        Raises NotFoundError for none, and UsageError for several.
        """
        word = " ".join(word.split())
        sign = word.casefold()
        keys = self._keys(sign) or self._keys_of_titles(sign.split())
        if not keys:
            raise NotFoundError(f"There is no session {clean(word)!r}.", hint="What is there: r1chat sessions")
        if len(keys) > 1:
            told = [self._session(key) for key in keys[:SEVERAL]]
            names = ", ".join(f"{one.key} ({clean(one.title)})" for one in told if one)
            more = f" and {len(keys) - SEVERAL:,} more" if len(keys) > SEVERAL else ""
            raise UsageError(f"{clean(word)!r} means {len(keys):,} sessions.", hint=f"Name one: {names}{more}.")
        found = self._session(keys[0])
        assert found is not None
        return found

    def read(self, key: str) -> Transcript:
        """Read a whole session. Raises NotFoundError."""
        session = self._session(key)
        if session is None:
            raise NotFoundError(f"There is no session {clean(key)!r}.", hint="What is there: r1chat sessions")
        found = self._connection.execute(
            f"SELECT id, {rows.TURN} FROM turns WHERE session = (SELECT id FROM sessions WHERE key = ?)"
            " ORDER BY number",
            (key,),
        ).fetchall()
        return Transcript(session, tuple(self._with_pieces(row, session.running) for row in found))

    def claim(self, key: str) -> None:
        """Let this process go on with a session. Raises StoreError if another one has it open."""
        with database.transaction(self._connection):
            writing.claim(self._connection, key)

    def rename(self, key: str, title: str) -> None:
        """Give a session another title."""
        with database.transaction(self._connection):
            writing.rename(self._connection, key, title)

    def remove(self, keys: list[str]) -> None:
        """Remove sessions. What was in them is overwritten, in the file and in what SQLite keeps beside it."""
        with database.transaction(self._connection):
            for key in keys:
                writing.remove(self._connection, key)
        if self._searchable:
            self._rewrite_index()
        self._connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()

    def settle(self) -> None:
        """Give an end to the turns whose programs died, if there are any."""
        if self._connection.execute("SELECT 1 FROM turns WHERE reason IS NULL LIMIT 1").fetchone():
            with database.transaction(self._connection):
                writing.settle_all(self._connection)

    def search(self, typed: str, at_most: int = 20) -> list[Hit]:
        """Find sessions by the words of their titles, questions, answers and thinking, the newest turns first.

        If nothing has the words as they are, they are taken as the beginnings of words. Raises UsageError where there
        is no word in what was typed, and StoreError without FTS5.
        """
        terms = words.terms_of(typed)
        if not terms:
            raise UsageError("There is no word to search for.", hint="For example: r1chat sessions search entropy")
        if not self._searchable:
            raise StoreError(
                "This Python's SQLite has no full-text search (FTS5).",
                hint="Everything else works. Python from python.org, uv or a Linux distribution has it.",
            )
        self._index()
        titles = self._connection.execute("SELECT id, title FROM sessions ORDER BY updated DESC").fetchall()
        for these in (terms, words.opened(terms)):
            if hits := self._hits(these, titles, at_most):
                return hits
        return []

    # Inside

    def _keys(self, beginning: str) -> list[str]:
        """The key that this is, or the keys that begin so."""
        found = self._connection.execute(
            "SELECT key FROM sessions WHERE key >= ? AND key < ? ORDER BY key", (beginning, beginning + "\U0010ffff")
        )
        keys = [key for (key,) in found] if beginning else []
        return [beginning] if beginning in keys else keys

    def _keys_of_titles(self, words: list[str]) -> list[str]:
        titles = self._connection.execute("SELECT key, title FROM sessions ORDER BY updated DESC")
        return [key for key, title in titles if words and all(word in title.casefold() for word in words)]

    def _session(self, key: str) -> Session | None:
        row = self._connection.execute(f"SELECT {rows.SESSION} FROM sessions s WHERE s.key = ?", (key,)).fetchone()
        return rows.session_of(row) if row else None

    def _with_pieces(self, row: tuple[object, ...], running: bool) -> Turn:
        """Read a turn, with the text that has come so far if it is under way."""
        id, *values = row
        for kind, text in self._connection.execute("SELECT kind, text FROM pieces WHERE turn = ? ORDER BY id", (id,)):
            values[3 if kind == "reasoning" else 4] += text
        return rows.turn_of(tuple(values), running=running)

    def _index(self) -> None:
        """Bring the index up to date. It nearly always is: who writes a turn indexes it too."""
        while self._connection.execute(
            "SELECT 1 FROM turns WHERE indexed = 0 AND reason IS NOT NULL LIMIT 1"
        ).fetchone():
            with database.transaction(self._connection):
                writing.index_turns(self._connection, _PORTION)

    def _rewrite_index(self) -> None:
        """Merge the whole index, in which words are only marked as removed until then. Others may write in between."""
        portion = -_MERGED  # negative: begin a merge of everything; then go on with it
        while True:
            before = self._connection.total_changes
            self._connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (portion,))
            if self._connection.total_changes - before < 2:  # FTS5's sign that nothing was left to do
                return
            portion = _MERGED

    def _hits(self, terms: tuple[words.Term, ...], titles: list[tuple[int, str]], at_most: int) -> list[Hit]:
        stands_in = words.finder(terms)
        named = islice(((id, title) for id, title in titles if stands_in(title)), at_most)
        found = {
            id: Hit(self._by_id(id), None, "title", words.excerpt(title, terms) or words.beginning(title))
            for id, title in named
        }
        # Newest first, and no further than needed: to rank all hits of a frequent word takes seconds in a gigabyte.
        cursor = self._connection.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid DESC", (words.query_of(terms),)
        )
        with contextlib.closing(cursor):
            for (turn,) in cursor:
                if len(found) >= at_most:
                    break
                row = self._connection.execute("SELECT session FROM turns WHERE id = ?", (turn,)).fetchone()
                if row and row[0] not in found:
                    found[row[0]] = self._hit(turn, row[0], terms)
        return list(found.values())

    def _hit(self, turn: int, session: int, terms: tuple[words.Term, ...]) -> Hit:
        number, *texts = self._connection.execute(
            f"SELECT number, {', '.join(column for _, column in _COLUMNS)} FROM turns WHERE id = ?", (turn,)
        ).fetchone()
        for (place, _), text in zip(_COLUMNS, texts, strict=True):
            if cut := words.excerpt(text, terms):
                return Hit(self._by_id(session), number, place, cut)
        return Hit(self._by_id(session), number, "question", words.beginning(texts[1]))

    def _by_id(self, id: int) -> Session:
        return rows.session_of(
            self._connection.execute(f"SELECT {rows.SESSION} FROM sessions s WHERE s.id = ?", (id,)).fetchone()
        )


@contextmanager
def open_store(path: Path, on_notice: Callable[[str], None] = lambda notice: None) -> Iterator[Store]:
    """Open the sessions for a `with` block; to look makes no file.

    `on_notice` is told what was wrong and is no more. Raises StoreError.
    """
    with database.opened_if_there(path) as found:
        if found.notice:
            on_notice(found.notice)
        store = Store(found.connection, searchable=found.searchable)
        store.settle()
        yield store
