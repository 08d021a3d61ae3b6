"""A long text in a pager: the user's own, less, or a simple one of ours. Knows nothing of what is shown.

The text goes through a pipe and never through a command line.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from prompt_toolkit.application import Application
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.output import Output
from prompt_toolkit.widgets import TextArea

from r1chat.terminal.editor import split

KEYS = "arrows and PgUp/PgDn move, q leaves"


def command(environ: Mapping[str, str]) -> list[str] | None:
    """Choose the program: PAGER, else less; None for ours."""
    if words := split(environ.get("PAGER", "")):
        return words
    return ["less", "-R"] if shutil.which("less", path=environ.get("PATH")) else None


def page(rows: Sequence[str], argv: Sequence[str]) -> bool:
    """Show the rows in a program that has the terminal. Say whether that went well."""
    try:
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, env={"LESSCHARSET": "utf-8", **os.environ})
    except OSError:
        return False
    try:
        child.communicate("".join(row + "\n" for row in rows).encode("utf-8", "replace"))
    except OSError:  # left before the end was reached
        child.wait()
    return child.returncode <= 0  # one that was killed has been seen


def own(rows: Sequence[str], input: Input, output: Output) -> "Application[None]":
    """Make a pager of our own, to be run where the terminal is free."""
    area = TextArea(read_only=True, scrollbar=False, wrap_lines=True)
    area.buffer.set_document(Document("\n".join(rows), 0), bypass_readonly=True)
    bar = Window(FormattedTextControl(ANSI(f"\x1b[2m{KEYS}\x1b[0m")), height=1)
    keys = KeyBindings()
    for key in ("q", "escape", "c-c", "c-d", "<sigint>"):
        keys.add(key, eager=True)(lambda event: event.app.exit())
    return Application(
        layout=Layout(HSplit([area, bar]), focused_element=area),
        key_bindings=keys,
        full_screen=True,
        input=input,
        output=output,
    )
