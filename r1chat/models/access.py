"""How the environment says the Hub is to be reached: its address, the token and where that is from, or not at all.

The names are huggingface_hub's (constants.py, utils/_auth.py). Knows no connection.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from r1chat.errors import UsageError
from r1chat.models.hub import ENDPOINT

_TRUE: Final = {"1", "ON", "YES", "TRUE"}
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,1000}")
_OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_TOKENS: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Token:
    """The Hub's token, None for none, and what named it: an option, a variable or a file; empty for none."""

    value: str | None = field(default=None, repr=False)
    source: str = ""

    def checked(self) -> str | None:
        """Give the token. Raises UsageError for what no token can be."""
        if self.value and not _TOKEN.fullmatch(self.value):
            raise UsageError("The token has characters that no token has.", hint="Copy it again from huggingface.co.")
        return self.value


def endpoint(environ: Mapping[str, str]) -> str:
    """Give the Hub's address."""
    return environ.get("HF_ENDPOINT", "").strip() or ENDPOINT


def offline(environ: Mapping[str, str]) -> str:
    """Name the variable that forbids the network; empty if none does."""
    return next((name for name in _OFFLINE if environ.get(name, "").upper() in _TRUE), "")


def find_token(environ: Mapping[str, str], given: str | None = None) -> Token:
    """Find the token: the one given with --token, else HF_TOKEN, else the file that `hf auth login` writes."""
    if given is not None:
        return _token(given, "--token")
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return Token()
    for name in _TOKENS:
        if environ.get(name):
            return _token(environ[name], name)
    home = environ.get("HF_HOME") or str(Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    file = environ.get("HF_TOKEN_PATH") or str(Path(home) / "token")
    try:
        return _token(Path(os.path.expanduser(file)).read_text("utf-8"), file)  # noqa: PTH111 - it never raises
    except (OSError, ValueError):
        return Token()


def _token(text: str, source: str) -> Token:
    text = text.replace("\r", "").replace("\n", "").strip()
    return Token(text, source) if text else Token()
