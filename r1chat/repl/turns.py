"""Slash commands about the turns of the conversation."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from r1chat.chat import Exchange
from r1chat.errors import NotFoundError
from r1chat.terminal.completion import Candidate

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl


def edit(repl: "Repl", argument: str) -> None:
    """Ask the last question anew in other words: those behind the command, or those that the user's editor leaves."""
    question = _last(repl).question.content
    if argument:
        _ask_anew(repl, argument)
    else:
        repl.terminal.edit(question, lambda text: _edited(repl, question, text))


def last_question(repl: "Repl", argument: str) -> Iterable[Candidate]:
    """Complete the last question, to be changed in the prompt."""
    question = repl.chat.path[-1].question.content if repl.chat.path else ""
    return [Candidate(question, len(argument))] if question.startswith(argument) and "\n" not in question else []


def _edited(repl: "Repl", before: str, after: str) -> None:
    if not after.strip() or after == before:
        repl.say("The question is as it was, so that nothing is asked.")
    else:
        _ask_anew(repl, after)


def _ask_anew(repl: "Repl", text: str) -> None:
    """Go back before the last question, and ask this one in its place: the old one stays as another version."""
    repl.terminal.echo(text)
    repl.chat.restore(repl.chat.exchanges, _last(repl).parent)
    repl.ask(text)


def _last(repl: "Repl") -> Exchange:
    if not repl.chat.path:
        raise NotFoundError("There is no question yet.", hint="Ask something first.")
    return repl.chat.path[-1]
