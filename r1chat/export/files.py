"""Exports as files that only their owner can read. The end of a file's name tells the form."""

import os
import re
from pathlib import Path
from typing import Final

from r1chat.core.sanitize import clean
from r1chat.core.transcript import Transcript
from r1chat.errors import R1ChatError, UsageError

FORMS: Final = ("md", "json", "html")
_ENDS: Final = {".md": "md", ".markdown": "md", ".json": "json", ".html": "html", ".htm": "html"}
_SLUG: Final = 40  # characters of a title in a file's name


def form_of(file: Path) -> str:
    """Tell the form that a file's name asks for. Raises UsageError."""
    if form := _ENDS.get(file.suffix.lower()):
        return form
    raise UsageError(f"{clean(file.name)} does not tell the form.", hint="Let it end in .html, .md or .json.")


def text_of(transcript: Transcript, form: str) -> str:
    """Write a session in one of FORMS."""
    if form == "html":
        from r1chat.export.page import page  # with pygments, which takes its time

        return page(transcript)
    if form == "json":
        from r1chat.export.data import to_json

        return to_json(transcript)
    from r1chat.export.text import markdown

    return markdown(transcript)


def file_name(transcript: Transcript, form: str) -> str:
    """Make a file's name of a title, that any system takes."""
    slug = "-".join(re.findall(r"\w+", transcript.session.title.casefold()))[:_SLUG].strip("-_")
    return f"r1chat-{slug or transcript.session.key or 'session'}.{form}"


def write(transcript: Transcript, file: Path, *, form: str | None = None, replace: bool = False) -> None:
    """Write a session to a file, in the form that its name tells. Raises UsageError for one that is there already."""
    text = text_of(transcript, form or form_of(file))
    way = os.O_TRUNC if replace else os.O_EXCL
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | way, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
        if replace:
            file.chmod(0o600)  # what was there may have been open to all
    except FileExistsError as error:
        if file.is_dir():
            raise UsageError(f"{clean(str(file))} is a folder.", hint="Name a file in it.") from error
        raise UsageError(f"There is a file {clean(str(file))} already.", hint="Name another one.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        why = getattr(error, "strerror", None) or str(error)
        raise R1ChatError(f"{clean(str(file))} can't be written: {why}.", hint="Name a file somewhere else.") from error
