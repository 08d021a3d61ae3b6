"""Text about somebody's machine -> text that strangers may read: without home folder, user name, tokens, passwords.

Knows no environment: what to hide is told. Rather too much is hidden than too little: a user called "will" loses that
word in every sentence.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote, unquote

_LEAST_SECRET: Final = 4  # characters; a shorter one would be found in half of all words
_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{8,}")
_CREDENTIALS: Final = re.compile(r"(?<=://)[^\s/?#'\"<>]*@")
_OF_NOBODY: Final = {"", "root", "user"}
_SEPARATORS: Final = re.compile(r"[\\/]+")

Redact = Callable[[str], str]


def redactor(homes: Iterable[str], users: Iterable[str], secrets: Iterable[str], urls: Iterable[str] = ()) -> Redact:
    """Make the function that hides these: homes become ~, names <user>, secrets <secret>.

    `urls` may hold a name and a password, each of which is hidden wherever it stands.
    """
    homes, users, secrets = list(homes), set(users), set(secrets)
    for url in urls:
        name, password, both = _credentials(url)
        users |= {name, unquote(name)}
        secrets |= {password, both}
    users |= {name for home in homes if (name := _owner(home))}
    spelled = {spelling for secret in secrets for spelling in (secret, unquote(secret), quote(secret, safe=""))}
    rules = [(re.compile(re.escape(secret)), "<secret>") for secret in _longest_first(spelled, _LEAST_SECRET)]
    rules += [(_TOKEN, "<secret>"), (_CREDENTIALS, "<secret>@")]
    rules += [(_home(home), "~") for home in _longest_first(set(homes), 2) if _SEPARATORS.sub("", home)]
    rules += [
        (re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE), "<user>")
        for name in _longest_first(users - _OF_NOBODY, 2)
    ]

    def redact(text: str) -> str:
        for pattern, instead in rules:
            text = pattern.sub(instead, text)
        return text

    return redact


def everywhere(redact: Redact, value: Any) -> Any:
    """Redact every text in a value of lists and dicts; keys are ours."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: everywhere(redact, item) for key, item in value.items()}
    return [everywhere(redact, item) for item in value] if isinstance(value, list | tuple) else value


def _credentials(url: str) -> tuple[str, str, str]:
    """Give the name, the password and both as they stand before the host; also where the password has a / or @."""
    both, at, _ = url.rpartition("://")[2].rpartition("@")
    name, _, password = both.partition(":") if at else ("", "", "")
    return name, password, both


def _owner(home: str) -> str:
    """Read a user's name off a home folder where all users have theirs, as /home/NAME."""
    parts = _SEPARATORS.split(home.rstrip("\\/"))
    return parts[-1] if len(parts) > 1 and parts[-2].lower() in ("home", "users") else ""


def _home(home: str) -> re.Pattern[str]:
    r"""Match a folder however its path is written: with / or \, one or (inside quotes) two of them."""
    parts = map(re.escape, _SEPARATORS.split(home.rstrip("\\/")))
    return re.compile(r"[\\/]+".join(parts) + r"(?![^\W_])", re.IGNORECASE)


def _longest_first(texts: Iterable[str], least: int) -> list[str]:
    return sorted((text for text in texts if len(text) >= least), key=lambda text: (-len(text), text))
