"""What the environment says about r1chat's behaviour, as one frozen value. Reads no files yet and changes nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """`model` is the one to run when none is named; `debug` shows tracebacks instead of sentences."""

    model: str | None = None
    debug: bool = False


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read R1CHAT_MODEL and R1CHAT_DEBUG."""
    return Settings(model=environ.get("R1CHAT_MODEL") or None, debug=environ.get("R1CHAT_DEBUG", "") not in ("", "0"))
