"""A load for which the memory is too small after all: real kills, and the system's counter of them in planted files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from r1chat.core.events import Event, Finished, Notice, Reason, Reasoning
from r1chat.core.memory import Plan
from r1chat.engine import host
from r1chat.engine.selfcheck import SelfCheck
from r1chat.engine.worker import STEPS, WorkerEngine
from r1chat.errors import FitError
from r1chat.models.library import demo_path
from tests.engine.test_worker import child_of, drained, finished, request, wait_for_death
from tests.processes import wait_for

FIRST = Plan(1024, 1)


class Killer:
    """The out-of-memory killer of a machine whose counter is a file."""

    def __init__(self, folder: Path) -> None:
        self._proc, self._sysfs = folder / "proc", folder / "sys"
        self._events = self._sysfs / "fs/cgroup/memory.events"
        self._events.parent.mkdir(parents=True)
        self._n = 0
        self._count()

    def kills(self) -> int | None:
        """Read the counter as the engine does."""
        return host.oom_kills(self._proc, self._sysfs)

    def strike(self, engine: WorkerEngine) -> None:
        """End the engine's process as the kernel does: counted, and with SIGKILL."""
        process = child_of(engine)
        process.suspend()  # it must not end by itself before
        self._n += 1
        self._count()
        process.kill()

    def _count(self) -> None:
        self._events.write_text(f"oom 0\noom_kill {self._n}\n")


