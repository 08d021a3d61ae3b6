"""The interactive loop: what is typed becomes a question or a slash command. Knows the chat and its terminal.

The terminal runs in the main thread for the whole time; each turn is consumed in a thread of its own, and one more
thread at the start waits for the model to be there.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from r1chat import __version__
from r1chat.chat import Chat
from r1chat.core.events import Finished, Reason, Usage
from r1chat.core.prompt import directive
from r1chat.core.sanitize import clean
from r1chat.engine.base import AnswerNow, Cancel
from r1chat.errors import R1ChatError
from r1chat.launch import DEMO, Launched
from r1chat.repl import attach, view
from r1chat.repl.table import COMMANDS
from r1chat.terminal.completion import Candidate
from r1chat.terminal.dumb import DumbTerminal
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.outbox import Entry
from r1chat.terminal.screen import Screen

GRACE = 2.0  # seconds a cancelled turn has to end when the user leaves


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
        vi: bool = False,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self.chat = chat
        self.launched = launched
        self.live = Live(screen, thinking=thinking, session=True, formulas=formulas)
        self._screen = screen
        self._math = math
        self._on_loaded = on_loaded
        self._turn: threading.Thread | None = None
        self.attached: list[tuple[str, str]] = []  # files that go with the next question: names and texts
        self.terminal: ReplTerminal | DumbTerminal
        if screen.dumb:
            self.terminal = DumbTerminal(
                screen, self.live, on_submit=self._submit, on_interrupt=self._interrupt, on_leave=self._interrupt
            )
        else:
            self.terminal = ReplTerminal(
                screen,
                self.live,
                on_submit=self._submit,
                on_interrupt=self._interrupt,
                on_leave=self._interrupt,
                on_think=lambda: view.recall(self),
                on_answer_now=lambda: self.chat.control(AnswerNow()),
                bar=self._bar,
                complete=self._complete,
                at_once=self._at_once,
                history_path=history,
                vi=vi,
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

    # What the terminal calls

    def _submit(self, entry: Entry) -> None:
        if entry.commands:
            self._obey(entry.text.strip())
            return
        try:
            files = [*self.attached, *(attach.read(self, path) for path in entry.files)]
        except R1ChatError as error:
            self._complain(error)
            self.terminal.hold()
            self.terminal.restore(entry)
            return
        self.attached.clear()
        if entry.files:
            self.say(f"Attached: {', '.join(map(attach.described, files))}.")
        self.terminal.busy = True
        self._turn = threading.Thread(target=self._answer, args=(entry.text, files), daemon=True, name="turn")
        self._turn.start()

    def _obey(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        if found := COMMANDS.get(name):
            found.run(self, argument.strip())
        else:
            self.say(f"There is no command {clean(name)}; /help lists them. A space before it makes it a question.")

    def _interrupt(self) -> None:
        self.chat.control(Cancel())

    def _bar(self) -> Sequence[str]:
        """The bottom bar: the model, how full the context is, what goes with the next question, and the plan."""
        info, plan = self.launched.engine.info, self.launched.plan
        used = self._used()
        context = f"context {used:,} of {plan.n_ctx:,}, {max(0, plan.n_ctx - used):,} left" if info else "loading…"
        files = f"{len(self.attached)} file{'' if len(self.attached) == 1 else 's'} attached" if self.attached else ""
        return [part for part in (self.launched.target.name, context, files, view.plan_in_short(plan)) if part]

    def _at_once(self, text: str) -> bool:
        """Whether a message is a command that need not wait for the end of the answer."""
        found = COMMANDS.get(text.partition(" ")[0].strip())
        return found is not None and found.anytime

    def _complete(self, text: str) -> Iterable[str | Candidate]:
        """Complete the name of a command, or what follows it."""
        name, blank, argument = text.partition(" ")
        if not text.startswith("/"):
            return ()
        if not blank:
            known = (command for command in COMMANDS.values() if command.name.startswith(name))
            return (Candidate(command.name, len(name), command.help) for command in known)
        return COMMANDS[name].complete(self, argument) if name in COMMANDS else ()

    # In threads of their own

    def _answer(self, text: str, files: Sequence[tuple[str, str]]) -> None:
        try:
            for event in self.chat.ask(f"{text}\n{directive(text)}" if self._math else text, files=files):
                if isinstance(event, Finished) and event.reason in (Reason.DIED, Reason.ERROR):
                    self.terminal.hold()  # the next question would hardly fare better
        except R1ChatError as error:
            self.terminal.hold()
            self._complain(error)
        finally:
            self.terminal.busy = False

    def _wait_for_model(self) -> None:
        """Say at once when the model can't be loaded, and let the bar know when it is there."""
        try:
            self.launched.engine.count(())
            self._on_loaded()
            self.live.prepare()
        except R1ChatError as error:
            if not self.terminal.busy:  # else the turn that waits says it
                self._complain(error)
        self.terminal.refresh()

    def _complain(self, error: R1ChatError) -> None:
        self.terminal.print(self._screen.sgr(self._screen.shade("1;91", "1;31"), clean(error.message)))
        self.say(*filter(None, [clean(error.hint)]))

    def _used(self) -> int:
        """Tokens of the conversation as the next prompt will hold it: all but the thinking."""
        answered = [exchange for exchange in self.chat.path if exchange.answered]
        usage = answered[-1].finished.usage if answered else Usage()
        return usage.prompt_tokens + usage.answer_tokens


def greeting(launched: Launched, *, named: bool) -> tuple[str, ...]:
    """What to say first when nobody named the demo: that it is a toy, and how to get the real thing."""
    if named or launched.target.name != DEMO:
        return ()
    return (
        "This is the bundled demo, a toy that does small sums and counts letters.",
        "For a real R1: `r1chat run 7b` gets one first, `r1chat models` lists them.",
    )
