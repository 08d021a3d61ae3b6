"""The table of slash commands, from which /help, the completion and the README's list are made too.

A command is a function of the session and of what was typed after its name; they are in the modules beside this one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from r1chat.repl import turns, view

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl


def nothing(repl: "Repl", word: str) -> Iterable[str]:
    """Complete nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command: its name, what it does in a few words, its function, and what may follow the name.

    `anytime`: it may also be given while an answer is coming; any other one waits for its end. `complete` gives the
    words that can follow the name and begin with what was typed.
    """

    name: str
    help: str
    run: Callable[["Repl", str], None]
    argument: str = ""
    anytime: bool = False
    complete: Callable[["Repl", str], Iterable[str]] = nothing

    @property
    def usage(self) -> str:
        """The command as it is typed."""
        return f"{self.name} {self.argument}".rstrip()


_ALL = (
    Command("/help", "list the commands", view.help_, anytime=True),
    Command("/exit", "leave", view.exit_, anytime=True),
    Command("/clear", "forget the conversation and begin a new one", view.clear),
    Command(
        "/think",
        "show, fold or hide the thinking from now on",
        view.think,
        "[show|fold|hide]",
        anytime=True,
        complete=view.think_words,
    ),
    Command("/budget", "bound the thinking, in tokens or seconds (30s)", turns.budget, "[N|Ns|off]"),
    Command("/now", "end the thinking and have the answer", turns.now, anytime=True),
    Command("/steer", "put a hint into the thinking", turns.steer, "TEXT", anytime=True),
    Command("/nothink", "answer the next question without thinking", turns.nothink, "[QUESTION]"),
    Command("/retry", "have another version of the last answer", turns.retry, "[SEED]"),
    Command("/continue", "go on where the last turn was cut", turns.continue_),
    Command("/undo", "take the last question and its answer back", turns.undo),
    Command(
        "/overflow",
        "say what happens when the context is full",
        turns.overflow,
        "[stop|oldest]",
        complete=turns.overflow_words,
    ),
    Command("/stats", "tell the plan, and what the last turn took", view.stats, anytime=True),
)
COMMANDS = {command.name: command for command in _ALL}
