"""A program in tmux: a real terminal, whose window can be resized, with a scrollback."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pytest

from tests.processes import wait_for

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
_HISTORY = 10_000  # rows of scrollback
_number = iter(range(1_000_000))


class Tmux:
    """A tmux server of its own with one window. Use it as a context manager; what runs in it is killed at its end."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 80, rows: int = 24
    ) -> None:
        self._server = f"r1chat-test-{os.getpid()}-{next(_number)}"
        self._env = {"TERM": "xterm-256color", "LANG": "C.UTF-8", **env}
        options = {"history-limit": str(_HISTORY), "remain-on-exit": "on"}
        settings = [word for name, value in options.items() for word in (";", "set-option", "-g", name, value)]
        session = [";", "new-session", "-d", "-x", str(columns), "-y", str(rows), "-c", str(cwd), *argv]
        self._call("-f", "/dev/null", "start-server", *settings, *session)

    def __enter__(self) -> "Tmux":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call("kill-server")

    @property
    def screen(self) -> list[str]:
        """The rows on the screen, without blanks at the ends."""
        return [row.rstrip() for row in self._call("capture-pane", "-p").split("\n")]

    @property
    def text(self) -> str:
        """Everything: scrollback and screen, a row that the terminal has broken in one piece."""
        lines = self._call("capture-pane", "-p", "-J", "-S", f"-{_HISTORY}").split("\n")
        return "\n".join(line.rstrip() for line in lines if not line.startswith("Pane is dead")).rstrip()

    @property
    def styled(self) -> str:
        """What is on the screen, with its attributes as escapes."""
        return self._call("capture-pane", "-p", "-e")

    @property
    def cursor(self) -> tuple[int, int]:
        """The column and row of the cursor, from 0."""
        column, row = self._call("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return int(column), int(row)

    @property
    def pid(self) -> int:
        """The process in the window."""
        return int(self._call("display-message", "-p", "#{pane_pid}"))

    def wait_for_end(self) -> None:
        """Wait until the program has ended; what it showed stays."""
        wait_for(lambda: self._call("display-message", "-p", "#{pane_dead}") == "1\n", "the end", pause=0.05)

    def type(self, text: str) -> None:
        """Press the keys of a text."""
        self._call("send-keys", "-l", "--", text)

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: Enter, C-c, BTab, F2."""
        self._call("send-keys", *keys)

    def paste(self, text: str) -> None:
        """Paste as a terminal does; marked, if the program has asked for that."""
        subprocess.run(["tmux", "-u", "-L", self._server, "load-buffer", "-"], input=text.encode(), check=True)
        self._call("paste-buffer", "-p", "-r")

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window, and wait until its program can know: tmux tells it up to 0.25 s later."""
        self.resize_untold(columns, rows)
        terminal = os.open(self._call("display-message", "-p", "#{pane_tty}").strip(), os.O_RDONLY | os.O_NOCTTY)
        try:
            wait_for(lambda: os.get_terminal_size(terminal) == (columns, rows), "the new size")
        finally:
            os.close(terminal)

    def resize_untold(self, columns: int, rows: int) -> None:
        """Change the size of the window: what is on it is wrapped anew, and its program may not know yet."""
        self._call("resize-window", "-x", str(columns), "-y", str(rows))

    def wait(self, text: str, times: int = 1) -> None:
        """Wait until a text is there, this often."""
        try:
            wait_for(lambda: self.text.count(text) >= times, repr(text), pause=0.05)
        except AssertionError as error:
            raise AssertionError(f"{error}; there was:\n{self.text}") from None

    def _call(self, *args: str) -> str:
        argv = ["tmux", "-u", "-L", self._server, *args]
        done = subprocess.run(argv, capture_output=True, env={**os.environ, **self._env}, check=False)
        assert done.returncode == 0, f"{argv}: {done.stderr.decode()}"
        return done.stdout.decode()
