"""The one question before something is removed. Parses nothing and removes nothing."""

import sys
from collections.abc import Sequence

import typer

from r1chat.errors import ExitCode, UsageError
from r1chat.terminal.screen import Screen


def confirm(screen: Screen, lines: Sequence[str], command: str) -> None:
    """Show what would go and ask on a terminal; anything but yes ends the command. `command` is what needs no answer.

    Raises UsageError where nobody can be asked.
    """
    if not (screen.stdin_tty and screen.stderr_tty):
        raise UsageError("Nobody can be asked here whether to remove it.", hint=f"If you mean it: {command}")
    typer.echo("\n".join(lines), err=True)
    typer.echo("Remove? [y/N] ", nl=False, err=True)
    try:
        answer = sys.stdin.readline()
    except (OSError, ValueError):
        answer = ""
    if answer.strip().casefold() not in ("y", "yes"):
        typer.echo("Nothing was removed.", err=True)
        raise typer.Exit(ExitCode.FAILURE)
