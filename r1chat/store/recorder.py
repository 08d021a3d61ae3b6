"""Writes a conversation down as it happens, in a thread of its own. Knows SQL only by the names of writing.py.

Strategy: the caller's thread only appends to a queue. The writer takes what is in it at most every INTERVAL seconds, at
once where a turn begins or ends, and writes it in one transaction; so SIGKILL costs the text of the last half second.
A transaction that fails stays in the queue and is tried again, because disks get room and other programs finish; the
user is told once. Text is appended in pieces, and becomes the turn's own when the turn ends: what a token costs never
depends on the length of the answer.

Commits are not synced to the disk while text streams in; the one that ends a turn is.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import groupby
from pathlib import Path

from r1chat.core.transcript import Session, Turn
from r1chat.errors import StoreError
from r1chat.store import database, owner, writing

INTERVAL = 0.5  # seconds between two transactions while text streams in
AGAIN = 2.0  # seconds until a failed transaction is tried again
LAST_WORDS = 10.0  # seconds that `close` waits for the writer
INDEXED_AT_ONCE = 8  # turns; there is one, unless another Python without FTS5 wrote some

Step = Callable[[sqlite3.Connection], None]


class Recorder:
    """Keeps one conversation after another. Any thread may call it; nothing here raises, and only `flush` waits.

    `on_notice` is told, in the writer's thread, what the user must know: that nothing can be written, and why.
    """

    def __init__(self, path: Path, on_notice: Callable[[str], None]) -> None:
        self._path = path
        self._on_notice = on_notice
        self._lock = threading.Condition()  # guards what follows
        self._steps: list[Step] = []
        self._text: list[tuple[writing.Kind, str]] = []  # behind the steps, of the turn `_number`
        self._number = 0
        self._urgent = False
        self._closing = False
        self._n_asked = self._n_done = 0  # steps
        self._key = ""
        self._thread: threading.Thread | None = None
        # Of the writer's thread alone
        self._session = 0
        self._told = False

    @property
    def key(self) -> str:
        """The key of the session that is being written, empty until it is there."""
        return self._key

    # What the conversation tells

    def begin(self, session: Session) -> None:
        """A new session begins, with the turn that is opened next."""
        self._do(lambda connection: self._begin(connection, session))

    def resume(self, key: str) -> None:
        """Go on with a session that this process has claimed."""
        self._do(lambda connection: self._find(connection, key))

    def use(self, model: str) -> None:
        """The session goes on with another model."""
        self._do(lambda connection: writing.use_model(connection, self._session, model))

    def open(self, turn: Turn) -> None:
        """A turn begins, or goes on."""
        self._do(lambda connection: writing.open_turn(connection, self._session, turn), urgent=True)
        self._number = turn.number

    def text(self, kind: writing.Kind, text: str) -> None:
        """More text of the turn that began last."""
        with self._lock:
            if not self._closing:
                self._text.append((kind, text))
                if len(self._text) == 1:
                    self._lock.notify_all()

    def put(self, turn: Turn) -> None:
        """A turn has come to its end, or is known better than before."""
        with self._lock:
            self._text.clear()  # `turn` has it
        self._do(lambda connection: writing.put_turn(connection, self._session, turn), urgent=True)

    def drop(self, number: int) -> None:
        """A turn came to nothing."""
        self._do(lambda connection: writing.drop_turn(connection, self._session, number))

    def stand_at(self, leaf: int | None) -> None:
        """The conversation stands at another turn."""
        self._do(lambda connection: writing.stand_at(connection, self._session, leaf))

    def leave(self) -> None:
        """The session is over."""
        self._do(self._leave, urgent=True)

    def flush(self, seconds: float = LAST_WORDS) -> bool:
        """Wait until everything told so far is written; False if it can't be."""
        with self._lock:
            self._settle_text()
            target, self._urgent = self._n_asked, True
            self._lock.notify_all()
            return self._lock.wait_for(lambda: self._n_done >= target or self._closing, seconds) and not self._closing

    def close(self) -> None:
        """Write what is left. Safe to call twice."""
        with self._lock:
            self._settle_text()
            self._closing = True
            self._lock.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(LAST_WORDS)

    # The queue

    def _do(self, step: Step, *, urgent: bool = False) -> None:
        with self._lock:
            if self._closing:
                return
            self._settle_text()
            self._steps.append(step)
            self._n_asked += 1
            self._urgent = self._urgent or urgent
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="sessions")
                self._thread.start()
            self._lock.notify_all()

    def _settle_text(self) -> None:
        """Turn text into steps, one for all pieces of one kind that stand together. Call it with the lock held."""
        for kind, pieces in groupby(self._text, lambda piece: piece[0]):
            text = "".join(text for _, text in pieces)
            self._steps.append(partial(self._append, number=self._number, kind=kind, text=text))
            self._n_asked += 1
        self._text = []

    def _take(self, not_before: float, patience: float | None) -> tuple[list[Step], bool, bool]:
        """Wait for work, then until `not_before` unless it is urgent. Give it, whether it is urgent, and the last."""
        with self._lock:
            self._lock.wait_for(lambda: self._steps or self._text or self._urgent or self._closing, patience)
            self._lock.wait_for(lambda: self._urgent or self._closing, max(0.0, not_before - time.monotonic()))
            self._settle_text()
            steps, urgent = self._steps, self._urgent
            self._steps, self._urgent = [], False
            return steps, urgent, self._closing

    # The writer's thread

    def _run(self) -> None:
        found: database.Opened | None = None
        pending: list[Step] = []
        not_before, last = 0.0, False
        while not last:
            steps, urgent, last = self._take(not_before, AGAIN if pending else None)
            pending += steps
            try:
                if found is None:
                    found = database.connect(self._path)
                    if found.notice:
                        self._on_notice(found.notice)
                if not found.still_at(self._path):
                    raise StoreError("The sessions' file was removed.", hint="Begin r1chat again to keep chats.")
                self._write(found.connection, pending, durable=urgent or last)
                pending, not_before = [], time.monotonic() + INTERVAL
                if urgent and found.searchable:
                    self._index(found.connection)
            except (sqlite3.Error, StoreError, OSError) as error:
                self._tell(error)
                not_before = time.monotonic() + AGAIN
                if database.is_lasting(error):
                    break
        with self._lock:
            self._closing = True
            self._steps, self._text = [], []
            self._lock.notify_all()
        if found is not None:
            found.connection.close()

    def _write(self, connection: sqlite3.Connection, steps: list[Step], *, durable: bool) -> None:
        """Do all steps or none."""
        if steps:
            session, key = self._session, self._key
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            try:
                with database.transaction(connection):
                    for step in steps:
                        step(connection)
            except BaseException:
                self._session, self._key = session, key
                raise
        with self._lock:
            self._n_done += len(steps)
            self._lock.notify_all()

    def _index(self, connection: sqlite3.Connection) -> None:
        with database.transaction(connection):
            writing.index_turns(connection, INDEXED_AT_ONCE)

    def _tell(self, error: Exception) -> None:
        """Say once that nothing is written, and why."""
        if not self._told:
            self._told = True
            said = database.failure(error, self._path)
            kept = "is not kept" if database.is_lasting(error) else "is kept as soon as that can be done"
            self._on_notice(f"{said.message} {said.hint} The chat goes on, and {kept}.")

    # Steps

    def _begin(self, connection: sqlite3.Connection, session: Session) -> None:
        writing.settle_all(connection)
        self._session = writing.add_session(connection, session, owner.this_process())
        self._find(connection, "")

    def _find(self, connection: sqlite3.Connection, key: str) -> None:
        row = connection.execute(
            "SELECT id, key FROM sessions WHERE key = ? OR id = ?", (key, 0 if key else self._session)
        )
        self._session, self._key = row.fetchone() or (0, "")

    def _append(self, connection: sqlite3.Connection, *, number: int, kind: writing.Kind, text: str) -> None:
        writing.append(connection, self._session, number, kind, text)

    def _leave(self, connection: sqlite3.Connection) -> None:
        writing.release(connection, self._session)
        self._session, self._key = 0, ""
