"""r1chat as a whole program: its command, a run in a pipe, a run in a pseudo-terminal, and its memory while it runs."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROMPT = b">>>"
CURSOR_QUESTION, CURSOR_ANSWER = b"\x1b[6n", b"\x1b[1;1R"  # a terminal is asked where its cursor is, and says so
PATIENCE = 60.0  # seconds for anything a program is waited for


def r1chat() -> list[str]:
    """Give the command as it is installed beside this interpreter, else the module."""
    installed = Path(sys.executable).with_name("r1chat")
    return [str(installed)] if installed.is_file() else [sys.executable, "-m", "r1chat"]


def seconds(command: list[str]) -> float:
    """Run a command in a pipe with an empty stdin; give the wall-clock time from its start to its end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return time.perf_counter() - begun


@dataclass(slots=True)
class Terminal:
    """A program in a pseudo-terminal, whose output is collected."""

    pid: int
    fd: int
    begun: float
    output: bytes = b""

    def until(self, done: Callable[[bytes], bool]) -> float:
        """Read until the output satisfies `done`; give the seconds since the program's start. Raises TimeoutError."""
        while not done(self.output):
            if time.perf_counter() - self.begun > PATIENCE:
                raise TimeoutError(f"The program said only {self.output[-500:]!r}.")
            self._read()
        return time.perf_counter() - self.begun

    def type(self, text: bytes) -> None:
        """Press keys."""
        os.write(self.fd, text)

    def _read(self) -> None:
        if not select.select([self.fd], [], [], 0.5)[0]:
            return
        try:
            chunk = os.read(self.fd, 65536)
        except OSError as error:  # Linux says so when the program has ended
            raise TimeoutError(f"The program ended with {self.output[-500:]!r}.") from error
        self.output += chunk
        for _ in range(chunk.count(CURSOR_QUESTION)):
            self.type(CURSOR_ANSWER)


@contextmanager
def terminal(command: list[str]) -> Iterator[Terminal]:
    """Start a program in a pseudo-terminal of 80 by 24; end it at the end."""
    begun = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
        os.execv(command[0], command)
    try:
        yield Terminal(pid, fd, begun)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def seconds_to_prompt(model: str) -> float:
    """Start the REPL; give the seconds until its prompt is on the screen."""
    with terminal([*r1chat(), "run", model]) as found:
        return found.until(lambda output: PROMPT in output)


@dataclass(slots=True)
class Peak:
    """The largest memory a process and its engine's child were seen with, in bytes."""

    parent: int = 0
    child: int = 0
    child_status: dict[str, int] = field(default_factory=dict)

    def sample(self, pid: int) -> None:
        """Look at a process and its child now. One that is gone changes nothing."""
        with suppress(psutil.Error, OSError, KeyError):  # a process that has just ended has no such lines
            self.parent = max(self.parent, status(pid)["VmHWM"])
            for child in psutil.Process(pid).children():
                numbers = status(child.pid)
                if numbers["VmRSS"] >= self.child:
                    self.child, self.child_status = numbers["VmRSS"], numbers


def status(pid: int) -> dict[str, int]:
    """Read the memory lines of /proc/PID/status, in bytes. Raises OSError for a process that is gone."""
    text = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
