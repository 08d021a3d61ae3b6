"""The engine's parent side: an Engine whose work is done in a child process, and which survives the child's death.

Knows nothing about the native library, the screen or where models come from. Per child there is one thread for each of
its pipes: one starts it and reads its messages into the turns' queues, one writes what is sent to it, so that a child
that does not read blocks nobody, and one drains its standard error into a ring buffer, so that the native library's
last words survive a crash.
"""

import contextlib
import itertools
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from r1chat.core.events import Answer, Event, Failure, Finished, Notice, Progress, Reason, Reasoning, Usage
from r1chat.core.memory import Plan
from r1chat.core.prompt import Segment
from r1chat.engine import process, wire
from r1chat.engine.base import Cancel, Control, EngineInfo, Request
from r1chat.engine.selfcheck import Verdict
from r1chat.errors import EngineError, ExitCode, R1ChatError, UsageError

LOG_LINES = 400  # of the native library's output that are kept
TOLD_LINES = 8  # of them that a failure carries
GRACE = 1.0  # seconds a child has to end by itself after its stdin was closed
HEED = 0.3  # seconds it has to heed a cancel after the user has asked a second time
# A blocked wait can't be interrupted by Ctrl-C on Windows; everywhere else it can.
POLL = 0.2 if os.name == "nt" else None


class Check(Protocol):
    """The self-check as the worker uses it."""

    def verdict(self) -> Verdict:
        """Say how the library may be loaded; may take a second, the first time on a machine."""

    def revoke(self) -> None:
        """Take a good verdict back."""


class WorkerEngine:
    """Runs one model in a child process. A new child is started whenever a request finds none alive."""

    def __init__(self, path: str, check: Check) -> None:
        self._path = path
        self._check = check
        self._plan: Plan | None = None
        self._child: _Child | None = None
        self._ids = itertools.count(1)
        self._last_log: tuple[str, ...] = ()
        self._lock = threading.Lock()  # two threads that find the child dead must not start two new ones

    @property
    def info(self) -> EngineInfo | None:
        """What is loaded, or None until it is."""
        child = self._child
        return child.info if child and not child.gone else None

    def load(self, plan: Plan) -> None:
        """Start a child that loads the model, and return at once."""
        self.close()
        with self._lock:
            self._plan = plan
            self._child = _Child(self._path, plan, self._check)

    def start(self, request: Request) -> "WorkerTurn":
        """Begin to answer, with a new child where the last one is gone; a turn that still runs is cancelled.

        Raises UsageError for several samples.
        """
        if request.samples != 1:
            raise UsageError("Several samples in one request are not supported yet.", hint="Ask for one at a time.")
        child, death = self._living()
        turn = WorkerTurn(next(self._ids), child)
        if death:
            turn.put(Notice("engine-restarted", f"The engine had died ({death}) and was started again."))
        child.begin(turn, request)
        return turn

    def warm(self, request: Request) -> None:
        """Let the child compute the request's prompt while it is idle."""
        if (child := self._child) and not child.gone:
            child.send(wire.Warm(request))

    def count(self, segments: Sequence[Segment]) -> int:
        """Count tokens, after the load and the running turn. Raises EngineError when there is no model to ask."""
        child, _ = self._living()
        return child.count(next(self._ids), tuple(segments))

    def log(self) -> tuple[str, ...]:
        """Give the native library's last lines, as it wrote them: they must be cleaned before they are shown."""
        return child.log() if (child := self._child) else self._last_log

    def close(self) -> None:
        """End the child. Safe to call twice."""
        with self._lock:
            if self._child:
                self._child.close()
                self._last_log = self._child.log()
                self._child = None

    def _living(self) -> tuple["_Child", str]:
        """The child to talk to, started anew where needed, and how the last one died."""
        with self._lock:
            if self._plan is None:
                raise EngineError("No model is loaded.")
            death = ""
            if self._child is None or self._child.has_ended():
                death = self._child.death if self._child else ""
                self._child = _Child(self._path, self._plan, self._check)
            return self._child, death


