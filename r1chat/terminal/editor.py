"""The user's own editor, for a text that is long. Knows what to start and what it left; nothing of a prompt."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from r1chat.errors import NotFoundError, R1ChatError

_DEFAULTS = ("editor", "nano", "vim", "vi", "emacs")  # Debian's choice of its user, then the simplest


def command(environ: Mapping[str, str]) -> list[str]:
    """Choose the editor: VISUAL, EDITOR, else what is there. Raises NotFoundError."""
    for name in ("VISUAL", "EDITOR"):
        if words := split(environ.get(name, "")):
            return words
    if sys.platform == "win32":
        return ["notepad"]
    for name in _DEFAULTS:
        if shutil.which(name, path=environ.get("PATH")):
            return [name]
    raise NotFoundError("There is no editor.", hint="Set EDITOR to the command of one.")


def edit(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Let the user edit the text, and give what was saved; the text itself if the editor says it failed.

    Raises NotFoundError when there is no editor, R1ChatError when it can't be started or left nothing to be read.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="r1chat-") as folder:
            file = Path(folder) / "message.md"
            file.write_text(text + "\n" if text else "", "utf-8", errors="replace", newline="\n")
            if not start(file, environ):
                return text
            return file.read_text("utf-8", errors="replace").rstrip("\n")
    except OSError as error:
        message = f"The file for the editor can't be used: {error.strerror}."
        raise R1ChatError(message, hint="What stood there before is as it was.") from error


def start(file: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Open a file in the editor, wait for its end, and tell whether it says that all went well.

    Raises NotFoundError when there is no editor, R1ChatError when it can't be started.
    """
    argv = command(environ)
    try:
        return subprocess.run([*argv, str(file)], check=False).returncode == 0
    except OSError as error:
        hint = "Set EDITOR to the command of an editor."
        raise R1ChatError(f"The editor {argv[0]} can't be started: {error.strerror}.", hint=hint) from error


def split(line: str) -> list[str]:
    """Cut a command line into words, as a shell would. One that can't be cut is one word."""
    try:
        words = shlex.split(line, posix=sys.platform != "win32")
    except ValueError:
        return [line]
    return [word.strip('"') for word in words] if sys.platform == "win32" else words
