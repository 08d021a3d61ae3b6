"""The engine's parent side: an Engine whose work is done in a child process, and which survives the child's death.

Knows nothing about the native library, the screen or where models come from. Per child there is one thread for each of
its pipes: one starts it and reads its messages into the turns' queues, one writes what is sent to it, so that a child
that does not read blocks nobody, and one drains its standard error into a ring buffer, so that the native library's
last words survive a crash.

A load for which the memory is too small after all is tried again with the next lower plan, and what waits for it waits
on. After a turn that ended so the next child begins with the lower plan.
"""

import contextlib
import errno
import itertools
import os
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from r1chat.core.events import Event, Failure, Finished, Notice, Progress, Reason
from r1chat.core.memory import Plan
from r1chat.core.prompt import Segment
from r1chat.engine import host, process, wire
from r1chat.engine.base import Cancel, EngineInfo, Request
from r1chat.engine.selfcheck import Verdict
from r1chat.engine.shortage import REFUSED, shortage
from r1chat.engine.turn import POLL, WorkerTurn
from r1chat.errors import EngineError, ExitCode, FitError, R1ChatError, UsageError

LOG_LINES = 400  # of the native library's output that are kept
TOLD_LINES = 8  # of them that a failure carries
GRACE = 1.0  # seconds a child has to end by itself after its stdin was closed
STEPS = 3  # plans that are tried after the first: without a GPU the ladder has no more
HINT = (
    "Take a smaller quantization or context (--ctx), or close other programs; in a container, raise its memory limit."
)

Lower = Callable[[Plan], Plan]


class Check(Protocol):
    """The self-check as the worker uses it."""

    def verdict(self) -> Verdict:
        """Say how the library may be loaded; may take a second, the first time on a machine."""

    def revoke(self) -> None:
        """Take a good verdict back."""


def nothing_lower(failed: Plan) -> Plan:
    """Have no lower plan."""
    raise FitError("There is no smaller way to load the model.", hint=HINT)


class WorkerEngine:
    """Runs one model in a child process. A new child is started whenever a request finds none alive."""

    def __init__(
        self,
        path: str,
        check: Check,
        lower: Lower = nothing_lower,
        kills: Callable[[], int | None] = host.oom_kills,
    ) -> None:
        """Make an engine without a model. `lower` gives the plan to try after one that the memory was too small for.

        It raises FitError where there is none, and is called in a thread of its own. `kills` counts what the system's
        out-of-memory killer has ended.
        """
        self._path = path
        self._check = check
        self._lower = lower
        self._kills = kills
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

    @property
    def plan(self) -> Plan | None:
        """The plan that is loaded, or tried; not always the one that `load` was given."""
        child = self._child
        return child.plan if child else self._plan

    def load(self, plan: Plan) -> None:
        """Start a child that loads the model, and return at once."""
        self.close()
        with self._lock:
            self._child = self._born(plan)

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
                self._last_log, self._plan = self._child.log(), self._child.plan
                self._child = None

    def _born(self, plan: Plan, starved: str = "") -> "_Child":
        return _Child(self._path, plan, self._check, self._lower, self._kills, starved)

    def _living(self) -> tuple["_Child", str]:
        """The child to talk to, started anew where needed, and how the last one died."""
        with self._lock:
            if (plan := self.plan) is None:
                raise EngineError("No model is loaded.")
            death = ""
            if self._child is None or self._child.has_ended():
                death = self._child.death if self._child else ""
                self._child = self._born(plan, self._child.starved if self._child else "")
            return self._child, death