class WorkerTurn:
    """One request under way in a child. Events and the user's controls meet in one queue, read by the iterator.

    `control` may be called in a signal handler: it only puts into a queue that is made for that. The iterating thread
    forwards it, so that no lock is ever taken twice.
    """

    def __init__(self, id: int, child: "_Child") -> None:
        self.id = id
        self._child = child
        self._queue: queue.SimpleQueue[Event | Control] = queue.SimpleQueue()
        self._n_cancels = 0
        self._usage = Usage()  # as far as the events told it, for an end that the child could not count

    def control(self, control: Control) -> None:
        """Interfere, from any thread or from a signal handler."""
        self._queue.put(control)

    def put(self, event: Event) -> None:
        """Hand over an event; called by the child's reader."""
        self._queue.put(event)

    def __iter__(self) -> Iterator[Event]:
        """Give the events; ends in Finished. Dropping the iterator cancels the turn."""
        finished = False
        try:
            while not finished:
                item = self._next()
                if isinstance(item, Control):
                    if (event := self._forward(item)) is None:
                        continue
                    item = event
                self._count(item)
                if isinstance(item, Finished):
                    finished = True
                    item = replace(item, usage=self._usage) if item.usage == Usage() else item
                yield item
        finally:
            if not finished:
                self._child.send(wire.Interfere(self.id, Cancel()))
            self._child.forget(self.id)

    def _next(self) -> Event | Control:
        """Wait for the next event or control. After a second cancel the child has a moment to heed the first."""
        patience = HEED if self._n_cancels > 1 else POLL
        while True:
            try:
                return self._queue.get(timeout=patience)
            except queue.Empty:
                if self._n_cancels > 1:
                    self._child.kill()
                    return Finished(Reason.CANCELLED)

    def _forward(self, control: Control) -> Event | None:
        """Send a control on. A cancel before the model is there ends the turn at once, and so does a third one."""
        if isinstance(control, Cancel):
            self._n_cancels += 1
            if self._n_cancels > 2:
                self._child.kill()
                return Finished(Reason.CANCELLED)
            if self._n_cancels == 2:
                return None
        self._child.send(wire.Interfere(self.id, control))
        return Finished(Reason.CANCELLED) if isinstance(control, Cancel) and self._child.info is None else None

    def _count(self, event: Event) -> None:
        usage = self._usage
        match event:
            case Progress("prefill", _, n_prompt):
                self._usage = replace(usage, prompt_tokens=n_prompt)
            case Reasoning():
                self._usage = replace(usage, reasoning_tokens=usage.reasoning_tokens + event.n_tokens)
            case Answer():
                self._usage = replace(usage, answer_tokens=usage.answer_tokens + event.n_tokens)


