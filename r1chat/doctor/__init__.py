"""What of this machine, its installation and its settings helps or hinders r1chat: the checks of `r1chat doctor`.

Each check is a function that gives a value: a verdict, one sentence, the way out, and facts for programs. None prints.
One that fails in a way of its own is told as a failure and hides no other. All run at once, each in a thread, because
the slow ones wait for a child or for the network. What they say can be shown to strangers: core/redact.py.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Final

from r1chat.core.redact import Redact, everywhere, redactor
from r1chat.doctor import disk, environment, hub, installation, machine
from r1chat.doctor.background import start
from r1chat.doctor.check import FAIL, OK, WARN, Check, Surroundings, Verdict
from r1chat.engine import dryrun
from r1chat.errors import R1ChatError
from r1chat.models import access

QUICK, SLOW = 15.0, 2 * dryrun.TIMEOUT + 5  # seconds until a check is given up; a child has its own limit

CHECKS: Final[tuple[tuple[str, Callable[[Surroundings], Check], float], ...]] = (
    ("python", installation.python, QUICK),
    ("r1chat", installation.installation, QUICK),
    ("engine", installation.engine, SLOW),
    ("processor", installation.processor, SLOW),
    ("self-check", installation.self_check, SLOW),
    ("gpus", machine.gpus, SLOW),
    ("memory", machine.memory, SLOW),
    ("cores", machine.cores, QUICK),
    ("cache", disk.cache, QUICK),
    ("models", disk.models, QUICK),
    ("folders", disk.folders, QUICK),
    ("terminal", environment.terminal, QUICK),
    ("settings", environment.variables, QUICK),
    ("catalogue", environment.names, QUICK),
    ("token", hub.token, QUICK),
    ("hub", hub.hub, QUICK),
)


def examine(around: Surroundings) -> Iterator[Check]:
    """Make all checks at once; give them in their order, each as soon as it and those before it are there."""
    redact = redaction(around)
    around = replace(around, inspect=start(around.inspect).result)
    begun = time.monotonic()
    running = [(name, start(partial(check, around)), seconds) for name, check, seconds in CHECKS]
    for name, future, seconds in running:
        check = replace(_outcome(future, begun + seconds - time.monotonic()), name=name)
        yield replace(
            check,
            message=redact(check.message),
            remedy=redact(check.remedy),
            command=redact(check.command),
            data=everywhere(redact, dict(check.data)),
        )


def worst(checks: Sequence[Check]) -> Verdict:
    """Give the verdict on all of them."""
    return max((check.verdict for check in checks), key=list(Verdict).index, default=OK)


def _outcome(future: "Future[Check]", seconds: float) -> Check:
    """Wait for a check; what it raises is its result too."""
    try:
        error = future.exception(max(0.0, seconds))
    except TimeoutError:
        return Check(WARN, "This check has not ended in time.", "Is a disk or the network stuck? Try again later.")
    if error is None:
        return future.result()
    if isinstance(error, R1ChatError):
        return Check(FAIL, error.message, error.hint)
    text = f"This check failed in a way it should not: {type(error).__name__}: {error}"
    return Check(FAIL, text, "This is a bug in r1chat: please report it.")


def redaction(around: Surroundings) -> Redact:
    """Make what hides this user's home, name, token and passwords."""
    environ = around.environ
    homes = {os.path.expanduser("~"), environ.get("HOME", ""), environ.get("USERPROFILE", "")}  # noqa: PTH111 - it never raises
    users = {environ.get(name, "") for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER")}
    with contextlib.suppress(ImportError, KeyError):  # Windows has no pwd, and a container may have no name for us
        import pwd

        entry = pwd.getpwuid(os.getuid())
        homes.add(entry.pw_dir)
        users.add(entry.pw_name)
    homes |= {os.path.realpath(home) for home in homes if home}
    tokens = {environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")}
    tokens |= {access.find_token(environ).value or ""}
    urls = [environ.get("HF_ENDPOINT", ""), *around.proxies.values()]
    urls += [value for name, value in environ.items() if name.lower().endswith("_proxy")]
    return redactor(homes, users, tokens, urls)
