"""Checks of what is around r1chat: the terminal, and what the user has set."""

import difflib
import sys
from typing import Final

from r1chat.doctor.check import FAIL, OK, WARN, Check, Surroundings
from r1chat.errors import NotFoundError, R1ChatError
from r1chat.models import catalog, reference, resolve
from r1chat.settings import layers as settings

NARROW: Final = 40  # columns


def terminal(around: Surroundings) -> Check:
    """What the terminal can do: colours, characters, width, keys."""
    screen, environ = around.screen, around.environ
    columns, rows = screen.size()
    data = {
        "stdin": screen.stdin_tty,
        "stdout": screen.stdout_tty,
        "TERM": environ.get("TERM"),
        "NO_COLOR": bool(environ.get("NO_COLOR")),
        "colors": int(screen.colors),
        "unicode": screen.unicode,
        "keys": screen.converses and not screen.dumb,
        "columns": columns,
        "rows": rows,
    }
    if not screen.stdout_tty:
        return Check(OK, "Not looked at: the output does not go to one.", data=data)
    if screen.dumb:
        term = environ.get("TERM")
        text = f"TERM is {term!r}" if term else "TERM is not set"
        remedy = "If yours can do more, tell it: export TERM=xterm-256color"
        return Check(WARN, f"{text}: no colours, no live text, and a chat's prompt may be garbled.", remedy, data=data)
    colors = f"{int(screen.colors):,} colours" if screen.colors else "no colours"
    if environ.get("NO_COLOR"):
        colors = "no colours (NO_COLOR)"
    text = f"{columns} by {rows}, {colors}"
    if not screen.unicode:
        locale = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
        remedy = f"Choose UTF-8: {'chcp 65001' if sys.platform == 'win32' else f'export LC_ALL={locale}'}"
        return Check(WARN, f"{text}, no Unicode: mathematics and other scripts can't be shown.", remedy, data=data)
    if columns < NARROW:
        return Check(WARN, f"{text}: narrow for tables and mathematics.", "Make the window wider.", data=data)
    keys = "editing keys and pasting" if screen.stdin_tty else "no keys: stdin is not the terminal"
    return Check(OK, f"{text}, Unicode, {keys}.", data=data)


def variables(around: Surroundings) -> Check:
    """The settings file, the variables, and names among these that mean nothing. Raises UsageError of the file's."""
    environ, file = around.environ, around.paths.settings
    unknown = settings.strangers(environ)
    data = {"file": str(file), "exists": file.exists(), "unknown": list(unknown)}
    settings.load(environ, file)
    if unknown:
        near = {name: difflib.get_close_matches(name, settings.VARIABLES, 1) for name in unknown}
        text = ", ".join(f"{name} (is {match[0]} meant?)" if match else name for name, match in near.items())
        return Check(WARN, f"r1chat knows nothing of: {text}.", "Mend the name, or remove it.", data=data)
    named = [name for name in settings.VARIABLES if environ.get(name)]
    parts = [*([str(file)] if file.exists() else []), *named]
    return Check(OK, f"Set by {', '.join(parts)}." if parts else "Nothing is set: all is as it comes.", data=data)


def names(around: Surroundings) -> Check:
    """The models that have a name: ours, the user's own, and the one that R1CHAT_MODEL names."""
    file = around.paths.catalogue
    known = catalog.load(catalog.default_path(), file)
    data = {"file": str(file), "exists": file.exists(), "models": len(known.entries)}
    named = around.environ.get("R1CHAT_MODEL", "")
    try:
        if named:
            _check_model(named, known)
    except R1ChatError as error:
        hint = "R1CHAT_MODEL names it: give it another name, or unset it."
        return Check(FAIL, error.message, hint, data=data)
    also = f", also of {file}" if file.exists() else ""
    return Check(OK, f"{len(known.entries)} models have a name{also}.", data=data)


def _check_model(name: str, known: catalog.Catalog) -> None:
    """Return for a word that means a model, here or on the Hub. Raises R1ChatError."""
    meant = reference.parse(name)
    if isinstance(meant, reference.File) and not meant.path.is_file():
        raise NotFoundError(f"There is no file {meant.path}.")
    if not isinstance(meant, reference.Demo | reference.File | reference.Ollama):
        resolve.wish(meant, known)
