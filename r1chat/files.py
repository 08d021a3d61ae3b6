"""Reads the text files that people attach. Knows nothing about what they are for."""

from pathlib import Path

from r1chat.core.encoding import decode, is_binary
from r1chat.errors import NotFoundError, UsageError


def read_text(path: Path) -> tuple[str, str]:
    """Give a file's name and its text. Raises NotFoundError when it can't be read and UsageError when it is binary."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in the name
        raise NotFoundError(f"There is no file {path}.", hint="Check its path.") from error
    except IsADirectoryError as error:
        raise NotFoundError(f"{path} is a folder, not a file.", hint="Name the files in it one by one.") from error
    except OSError as error:
        raise NotFoundError(f"{path} can't be read: {error.strerror}.", hint="Check its permissions.") from error
    if is_binary(data):
        raise UsageError(f"{path} is not a text file.", hint="Only text can be attached.")
    return path.name, decode(data)
