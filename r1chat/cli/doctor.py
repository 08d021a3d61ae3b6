"""`r1chat doctor`: what helps and what hinders r1chat here. Parses, wires, prints; the checks are in r1chat/doctor/."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final
from urllib.request import getproxies

import typer

from r1chat import paths
from r1chat.cli import options as opt
from r1chat.core.sanitize import dumps
from r1chat.doctor import CHECKS, examine, worst
from r1chat.doctor.check import FAIL, OK, WARN, Check, Surroundings, Verdict
from r1chat.errors import ExitCode
from r1chat.terminal.screen import Screen
from r1chat.terminal.status import Status
from r1chat.terminal.tables import counted, facts, one_line
from r1chat.terminal.wrap import fold

COLORS: Final = {OK: "32", WARN: "33", FAIL: "1;31"}
NAME_CELLS: Final = max(len(name) for name, _, _ in CHECKS)


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Don't ask the Hub.")] = False,
    json: opt.Json = False,
) -> None:
    """Check Python, the engine, the machine, the disk, the settings and the Hub, and say what to do.

    What it prints holds no token, no prompt and no home folder: it can go into a bug report as it is.
    """
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    around = Surroundings(os.environ, paths.find(), screen, offline, getproxies())
    results, checks = examine(around), []
    for name, _, _ in CHECKS:
        status = Status(sys.stderr, screen)  # a new one shows its first words at once
        status.show(f"{name}{screen.glyph('…', '...')}")
        checks.append(next(results))
        status.clear()
        if not json:
            typer.echo("\n".join(rows(checks[-1], screen)))
    if json:
        listed = [as_json(check) for check in checks]
        typer.echo(dumps({"checks": listed, "verdict": str(worst(checks))}, indent=2))
    else:
        typer.echo("\n".join(["", *fold(summary(checks), screen.columns)]))
    if worst(checks) is FAIL:
        raise typer.Exit(ExitCode.FAILURE)


def rows(check: Check, screen: Screen) -> list[str]:
    """Lay out one check: its verdict, name and sentence, then what to do."""
    label = f"{check.verdict:<4}  {check.name:<{NAME_CELLS}}"
    pairs = [(label, check.message), *([("", check.remedy)] if check.remedy else [])]
    found = facts(pairs, columns_wide=screen.columns, indent=0)
    word = str(check.verdict)
    found[0] = screen.sgr(COLORS[check.verdict], word) + found[0].removeprefix(word)
    return found + command_rows(check.command, screen.columns, "`" if sys.platform == "win32" else "\\")


def command_rows(command: str, columns: int, goes_on: str) -> list[str]:
    """Lay out a command so that it can be copied: a row that the shell has to go on from ends in its sign for that."""
    if not command:
        return []
    blanks = " " * (6 + NAME_CELLS + 4)
    pieces = fold(one_line(command), max(20, columns - len(blanks) - 2))
    return [f"{blanks}{piece.rstrip()} {goes_on}" for piece in pieces[:-1]] + [blanks + pieces[-1]]


def summary(checks: Sequence[Check]) -> str:
    """Count what was found, in one line."""
    counts = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    wrong = [
        counted(counts[verdict], word) for verdict, word in ((FAIL, "failure"), (WARN, "warning")) if counts[verdict]
    ]
    return f"{' and '.join(wrong) if wrong else 'All is well'}. Safe to show: no token, no prompt, no home folder."


def as_json(check: Check) -> dict[str, object]:
    """Write a check as values of JSON."""
    return {
        "name": check.name,
        "verdict": str(check.verdict),
        "message": one_line(check.message),
        "remedy": one_line(check.remedy),
        "command": one_line(check.command),
        "data": dict(check.data),
    }