class _Child:
    """One child process from its start to its end, and the turns that wait for it."""

    def __init__(self, path: str, plan: Plan, check: Check) -> None:
        self._path = path
        self._plan = plan
        self._check = check
        self._lock = threading.Lock()  # guards the turns and counts, never a read or a write
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None ends the child's stdin
        self._turns: dict[int, WorkerTurn] = {}
        self._counts: dict[int, queue.SimpleQueue[int | R1ChatError]] = {}
        self._notices: list[Notice] = []  # for the next turn
        self._log: deque[bytes] = deque(maxlen=LOG_LINES)
        self._waited_for_load: set[int] = set()
        self._extra_buffers = False
        self._decoded = False  # whether it ever answered: then the CPU has run the library's kernels
        self._closing = False
        self._failure: Failure | None = None
        self.info: EngineInfo | None = None
        self.over = False
        self.death = ""
        self._reader = threading.Thread(target=self._run, daemon=True, name="engine-reader")
        self._reader.start()

    @property
    def gone(self) -> bool:
        """Whether the process is dead or has been told to end."""
        return self.over or self._closing

    # Called by the user's threads.

    def begin(self, turn: WorkerTurn, request: Request) -> None:
        with self._lock:
            if self.over:
                turn.put(self._ending())
                return
            for id in self._turns:  # nobody iterates them any more, or somebody wants two answers at once
                self.send(wire.Interfere(id, Cancel()))
            self._turns[turn.id] = turn
            if self.info is None:
                self._waited_for_load.add(turn.id)
                turn.put(Progress("load", 0, 1000))
            self._tell_notices(turn)
        self.send(wire.Start(turn.id, request))

    def count(self, id: int, segments: tuple[Segment, ...]) -> int:
        answer: queue.SimpleQueue[int | R1ChatError] = queue.SimpleQueue()
        with self._lock:
            if self.over:
                answer.put(self._error())
            else:
                self._counts[id] = answer
        self.send(wire.Count(id, segments))
        while True:
            with contextlib.suppress(queue.Empty):
                n = answer.get(timeout=POLL)
                if isinstance(n, R1ChatError):
                    raise n
                if n < 0:
                    raise EngineError("The model's vocabulary lacks a token of the R1 template.")
                return n

    def has_ended(self) -> bool:
        """Whether the process is gone, asked of the system: one that died while idle may not show at the reader yet."""
        if not self.gone and self._process and self._process.poll() is not None:
            self._reader.join(GRACE)  # it has the end of a pipe to see, and says how the process died
        return self.gone

    def send(self, message: Any) -> None:
        """Leave a message for the child. One that is gone already shows at the reader."""
        self._outbox.put(wire.encode(message))

    def forget(self, id: int) -> None:
        with self._lock:
            self._turns.pop(id, None)

    def log(self) -> tuple[str, ...]:
        return tuple(line.decode("utf-8", "replace") for line in tuple(self._log))

    def kill(self) -> None:
        """End the process at once. Its turns end as they would at any death, this time because it was asked for."""
        self._closing = True
        if self._process:
            self._process.kill()

    def close(self) -> None:
        """Let the process end: its stdin ends, and it has a moment."""
        self._closing = True
        self._outbox.put(None)
        self._reader.join(GRACE)
        if self._reader.is_alive():
            self.kill()
            self._reader.join(GRACE)

    # Called by the reader thread.

    def _run(self) -> None:
        """Check the library, start the process, hand out its messages, and say how it ended, whatever happens."""
        returncode: int | None = None
        try:
            returncode = self._talk()
        except Exception as error:
            self._failure = Failure(ExitCode.UNUSABLE, f"The engine's process can't be used: {error}.", "Ask again.")
        finally:
            self._end(returncode)

    def _talk(self) -> int:
        """Run one process from its start to its end; gives its exit code."""
        verdict = self._check.verdict()
        self._extra_buffers = verdict.extra_buffers
        if verdict.notice:
            with self._lock:
                self._notices.append(Notice("self-check", verdict.notice))
                for turn in self._turns.values():
                    self._tell_notices(turn)
        with process.running("r1chat.engine.child") as child:
            self._process = child
            threading.Thread(target=self._write, args=(child,), daemon=True, name="engine-writer").start()
            drain = threading.Thread(target=self._drain, args=(child,), daemon=True, name="engine-log")
            drain.start()
            if self._closing:
                child.kill()
            try:
                assert child.stdout is not None
                for line in child.stdout:
                    self._receive(wire.decode(line))
            except (ValueError, KeyError, TypeError):  # it died in the middle of a line
                child.kill()
            self._outbox.put(None)
            returncode = child.wait()
            drain.join(GRACE)  # its last words
            return returncode

    def _write(self, child: subprocess.Popen[bytes]) -> None:
        """Write to the child: first what to load, then what is sent, until a None."""
        assert child.stdin is not None
        load = wire.Load(os.fsencode(self._path).hex(), self._plan, self._extra_buffers)
        with contextlib.suppress(OSError, ValueError):
            line: bytes | None = wire.encode(load)
            while line is not None:
                child.stdin.write(line)
                child.stdin.flush()
                line = self._outbox.get()
        with contextlib.suppress(OSError, ValueError):
            child.stdin.close()

    def _drain(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            for line in child.stderr:
                self._log.append(line.rstrip(b"\r\n"))

    def _receive(self, message: Any) -> None:
        match message:
            case wire.Happened(id, event):
                self._hand_out(id, event)
            case wire.Loading(permille):
                for id in tuple(self._waited_for_load):
                    self._hand_out(id, Progress("load", permille, 1000))
            case wire.Loaded(info):
                self.info = info
            case wire.Refused(failure):
                self._failure = failure
            case wire.Counted(id, n_tokens):
                with self._lock:
                    answer = self._counts.pop(id)
                answer.put(n_tokens)

    def _tell_notices(self, turn: WorkerTurn) -> None:
        """Give a turn what the user should know of this child; once, so to the first that comes."""
        for notice in self._notices:
            turn.put(notice)
        self._notices.clear()

    def _hand_out(self, id: int, event: Event) -> None:
        with self._lock:
            turn = self._turns.get(id)
        if isinstance(event, Finished):
            self._decoded = self._decoded or event.usage.prompt_tokens > 0
            if id in self._waited_for_load and self.info:
                event = replace(event, timings=replace(event.timings, load_s=self.info.load_s))
            self._waited_for_load.discard(id)
        if turn:
            turn.put(event)
        if isinstance(event, Finished):
            self.forget(id)

    def _end(self, returncode: int | None) -> None:
        """The process is gone: every turn that waits for it ends, and the next request starts a new one."""
        fault = False
        if returncode is not None and self._failure is None and not self._closing:
            self.death = process.death(returncode)
            fault = self._extra_buffers and not self._decoded and process.is_hardware_fault(returncode)
        with self._lock:
            self.over = True
            turns, self._turns = tuple(self._turns.values()), {}
            counts, self._counts = tuple(self._counts.values()), {}
        for turn in turns:
            turn.put(self._ending())
        for answer in counts:
            answer.put(self._error())
        if fault:
            self._check.revoke()

    def _ending(self) -> Finished:
        if self._failure:
            return Finished(Reason.ERROR, failure=replace(self._failure, log=self._last_words()))
        if self._closing:
            return Finished(Reason.CANCELLED)
        doing = "while it loaded the model" if self.info is None else "while it answered"
        hint = "Ask again: a new engine starts by itself."
        if self.death == "SIGKILL":
            hint = f"If nobody ended it, the system had no memory left: try a smaller model or --ctx. {hint}"
        message = f"The engine died ({self.death}) {doing}."
        return Finished(Reason.DIED, failure=Failure(ExitCode.UNUSABLE, message, hint, self._last_words()))

    def _error(self) -> R1ChatError:
        failure = self._ending().failure
        return EngineError(failure.message, hint=failure.hint) if failure else EngineError("The engine was closed.")

    def _last_words(self) -> tuple[str, ...]:
        return self.log()[-TOLD_LINES:]
