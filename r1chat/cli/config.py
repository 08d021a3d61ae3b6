"""`r1chat config`: every setting, its value and where it comes from; or the settings file in an editor. Prints."""

import contextlib
import os
import sys
from typing import Annotated

import typer

from r1chat import paths
from r1chat.cli import options as opt
from r1chat.core.sanitize import clean, dumps
from r1chat.errors import NotFoundError, R1ChatError
from r1chat.launch import find, names_of
from r1chat.settings import config as file
from r1chat.settings.layers import Settings
from r1chat.settings.table import SETTINGS
from r1chat.terminal.editor import start
from r1chat.terminal.screen import Screen
from r1chat.terminal.tables import Column, table

EXAMPLE = """\
# Settings of r1chat. Environment variables and options win over this file; `r1chat config` lists them all.

# model = "7b"
# temperature = 0.6

# [models.7b]                # for one model; for one form of it: [models."7b:Q8_0"]
# ctx = 16384

# [profiles.math]            # r1chat run --profile math
# math = true
# think_budget = "120s"
"""


def config(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="As they are for this model.", show_default=False)
    ] = None,
    profile: opt.Profile = None,
    edit: Annotated[bool, typer.Option("--edit", help="Open the settings file in your editor.")] = False,
    json: opt.Json = False,
) -> None:
    """Show every setting, its value and where it comes from.

    In this order, the later ones winning: the default; config.toml; its section of the model, as [models.7b]; the
    profile, as [profiles.math]; the environment; the options of a command; /set in a chat.
    """
    if edit:
        _edit()
        return
    settings = opt.settings(context)
    if name is not None:
        with contextlib.suppress(NotFoundError):  # a name may have a section before it has a file
            settings = settings.for_model((name,))
            settings = settings.for_model(names_of(find(name, paths.find())))
    if json:
        typer.echo(dumps(_as_json(settings)))
        return
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr)
    typer.echo("\n".join(_rows(settings, screen)))


def _edit() -> None:
    """Open the file, made from an example if there is none, and check what came of it. Raises R1ChatError."""
    path = paths.find().settings
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # a system prompt may be private
            with os.fdopen(descriptor, "w", encoding="utf-8") as made:
                made.write(EXAMPLE)
    except OSError as error:
        message = f"{path} can't be made: {error.strerror}."
        raise R1ChatError(message, hint="Set R1CHAT_HOME to a folder that can be written to.") from error
    start(path)
    file.read(path)


def _rows(settings: Settings, screen: Screen) -> list[str]:
    columns = [
        Column("SETTING"),
        Column("VALUE", shrinks=True, at_end=True),
        Column("FROM", shrinks=True, at_end=True),
        Column("ENVIRONMENT"),
    ]
    rows = [[name, settings.text(name), settings.origin(name), each.environment] for name, each in SETTINGS.items()]
    lines = table(columns, rows, columns_wide=screen.columns, mark=screen.glyph("…", "..."))
    config = settings.config
    there = "" if config.file and config.file.exists() else " (not there yet: r1chat config --edit)"
    lines += ["", clean(f"{config.file}{there}")]
    for kind, sections in (("models", config.models), ("profiles", config.profiles)):
        if sections:
            lines.append(f"{kind}: {clean(', '.join(sections))}")
    return lines


def _as_json(settings: Settings) -> dict[str, object]:
    values = {
        name: {"value": settings.text(name), "origin": settings.origin(name), "environment": each.environment}
        for name, each in SETTINGS.items()
    }
    return {"file": str(settings.config.file), "settings": values}
