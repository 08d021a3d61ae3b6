"""The list of commands: what each does in a few words, and where it is. A command's module is imported when it runs.

Importing them all would cost every start a tenth of a second, and `run` needs none of the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `load` imports what it needs and gives the function that typer reads, or a group of commands."""

    name: str
    help: str
    load: Callable[[], Callable[..., Any]]
    epilog: str | None = None


def _run() -> Callable[..., Any]:
    from r1chat.cli.run import run

    return run


def _pull() -> Callable[..., Any]:
    from r1chat.cli.pull import pull

    return pull


def _models() -> Callable[..., Any]:
    from r1chat.cli.models import models

    return models


def _fit() -> Callable[..., Any]:
    from r1chat.cli.fit import fit_command
    from r1chat.cli.pull import open_remote

    return fit_command(open_remote)


def _list() -> Callable[..., Any]:
    from r1chat.cli.library import list_models

    return list_models


def _show() -> Callable[..., Any]:
    from r1chat.cli.pull import open_remote
    from r1chat.cli.show import show_command

    return show_command(open_remote)


def _rm() -> Callable[..., Any]:
    from r1chat.cli.removal import rm

    return rm


def _verify() -> Callable[..., Any]:
    from r1chat.cli.library import verify_command
    from r1chat.cli.pull import pull_again

    return verify_command(pull_again)


def _sessions() -> Callable[..., Any]:
    from r1chat.cli.sessions import group

    return group


def _prune() -> Callable[..., Any]:
    from r1chat.cli.removal import prune

    return prune


def _config() -> Callable[..., Any]:
    from r1chat.cli.config import config

    return config


def _completion() -> Callable[..., Any]:
    from r1chat.cli.completion import completion

    return completion


def _doctor() -> Callable[..., Any]:
    from r1chat.cli.doctor import doctor

    return doctor


COMMANDS = (
    Command(
        "run",
        "Ask a model once, or chat with it.",
        _run,
        "Begin with the bundled model: r1chat run demo 'What is 17 + 25?'",
    ),
    Command("pull", "Get models from the Hub.", _pull, "For example: r1chat pull 7b"),
    Command("models", "List the models that have a name here.", _models),
    Command("fit", "Show how models fit this machine.", _fit, "For example: r1chat fit 32b --vram 24G"),
    Command("list", "List the models on this machine.", _list),
    Command("show", "Show what a model's header says.", _show),
    Command("rm", "Remove models.", _rm),
    Command("verify", "Check the files of models.", _verify),
    Command(
        "sessions", "List, read, find and export kept chats.", _sessions, "For example: r1chat sessions search entropy"
    ),
    Command("prune", "Remove what unfinished downloads left.", _prune),
    Command("doctor", "Check what helps and what hinders r1chat here.", _doctor),
    Command("config", "Show the settings and where they come from.", _config),
    Command("completion", "Print a script that lets your shell complete.", _completion),
)
