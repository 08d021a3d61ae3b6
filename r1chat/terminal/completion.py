"""What the Tab key offers: the files that an `@` begins to name, else what the owner knows. Draws nothing."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from r1chat.core.sanitize import clean
from r1chat.terminal.draft import mention, open_mention

MOST = 200  # files that are offered at once


class Candidate(NamedTuple):
    """Text that may stand in the place of the last `replaces` characters (None: the last word), and a remark."""

    text: str
    replaces: int | None = None
    note: str = ""


class PromptCompleter(Completer):
    """Asks the owner for candidates. A plain string replaces the last word."""

    def __init__(self, complete: Callable[[str], Iterable[str | Candidate]]) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Give what may stand before the cursor."""
        before = document.text_before_cursor
        last_word = len(document.get_word_before_cursor(WORD=True))
        begun = open_mention(before)
        if begun is not None:
            path, length = begun
            found: Iterable[str | Candidate] = (
                Candidate(f'@"{path}' if path.endswith("/") and " " in path else mention(path), length)
                for path in files(path)
            )
        else:
            found = self._complete(before)
        for candidate in found:
            text, replaces, note = (candidate, None, "") if isinstance(candidate, str) else candidate
            length = last_word if replaces is None else replaces
            yield Completion(text, start_position=-length, display=clean(text), display_meta=clean(note))


def files(begun: str) -> list[str]:
    """Give the paths that begin like this; a folder ends in a slash. Hidden ones only if the name begins with a dot.

    A name that a terminal can't show as it is is left out.
    """
    slash = max(begun.rfind("/"), begun.rfind(os.sep)) + 1
    folder, name = begun[:slash], begun[slash:]
    found = []
    try:
        with os.scandir(Path(folder or ".").expanduser()) as entries:
            for entry in entries:
                fits = entry.name.casefold().startswith(name.casefold())
                hidden = entry.name.startswith(".") and not name.startswith(".")
                if fits and not hidden and clean(entry.name) == entry.name:
                    found.append(folder + entry.name + ("/" if entry.is_dir() else ""))
    except (OSError, ValueError, RuntimeError):  # no such folder; a NUL in it; no home for ~
        return []
    return sorted(found)[:MOST]
