"""The REPL's terminal: one prompt_toolkit application that runs all the time, with the live tail above the prompt.

Knows no engine, no chat and no slash command: it calls back with what was entered, and shows what its sink is given.

Threads: `run` belongs to the main thread. What is public may be used from any. What comes from other threads is put
aside under a lock; the event loop fetches it, at most 20 times a second.

Strategy on the screen: finished rows are written where the application's own rows begin, and these are drawn again
below (prompt_toolkit's run_in_terminal does the same, but switches the terminal's mode twice for each piece of text,
which loses or echoes keys). From the top down, the application's own rows are the open tail with its status line, the
messages that wait, the prompt, what Tab offers, and the bar.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path

from prompt_toolkit.application import in_terminal
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.eventloop import run_in_executor_with_context
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.input import Input
from prompt_toolkit.layout import ConditionalContainer, FormattedTextControl, HSplit, Layout, VerticalAlign, Window
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.output import Output

from r1chat.core.events import Event
from r1chat.core.sanitize import clean
from r1chat.errors import R1ChatError
from r1chat.terminal import editor, pager
from r1chat.terminal.application import DEPTHS, STYLE, ReplApplication, make_output
from r1chat.terminal.completion import Candidate
from r1chat.terminal.keys import Deeds, bindings
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.outbox import N_SHOWN, Entry, Outbox
from r1chat.terminal.paint import pause
from r1chat.terminal.prompt import CONTINUATION, PROMPT, Prompt
from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import fit, fold, width

TICK_SECONDS = 0.5  # how often the seconds of a running status line go on without an event
ECHO_LINES = 10  # how much of a long message is repeated in the scrollback
QUEUE_HINT = "waits for the end of the answer: Up takes it back, Ctrl-C stops the answer"
OPEN_HINT = "the block is open: Enter goes on, its end or three empty lines send"
LEAVE_HINT = "Ctrl-C again or Ctrl-D leaves."


class ReplTerminal:
    """The terminal of one REPL.

    Args:
        screen: what the streams are; both must be terminals (`screen.converses`) that can move the cursor.
        live: renders the events that `sink` is given.
        on_submit: a message was entered, and its turn has come.
        on_interrupt: Ctrl-C while `busy`.
        on_leave: Ctrl-D or a second Ctrl-C at an empty prompt, a hang-up or SIGTERM; the application ends after it.
        on_think: Shift-Tab while no turn is running; during one it switches between showing and folding the thinking.
        on_answer_now: F2.
        on_paste: something was pasted into the message.
        bar: the parts of the bottom bar, the most important first, asked at every redraw.
        complete: candidates for the last word of the text before the cursor, or what they say they replace.
        at_once: whether a command is submitted even while `busy`.
        history_path: where messages are kept across sessions; None keeps them in memory.
        vi: keys as in vi instead of emacs.

    The callbacks run in the main thread and should return at once; an error they raise ends `run` and leaves it.
    """

    def __init__(
        self,
        screen: Screen,
        live: Live,
        *,
        on_submit: Callable[[Entry], None],
        on_interrupt: Callable[[], None],
        on_leave: Callable[[], None] = lambda: None,
        on_think: Callable[[], None] = lambda: None,
        on_answer_now: Callable[[], None] = lambda: None,
        on_paste: Callable[[], None] = lambda: None,
        bar: Callable[[], Sequence[str]] = lambda: (),
        complete: Callable[[str], Iterable[str | Candidate]] = lambda text: (),
        at_once: Callable[[str], bool] = lambda text: False,
        history_path: Path | None = None,
        vi: bool = False,
        input: Input | None = None,
        output: Output | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screen = screen
        self._live = live
        self._on_submit, self._on_interrupt, self._on_leave = on_submit, on_interrupt, on_leave
        self._on_think = on_think
        self._bar = bar
        self._at_once = at_once
        self._clock = clock
        self._lock = threading.Lock()  # guards `_live`, `_rows`, `_loop` and `_scheduled`
        self._rows: list[str] = []  # printed, not yet on the screen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._scheduled = False
        self._due = 0.0
        self._tick: asyncio.TimerHandle | None = None
        self._above: tuple[str, ...] = ()  # the application's rows above the prompt
        self._busy = False
        self._outbox = Outbox()
        self._hint = ""  # stands in the bar until the text changes
        self._interrupted = False  # the last key was a Ctrl-C at an empty prompt
        self._left = False
        self.sink = _Sink(self._handle)
        self._prompt = Prompt(screen, complete, history_path, self._on_change)
        deeds = Deeds(
            enter=self._enter,
            interrupt=self._interrupt,
            leave=self._leave,
            suspend=lambda: self._app.suspend_to_background(),
            think=self._think,
            answer_now=lambda: self._call_back(on_answer_now),
            edit=self._edit_prompt,
            pasted=lambda: self._call_back(on_paste),
            take_back=self._take_back,
            can_take_back=lambda: bool(self._outbox),
        )
        self._app = ReplApplication(
            layout=self._layout(),
            key_bindings=bindings(self._prompt, deeds),
            style=STYLE,
            color_depth=DEPTHS[screen.colors],
            editing_mode=EditingMode.VI if vi else EditingMode.EMACS,
            erase_when_done=True,
            input=input,
            output=output or make_output(screen),
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
        self.print("\n".join(map(self._screen.dim, fold(self._screen.plain(text), self._screen.columns))))

    def page(self, title: str, rows: Sequence[str]) -> None:
        """Show plain rows below a title: in a pager if they are more than the screen has room for."""
        if len(rows) < self._screen.rows - 4:  # the title, an empty row, the prompt and the bar
            self.print("\n".join([title, *map(self._screen.dim, rows), ""]))
        else:
            self._call_soon(lambda: self._begin(self._page(title, rows)))

    def refresh(self) -> None:
        """Redraw, because what `bar` tells has changed."""
        self._wake()

    def switch(self, thinking: Thinking) -> None:
        """Show, fold or hide the thinking from now on. What is printed stays."""
        with self._lock:
            self._live.switch(thinking)
        self._wake()

    def echo(self, text: str) -> None:
        """Repeat a text as if it had been entered."""
        self._echo(Entry(text, text, literal=True))

    def send(self, sequence: str) -> None:
        """Write a sequence that shows nothing."""
        self._call_soon(lambda: self._send_raw(sequence))

    def edit(self, text: str, done: Callable[[str], None]) -> None:
        """Let the user change a text in an editor; `done` gets what came of it, in the main thread."""
        self._call_soon(lambda: self._begin(self._edit(text, done)))

    def restore(self, entry: Entry) -> None:
        """Put a message that could not be sent back into the prompt."""
        self._call_soon(lambda: self._prompt.put(entry))

    def hold(self) -> None:
        """Send nothing by itself that still waits: it goes back into the prompt."""
        self._call_soon(self._put_back)

    @property
    def columns(self) -> int:
        """The width now, in cells."""
        return self._screen.columns

    @property
    def draft(self) -> str:
        """What is typed so far, with all that was pasted."""
        return self._prompt.whole

    @property
    def busy(self) -> bool:
        """Whether a turn is running: then what is entered waits for its end, and Ctrl-C calls `on_interrupt`."""
        return self._busy

    @busy.setter
    def busy(self, value: bool) -> None:
        self._busy = value
        if not value:
            self._call_soon(self._send_next)
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
        if self._app.paused or not self._app.is_running:  # something else has the terminal; its end wakes us
            with self._lock:
                self._scheduled = False
            return
        if unrest := self._app.unrest():
            asyncio.get_running_loop().call_later(unrest, self._draw)
            return
        with self._lock:
            self._scheduled = False
            frame = self._live.frame()
            rows = [*self._rows, *frame.finished]
            self._rows = []
        above = (*frame.tail, *filter(None, [frame.status]), *self._waiting())
        shrinks = len(above) < len(self._above)  # prompt_toolkit keeps its height unless it starts anew
        self._above = above
        self._app.follow_resize()
        if rows or shrinks:
            self._app.renderer.erase()
        self._write(rows)
        self._app.redraw()
        now = self._clock()
        self._due = now + pause(now - began)
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

    def _call_back(self, function: Callable[..., None], *args: object) -> None:
        """Call the owner. An error of theirs ends the application, which restores the terminal, and leaves `run`."""
        try:
            function(*args)
        except Exception as error:
            if not self._app.is_running or self._app.is_done:
                raise
            self._app.exit(exception=error)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        self._app.create_background_task(work)

    # What keys do

    def _enter(self) -> None:
        if self._prompt.is_open:
            self._prompt.buffer.insert_text("\n")
            self._tell(OPEN_HINT)
        elif self._prompt.whole.strip():
            try:
                entry = self._prompt.entry()
            except R1ChatError as error:
                self._tell(f"{clean(error.message)} {clean(error.hint)}")
                return
            self._prompt.remember(entry)
            self._prompt.clear()
            if (self._busy or self._outbox) and not (entry.commands and self._at_once(entry.text)):
                self._outbox.put(entry)
                self._tell(QUEUE_HINT)
                self._wake()
            else:
                self._send(entry)

    def _send(self, entry: Entry) -> None:
        self._hint = ""
        self._echo(entry)
        self._call_back(self._on_submit, entry)

    def _send_next(self) -> None:
        """Send what waits, up to the first message that starts a turn."""
        while not self._busy and not self._app.is_done and (entry := self._outbox.next()):
            self._send(entry)

    def _take_back(self) -> None:
        if entry := self._outbox.take_back():
            self._prompt.put(entry)
            self._wake()

    def _put_back(self) -> None:
        if entries := self._outbox.empty():
            self._prompt.put(*entries)
            self._wake()

    def _interrupt(self) -> None:
        if self._app.paused:  # it is meant for the program that has the terminal
            return
        if self._busy:
            self._put_back()  # who stops an answer does not mean to have the next one begun
            self._call_back(self._on_interrupt)
        elif self._prompt.draft:
            self._prompt.clear()
        elif self._interrupted:
            self._leave()
        else:
            self._interrupted = True
            self.print(self._screen.dim(LEAVE_HINT))

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._call_back(self._on_leave)
        self._exit()

    def _think(self) -> None:
        if not self._busy:
            self._call_back(self._on_think)
            return
        shows = self._live.thinking is Thinking.SHOW
        self.switch(Thinking.FOLD if shows else Thinking.SHOW)
        self._tell(f"the thinking is {'folded' if shows else 'shown'} from now on")

    def _tell(self, hint: str) -> None:
        self._hint = hint
        self._app.invalidate()

    def _on_change(self) -> None:
        self._interrupted = False
        self._hint = ""

    def _edit_prompt(self) -> None:
        """Let the user write the message in an editor."""
        before = self._prompt.whole
        self._begin(self._edit(before, lambda after: self._prompt.replace(after) if after != before else None))

    async def _edit(self, text: str, done: Callable[[str], None]) -> None:
        await self._app.rest()
        try:
            async with in_terminal():
                after = await run_in_executor_with_context(lambda: editor.edit(text))
        except R1ChatError as error:
            self._tell(clean(f"{error.message} {error.hint}"))
        else:
            self._call_back(done, after)
        self._wake()

    def _send_raw(self, sequence: str) -> None:
        self._app.output.write_raw(sequence)
        self._app.output.flush()

    async def _page(self, title: str, rows: Sequence[str]) -> None:
        """Give the terminal to a pager."""
        lines = [title, "", *rows]
        await self._app.rest()
        async with in_terminal():
            argv = pager.command(os.environ)
            if argv is None or not await run_in_executor_with_context(lambda: pager.page(lines, argv)):
                await pager.own(lines, self._app.input, self._app.output).run_async()
        self._wake()

    # What is drawn

    def _echo(self, entry: Entry) -> None:
        """Repeat the message in the scrollback; of a very long one, the beginning."""
        lines = clean(self._prompt.expanded(entry)).rstrip("\n").split("\n")
        shown = lines if len(lines) <= ECHO_LINES + 1 else lines[:ECHO_LINES]
        rows = [(PROMPT if index == 0 else CONTINUATION) + line for index, line in enumerate(shown)]
        if len(shown) < len(lines):
            rows.append(self._screen.dim(f"{CONTINUATION}({len(lines) - len(shown):,} more lines)"))
        self.print("\n".join([*rows, ""]))

    def _waiting(self) -> list[str]:
        """List the messages that wait, the last ones if they are many."""
        shown = list(self._outbox)[-N_SHOWN:]
        rows = [f"queued: {clean(self._prompt.labelled(entry))}" for entry in shown]
        if n_more := len(self._outbox) - len(shown):
            rows.insert(0, f"queued: {n_more:,} more")
        return [self._screen.dim(fit(row, self._screen.columns - 1)) for row in rows]

    def _layout(self) -> Layout:
        above = Window(
            FormattedTextControl(lambda: ANSI("\n".join(self._above))),
            height=lambda: Dimension(min=0, max=len(self._above), preferred=len(self._above)),
            dont_extend_height=True,
        )
        bar = Window(FormattedTextControl(self._bar_text), height=1, dont_extend_height=True)
        rows = [above, *self._prompt.rows, ConditionalContainer(bar, Condition(lambda: self._screen.rows > 1))]
        return Layout(HSplit(rows, align=VerticalAlign.TOP), focused_element=self._prompt.focus)

    def _bar_text(self) -> ANSI:
        columns = self._screen.columns - 1
        text = self._hint
        if not text:
            for part in map(clean, self._bar()):
                longer = f"{text} · {part}" if text else part
                if text and width(longer) > columns:
                    break
                text = longer
        text = text.replace("\n", " ")
        return ANSI(self._screen.dim(fit(self._screen.plain(text), columns)))


class _Sink:
    """The Sink that a chat is given; it outlives many turns."""

    def __init__(self, take: Callable[[Event], None]) -> None:
        self._take = take

    def handle(self, event: Event) -> None:
        self._take(event)

    def close(self) -> None:
        """The screen stays."""
