"""What tests of whole processes need: a process's children, and waiting with a deadline for what must become true."""

import time
from collections.abc import Callable

import psutil

IDLE_LOOKS = 20  # at a hundred looks a second
DEADLINE = 60.0  # seconds; only there so that a failure ends


def children(pid: int) -> list[psutil.Process]:
    """Give the living descendants of a process."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def engine_of(pid: int) -> psutil.Process:
    """Wait for a process's engine, its child that runs r1chat.engine.child, and give it."""
    found: list[psutil.Process] = []

    def there() -> bool:
        for child in children(pid):
            try:
                if "r1chat.engine.child" in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
        return bool(found)

    wait_for(there, "an engine's process")
    return found[0]


def wait_for(condition: Callable[[], bool], what: str, *, pause: float = 0.01) -> None:
    """Return when the condition holds, asked again after each pause. Fails at the deadline."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(pause)


def wait_until_idle(process: psutil.Process) -> None:
    """Return when a process has used no processor time for a while."""
    used: list[float] = []

    def idle() -> bool:
        times = process.cpu_times()
        used.append(times.user + times.system)
        return len(used) > IDLE_LOOKS and used[-IDLE_LOOKS] == used[-1]

    wait_for(idle, f"{process} to be idle")


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """Return when none of the processes lives any more. A zombie nobody has waited for counts as gone."""
    wait_for(lambda: not any(map(_alive, processes)), f"the end of {processes}")


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
