"""Slash commands about the turns: how long a thinking may be, its end, a hint into it, go on, again, take back."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from r1chat.chat import Exchange, Overflow
from r1chat.core.events import Event, Reason
from r1chat.core.sanitize import clean
from r1chat.engine.base import AnswerNow, Steer
from r1chat.errors import NotFoundError, UsageError
from r1chat.terminal.completion import Candidate

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl

SHOWN = 40  # characters of a question that is named


def budget(repl: "Repl", argument: str) -> None:
    """Set how long a thinking may be, from the next turn on."""
    if argument:
        repl.change("think_budget", "none" if argument.lower() == "off" else argument)
    bounds = repl.chat.options.think_budget
    if bounds.n_tokens is None and bounds.seconds is None:
        repl.say("The thinking has no budget; the answer's share of the context is kept free of it.")
    else:
        told = f"{bounds.n_tokens:,} tokens" if bounds.n_tokens is not None else f"{bounds.seconds:g} s"
        repl.say(f"The thinking has a budget of {told}.")


def now(repl: "Repl", argument: str) -> None:
    """End the thinking and have the answer."""
    if repl.chat.thinking:
        repl.chat.control(AnswerNow())
    else:
        repl.say("There is no thinking to end.")


def steer(repl: "Repl", argument: str) -> None:
    """Put a hint into the thinking."""
    if not argument:
        repl.say("What should it think of? /steer TEXT puts a hint into the thinking.")
    elif repl.chat.thinking:
        repl.chat.control(Steer(argument))
    else:
        repl.say("There is no thinking to put it into.")


def nothink(repl: "Repl", argument: str) -> None:
    """Ask without thinking: what follows, or else the next question."""
    if argument:
        repl.ask(argument, think=False)
    else:
        repl.thinks_next = False
        repl.say("The next question is answered without thinking.")


def retry(repl: "Repl", argument: str) -> None:
    """Have another version of the answer."""
    if argument and not re.fullmatch(r"[0-9]{1,10}", argument):
        repl.say(f"{clean(argument)} is no seed: give a whole number, or nothing.")
        return
    _begin(repl, lambda: repl.chat.retry(int(argument) if argument else None))


def continue_(repl: "Repl", argument: str) -> None:
    """Go on where the answer, or the thinking, was cut."""
    _begin(repl, repl.chat.resume)


def undo(repl: "Repl", argument: str) -> None:
    """Take the last exchange back."""
    if taken := repl.chat.undo():
        repl.say(f"Taken back: {_short(taken.question.content)}")
    else:
        repl.say("There is nothing to take back.")


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


def overflow(repl: "Repl", argument: str) -> None:
    """Set what happens when the conversation fills the context."""
    if argument:
        repl.change("overflow", argument)
    if repl.chat.options.overflow is Overflow.STOP:
        repl.say("A question that does not fit into the context any more is refused.")
    else:
        repl.say("When the context is full, the oldest exchanges are left out, and listed.")


def overflow_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete the policies."""
    return (policy.value for policy in Overflow if policy.value.startswith(word.lower()))


def left_open(exchange: Exchange) -> str:
    """Say what becomes of a turn that was cut, and what can be done; nothing of one that was not."""
    if not exchange.cut:
        return ""
    goes_on = exchange.finished.reason not in (Reason.ERROR, Reason.CONTEXT)
    if exchange.answered:
        return "/continue goes on where it stopped." if goes_on else ""
    ways = "/continue goes on with it, /retry begins anew." if goes_on else "/retry asks again."
    return f"There is no answer, so the next prompt leaves this question out. {ways}"


def _begin(repl: "Repl", turn: Callable[[], Iterator[Event]]) -> None:
    """Run a turn, if there can be one."""
    try:
        events = turn()
    except UsageError as error:
        repl.say(clean(f"{error.message} {error.hint}"))
    else:
        repl.begin(events)


def _ask_anew(repl: "Repl", text: str) -> None:
    """Take the last question back, and ask this one in its place: the old one stays as another version."""
    repl.terminal.echo(text)
    repl.chat.undo()
    repl.begin(repl.chat.ask(text))


def _last(repl: "Repl") -> Exchange:
    if not repl.chat.path:
        raise NotFoundError("There is no question yet.", hint="Ask something first.")
    return repl.chat.path[-1]


def _short(question: str) -> str:
    text = " ".join(clean(question).split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
