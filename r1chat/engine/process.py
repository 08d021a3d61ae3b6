"""Starts r1chat's child processes and says how they ended. Knows no message and no engine."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]  # where the package `r1chat` is


def command(module: str, *arguments: str) -> list[str]:
    """Build the command that runs a module's `main` with our interpreter.

    The current folder stays off the child's import path (-P); the package's own folder goes to its end, so that the
    child finds the code its parent runs, installed or not.
    """
    code = f"import sys; sys.path.append({str(ROOT)!r}); from {module} import main; main()"
    return [sys.executable, "-P", "-c", code, *arguments]


def environment() -> Mapping[str, str]:
    """Give the child's environment: ours, without the library's own crash handler (it starts a debugger)."""
    return {**os.environ, "GGML_NO_BACKTRACE": "1", "PYTHONUTF8": "1"}


def spawn(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a child with three pipes, out of reach of the terminal's Ctrl-C. Raises OSError."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    pipe = subprocess.PIPE
    argv = command(module, *arguments)
    return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), **apart)


def death(returncode: int) -> str:
    """Name the way a process ended: "SIGSEGV", or "exit code 3"."""
    # Windows gives an exception's number: an access violation, an illegal instruction, a stack overrun.
    windows = {0xC0000005: "access violation", 0xC000001D: "illegal instruction", 0xC0000409: "stack overrun"}
    if name := windows.get(returncode & 0xFFFFFFFF):
        return name
    if returncode < 0:
        try:
            return signal.Signals(-returncode).name
        except ValueError:
            return f"signal {-returncode}"
    return f"exit code {returncode}"


def is_hardware_fault(returncode: int) -> bool:
    """Tell whether a process died of an instruction the processor can't run (or of memory it can't reach)."""
    return death(returncode) in {"SIGSEGV", "SIGILL", "SIGBUS", "access violation", "illegal instruction"}
