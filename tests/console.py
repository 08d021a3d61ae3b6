"""A real terminal for tests: a program on a pseudo-terminal of its own, and what a person would see of it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

from tests.processes import wait_for

# The session of the new process gets the terminal as its own, so that Ctrl-C and Ctrl-Z typed there are signals.
_OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


class Console:
    """A program on a terminal. Use it as a context manager; the program is killed at its end."""

    screen_class = pyte.HistoryScreen

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80, rows: int = 24
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen = self.screen_class(columns, rows, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = bytearray()  # what the program wrote, sequences and all
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _OWN, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm-256color", **env},
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Console":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    @property
    def text(self) -> str:
        """Everything that was shown: the scrollback and the screen, without blanks at the ends of lines."""
        with self._lock:
            columns = range(self._screen.columns)
            past = ["".join(line[x].data for x in columns) for line in self._screen.history.top]
            return "\n".join(line.rstrip() for line in [*past, *self._screen.display]).rstrip()

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line for line in self.text.split("\n") if line]

    def type(self, text: str) -> None:
        """Press keys; "\\r" is Enter, "\\x03" is Ctrl-C."""
        os.write(self._master, text.encode())

    def paste(self, text: str) -> None:
        """Paste, as a terminal that marks its pastes does."""
        self.type(f"\x1b[200~{text}\x1b[201~")

    def wait(self, text: str, times: int = 1) -> None:
        """Wait until a text is there, this often."""
        try:
            wait_for(lambda: self.text.count(text) >= times, repr(text))
        except AssertionError as error:
            raise AssertionError(f"{error}; there was:\n{self.text}") from None

    def end(self) -> int:
        """Wait for the program's end and give its exit code."""
        code = self.process.wait(60)
        self._reader.join()
        return code

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the last one who had the terminal open is gone
                return
            if not data:
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)
