"""Opens the sessions' file: private, migrated, and put aside when it is broken. Turns SQLite's errors into sentences.

Any number of processes may have it open: readers see what is committed, and writers wait for each other (WAL).
"""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from r1chat.core.sanitize import clean
from r1chat.errors import StoreError
from r1chat.store import schema

PATIENCE = 10.0  # seconds to wait for another process that writes; one transaction takes milliseconds
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_HELD = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_NONE = (0, 0)  # the device and the number of no file
_SUFFIXES = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file. `searchable`: it has a full-text index. `notice` says what was wrong and is no more."""

    connection: sqlite3.Connection
    searchable: bool
    notice: str = ""
    identity: tuple[int, int] = _NONE

    def still_at(self, path: Path) -> bool:
        """Whether the file is still the one of that name: a removed one takes what is written as ever, and loses it."""
        return self.identity == _identity(path)


def connect(path: Path) -> Opened:
    """Open the file, made if it is not there. A broken one is moved aside. Raises StoreError.

    The connection is in autocommit mode and belongs to the calling thread.
    """
    try:
        return _patiently(path)
    except sqlite3.DatabaseError as error:
        if not is_broken(error):
            raise failure(error, path) from error
    except OSError as error:
        raise StoreError(
            f"The sessions can't be kept in {clean(str(path.parent))}: {error.strerror}.",
            hint="Make the folder writable, or name another one with R1CHAT_HOME.",
        ) from error
    aside = move_aside(path)
    notice = f"The sessions' file was broken. It is kept as {clean(str(aside))}, and a new one begins."
    try:
        opened = _patiently(path)
    except (sqlite3.Error, OSError) as error:
        raise failure(error, path) from error
    return replace(opened, notice=notice)


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open the file for a `with` block; SQLite's errors in it come out as StoreError."""
    found = connect(path)
    try:
        with closing(found.connection):
            yield found
    except sqlite3.Error as error:
        raise failure(error, path) from error


@contextmanager
def opened_if_there(path: Path) -> Iterator[Opened]:
    """The same, but a file that is not there is not made: what is opened then is as empty, and in memory only."""
    if _identity(path) != _NONE:
        with opened(path) as found:
            yield found
    else:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            schema.migrate(connection)
            yield Opened(connection, schema.make_index(connection))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do what is in the `with` block whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise


def is_broken(error: BaseException) -> bool:
    """Whether SQLite says that the file is none of its own, or a damaged one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN


def is_lasting(error: BaseException) -> bool:
    """Whether trying again can't help: a full disk gets room and other programs finish, a newer file stays newer."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    if isinstance(cause, sqlite3.Error):
        return is_broken(cause)
    return getattr(cause, "errno", None) != errno.ENOSPC


def failure(error: Exception, path: Path) -> StoreError:
    """Say in a sentence what SQLite or the system refused."""
    if isinstance(error, StoreError):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = clean(str(path))
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"The disk is full: the session can't be written to {name}.", hint="Make room on it.")
    if code in _HELD:
        return StoreError(f"Another program holds {name}.", hint="Wait for it, and try again.")
    if code in _BROKEN:
        return StoreError(f"{name} is damaged.", hint="The next chat moves it aside and begins a new one.")
    return StoreError(f"{name} can't be read or written: {error}.", hint="Check its permissions and the disk.")


def move_aside(path: Path) -> Path:
    """Rename a broken file, with what SQLite keeps beside it; give the new name. Raises StoreError."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.broken-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.broken-{stamp}-{number}")
    try:
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(
            f"{clean(str(path))} is damaged, and can't be moved aside: {error.strerror}.", hint="Move it away."
        ) from error
    return aside


def _patiently(path: Path) -> Opened:
    """Connect. Where several programs make the file at once, SQLite does not wait for its turn by itself."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _connect(path)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _HELD or time.monotonic() > end:
                raise
        time.sleep(0.02)


def _connect(path: Path) -> Opened:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's own files get the permissions of this one
    with suppress(OSError):  # another user's
        path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON").fetchone()
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        schema.migrate(connection)
        return Opened(connection, schema.make_index(connection), identity=_identity(path))
    except BaseException:
        connection.close()
        raise


def _identity(path: Path) -> tuple[int, int]:
    """Name a file so that another one in its place has another name; _NONE if there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _NONE
    except OSError:  # it can't be told
        return (-1, -1)
    return found.st_dev, found.st_ino
