"""The REPL's terminal: one prompt_toolkit application that runs all the time, with the live tail above the prompt.

Knows no engine, no chat and no slash command: it calls back with what was typed, and shows what its sink is given.

Threads: `run` belongs to the main thread. `print`, `refresh`, `exit`, `busy` and the sink may be used from any. What
comes from other threads is put aside under a lock; the event loop fetches it, at most 20 times a second.

Strategy on the screen: finished rows are written where the application's own rows begin, and these are drawn again
below (prompt_toolkit's run_in_terminal does the same, but switches the terminal's mode twice for each piece of text,
which loses or echoes keys). The application never asks for the cursor's position: an answer to such a question can end
up in what the user types.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.data_structures import Size
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.bindings.completion import display_completions_like_readline
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, VerticalAlign, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from r1chat.core.events import Event
from r1chat.core.sanitize import clean
from r1chat.terminal.live import Live
from r1chat.terminal.paint import REDRAW_SECONDS, SLOWDOWN
from r1chat.terminal.screen import Colors, Screen
from r1chat.terminal.wrap import fit, fold

PROMPT, CONTINUATION = ">>> ", "... "
TICK_SECONDS = 0.5  # how often the seconds of a running status line go on without an event
ECHO_LINES = 10  # how much of a long message is repeated in the scrollback
BUSY_HINT = "the answer is still coming; your text waits (Ctrl-C stops the answer)"
LEAVE_HINT = "Ctrl-C again or Ctrl-D leaves."
_DEPTHS = {
    Colors.NONE: ColorDepth.DEPTH_1_BIT,
    Colors.BASIC: ColorDepth.DEPTH_4_BIT,
    Colors.PALETTE: ColorDepth.DEPTH_8_BIT,
    Colors.TRUE: ColorDepth.DEPTH_24_BIT,
}


class ReplTerminal:
    """The terminal of one REPL.

    Args:
        screen: what the streams are; both must be terminals (`screen.converses`).
        live: renders the events that `sink` is given.
        on_submit: a message was entered: its text, and whether it was pasted (then it is never a command).
        on_interrupt: Ctrl-C while `busy`.
        on_leave: Ctrl-D or a second Ctrl-C at an empty prompt, a hang-up or SIGTERM; the application ends after it.
        on_paste: something was pasted into the message.
        bar: the text of the bottom bar, asked at every redraw.
        complete: candidates for the last word of the text before the cursor.
        at_once: whether a typed message is submitted even while `busy`.
        history_path: where messages are kept across sessions; None keeps them in memory.

    The callbacks run in the main thread and should return at once; an error they raise ends `run` and leaves it.
    """

    def __init__(
        self,
        screen: Screen,
        live: Live,
        *,
        on_submit: Callable[[str, bool], None],
        on_interrupt: Callable[[], None],
        on_leave: Callable[[], None] = lambda: None,
        on_paste: Callable[[], None] = lambda: None,
        bar: Callable[[], str] = lambda: "",
        complete: Callable[[str], Iterable[str]] = lambda text: (),
        at_once: Callable[[str], bool] = lambda text: False,
        history_path: Path | None = None,
        input: Input | None = None,
        output: Output | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = screen
        self._live = live
        self._on_submit, self._on_interrupt, self._on_leave = on_submit, on_interrupt, on_leave
        self._on_pasted = on_paste
        self._bar = bar
        self._at_once = at_once
        self._clock = clock
        self._lock = threading.Lock()  # guards `_live`, `_rows`, `_loop` and `_scheduled`
        self._rows: list[str] = []  # printed, not yet on the screen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._due = 0.0
        self._tick: asyncio.TimerHandle | None = None
        self._tail: tuple[str, ...] = ()
        self._busy = False
        self._pasted = False
        self._waits = False  # Enter was pressed while busy
        self._interrupted = False  # the last key was a Ctrl-C at an empty prompt
        self._left = False
        self.sink = _Sink(self._handle)
        self._buffer = Buffer(
            multiline=True,
            history=_history(history_path),
            completer=_Completer(complete),
            on_text_changed=self._on_text_changed,
        )
        self._app = _Application(
            layout=self._layout(),
            key_bindings=self._keys(),
            color_depth=_DEPTHS[screen.colors],
            erase_when_done=True,
            input=input,
            output=output or _output(screen),
        )

    def run(self) -> None:
        """Show the prompt until the user leaves or `exit` is called. Restores the terminal however it ends."""
        try:
            self._app.run(pre_run=self._start, set_exception_handler=False)
        except EOFError:  # the terminal went away
            self._leave()
        finally:
            self._stop()

    def exit(self) -> None:
        """Let `run` return; what was printed before is shown."""
        self._call_soon(self._exit)

    def print(self, text: str = "") -> None:
        """Put text of the program (it may have ANSI attributes; clean what is not yours) above the prompt."""
        with self._lock:  # what the model has finished stands above it, drawn already or not
            self._rows += [*self._live.frame().finished, *text.split("\n")]
        self._wake()

    def remark(self, text: str) -> None:
        """Put plain text of the program above the prompt, faint and broken at words."""
        self.print("\n".join(map(self._screen.dim, fold(text, self._screen.columns))))

    def refresh(self) -> None:
        """Redraw, because what `bar` tells has changed."""
        self._wake()

    @property
    def draft(self) -> str:
        """What is typed so far."""
        return self._buffer.text

    @property
    def busy(self) -> bool:
        """Whether a turn is running: then Enter keeps the text, and Ctrl-C calls `on_interrupt`."""
        return self._busy

    @busy.setter
    def busy(self, value: bool) -> None:
        self._busy = value
        self._waits = self._waits and value
        self._wake()

    # From other threads

    def _handle(self, event: Event) -> None:
        with self._lock:
            self._live.handle(event)
        self._wake()

    def _wake(self) -> None:
        """Have the loop draw soon; once is enough for all that came meanwhile."""
        with self._lock:
            if self._scheduled or self._loop is None:
                return
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._schedule)

    def _call_soon(self, function: Callable[[], None]) -> None:
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(function)

    # In the loop

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            self._loop = loop
        if sys.platform != "win32":
            for number in (signal.SIGTERM, signal.SIGHUP):  # would leave the terminal raw
                loop.add_signal_handler(number, self._leave)
        self._wake()

    def _stop(self) -> None:
        """After the loop's end: show what never got its turn, the open tail included."""
        with self._lock:
            self._loop = None
            self._live.close()
            rows = [*self._rows, *self._live.frame().finished]
            self._rows = []
        self._write(rows)

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._due - self._clock()), self._draw)

    def _draw(self) -> None:
        """Move what is finished into the scrollback, and redraw the rest."""
        began = self._clock()
        with self._lock:
            self._scheduled = False
            frame = self._live.frame()
            rows = [*self._rows, *frame.finished]
            self._rows = []
        tail = (*frame.tail, frame.status) if frame.status else frame.tail
        shrinks = len(tail) < len(self._tail)  # prompt_toolkit keeps its height unless it starts anew
        self._tail = tail
        if self._app.is_running and not self._app.paused:
            if rows or shrinks:
                self._app.renderer.erase()
            self._write(rows)
            self._app.redraw()
        elif rows:  # suspended, or a list of completions is being shown
            with self._lock:
                self._rows = rows + self._rows
        now = self._clock()
        self._due = now + max(REDRAW_SECONDS, SLOWDOWN * (now - began))
        if frame.status and self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(TICK_SECONDS, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        self._wake()

    def _write(self, rows: Sequence[str]) -> None:
        if rows:
            self._app.output.write_raw("".join(row + "\r\n" for row in rows))
            self._app.output.flush()

    def _exit(self) -> None:
        if self._app.is_running and not self._app.is_done:
            self._app.exit()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._call_back(self._on_leave)
        self._exit()

    def _call_back(self, function: Callable[..., None], *args: object) -> None:
        """Call the owner. An error of theirs ends the application, which restores the terminal, and leaves `run`."""
        try:
            function(*args)
        except Exception as error:
            if not self._app.is_running or self._app.is_done:
                raise
            self._app.exit(exception=error)

    # Keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        empty = Condition(lambda: not self._buffer.text)
        keys.add("enter")(self._on_enter)
        keys.add("escape", "enter")(lambda event: event.current_buffer.insert_text("\n"))
        keys.add("c-c")(self._on_ctrl_c)
        keys.add("<sigint>")(self._on_ctrl_c)
        keys.add("c-d", filter=empty)(lambda event: self._leave())
        keys.add("c-z")(lambda event: event.app.suspend_to_background())
        keys.add("tab")(display_completions_like_readline)
        keys.add(Keys.BracketedPaste)(self._on_paste)
        return keys

    def _on_enter(self, event: KeyPressEvent) -> None:
        text = self._buffer.text
        if self._busy and (self._pasted or not self._at_once(text)):
            self._waits = True
        elif text.strip():
            pasted = self._pasted
            self._buffer.reset(append_to_history=True)
            self._pasted = False
            self._echo(text)
            self._call_back(self._on_submit, text, pasted)

    def _on_ctrl_c(self, event: KeyPressEvent) -> None:
        if self._busy:
            self._call_back(self._on_interrupt)
        elif self._buffer.text:
            self._buffer.reset()
            self._pasted = False
        elif self._interrupted:
            self._leave()
        else:
            self._interrupted = True
            self.print(self._screen.dim(LEAVE_HINT))

    def _on_paste(self, event: KeyPressEvent) -> None:
        """Insert the paste as it is. A message that begins with one, or has a pasted line end, is no command."""
        data = event.data.replace("\r\n", "\n").replace("\r", "\n")
        self._pasted = self._pasted or "\n" in data or not self._buffer.document.text_before_cursor
        self._buffer.insert_text(data)
        self._call_back(self._on_pasted)

    def _on_text_changed(self, buffer: Buffer) -> None:
        self._interrupted = False
        if not buffer.text:
            self._pasted = False
            self._waits = False

    def _echo(self, text: str) -> None:
        """Repeat the message in the scrollback; of a very long one, the beginning."""
        lines = clean(text).rstrip("\n").split("\n")
        shown = lines if len(lines) <= ECHO_LINES + 1 else lines[:ECHO_LINES]
        rows = [(PROMPT if index == 0 else CONTINUATION) + line for index, line in enumerate(shown)]
        if len(shown) < len(lines):
            rows.append(self._screen.dim(f"{CONTINUATION}({len(lines) - len(shown):,} more lines)"))
        self.print("\n".join([*rows, ""]))

    # Layout

    def _layout(self) -> Layout:
        tail = Window(
            FormattedTextControl(lambda: ANSI("\n".join(self._tail))),
            height=lambda: Dimension.exact(len(self._tail)),
            dont_extend_height=True,
        )
        prompt = Window(
            BufferControl(self._buffer),
            height=lambda: Dimension(min=1, max=max(1, self._screen.rows // 3)),
            wrap_lines=True,
            dont_extend_height=True,
            get_line_prefix=_prefix,
        )
        bar = Window(FormattedTextControl(self._bar_text), height=1, dont_extend_height=True)
        return Layout(HSplit([tail, prompt, bar], align=VerticalAlign.TOP), focused_element=prompt)

    def _bar_text(self) -> ANSI:
        text = BUSY_HINT if self._waits else clean(self._bar()).replace("\n", " ")
        return ANSI(self._screen.dim(fit(text, self._screen.columns - 1)))


class _Sink:
    """The Sink that a chat is given; it outlives many turns."""

    def __init__(self, take: Callable[[Event], None]) -> None:
        self._take = take

    def handle(self, event: Event) -> None:
        self._take(event)

    def close(self) -> None:
        """The screen stays."""


class _Application(Application[None]):
    """prompt_toolkit's application, which redraws at once when told, and survives a window that becomes narrower."""

    @property
    def paused(self) -> bool:
        """Whether something else has the terminal for the moment."""
        return self._running_in_terminal

    def redraw(self) -> None:
        """Draw now, not at some later turn of the loop: the rows just written must not stand without their prompt."""
        self._redraw()

    def _on_resize(self) -> None:
        """Account for the rows that the terminal has wrapped anew before prompt_toolkit goes up to erase its own."""
        screen = self.renderer.last_rendered_screen
        columns = self.output.get_size().columns
        if screen is not None and columns:
            cursor = self.renderer._cursor_pos
            extra = cursor.x // columns
            for y in range(cursor.y):
                row = screen.data_buffer[y]
                used = max((x + 1 for x, cell in row.items() if cell.char.strip()), default=0)
                extra += max(0, -(-used // columns) - 1)
            if extra:
                self.output.cursor_up(extra)
        super()._on_resize()


class _Completer(Completer):
    """Asks the owner for candidates, and puts them in the place of the last word."""

    def __init__(self, complete: Callable[[str], Iterable[str]]) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        word = document.get_word_before_cursor(WORD=True)
        for candidate in self._complete(before):
            yield Completion(candidate, start_position=-len(word))


class _PrivateHistory(FileHistory):
    """A history that only its owner can read, and that a full disk does not stop."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
        path.chmod(0o600)
        super().__init__(str(path))

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)


def _history(path: Path | None) -> History:
    if path is not None:
        with suppress(OSError):  # a home that can't be written to
            return _PrivateHistory(path)
    return InMemoryHistory()


def _prefix(line: int, wrap: int) -> StyleAndTextTuples:
    if wrap:
        return [("", " " * len(PROMPT))]
    return [("bold", PROMPT if line == 0 else CONTINUATION)]


def _output(screen: Screen) -> Output:
    if sys.platform == "win32":
        return create_output()
    return Vt100_Output(
        sys.stdout,
        lambda: Size(rows=screen.rows, columns=screen.columns),
        default_color_depth=_DEPTHS[screen.colors],
        enable_cpr=False,
    )
