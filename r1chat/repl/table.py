"""The table of slash commands, from which /help, the completion and the README's list are made too.

A command is a function of the session and of what was typed after its name; they are in the modules beside this one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from r1chat.repl import attach, clip, keep, setup, turns, view
from r1chat.terminal.completion import Candidate

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl


def nothing(repl: "Repl", argument: str) -> Iterable[str | Candidate]:
    """Complete nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command: its name, what it does in a few words, its function, and what may follow the name.

    `anytime`: it may also be given while an answer is coming; any other one waits for its end. `complete` is
    given what was typed after the name, and gives what can stand in the place of its last word; a Candidate says itself
    what it replaces.
    """

    name: str
    help: str
    run: Callable[["Repl", str], None]
    argument: str = ""
    anytime: bool = False
    complete: Callable[["Repl", str], Iterable[str | Candidate]] = nothing

    @property
    def usage(self) -> str:
        """The command as it is typed."""
        return f"{self.name} {self.argument}".rstrip()


_ALL = (
    Command("/help", "list the commands", view.help_, anytime=True),
    Command("/exit", "leave", view.exit_, anytime=True),
    Command("/clear", "forget the conversation and begin a new one", view.clear),
    Command("/new", "the same as /clear", view.clear),
    Command(
        "/model",
        "go on with another model, the conversation kept; alone: list them",
        setup.model,
        "[NAME]",
        complete=setup.model_words,
    ),
    Command(
        "/set",
        "change a setting for this session; VALUE default takes it back",
        setup.set_,
        "[NAME [VALUE]]",
        anytime=True,
        complete=setup.set_words,
    ),
    Command(
        "/show",
        "tell the settings, and where each comes from",
        setup.show,
        "[NAME]",
        anytime=True,
        complete=setup.show_words,
    ),
    Command(
        "/think",
        "show, fold or hide the thinking from now on",
        view.think,
        "[show|fold|hide]",
        anytime=True,
        complete=view.think_words,
    ),
    Command("/thoughts", "read the thinking of an earlier turn, or the last one", view.thoughts, "[N]", anytime=True),
    Command("/budget", "bound the thinking, in tokens or seconds (30s)", turns.budget, "[N|Ns|off]"),
    Command("/nothink", "answer the next question without thinking", turns.nothink, "[QUESTION]"),
    Command("/now", "end the thinking and have the answer", turns.now, anytime=True),
    Command("/steer", "put a hint into the thinking", turns.steer, "TEXT", anytime=True),
    Command("/retry", "have another version of the last answer", turns.retry, "[SEED]"),
    Command("/continue", "go on where the last turn was cut", turns.continue_),
    Command("/undo", "take the last question and its answer back", turns.undo),
    Command(
        "/edit",
        "ask the last question in other words: in your editor, or behind the command",
        turns.edit,
        "[TEXT]",
        complete=turns.last_question,
    ),
    Command(
        "/copy",
        "copy the answer, its code or its thinking to the clipboard",
        clip.copy,
        "[answer|code [N]|thinking]",
        complete=clip.copy_words,
    ),
    Command(
        "/code",
        "list the answer's blocks of code, show one, save one",
        clip.code,
        "[N] [FILE]",
        complete=clip.code_words,
    ),
    Command("/file", "attach a text file to the next question", attach.file, "[PATH]", complete=attach.paths),
    Command("/system", "set a system prompt", setup.system, "[TEXT|off]", anytime=True),
    Command(
        "/math",
        "add DeepSeek's directive for mathematics, or no longer",
        setup.math,
        "[on|off]",
        anytime=True,
        complete=setup.switch_words,
    ),
    Command(
        "/overflow",
        "say what happens when the context is full",
        turns.overflow,
        "[stop|oldest]",
        complete=turns.overflow_words,
    ),
    Command("/stats", "tell the plan, and what the last turn took", view.stats, anytime=True),
    Command("/context", "tell what fills the context", view.context),
    Command("/sessions", "list the kept sessions", keep.sessions, anytime=True),
    Command(
        "/resume",
        "go on with another session",
        keep.resume,
        "[ID|TITLE]",
        complete=keep.session_words,
    ),
    Command("/rename", "give this session another title", keep.rename, "[TITLE]"),
    Command(
        "/export",
        "write this session to a file: .html, .md or .json",
        keep.export_,
        "[FILE]",
        complete=attach.paths,
    ),
    Command("/search", "find sessions by what was said in them", keep.search, "WORDS", anytime=True),
)
COMMANDS = {command.name: command for command in _ALL}


def markdown() -> str:
    """Write the table as Markdown, for the README."""
    rows = ((f"`{command.usage.replace('|', chr(92) + '|')}`", command.help) for command in COMMANDS.values())
    return "\n".join(["| command | |", "|---|---|", *(f"| {usage} | {help} |" for usage, help in rows)])
