"""What a user may write where a model is expected. Parses words; whether the model exists is decided elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from r1chat.errors import UsageError

_HUB_PREFIXES: Final = ("hf.co/", "huggingface.co/", "hf://", "https://", "http://")


@dataclass(frozen=True, slots=True)
class Demo:
    """The bundled demo model."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on this machine, which may or may not be there."""

    path: Path


@dataclass(frozen=True, slots=True)
class Name:
    """A name: of the catalogue ("7b", "deepseek-r1:14b"), or of the Hub ("hf.co/user/repository:Q4_K_M")."""

    name: str


Reference = Demo | File | Name


def parse(text: str) -> Reference:
    """Tell a path from a name. Raises UsageError for an empty text.

    A path contains a separator, ends in .gguf or names a file of the current folder; `demo` is always the bundled
    model (write ./demo for a file of that name).
    """
    text = text.strip()
    if not text:
        raise UsageError("The name of the model is empty.", hint="Try the bundled one: r1chat run demo")
    if text.lower() == "demo":
        return Demo()
    if text.lower().startswith(_HUB_PREFIXES):
        return Name(text)
    if "/" in text or "\\" in text or text.lower().endswith(".gguf") or _is_file(text):
        return File(Path(text).expanduser())
    return Name(text)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a name that can't be a file's: too long, or with a NUL
        return False
