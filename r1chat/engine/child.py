"""The engine's child process: reads messages from stdin, runs the session, writes events to stdout.

Knows nothing about its parent but the two pipes. The main thread loads and answers; one thread reads stdin, so that
a control reaches the running answer, and the end of the file (the parent is gone) ends the process at once. The native
library's own output goes to file descriptor 2, a pipe that the parent drains.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from r1chat.core.events import Event, Failure, Finished, Reason
from r1chat.engine import wire
from r1chat.engine.base import Cancel, EngineInfo, Request
from r1chat.engine.generation import Inbox
from r1chat.engine.llama import AbortFlag, Context, Log, Model, bindings, library_version, silence_crashes
from r1chat.engine.session import Session
from r1chat.errors import ExitCode, R1ChatError


def main() -> None:
    """Serve one parent until it goes away."""
    with contextlib.suppress(ValueError, OSError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's business
    silence_crashes()
    out = os.dup(1)
    os.dup2(2, 1)  # a native printf must not end up between two messages
    Child(out).run()


class Child:
    """The child's side of the wire."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._todo: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._inboxes: dict[int, Inbox] = {}
        self._lock = threading.Lock()  # guards the abort flag, and what it is meant for
        self._abort: AbortFlag | None = None
        self._warming = False
        self._ahead: Request | None = None  # what to compute while nothing else is to do
        self._current: Inbox | None = None
        self._permille = -1
        self._log: Log | None = None

    def run(self) -> None:
        """Take messages in order. The first is the Load; a refused one ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        load = self._todo.get()
        try:
            session, info = self._load(load)
        except Exception as error:
            self._send(wire.Refused(_failure(error)))
            os._exit(1)  # not through the interpreter's end, which would wait for the thread that reads stdin
        self._send(wire.Loaded(info))
        while True:
            self._warm(session)
            self._serve(session, self._todo.get())

    def _listen(self) -> None:
        """Read stdin for ever; a control goes past the queue, straight to its request."""
        for line in sys.stdin.buffer:
            message = wire.decode(line)
            if isinstance(message, wire.Interfere):
                self._interfere(message)
                continue
            if isinstance(message, wire.Start):
                self._inboxes[message.id] = Inbox()
            with self._lock:
                self._todo.put(message)
                if self._warming and self._abort is not None:  # what comes is more urgent; a newer Warm holds more
                    self._abort.set()
        os._exit(0)

    def _interfere(self, message: wire.Interfere) -> None:
        inbox = self._inboxes.get(message.id)
        if inbox is None:
            return
        inbox.put(message.control)
        with self._lock:
            if isinstance(message.control, Cancel) and inbox is self._current and self._abort is not None:
                self._abort.set()

    def _load(self, load: wire.Load) -> tuple[Session, EngineInfo]:
        begun = time.perf_counter()
        plan = load.plan
        self._abort = AbortFlag(bindings())
        self._log = Log(bindings(), self._abort)
        model = Model(
            bytes.fromhex(load.path),
            n_gpu_layers=plan.n_gpu_layers,
            tensor_split=plan.tensor_split,
            n_cpu_moe=plan.n_cpu_moe,
            extra_buffers=load.extra_buffers,
            progress=self._progress,
        )
        context = Context(
            model,
            n_ctx=plan.n_ctx,
            n_batch=plan.n_batch,
            n_ubatch=plan.n_ubatch,
            n_threads=plan.n_threads,
            type_k=plan.type_k,
            type_v=plan.type_v,
            flash_attention=plan.flash_attention,
            abort=self._abort,
        )
        session = Session(model, context, n_ctx=plan.n_ctx, reserve=plan.reserve, n_batch=plan.n_batch)
        info = EngineInfo(
            description=model.describe(),
            n_ctx=plan.n_ctx,
            n_vocab=model.vocabulary.n_tokens,
            load_s=time.perf_counter() - begun,
            library=f"llama-cpp-python {library_version()}",
        )
        return session, info

    def _progress(self, fraction: float) -> bool:
        permille = int(fraction * 100) * 10
        if permille > self._permille:  # the library reports every tensor; a hundred lines are enough
            self._permille = permille
            self._send(wire.Loading(permille))
        return True

    def _serve(self, session: Session, message: Any) -> None:
        match message:
            case wire.Start(id, request):
                self._answer(session, id, request)
            case wire.Warm(request):
                self._ahead = request
            case wire.Count(id, segments):
                self._send(wire.Counted(id, _count(session, segments)))

    def _answer(self, session: Session, id: int, request: Request) -> None:
        inbox = self._inboxes[id]
        assert self._abort is not None
        self._ahead = None
        with (
            self._lock
        ):  # a cancel leaves its mark before it asks for the lock: it is seen here, or sets the flag after
            self._current = inbox
            self._abort.clear()
            if inbox.cancelled:
                self._abort.set()
        for event in _answer(session, request, inbox):
            self._send(wire.Happened(id, event))
        with self._lock:
            self._current = None
        del self._inboxes[id]

    def _warm(self, session: Session) -> None:
        """Compute ahead until it is done or a message comes. One that leaves the cache as it is only delays it."""
        if self._ahead is None or self._abort is None:
            return
        with self._lock:
            if not self._todo.empty():
                return
            self._abort.clear()
            self._warming = True
        try:
            if session.warm(self._ahead.segments):
                self._ahead = None
        except R1ChatError:  # what is wrong shows when the real request comes
            self._ahead = None
        with self._lock:
            self._warming = False

    def _send(self, message: Any) -> None:
        """Write one line, whole. The parent's end of the pipe gone means: end."""
        line = memoryview(wire.encode(message))
        try:
            while line:
                line = line[os.write(self._out, line) :]
        except OSError:
            os._exit(0)


def _answer(session: Session, request: Request, inbox: Inbox) -> Iterator[Event]:
    """The session's events, with a failure before the first token as Finished."""
    try:
        yield from session.answer(request, inbox)
    except Exception as error:
        yield Finished(Reason.ERROR, failure=_failure(error))


def _count(session: Session, segments: Any) -> int:
    """Count tokens; -1 says that the vocabulary lacks one of the specials."""
    try:
        return len(session.ids(segments))
    except R1ChatError:
        return -1


def _failure(error: Exception) -> Failure:
    """An error as a value. One that is not of our tree is a bug, which must not cost the user the loaded model."""
    if isinstance(error, R1ChatError):
        return Failure(error.exit_code, error.message, error.hint)
    if isinstance(error, MemoryError):
        return Failure(ExitCode.NO_FIT, "The engine's memory ran out.", "Try again, or with a smaller --ctx.")
    message = f"The engine failed in a way it should not: {type(error).__name__}: {error}"
    return Failure(ExitCode.UNUSABLE, message, "This is a bug in r1chat: please report it.")


if __name__ == "__main__":
    main()
