"""Slash commands that take something out of the chat, as its source text: to the clipboard, or into a file."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from r1chat.chat import Exchange
from r1chat.core.sanitize import clean
from r1chat.errors import NotFoundError, R1ChatError, UsageError
from r1chat.terminal import clipboard
from r1chat.terminal.code import CodeBlock, code_blocks
from r1chat.terminal.completion import Candidate, files
from r1chat.terminal.tables import Column, counted, table

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl

FORCE = "--force"


def copy(repl: "Repl", argument: str) -> None:
    """Copy the last answer, its code or its thinking."""
    what, _, number = argument.partition(" ")
    exchange = _last(repl)
    match what or "answer":
        case "answer":
            text, name = exchange.answer.content.strip(), "the answer"
        case "thinking":
            text, name = exchange.answer.reasoning.strip(), "the thinking"
        case "code":
            text, name = _code(exchange, number.strip())
        case _:
            raise UsageError(f"{what!r} can't be copied.", hint="Use /copy answer, /copy code [N] or /copy thinking.")
    if not text:
        raise NotFoundError(f"The last turn has none of it: {name} is empty.")
    way = clipboard.copy(text, repl.terminal.send)
    doubt = "" if way != clipboard.TERMINAL.name else "; some terminals allow it only when they are told to"
    repl.say(f"Copied {name} ({counted(len(text), 'character')}) with {way}{doubt}.")


def copy_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete what can be copied."""
    return (each for each in ("answer", "code", "thinking") if each.startswith(word))


def code(repl: "Repl", argument: str) -> None:
    """List the code of the last answer, show one block, or save it."""
    exchange = _last(repl)
    blocks = code_blocks(exchange.answer.content)
    if not blocks:
        raise NotFoundError("The last answer has no code.")
    first, _, rest = argument.partition(" ")
    number, path = (first, rest.strip()) if first.isdecimal() else ("", argument)
    if not argument:
        _list(repl, blocks)
    elif not path:
        repl.terminal.print(clean(_numbered(blocks, number).text))
    else:
        repl.say(_saved(_numbered(blocks, number), path))


def code_words(repl: "Repl", argument: str) -> Iterable[Candidate]:
    """Complete the path behind the number."""
    first, blank, rest = argument.partition(" ")
    path = rest if first.isdecimal() and blank else argument
    return (Candidate(each, len(path)) for each in files(path))


def _last(repl: "Repl") -> Exchange:
    """Give the last turn in which the model said anything. Raises NotFoundError."""
    for exchange in reversed(repl.chat.path):
        if exchange.answered or exchange.answer.reasoning.strip():
            return exchange
    raise NotFoundError("There is no answer yet.", hint="Ask something first.")


def _code(exchange: Exchange, number: str) -> tuple[str, str]:
    """Give one block, or all of them, a blank line between two."""
    blocks = code_blocks(exchange.answer.content)
    if number:
        return _numbered(blocks, number).text, f"block {number}"
    return "\n".join(block.text for block in blocks), "the code"


def _numbered(blocks: list[CodeBlock], number: str) -> CodeBlock:
    if not number and len(blocks) == 1:
        return blocks[0]
    if not number.isdecimal() or not 1 <= int(number) <= len(blocks):
        hint = f"Use a number from 1 to {len(blocks)}: /code lists them." if blocks else ""
        what = f"no block {number}" if number else f"more than one block of code ({len(blocks)})"
        raise UsageError(f"The last answer has {what}.", hint=hint)
    return blocks[int(number) - 1]


def _list(repl: "Repl", blocks: list[CodeBlock]) -> None:
    columns = [
        Column("N", right=True),
        Column("LANGUAGE"),
        Column("LINES", right=True),
        Column("", shrinks=True, at_end=True),
    ]
    rows = [
        [str(number), block.language, str(block.n_lines), block.text.strip().split("\n")[0]]
        for number, block in enumerate(blocks, 1)
    ]
    mark = repl.screen.glyph("…", "...")
    repl.terminal.print("\n".join(table(columns, rows, columns_wide=repl.screen.columns, mark=mark)))
    repl.say("/code N FILE saves one, /copy code N copies it.")


def _saved(block: CodeBlock, argument: str) -> str:
    """Write a block into a file and say so. Raises UsageError where one is in the way, R1ChatError if it can't be."""
    force = argument.endswith(f" {FORCE}")
    name = argument.removesuffix(FORCE).strip().strip("\"'")
    try:
        path = Path(name).expanduser()
        was_there = path.exists()
        with path.open("w" if force else "x", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(block.text)
    except FileExistsError as error:
        message = f"{clean(name)} is there already, and was left as it is."
        raise UsageError(message, hint=f"Use another name, or write over it: {FORCE} behind the name.") from error
    except (OSError, RuntimeError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise R1ChatError(f"{clean(name)} can't be written: {clean(why)}.", hint="Use another place.") from error
    over = ", over what was there" if was_there else ""
    return f"Saved {counted(block.n_lines, 'line')} as {clean(name)}{over}."
