"""Starts r1chat's child processes and says how they ended. Knows no message and no engine."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[1]

# Windows gives an exception's number: ntstatus.h.
WINDOWS = {
    0xC0000005: "access violation",
    0xC0000017: "out of memory",
    0xC000001D: "illegal instruction",
    0xC000012D: "out of memory",
    0xC0000409: "stack overrun",
}
# The child must run the very code its parent runs, wherever that was imported from and whatever else the path holds
# under the same name: so the package is loaded from its folder, and no folder is put on the import path.
_START = """
import sys, importlib.util
spec = importlib.util.spec_from_file_location("r1chat", {init!r}, submodule_search_locations=[{folder!r}])
sys.modules["r1chat"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["r1chat"])
from {module} import main
main()
"""


def command(module: str, *arguments: str) -> list[str]:
    """Build the command that runs a module's `main` with our interpreter; -P keeps the current folder off its path."""
    code = _START.format(init=str(PACKAGE / "__init__.py"), folder=str(PACKAGE), module=module)
    return [sys.executable, "-P", "-c", code, *arguments]


def environment() -> Mapping[str, str]:
    """Give the child's environment: ours, without the library's own crash handler (it starts a debugger)."""
    return {**os.environ, "GGML_NO_BACKTRACE": "1", "PYTHONUTF8": "1"}


def spawn(module: str, *arguments: str, output: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """Start a child with pipes, out of reach of the terminal's Ctrl-C. Raises OSError."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    argv = command(module, *arguments)
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment(), **apart)


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a child and see it off: at the end its pipes are closed and it has been waited for. Raises OSError.

    Popen's own `with` raises when it closes a stdin that still holds bytes for a child that died.
    """
    child = spawn(module, *arguments)
    try:
        yield child
    finally:
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(OSError, ValueError):
                if pipe:
                    pipe.close()
        child.wait()


def death(returncode: int) -> str:
    """Name the way a process ended: "SIGSEGV", or "exit code 3"."""
    if name := WINDOWS.get(returncode & 0xFFFFFFFF):
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
