"""The clipboard: by a program of the platform, by tmux, or by the terminal itself (OSC 52), whichever there is.

Knows nothing of what is copied. Over SSH the clipboard that counts is the one where the terminal is, so that the
programs of this machine are left alone there.
"""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from r1chat.errors import R1ChatError

MOST: Final = 74_994  # bytes in base64; the limit of hterm, and few terminals allow more (its osc52.vim)
TIMEOUT: Final = 3.0  # seconds; a program without its display server may wait for ever
_SCREEN_PIECE: Final = 250  # GNU screen takes 256 bytes of a passed-on sequence for sure (its MAXSTR)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the clipboard: a program that reads the text, or none for the terminal itself."""

    name: str
    argv: tuple[str, ...] = ()
    encoding: str = "utf-8"


TERMINAL: Final = Way("the terminal (OSC 52)")


def ways(
    environ: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
    find: Callable[[str], str | None] = shutil.which,
) -> list[Way]:
    """Give the ways there are on this machine, the surest first."""
    remote = bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    known = []
    if not remote:
        if platform == "darwin":
            known.append(Way("pbcopy", ("pbcopy",)))
        if platform == "win32" or environ.get("WSL_DISTRO_NAME"):
            known.append(Way("clip.exe", ("clip.exe",), "utf-16"))
        if environ.get("WAYLAND_DISPLAY"):
            known.append(Way("wl-copy", ("wl-copy",)))
        if environ.get("DISPLAY"):
            known.append(Way("xclip", ("xclip", "-selection", "clipboard")))
            known.append(Way("xsel", ("xsel", "--clipboard", "--input")))
    if environ.get("TMUX"):
        known.append(Way("tmux", ("tmux", "load-buffer", "-w", "-")))  # -w: the terminal's clipboard too (tmux 3.2)
    there = [way for way in known if find(way.argv[0])]
    return there if environ.get("TERM") == "dumb" else [*there, TERMINAL]


def copy(text: str, send: Callable[[str], None], environ: Mapping[str, str] = os.environ) -> str:
    """Copy a text and name the way that it took; `send` writes a sequence to the terminal.

    Raises R1ChatError when there is no way for it.
    """
    for way in ways(environ):
        if way is TERMINAL:
            send(sequence(text, environ))
            return way.name
        if _run(way, text):
            return way.name
    raise R1ChatError("There is no clipboard here.", hint="Install wl-copy, xclip or xsel.")


def sequence(text: str, environ: Mapping[str, str] = os.environ) -> str:
    """Write the sequence that has a terminal copy a text, through tmux or GNU screen if they are in between.

    Raises R1ChatError for a text that is too long for it.
    """
    code = base64.b64encode(text.encode("utf-8", "replace")).decode()
    if len(code) > MOST:
        size = f"{len(text):,} characters"
        raise R1ChatError(
            f"A terminal's clipboard does not take {size}.", hint="Copy a part: /copy code, /copy thinking."
        )
    plain = f"\x1b]52;c;{code}\x07"
    if environ.get("TMUX"):
        return f"\x1bPtmux;{plain.replace(chr(27), chr(27) * 2)}\x1b\\"
    if environ.get("STY"):
        pieces = (plain[at : at + _SCREEN_PIECE] for at in range(0, len(plain), _SCREEN_PIECE))
        return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
    return plain


def _run(way: Way, text: str) -> bool:
    """Let a program take the text; tells whether it did."""
    try:
        done = subprocess.run(
            way.argv,
            input=text.encode(way.encoding, "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "LC_CTYPE": "UTF-8"} if way.name == "pbcopy" else None,
            timeout=TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
