"""The world every test runs in: a home of its own, no network, and the real engine on the bundled demo model.

The native self-check is made once per test session, in a throw-away child as for a user, and its verdict is copied into
each test's home.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from r1chat.core.memory import Plan
from r1chat.engine.selfcheck import SelfCheck
from r1chat.engine.worker import WorkerEngine
from r1chat.models.library import demo_path

# A test run in the background of a script inherits ignored signals, and so would every process under test.
for number in (signal.SIGINT, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ())):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prove the native library on this machine, once."""
    file = tmp_path_factory.mktemp("selfcheck") / "selfcheck.json"
    SelfCheck(file, demo_path()).verdict()
    return file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a home of its own, and nothing of the developer's settings."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith(("R1CHAT_", "HF_")) or name in {"NO_COLOR", "COLUMNS", "LINES", "COLORTERM", "COLORFGBG"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("R1CHAT_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection but to this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test connected to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def checked(home: Path, verdict: Path) -> Path:
    """A home in which the self-check has been made already."""
    if verdict.exists():
        shutil.copy(verdict, home / "selfcheck.json")
    return home


@pytest.fixture
def check(checked: Path) -> SelfCheck:
    """The self-check with its verdict made."""
    return SelfCheck(checked / "selfcheck.json", demo_path())


@pytest.fixture
def engine(check: SelfCheck) -> Iterator[WorkerEngine]:
    """The real engine on the demo model, loading. No death of its children is the out-of-memory killer's."""
    engine = WorkerEngine(str(demo_path()), check, kills=lambda: 0)
    engine.load(Plan(n_ctx=1024, n_threads=1))
    yield engine
    engine.close()


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind. `code` is negative for a signal, as subprocess has it."""

    out: bytes
    err: bytes
    code: int


class Command:
    """Runs the real `r1chat` in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.environ = {**os.environ, "R1CHAT_HOME": str(home), "PYTHONWARNINGS": "error"}

    @property
    def argv(self) -> list[str]:
        """The command without its arguments."""
        return [sys.executable, "-m", "r1chat"]

    def __call__(self, *args: str, input: bytes | None = b"", env: Mapping[str, str] | None = None) -> Done:
        """Run it to its end; `input` None closes stdin."""
        done = subprocess.run(
            [*self.argv, *args],
            **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}),
            capture_output=True,
            env={**self.environ, **(env or {})},
            cwd=ROOT,
            timeout=120,
            check=False,
        )
        return Done(done.stdout, done.stderr, done.returncode)

    def start(self, *args: str, env: Mapping[str, str] | None = None, **kwargs: Any) -> subprocess.Popen[bytes]:
        """Start it with pipes; the caller ends it."""
        pipes: dict[str, Any] = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
        argv: Sequence[str] = [*self.argv, *args]
        return subprocess.Popen(argv, env={**self.environ, **(env or {})}, cwd=ROOT, **{**pipes, **kwargs})


@pytest.fixture
def r1chat(checked: Path) -> Command:
    """The command line, for tests that look at a whole process."""
    return Command(checked)
