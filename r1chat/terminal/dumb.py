"""The REPL's terminal where the cursor can't be moved (TERM=dumb, as in an editor's shell window): lines in, lines out.

It has the surface of input.py's ReplTerminal. There is no prompt while an answer comes: what is typed then is read
after it. `run` and the callbacks belong to the main thread; all else may be used from any.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO

from r1chat.core.events import Event, Finished, Started
from r1chat.core.sanitize import clean
from r1chat.errors import R1ChatError
from r1chat.terminal import draft as drafts
from r1chat.terminal import editor
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.outbox import Entry
from r1chat.terminal.paint import REDRAW_SECONDS
from r1chat.terminal.prompt import CONTINUATION, PROMPT, read_entry
from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import fold

LEAVE_HINT = "Ctrl-C again or Ctrl-D leaves."
WAIT_SECONDS = 0.2  # Windows can't interrupt a wait without an end


class DumbTerminal:
    """A terminal of lines. See ReplTerminal for the arguments and methods."""

    def __init__(
        self,
        screen: Screen,
        live: Live,
        *,
        on_submit: Callable[[Entry], None],
        on_interrupt: Callable[[], None],
        on_leave: Callable[[], None] = lambda: None,
        stdin: IO[str] | None = None,
        stdout: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = screen
        self._live = live
        self._on_submit, self._on_interrupt, self._on_leave = on_submit, on_interrupt, on_leave
        self._stdin, self._stdout = stdin or sys.stdin, stdout or sys.stdout
        self._clock = clock
        self._due = 0.0
        self._lock = threading.Lock()  # guards `_live` and the stream
        self._idle = threading.Event()
        self._idle.set()
        self._left = False
        self.sink = _Sink(self)

    def run(self) -> None:
        """Ask for messages until the user leaves or `exit` is called."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._converse()
        finally:
            signal.signal(signal.SIGINT, before)
            with self._lock:
                self._live.close()
                self._write(self._live.frame().finished)

    def _converse(self) -> None:
        hinted = False
        while not self._left:
            try:
                while not self._idle.wait(WAIT_SECONDS):
                    pass
                entry = self._read()
                hinted = False
                if entry is not None:
                    self._on_submit(entry)
            except KeyboardInterrupt:
                if self.busy:
                    self._on_interrupt()
                elif hinted:
                    self._leave()
                else:
                    hinted = True
                    self.print(f"\n{LEAVE_HINT}")
            except EOFError:
                self.print()
                self._leave()
            except R1ChatError as error:
                self.remark(clean(f"{error.message} {error.hint}"))

    def exit(self) -> None:
        """Let `run` return."""
        self._left = True

    def print(self, text: str = "") -> None:
        """Write text of the program below what the model has finished."""
        with self._lock:
            self._write([*self._live.frame().finished, text])

    def remark(self, text: str) -> None:
        """Write plain text of the program, broken at words."""
        self.print("\n".join(fold(self._screen.plain(text), self.columns)))

    def page(self, title: str, rows: Sequence[str]) -> None:
        """Write plain rows below a title."""
        self.print("\n".join([title, "", *rows, ""]))

    def refresh(self) -> None:
        """There is no bar."""

    def switch(self, thinking: Thinking) -> None:
        """Show, fold or hide the thinking from now on."""
        with self._lock:
            self._live.switch(thinking)

    def echo(self, text: str) -> None:
        """Repeat a text as if it had been entered."""
        self.print("\n".join((CONTINUATION if index else PROMPT) + line for index, line in enumerate(text.split("\n"))))

    def send(self, sequence: str) -> None:
        """No sequence means anything here."""

    def edit(self, text: str, done: Callable[[str], None]) -> None:
        """Let the user change a text in an editor; `done` gets what came of it. Raises what `editor.edit` does."""
        done(editor.edit(text))

    def restore(self, entry: Entry) -> None:
        """What was typed is on the screen; it can't be put anywhere else."""

    def hold(self) -> None:
        """Nothing waits here."""

    @property
    def columns(self) -> int:
        """The width now, in cells."""
        return self._screen.columns

    @property
    def draft(self) -> str:
        """What is typed so far is not known."""
        return ""

    @property
    def busy(self) -> bool:
        """Whether a turn is running: then nothing is asked, and Ctrl-C calls `on_interrupt`."""
        return not self._idle.is_set()

    @busy.setter
    def busy(self, value: bool) -> None:
        if value:
            self._idle.clear()
        else:
            self._idle.set()

    def handle(self, event: Event) -> None:
        """Take one event; write what is finished if it is time."""
        with self._lock:
            self._live.handle(event)
            if isinstance(event, Started | Finished) or self._clock() >= self._due:
                self._write(self._live.frame().finished)
                self._due = self._clock() + REDRAW_SECONDS

    def _read(self) -> Entry | None:
        lines = [self._line(PROMPT)]
        while drafts.is_open("\n".join(lines)):
            lines.append(self._line(CONTINUATION))
        text = "\n".join(lines)
        return read_entry(text) if text.strip() else None

    def _line(self, prompt: str) -> str:
        with self._lock:
            self._stdout.write(prompt)
            self._stdout.flush()
        line = self._stdin.readline()
        if not line:
            raise EOFError
        return line.removesuffix("\n").removesuffix("\r")

    def _leave(self) -> None:
        self._left = True
        self._on_leave()

    def _write(self, rows: Sequence[str]) -> None:
        with contextlib.suppress(OSError):  # the terminal went away
            self._stdout.write("".join(row + "\n" for row in rows))
            self._stdout.flush()


class _Sink:
    """The Sink that a chat is given."""

    def __init__(self, terminal: DumbTerminal) -> None:
        self._terminal = terminal

    def handle(self, event: Event) -> None:
        self._terminal.handle(event)

    def close(self) -> None:
        """The terminal stays."""
