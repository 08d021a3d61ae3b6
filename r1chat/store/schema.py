"""The tables, and how a file of an older version becomes one of this version. Knows SQL and nothing else.

`PRAGMA user_version` counts the migrations that a file has had. A migration is never changed once it has been released:
what comes after it is a new one.

    sessions    one row per conversation. `owner` is the process that writes to it (owner.py), null for none
    turns       one row per turn; `reason` is null while it is under way. `indexed`: its words are in the index
    pieces      text of turns under way, in the order in which it came. A finished turn has none
    words       the full-text index of finished turns. It holds no text: it is contentless, and made of words.py's form

The index is not part of the migrations: it needs FTS5, which a Python may lack. It is made when a Python that has it
opens the file, and the turns that are not in it yet are the ones with `indexed` 0.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress

from r1chat.errors import StoreError

_TABLES = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    model TEXT NOT NULL,
    system TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL,
    updated REAL NOT NULL,
    leaf INTEGER,
    owner TEXT
);
CREATE INDEX sessions_updated ON sessions (updated);
CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session INTEGER NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    parent INTEGER,
    question TEXT NOT NULL,
    reasoning TEXT NOT NULL DEFAULT '',
    answer TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL DEFAULT '',
    asked TEXT NOT NULL DEFAULT '{}',
    reason TEXT,
    took TEXT NOT NULL DEFAULT '{}',
    created REAL NOT NULL,
    updated REAL NOT NULL,
    UNIQUE (session, number)
);
CREATE INDEX turns_open ON turns (session) WHERE reason IS NULL;
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL REFERENCES turns (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX pieces_turn ON pieces (turn);
"""
_INDEXED = """
ALTER TABLE turns ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX turns_not_indexed ON turns (id) WHERE indexed = 0 AND reason IS NOT NULL;
"""
# Marks (M) belong to the words of Hindi, Thai and others. No column sizes: they are for ranking, and hits are by time.
# Beginnings of three letters have lists of their own: "the*" would else be put together from a thousand words.
_WORDS = """
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    question, reasoning, answer, content = '', columnsize = 0, prefix = '3',
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
)
"""


def _tables(connection: sqlite3.Connection) -> None:
    """Version 1: sessions, their turns, and the text of those under way."""
    _run(connection, _TABLES)


def _indexed(connection: sqlite3.Connection) -> None:
    """Version 2: turns know whether they are in the index."""
    _run(connection, _INDEXED)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_tables, _indexed)
VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file to this version, in one transaction. Raises StoreError for a file of a newer r1chat."""
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have been first
        if version > VERSION:
            raise StoreError(
                "The sessions on this machine were written by a newer r1chat.",
                hint="Update r1chat, or give it another folder with R1CHAT_HOME.",
            )
        for migration in MIGRATIONS[version:]:
            migration(connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def make_index(connection: sqlite3.Connection) -> bool:
    """Make the index if it is not there. False if this Python's SQLite has no FTS5."""
    try:
        connection.execute("SELECT rowid FROM words LIMIT 0")
        return True
    except sqlite3.OperationalError:
        pass
    connection.execute("BEGIN IMMEDIATE")  # else it could not wait for another program that makes it
    try:
        connection.execute(_WORDS)
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        connection.execute("ROLLBACK")
        if "no such module" in str(error):
            return False
        raise
    return True


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run statements inside the open transaction, which `executescript` would commit."""
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)
