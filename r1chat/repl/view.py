"""Slash commands about what is on the screen: help, the thinking's display, figures, a clean start, the way out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from r1chat.core.sanitize import clean
from r1chat.terminal import progress
from r1chat.terminal.live import Thinking

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl


def help_(repl: "Repl", argument: str) -> None:
    """List the commands."""
    usages = {command.usage: command.help for command in repl.commands.values()}
    width = max(map(len, usages))
    repl.terminal.print("\n".join(f"  {usage:<{width}}  {help}" for usage, help in usages.items()))
    repl.say("Alt-Enter begins a new line, Ctrl-C stops an answer and keeps it, Ctrl-D leaves.")


def exit_(repl: "Repl", argument: str) -> None:
    """Leave."""
    repl.terminal.exit()


def clear(repl: "Repl", argument: str) -> None:
    """Begin a new conversation."""
    repl.chat.reset()
    repl.say("A new conversation begins: the model remembers nothing of the one above.")


def think(repl: "Repl", argument: str) -> None:
    """Set what becomes of the thinking."""
    if argument:
        try:
            repl.live.thinking = Thinking(argument.lower())
        except ValueError:
            repl.say(f"{clean(argument)} is none of show, fold and hide.")
            return
    repl.say(f"The thinking is set to {repl.live.thinking}.")


def think_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete the ways to show the thinking."""
    return (way.value for way in Thinking if way.value.startswith(word.lower()))


def stats(repl: "Repl", argument: str) -> None:
    """Tell the plan, the engine, and the counts and times of the last turn."""
    lines = [f"plan      {', '.join(repl.launched.plan.reasons)}"]
    if info := repl.launched.engine.info:
        lines.append(f"engine    {clean(info.description)}, {info.library}, loaded in {info.load_s:.1f} s")
    if end := repl.chat.last:
        prompt = f"{progress.tokens(end.usage.prompt_tokens)}, {end.usage.cached_tokens:,} of them cached"
        lines.append(f"prompt    {prompt}, {end.timings.prompt_s:.2f} s")
        lines.append(f"thinking  {progress.tokens(end.usage.reasoning_tokens)}, {end.timings.reasoning_s:.1f} s")
        lines.append(f"answer    {progress.tokens(end.usage.answer_tokens)}, {end.timings.answer_s:.1f} s")
        lines.append(f"together  {progress.summary(end)}")
    repl.terminal.print("\n".join(f"  {line}" for line in lines) + "\n")
