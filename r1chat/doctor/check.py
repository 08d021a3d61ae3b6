"""What a check of `r1chat doctor` is given, and what it gives. Nothing but values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from r1chat.core.placement import Device
from r1chat.engine import dryrun, host
from r1chat.engine.build import Build
from r1chat.paths import Paths
from r1chat.terminal.screen import Screen


class Verdict(StrEnum):
    """`WARN`: something is limited. `FAIL`: something that r1chat is for does not work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found. `remedy` says what to do, and `command` what to type for it; both are empty if all is well.

    `data` are the facts, for programs. `name` is put in by who runs the checks.
    """

    verdict: Verdict
    message: str
    remedy: str = ""
    command: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is looked at.

    `offline` forbids the network, `proxies` are those that lead there; `inspect` asks the engine's library in a child,
    and raises EngineError.
    """

    environ: Mapping[str, str]
    paths: Paths
    screen: Screen
    offline: bool = False
    proxies: Mapping[str, str] = field(default_factory=dict)
    inspect: Callable[[], Build] = dryrun.inspect
    idle_gpus: Callable[[Sequence[Device]], Sequence[host.IdleGpu]] = host.idle_gpus
