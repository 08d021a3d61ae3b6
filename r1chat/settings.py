"""What the environment and the settings file say about r1chat's behaviour, as one frozen value. Changes nothing."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from r1chat.errors import UsageError

VARIABLES: Final = ("R1CHAT_HOME", "R1CHAT_MODEL", "R1CHAT_DEBUG", "R1CHAT_TOKEN_HOSTS")
KEYS: Final = ("token_hosts",)  # of the settings file


@dataclass(frozen=True, slots=True)
class Settings:
    """`model` is the one to run when none is named; `debug` shows tracebacks instead of sentences.

    `token_hosts` may see the Hub's token, beside huggingface.co.
    """

    model: str | None = None
    debug: bool = False
    token_hosts: tuple[str, ...] = ()


def load(environ: Mapping[str, str] = os.environ, file: Path | None = None) -> Settings:
    """Read R1CHAT_MODEL, R1CHAT_DEBUG and R1CHAT_TOKEN_HOSTS, and `token_hosts` of the settings file if it is named.

    Raises UsageError for a settings file that can't be understood.
    """
    return Settings(
        model=environ.get("R1CHAT_MODEL") or None,
        debug=environ.get("R1CHAT_DEBUG", "") not in ("", "0"),
        token_hosts=(*environ.get("R1CHAT_TOKEN_HOSTS", "").replace(",", " ").split(), *_token_hosts(file)),
    )


def strangers(environ: Mapping[str, str], file: Path) -> tuple[str, ...]:
    """Name the variables that begin like ours, and the keys of the settings file, which mean nothing to r1chat."""
    variables = [name for name in environ if name.startswith("R1CHAT_") and name not in VARIABLES]
    try:
        keys = [key for key in tomllib.loads(file.read_text("utf-8")) if key not in KEYS]
    except (OSError, ValueError):  # `load` says what is wrong
        keys = []
    return (*sorted(variables), *keys)


def _token_hosts(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    try:
        hosts = tomllib.loads(file.read_text("utf-8")).get("token_hosts", [])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The settings {file} can't be read: {error}.", hint="Mend the file, or move it away."
        ) from error
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        hint = 'Write it as token_hosts = ["hub.example.org"].'
        raise UsageError(f"token_hosts in {file} is not a list of host names.", hint=hint)
    return tuple(hosts)
