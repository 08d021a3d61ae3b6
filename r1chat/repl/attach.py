"""Files that go with a question: /file, and what an `@` names. Checked before anything is asked."""

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.errors import R1ChatError, UsageError
from r1chat.files import read_text
from r1chat.terminal.completion import Candidate, files

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl

# More bytes than this for each token of the context can't fit; ordinary text has 3 to 5, deeply indented code up to 16.
BYTES_PER_TOKEN: Final = 16


def file(repl: "Repl", argument: str) -> None:
    """Attach a file to the next question; without a path, tell what is attached."""
    path = argument.strip("\"'")
    if path in ("none", ""):
        if path:
            repl.attached.clear()
        told = ", ".join(map(described, repl.attached)) or "nothing. /file PATH attaches a file to the next question"
        repl.say(f"Attached: {told}.")
        return
    try:
        repl.attached.append(read(repl, Path(path)))
    except R1ChatError as error:
        repl.say(f"{clean(error.message)} {clean(error.hint)}")
        return
    repl.say(f"Attached: {', '.join(map(described, repl.attached))}. /file none takes it off.")


def paths(repl: "Repl", argument: str) -> Iterable[Candidate]:
    """Complete a path; it may have blanks."""
    quote = argument[:1] if argument[:1] in ("'", '"') else ""
    return (Candidate(quote + path, len(argument)) for path in files(argument.removeprefix(quote)))


def read(repl: "Repl", path: Path) -> tuple[str, str]:
    """Give a file's name and text. Raises NotFoundError, or UsageError if it is not a text that can fit."""
    try:
        path = path.expanduser()
        status = path.stat()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: no home for ~
        return read_text(path)  # which says what is wrong with it
    if stat.S_ISREG(status.st_mode):
        n_ctx = repl.launched.plan.n_ctx
        if status.st_size > BYTES_PER_TOKEN * n_ctx:
            size = size_text(status.st_size)
            raise UsageError(
                f"{path} has {size}, far more than the context of {n_ctx:,} tokens holds.",
                hint="Attach a part of it, or start r1chat with a larger --ctx.",
            )
    elif not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is no ordinary file.", hint="Only text files can be attached.")
    return read_text(path)


def described(attached: tuple[str, str]) -> str:
    """Name an attached file and its size."""
    name, text = attached
    return f"{clean(name)} ({len(text):,} characters)"