def lower(failed: Plan) -> Plan:
    """Half the context, down to 256."""
    if failed.n_ctx <= 256:
        raise FitError("Nothing is smaller.", hint="Buy memory.")
    return Plan(failed.n_ctx // 2, 1)


@pytest.fixture
def killer(tmp_path: Path) -> Killer:
    """A killer that has not struck yet."""
    return Killer(tmp_path)


@pytest.fixture
def starving(check: SelfCheck, killer: Killer) -> WorkerEngine:
    """An engine that has not loaded yet, on such a machine."""
    return WorkerEngine(str(demo_path()), check, lower, killer.kills)


def codes(events: list[Event]) -> list[str]:
    """The notices' codes."""
    return [event.code for event in events if isinstance(event, Notice)]


def test_a_load_that_was_killed_goes_on_with_less(starving: WorkerEngine, killer: Killer) -> None:
    """What waits for the model is answered by the next lower plan, and told of it; the engine says which it is."""
    starving.load(FIRST)
    turn = starving.start(request())
    killer.strike(starving)
    events = drained(turn)
    assert Reason.STOP is finished(events).reason
    assert ["step-down"] == codes(events)
    text = next(event.text for event in events if isinstance(event, Notice))
    assert "out-of-memory killer" in text
    assert "512" in text
    assert (512, 512) == (starving.plan and starving.plan.n_ctx, starving.info and starving.info.n_ctx)
    assert starving.count(request().segments) > 0
    starving.close()
    assert 512 == (starving.plan and starving.plan.n_ctx)


def test_a_notice_of_it_waits_for_the_first_turn(starving: WorkerEngine, killer: Killer) -> None:
    """Also a count waits through it; who asks later is told then, and once."""
    starving.load(FIRST)
    killer.strike(starving)
    assert starving.count(request().segments) > 0
    assert ["step-down"] == codes(drained(starving.start(request(max_tokens=1))))
    assert [] == codes(drained(starving.start(request(max_tokens=1))))
    starving.close()


def test_without_a_lower_plan_it_is_exit_5(starving: WorkerEngine, killer: Killer) -> None:
    """The failure names the killer, and says what the planner says; counts raise the same."""
    starving.load(Plan(256, 1))
    turn = starving.start(request())
    killer.strike(starving)
    end = finished(drained(turn))
    assert end.failure is not None
    assert (Reason.ERROR, 5, "Buy memory.") == (end.reason, end.failure.code, end.failure.hint)
    assert "out-of-memory killer" in end.failure.message
    assert "Nothing is smaller." in end.failure.message
    with pytest.raises(FitError):
        starving._child.count(99, ())  # type: ignore[union-attr]
    starving.close()


def test_it_ends_after_some_steps(check: SelfCheck, killer: Killer) -> None:
    """A long ladder is not gone down to its end: every load takes its time."""
    tried: list[int] = []

    def next_one(failed: Plan) -> Plan:
        tried.append(failed.n_ctx)
        return Plan(failed.n_ctx - 1, 1)

    engine = WorkerEngine(str(demo_path()), check, next_one, killer.kills)
    engine.load(FIRST)
    turn = engine.start(request())
    pids: list[int] = []

    def is_next() -> bool:
        process = engine._child and engine._child._process
        return process is not None and process.pid not in pids

    for _ in range(STEPS + 1):
        wait_for(is_next, "the next process")
        pids.append(child_of(engine).pid)
        killer.strike(engine)
    end = finished(drained(turn))
    assert end.failure is not None
    assert 5 == end.failure.code
    assert [1024 - n for n in range(STEPS)] == tried
    engine.close()


def test_a_kill_that_the_system_did_not_count_is_none_of_its(starving: WorkerEngine, killer: Killer) -> None:
    """Somebody ended the process by hand: that costs no plan, and is told as what it is."""
    starving.load(FIRST)
    turn = starving.start(request())
    child_of(starving).kill()
    end = finished(drained(turn))
    assert (Reason.DIED, 6) == (end.reason, end.failure and end.failure.code)
    assert 1024 == (starving.plan and starving.plan.n_ctx)
    starving.close()


def test_a_kill_in_a_turn_is_named_and_the_next_engine_has_less(starving: WorkerEngine, killer: Killer) -> None:
    """The turn ends in exit 5 with what can be done; the next question is answered by a smaller plan."""
    starving.load(FIRST)
    turn = starving.start(request(pace=50.0))
    struck: list[int] = []

    def strike(event: Event) -> None:
        if isinstance(event, Reasoning) and not struck:
            struck.append(1)
            killer.strike(starving)

    end = finished(drained(turn, strike))
    assert (Reason.DIED, 5) == (end.reason, end.failure and end.failure.code)
    assert end.failure is not None
    assert "out-of-memory killer" in end.failure.message
    assert "while it answered" in end.failure.message
    assert "container" in end.failure.hint
    wait_for_death(starving)
    events = drained(starving.start(request()))
    assert Reason.STOP is finished(events).reason
    assert ["engine-restarted", "step-down"] == codes(events)
    assert 512 == (starving.plan and starving.plan.n_ctx)
    starving.close()


def test_a_file_problem_costs_no_plan(check: SelfCheck, killer: Killer, tmp_path: Path) -> None:
    """What the library refuses for another reason is refused at once."""
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(demo_path().read_bytes()[:20_000])
    asked: list[Plan] = []
    engine = WorkerEngine(str(bad), check, lambda plan: asked.append(plan) or plan, killer.kills)  # type: ignore[func-returns-value]
    engine.load(FIRST)
    assert 6 == _code(finished(drained(engine.start(request()))))
    assert [] == asked
    engine.close()


def test_a_close_in_the_middle_leaves_no_process(check: SelfCheck, killer: Killer) -> None:
    """An engine that is closed while it steps down starts no further process, or ends it."""
    engine = WorkerEngine(str(demo_path()), check, _closing(lambda: engine), killer.kills)
    engine.load(FIRST)
    child = engine._child
    assert child is not None
    killer.strike(engine)
    child._reader.join(60)
    assert not child._reader.is_alive()
    assert child._process is not None
    assert child._process.poll() is not None


def _closing(engine: Callable[[], WorkerEngine]) -> Callable[[Plan], Plan]:
    def close(failed: Plan) -> Plan:
        engine()._child._closing = True  # type: ignore[union-attr]
        return failed

    return close


def _code(end: Finished) -> int | None:
    return end.failure.code if end.failure else None