class _Child:
    """One child process from its start to its end, and the turns that wait for it.

    Several processes, while the memory is too small for the plan: `starved` says that it was for the last one.
    """

    def __init__(
        self,
        path: str,
        plan: Plan,
        check: Check,
        lower: Lower,
        kills: Callable[[], int | None],
        starved: str = "",
    ) -> None:
        self.plan = plan
        self.starved = starved
        self._path = path
        self._check = check
        self._lower = lower
        self._kills = kills
        self._n_steps = 0
        self._lock = threading.Lock()  # guards the turns, counts and what was sent early, never a read or a write
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None ends the child's stdin
        self._early: list[bytes] = []  # sent before the model was there: for the next process, if this one fails
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
                self._leave(wire.Interfere(id, Cancel()))
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
        with self._lock:
            self._leave(message)

    def _leave(self, message: Any) -> None:
        line = wire.encode(message)
        if self.info is None:
            self._early.append(line)
        self._outbox.put(line)

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
            verdict = self._check.verdict()
            self._extra_buffers = verdict.extra_buffers
            if verdict.notice:
                self._note(Notice("self-check", verdict.notice))
            if self.starved:
                with contextlib.suppress(FitError):  # then the same plan once more
                    self._step_down()
            while True:
                before = self._kills()
                returncode = self._talk()
                self.starved = self._shortage(returncode, before)
                if not self.starved or self.info is not None or not self._retries():
                    break
        except Exception as error:
            message = f"The engine's process can't be used: {error}."
            if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
                self._failure = Failure(ExitCode.NO_FIT, message, HINT)
            else:
                self._failure = Failure(ExitCode.UNUSABLE, message, "Ask again.")
        finally:
            self._end(returncode)

    def _shortage(self, returncode: int, before: int | None) -> str:
        """Say how the memory ran out, if that is what ended the process."""
        if self._closing:
            return ""
        if self._failure and self._failure.code == ExitCode.NO_FIT:
            return REFUSED
        return shortage(process.death(returncode), self.log(), (before, self._kills()))

    def _retries(self) -> bool:
        """Take the next lower plan after a load that failed; False, and a failure that says why, if there is none."""
        try:
            if self._n_steps == STEPS:
                tried = f"{STEPS} smaller plans failed as well, the last one with {self.plan.summary}."
                raise FitError(tried, hint=HINT)
            self._step_down()
        except FitError as error:
            message = f"{self.starved} while it loaded the model. {error.message}"
            self._failure = Failure(ExitCode.NO_FIT, message, error.hint)
            return False
        return True

    def _step_down(self) -> None:
        """Go on with the next lower plan, and what waits with it. Raises FitError where there is none."""
        self.plan = self._lower(self.plan)
        self._n_steps += 1
        self._failure = None
        self._log.clear()
        with self._lock:
            self._outbox = queue.SimpleQueue()
            for line in self._early:
                self._outbox.put(line)
            if self._closing:
                self._outbox.put(None)
        self._note(Notice("step-down", f"{self.starved}. Loading with less: {self.plan.summary}."))

    def _note(self, notice: Notice) -> None:
        """Tell the turns that wait, or else the next one."""
        with self._lock:
            self._notices.append(notice)
            for turn in self._turns.values():
                self._tell_notices(turn)

    def _talk(self) -> int:
        """Run one process from its start to its end; gives its exit code."""
        with process.running("r1chat.engine.child") as child:
            self._process = child
            outbox = self._outbox
            threading.Thread(target=self._write, args=(child, outbox), daemon=True, name="engine-writer").start()
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
            outbox.put(None)
            returncode = child.wait()
            drain.join(GRACE)  # its last words
            return returncode

    def _write(self, child: subprocess.Popen[bytes], outbox: queue.SimpleQueue[bytes | None]) -> None:
        """Write to the child: first what to load, then what is sent, until a None."""
        assert child.stdin is not None
        load = wire.Load(os.fsencode(self._path).hex(), self.plan, self._extra_buffers)
        with contextlib.suppress(OSError, ValueError):
            line: bytes | None = wire.encode(load)
            while line is not None:
                child.stdin.write(line)
                child.stdin.flush()
                line = outbox.get()
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
                with self._lock:
                    self.info = info
                    self._early.clear()
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
        if self.starved:
            failure = Failure(ExitCode.NO_FIT, f"{self.starved} {doing}.", HINT, self._last_words())
            return Finished(Reason.DIED, failure=failure)
        if self.death == "SIGKILL":
            hint = f"If nobody ended it, the system had no memory left: try a smaller model or --ctx. {hint}"
        message = f"The engine died ({self.death}) {doing}."
        return Finished(Reason.DIED, failure=Failure(ExitCode.UNUSABLE, message, hint, self._last_words()))

    def _error(self) -> R1ChatError:
        failure = self._ending().failure
        if failure is None:
            return EngineError("The engine was closed.")
        kind = FitError if failure.code == ExitCode.NO_FIT else EngineError
        return kind(failure.message, hint=failure.hint)

    def _last_words(self) -> tuple[str, ...]:
        return self.log()[-TOLD_LINES:]
