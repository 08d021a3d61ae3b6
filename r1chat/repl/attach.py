"""Files that go with a question: /file, and what an `@` names. Checked before anything is asked."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.errors import NotFoundError, R1ChatError, UsageError
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
    path = _home(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UsageError(f"{path} is no ordinary file.", hint="Only text files can be attached.")
    most = BYTES_PER_TOKEN * repl.launched.plan.n_ctx
    if path.is_file() and (n_bytes := path.stat().st_size) > most:
        raise UsageError(
            f"{path} has {size_text(n_bytes)}, far more than the context of {repl.launched.plan.n_ctx:,} tokens holds.",
            hint="Attach a part of it, or start r1chat with a larger --ctx.",
        )
    name, text = read_text(path)
    return name, text


def described(attached: tuple[str, str]) -> str:
    """Name an attached file and its size."""
    name, text = attached
    return f"{clean(name)} ({len(text):,} characters)"


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise NotFoundError(f"There is no file {path}.", hint="Check its path.") from error
