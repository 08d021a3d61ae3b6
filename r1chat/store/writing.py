"""What changes the tables. Every function is for the inside of a transaction, and may be repeated after a rollback."""

import secrets
import sqlite3
import time
from typing import Final, Literal

from r1chat.core.transcript import INTERRUPTED, Session, Transcript, Turn
from r1chat.errors import StoreError
from r1chat.store import owner
from r1chat.store.rows import asked_of, storable, took_of
from r1chat.store.words import index_text

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without what looks like something else
_KEY_LENGTH: Final = 6  # of 31 letters: among 10,000 sessions two letters nearly tell one, four surely do
Kind = Literal["reasoning", "answer"]


def add_session(connection: sqlite3.Connection, session: Session, owned_by: str | None) -> int:
    """Add a session with a new key (that of `session` is taken if it is free); give its id."""
    key = session.key or _new_key()
    while connection.execute("SELECT 1 FROM sessions WHERE key = ?", (key,)).fetchone():
        key = _new_key()
    values = (key, storable(session.title), storable(session.model), storable(session.system))
    row = connection.execute(
        "INSERT INTO sessions (key, title, model, system, created, updated, owner) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*values, session.created, session.updated, owned_by),
    )
    assert row.lastrowid is not None
    return row.lastrowid


def claim(connection: sqlite3.Connection, key: str) -> int:
    """Let this process write to a session; give its id. Raises StoreError for one that is gone or open elsewhere."""
    row = connection.execute("SELECT id, owner, title FROM sessions WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise StoreError("The session is not there any more.", hint="What is there: r1chat sessions")
    id, owned_by, title = row
    if owned_by not in (None, owner.this_process()) and owner.lives(owned_by):
        raise StoreError(
            f"The session “{title}” is open in another r1chat.", hint="Leave that one first, or begin a new session."
        )
    settle_turns(connection, id)
    connection.execute("UPDATE sessions SET owner = ? WHERE id = ?", (owner.this_process(), id))
    return int(id)


def release(connection: sqlite3.Connection, session: int) -> None:
    """Let go of a session: a turn in it that has no end gets none any more."""
    settle_turns(connection, session)
    connection.execute("UPDATE sessions SET owner = NULL WHERE id = ? AND owner = ?", (session, owner.this_process()))


def settle_turns(connection: sqlite3.Connection, session: int) -> None:
    """Give the end `interrupted` to what was under way when its program ended, with the text that came until then."""
    rows = connection.execute("SELECT id FROM turns WHERE session = ? AND reason IS NULL", (session,)).fetchall()
    for (turn,) in rows:
        _gather(connection, turn)
        connection.execute("UPDATE turns SET reason = ? WHERE id = ?", (INTERRUPTED, turn))


def settle_all(connection: sqlite3.Connection) -> None:
    """Settle the sessions whose programs are gone."""
    rows = connection.execute(
        "SELECT DISTINCT s.id, s.owner FROM turns t JOIN sessions s ON s.id = t.session WHERE t.reason IS NULL"
    ).fetchall()
    for session, owned_by in rows:
        if owned_by != owner.this_process() and not owner.lives(owned_by):
            settle_turns(connection, session)
            connection.execute("UPDATE sessions SET owner = NULL WHERE id = ?", (session,))


def open_turn(connection: sqlite3.Connection, session: int, turn: Turn) -> None:
    """Add a turn that begins. One that is there already goes on: it keeps its text, to which more is appended."""
    row = connection.execute("SELECT id FROM turns WHERE session = ? AND number = ?", (session, turn.number)).fetchone()
    if row:
        _forget_words(connection, row[0])
        connection.execute("UPDATE turns SET reason = NULL, updated = ? WHERE id = ?", (turn.updated, row[0]))
    else:
        connection.execute(
            "INSERT INTO turns (session, number, parent, question, model, digest, asked, created, updated)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(session, turn.number, turn.parent, storable(turn.question), storable(turn.model), turn.digest),
                *(asked_of(turn), turn.created, turn.updated),
            ),
        )
    _stand(connection, session, turn.number, turn.updated)


def append(connection: sqlite3.Connection, session: int, number: int, kind: Kind, text: str) -> None:
    """Add text to a turn under way: what it costs does not depend on how much there is."""
    connection.execute(
        "INSERT INTO pieces (turn, kind, text) SELECT id, ?, ? FROM turns WHERE session = ? AND number = ?",
        (kind, storable(text), session, number),
    )


