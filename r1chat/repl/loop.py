"""The interactive loop: what is typed becomes a question or a slash command. Knows the chat and its terminal.

The terminal runs in the main thread for the whole time; each turn is consumed in a thread of its own, and one more
thread at the start waits for the model to be there.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from r1chat import __version__
from r1chat.chat import Chat
from r1chat.core.events import Event
from r1chat.core.prompt import directive
from r1chat.core.sanitize import clean
from r1chat.engine.base import Cancel
from r1chat.errors import R1ChatError
from r1chat.launch import DEMO, Launched
from r1chat.repl import turns
from r1chat.repl.table import COMMANDS
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.screen import Screen

GRACE = 2.0  # seconds a cancelled turn has to end when the user leaves
LONG_DRAFT = 1000  # characters from which on a pasted question is computed before it is asked
PAUSE = 0.3  # seconds after the last paste, when that begins


class Repl:
    """One interactive session with one model. What the slash commands use of it has no underscore."""

    commands = COMMANDS

    def __init__(
        self,
        chat: Chat,
        launched: Launched,
        screen: Screen,
        *,
        thinking: Thinking = Thinking.SHOW,
        formulas: bool = True,
        math: bool = False,
        history: Path | None = None,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self.chat = chat
        self.launched = launched
        self.live = Live(screen, thinking=thinking, session=True, formulas=formulas)
        self._screen = screen
        self._math = math
        self._on_loaded = on_loaded
        self._loading = "loading…"
        self._turn: threading.Thread | None = None
        self._pause: threading.Timer | None = None  # after a paste
        self.thinks_next: bool | None = None  # whether the next question is answered with thinking, if that was said
        self.terminal = ReplTerminal(
            screen,
            self.live,
            on_submit=self._submit,
            on_interrupt=self._interrupt,
            on_leave=self._interrupt,
            bar=self._bar,
            complete=self._complete,
            at_once=self._at_once,
            on_paste=self._on_paste,
            history_path=history,
        )
        chat.add_sink(self.terminal.sink)

    def run(self, *greetings: str) -> None:
        """Talk until the user leaves. The running turn, if there is one, is cancelled then."""
        title = f"r1chat {__version__} · {clean(self.launched.target.name)} · /help tells the commands, Ctrl-D leaves"
        self.say(title, *greetings)
        threading.Thread(target=self._wait_for_model, daemon=True, name="load-wait").start()
        try:
            self.terminal.run()
        finally:
            self._interrupt()
            if self._turn:
                self._turn.join(GRACE)

    def say(self, *lines: str) -> None:
        """Print a remark of the program, and an empty line after it."""
        for line in lines:
            self.terminal.remark(line)
        self.terminal.print()

    def ask(self, text: str, *, think: bool | None = None) -> None:
        """Ask, in a thread of its own; a `/nothink` given before counts once."""
        think, self.thinks_next = self.thinks_next if think is None else think, None
        self.begin(self.chat.ask(f"{text}\n{directive(text)}" if self._math else text, think=think))

    def begin(self, events: Iterable[Event]) -> None:
        """Take a turn's events to their end, in a thread of its own."""
        self.terminal.busy = True
        self._loading = "loading…"  # a question starts an engine that failed once more
        self._turn = threading.Thread(target=self._take, args=(events,), daemon=True, name="turn")
        self._turn.start()

    # What the terminal calls

    def _submit(self, text: str, pasted: bool) -> None:
        if text.startswith("/") and not pasted:
            self._obey(text.strip())
        else:
            self.ask(text)

    def _obey(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        if found := COMMANDS.get(name):
            found.run(self, argument.strip())
        else:
            self.say(f"There is no command {clean(name)}; /help lists them. A space before it makes it a question.")

    def _on_paste(self) -> None:
        if self._pause:
            self._pause.cancel()
        self._pause = threading.Timer(PAUSE, self._anticipate)
        self._pause.daemon = True
        self._pause.start()

    def _interrupt(self) -> None:
        self.chat.control(Cancel())

    def _bar(self) -> str:
        """The bottom bar: the model, what it is doing, how full the context is."""
        info = self.launched.engine.info
        state = "" if info else self._loading
        used = self._used()
        context = f"context {used:,} of {self.launched.plan.n_ctx:,}" if info else ""
        return " · ".join(part for part in (self.launched.target.name, state, context) if part)

    def _at_once(self, text: str) -> bool:
        """Whether a message is a command that need not wait for the end of the answer."""
        found = COMMANDS.get(text.strip().partition(" ")[0])
        return found is not None and found.anytime

    def _complete(self, text: str) -> Iterable[str]:
        """Complete the name of a command, or what follows it."""
        name, blank, argument = text.partition(" ")
        if not text.startswith("/"):
            return ()
        if not blank:
            return (known for known in sorted(COMMANDS) if known.startswith(name))
        return COMMANDS[name].complete(self, argument) if name in COMMANDS else ()

    # In threads of their own

    def _take(self, events: Iterable[Event]) -> None:
        try:
            for _ in events:
                pass
        except R1ChatError as error:
            self._complain(error)
        finally:
            self.terminal.busy = False
        if told := turns.left_open(self.chat.path[-1]):
            self.say(told)
        self._anticipate()

    def _anticipate(self) -> None:
        """Let the engine compute a long question before it is asked: what was pasted is seldom changed any more."""
        text = self.terminal.draft
        if len(text) >= LONG_DRAFT and not self.chat.busy:
            self.chat.anticipate(text)

    def _wait_for_model(self) -> None:
        """Say at once when the model can't be loaded, and let the bar know when it is there."""
        try:
            self.launched.engine.count(())
            self._on_loaded()
        except R1ChatError as error:
            self._loading = "not loaded"
            if not self.terminal.busy:  # else the turn that waits says it
                self._complain(error)
        self.terminal.refresh()

    def _complain(self, error: R1ChatError) -> None:
        self.terminal.print(self._screen.sgr("1;31", clean(error.message)))
        self.say(*filter(None, [clean(error.hint)]))

    def _used(self) -> int:
        """Tokens of the conversation as the next prompt will hold it: all but the thinking."""
        path = self.chat.path
        return path[-1].finished.usage.prompt_tokens + path[-1].finished.usage.answer_tokens if path else 0


def greeting(launched: Launched, *, named: bool) -> tuple[str, ...]:
    """What to say first when nobody named the demo: that it is a toy, and how to get the real thing."""
    if named or launched.target.name != DEMO:
        return ()
    return (
        "This is the bundled demo, a toy that does small sums and counts letters.",
        "For a real R1: `r1chat run 7b` gets one first, `r1chat models` lists them.",
    )
