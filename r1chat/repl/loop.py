"""The interactive loop: what is typed becomes a question or a slash command. Knows the chat and its terminal.

The terminal runs in the main thread for the whole time; each turn is consumed in a thread of its own, and one more
thread at the start waits for the model to be there.
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from r1chat import __version__
from r1chat.chat import Chat
from r1chat.core.events import Event, Finished, Reason, Usage
from r1chat.core.prompt import directive
from r1chat.core.sanitize import clean
from r1chat.core.transcript import Transcript
from r1chat.engine.base import AnswerNow, Cancel
from r1chat.engine.worker import WorkerEngine
from r1chat.errors import R1ChatError
from r1chat.launch import DEMO, Launched, Target, check_file, lasting, launch, names_of, remember
from r1chat.paths import Paths
from r1chat.repl import attach, keep, turns, view
from r1chat.repl.table import COMMANDS
from r1chat.sessions import Keeper, Model, digest_of, exchanges_of, kept_settings
from r1chat.settings import uses
from r1chat.settings.layers import Settings
from r1chat.terminal.completion import Candidate
from r1chat.terminal.dumb import DumbTerminal
from r1chat.terminal.input import ReplTerminal
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.outbox import Entry
from r1chat.terminal.screen import Screen
from r1chat.terminal.wrap import fold

GRACE = 2.0  # seconds a cancelled turn has to end when the user leaves
LONG_DRAFT = 1000  # characters from which on a pasted question is computed before it is asked
LOADING, NOT_LOADED = "loading…", "not loaded"
PAUSE = 0.3  # seconds after the last paste, when that begins


class Repl:
    """One interactive session with one model. What the slash commands use of it has no underscore."""

    commands = COMMANDS

    def __init__(
        self,
        chat: Chat,
        launched: Launched,
        screen: Screen,
        settings: Settings,
        model: str,
        paths: Paths,
        *,
        resumed: Transcript | None = None,
    ) -> None:
        """`model` is the user's word for what was launched; `resumed` is a session that was taken, to go on with."""
        self.chat = chat
        self.launched = launched
        self.screen = screen
        self.settings = settings
        self.model = model
        self.paths = paths
        self.live = Live(screen, thinking=_way(settings), session=True)
        self._loading = LOADING  # what the bar says while there is no model
        self._turn: threading.Thread | None = None
        self._arriving: WorkerEngine | None = None  # of the model that is being changed to
        self._resumed = resumed
        keeps = settings["history"]
        self.keeper = Keeper(chat, self.described, paths.sessions, self._notice) if keeps else None
        self._pause: threading.Timer | None = None  # after a paste
        self.thinks_next: bool | None = None  # whether the next question is answered with thinking, if that was said
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
                on_paste=self._on_paste,
                on_answer_now=lambda: self.chat.control(AnswerNow()),
                bar=self._bar,
                complete=self._complete,
                at_once=self._at_once,
                history_path=paths.history if keeps else None,
                vi=settings["keys"] == "vi",
            )
        chat.add_sink(self.terminal.sink)
        if self.keeper:
            chat.add_sink(self.keeper)
        self.apply(settings)
        if resumed:
            self._restore(resumed)

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
            if self.keeper:
                self.keeper.close()

    def say(self, *lines: str) -> None:
        """Print a remark of the program, and an empty line after it."""
        for line in lines:
            self.terminal.remark(line)
        self.terminal.print()

    def described(self) -> Model:
        """Say who answers now."""
        target, plan = self.launched.target, asdict(self.launched.plan)
        return Model(lasting(self.model), target.name, digest_of(target.path), plan)

    def resume(self, transcript: Transcript) -> None:
        """Go on with a session that was taken, in the place of this one, as it was asked."""
        self._restore(transcript)
        self.apply(self.settings.keep(kept_settings(transcript)))
        keep.recap(self, transcript)

    def apply(self, settings: Settings) -> None:
        """Let changed settings hold: those of the screen at once, those of the model from the next question on."""
        options = uses.options(settings)
        if _way(settings) is not _way(self.settings):
            self.terminal.switch(_way(settings))
        self.settings = settings
        self.chat.options = options
        self.chat.system = settings["system"]
        self.live.formulas = settings["latex"]
        self.terminal.refresh()

    def change(self, name: str, word: str) -> None:
        """Set a value for this session. Raises UsageError."""
        self.apply(self.now().change(name, word))

    def now(self) -> Settings:
        """Give the settings as they are: a key may have switched the thinking."""
        if self.live.thinking is not _way(self.settings):
            self.settings = self.settings.change("thinking", self.live.thinking)
        return self.settings

    def complain(self, error: R1ChatError) -> None:
        """Say what went wrong, and the way out."""
        codes = self.screen.shade("1;91", "1;31")
        rows = fold(clean(error.message), self.terminal.columns)
        self.terminal.print("\n".join(self.screen.sgr(codes, row) for row in rows))
        self.say(*filter(None, [clean(error.hint)]))

    def background(self, function: Callable[[], None], name: str) -> None:
        """Do what takes its time, such as a turn, in a thread; until its end, what is entered waits."""

        def work() -> None:
            try:
                function()
            except R1ChatError as error:
                self._loading = NOT_LOADED
                self.terminal.hold()
                self.complain(error)
            finally:
                self._follow()
                self.terminal.busy = False

        self.terminal.busy = True
        self._turn = threading.Thread(target=work, daemon=True, name=name)
        self._turn.start()

    def ask(self, text: str, files: Sequence[tuple[str, str]] = (), *, think: bool | None = None) -> None:
        """Ask, in a thread of its own; a `/nothink` given before counts once."""
        think, self.thinks_next = self.thinks_next if think is None else think, None
        asked = f"{text}\n{directive(text)}" if self.settings["math"] else text
        self.begin(self.chat.ask(asked, files=files, think=think))

    def begin(self, events: Iterable[Event]) -> None:
        """Take a turn's events to their end, in a thread of its own."""
        self._loading = LOADING  # a question starts an engine that failed once more
        self.background(lambda: self._take(events), "turn")

    def switch(self, target: Target, model: str) -> None:
        """Go on with another model, the conversation kept; `model` is the user's word for it. Takes its time.

        The old model leaves the memory first, so that the new one is planned with all there is. If the new one can't be
        loaded, the old one is loaded again, and the error raised: any R1ChatError that `launch` and a load raise.
        """
        check_file(target)
        self._loading = LOADING
        settings = self.now().switch(model, names_of(target))
        uses.options(settings)  # what excludes each other is refused before anything is given up
        old = self.launched
        old.engine.close()
        try:
            new = launch(target, uses.wishes(settings), self.paths)
            self._arriving = new.engine
            new.engine.count(())  # until it is loaded
        except R1ChatError as error:
            if self._arriving:
                self._arriving.close()
            old.engine.load(old.plan)
            back = f"{old.target.name} is loaded again, and the conversation is as it was."
            raise type(error)(error.message, hint=f"{error.hint} {back}".strip()) from error
        finally:
            self._arriving = None
        self.chat.use(new.engine, new.shape.family)
        self.launched, self.model = new, model
        self.apply(settings)
        if self.keeper:
            remember(model, self.paths)

    # What the terminal calls

    def _submit(self, entry: Entry) -> None:
        if entry.commands:
            self._obey(entry.text.strip())
            return
        try:
            files = [*self.attached, *(attach.read(self, path) for path in entry.files)]
        except R1ChatError as error:
            self.complain(error)
            self.terminal.hold()
            self.terminal.restore(entry)
            return
        self.attached.clear()
        if entry.files:
            self.say(f"Attached: {', '.join(map(attach.described, files))}.")
        self.ask(entry.text, files)

    def _obey(self, line: str) -> None:
        name, _, argument = line.partition(" ")
        found = COMMANDS.get(name)
        if found is None:
            self.say(f"There is no command {clean(name)}; /help lists them. A space before it makes it a question.")
            return
        try:
            found.run(self, argument.strip())
        except R1ChatError as error:
            self.complain(error)
        self._follow()

    def _follow(self) -> None:
        if self.keeper:
            self.keeper.follow()

    def _restore(self, transcript: Transcript) -> None:
        self.chat.restore(exchanges_of(transcript), transcript.session.leaf)
        if self.keeper:
            self.keeper.resume(transcript)

    def _on_paste(self) -> None:
        if self._pause:
            self._pause.cancel()
        self._pause = threading.Timer(PAUSE, self._anticipate)
        self._pause.daemon = True
        self._pause.start()

    def _interrupt(self) -> None:
        self.chat.control(Cancel())
        if arriving := self._arriving:
            threading.Thread(target=arriving.close, daemon=True, name="engine-close").start()

    def _bar(self) -> Sequence[str]:
        """The bottom bar: the model, how full the context is, what goes with the next question, and the plan."""
        info, plan = self.launched.engine.info, self.launched.plan
        used = self._used()
        context = f"context {used:,} of {plan.n_ctx:,}, {max(0, plan.n_ctx - used):,} left" if info else self._loading
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

    def _take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Finished) and event.reason in (Reason.DIED, Reason.ERROR):
                self._loading = NOT_LOADED
                self.terminal.hold()  # the next question would hardly fare better
        if told := turns.left_open(self.chat.path[-1]):
            self.say(told)
        self._anticipate()

    def _anticipate(self) -> None:
        """Let the engine compute a long question before it is asked: what was pasted is seldom changed any more."""
        text = self.terminal.draft
        if len(text) >= LONG_DRAFT and not self.chat.busy:
            self.chat.anticipate(text)

    def _notice(self, text: str) -> None:
        self.terminal.remark(clean(text))

    def _wait_for_model(self) -> None:
        """Say where a resumed session stands, and at once when the model can't be loaded; tell the bar when it is."""
        if self._resumed:
            keep.recap(self, self._resumed)
        try:
            self.launched.engine.count(())
            if self.keeper:
                remember(self.model, self.paths)
            self.live.prepare()
        except R1ChatError as error:
            self._loading = NOT_LOADED
            if not self.terminal.busy:  # else the turn that waits says it
                self.complain(error)
        self.terminal.refresh()

    def _used(self) -> int:
        """Tokens of the conversation as the next prompt will hold it: all but the thinking."""
        answered = [exchange for exchange in self.chat.path if exchange.answered]
        usage = answered[-1].finished.usage if answered else Usage()
        return usage.prompt_tokens + usage.answer_tokens


def _way(settings: Settings) -> Thinking:
    """What is to become of the thinking; a chat shows it, unless it is told not to."""
    return Thinking(settings["thinking"] or Thinking.SHOW)


def greeting(launched: Launched, *, named: bool) -> tuple[str, ...]:
    """What to say first when nobody named the demo: that it is a toy, and how to get the real thing."""
    if named or launched.target.name != DEMO:
        return ()
    return (
        "This is the bundled demo, a toy that does small sums and counts letters.",
        "For a real R1: `r1chat run 7b` gets one first, `r1chat models` lists them.",
    )