def put_turn(connection: sqlite3.Connection, session: int, turn: Turn) -> None:
    """Write a turn that has come to its end, whole, in the place of what was written of it before."""
    connection.execute(
        "INSERT INTO turns (session, number, question, created, updated) VALUES (?, ?, '', ?, 0)"
        " ON CONFLICT DO NOTHING",
        (session, turn.number, turn.created),
    )
    (id,) = connection.execute(
        "SELECT id FROM turns WHERE session = ? AND number = ?", (session, turn.number)
    ).fetchone()
    _forget_words(connection, id)
    connection.execute("DELETE FROM pieces WHERE turn = ?", (id,))
    connection.execute(
        "UPDATE turns SET parent = ?, question = ?, reasoning = ?, answer = ?, model = ?, digest = ?, asked = ?,"
        " reason = ?, took = ?, updated = ? WHERE id = ?",
        (
            *(turn.parent, storable(turn.question), storable(turn.reasoning), storable(turn.answer)),
            *(storable(turn.model), turn.digest, asked_of(turn), turn.reason, took_of(turn), turn.updated, id),
        ),
    )


def drop_turn(connection: sqlite3.Connection, session: int, number: int) -> None:
    """Take a turn away that came to nothing."""
    connection.execute("DELETE FROM turns WHERE session = ? AND number = ? AND indexed = 0", (session, number))


def stand_at(connection: sqlite3.Connection, session: int, leaf: int | None) -> None:
    """Keep the turn at which the conversation stands."""
    _stand(connection, session, leaf, time.time())


def use_model(connection: sqlite3.Connection, session: int, model: str) -> None:
    """Keep the word for the model that the session goes on with."""
    connection.execute("UPDATE sessions SET model = ? WHERE id = ?", (storable(model), session))


def rename(connection: sqlite3.Connection, key: str, title: str) -> None:
    """Give a session another title."""
    connection.execute("UPDATE sessions SET title = ? WHERE key = ?", (storable(title), key))


def remove(connection: sqlite3.Connection, key: str) -> None:
    """Remove a session, its turns and their words. Raises StoreError for one that is open in another program."""
    row = connection.execute("SELECT id, owner, title FROM sessions WHERE key = ?", (key,)).fetchone()
    if row is None:
        return
    id, owned_by, title = row
    if owned_by is not None and owner.lives(owned_by):
        raise StoreError(f"The session “{title}” is open in an r1chat.", hint="Leave it first.")
    for (turn,) in connection.execute("SELECT id FROM turns WHERE session = ?", (id,)).fetchall():
        _forget_words(connection, turn)
    connection.execute("DELETE FROM sessions WHERE id = ?", (id,))


def add_transcript(connection: sqlite3.Connection, transcript: Transcript) -> int:
    """Add a whole session that has come to its end; give its id."""
    session = add_session(connection, transcript.session, None)
    for turn in transcript.turns:
        put_turn(connection, session, turn)
    _stand(connection, session, transcript.session.leaf, transcript.session.updated)
    return session


def index_turns(connection: sqlite3.Connection, at_most: int) -> int:
    """Put words of finished turns into the index that are not there yet; give the number of turns."""
    rows = connection.execute(
        "SELECT id, question, reasoning, answer FROM turns WHERE indexed = 0 AND reason IS NOT NULL"
        " ORDER BY id LIMIT ?",
        (at_most,),
    ).fetchall()
    for id, *texts in rows:
        connection.execute(
            "INSERT INTO words (rowid, question, reasoning, answer) VALUES (?, ?, ?, ?)", _words(id, texts)
        )
        connection.execute("UPDATE turns SET indexed = 1 WHERE id = ?", (id,))
    return len(rows)


def _forget_words(connection: sqlite3.Connection, turn: int) -> None:
    """Take a turn out of the index, which must be told what was put in."""
    row = connection.execute(
        "SELECT question, reasoning, answer FROM turns WHERE id = ? AND indexed = 1", (turn,)
    ).fetchone()
    if row:
        connection.execute(
            "INSERT INTO words (words, rowid, question, reasoning, answer) VALUES ('delete', ?, ?, ?, ?)",
            _words(turn, row),
        )
        connection.execute("UPDATE turns SET indexed = 0 WHERE id = ?", (turn,))


def _words(turn: int, texts: "tuple[str, ...] | list[str]") -> tuple[int | str, ...]:
    return (turn, *map(index_text, texts))


def _gather(connection: sqlite3.Connection, turn: int) -> None:
    """Put the pieces of a turn into its row."""
    for kind in ("reasoning", "answer"):
        rows = connection.execute("SELECT text FROM pieces WHERE turn = ? AND kind = ? ORDER BY id", (turn, kind))
        if text := "".join(piece for (piece,) in rows):
            connection.execute(f"UPDATE turns SET {kind} = {kind} || ? WHERE id = ?", (text, turn))
    connection.execute("DELETE FROM pieces WHERE turn = ?", (turn,))


def _stand(connection: sqlite3.Connection, session: int, leaf: int | None, now: float) -> None:
    connection.execute("UPDATE sessions SET leaf = ?, updated = ? WHERE id = ?", (leaf, now, session))


def _new_key() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_LENGTH))
