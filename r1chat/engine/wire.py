"""Values as JSON lines between the engine's parent and child. Knows no process and no library.

Every value on the wire is a frozen dataclass of a known name, written as {"@": name, field: value, …}; tuples become
lists. Both ends run the same code of the same installation, so there is no versioning.
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from r1chat.core import events
from r1chat.core.memory import Plan
from r1chat.core.placement import Device, Use
from r1chat.core.prompt import Segment, Special, Text
from r1chat.core.sampling import Sampling
from r1chat.engine import base
from r1chat.engine.buffers import Buffers
from r1chat.engine.build import Build


@dataclass(frozen=True, slots=True)
class Load:
    """To the child: load this file, its path in the file system's bytes as hex. The first message, sent once."""

    path: str
    plan: Plan
    extra_buffers: bool


@dataclass(frozen=True, slots=True)
class Start:
    """To the child: answer; every event of the answer carries `id`."""

    id: int
    request: base.Request


@dataclass(frozen=True, slots=True)
class Interfere:
    """To the child: a control for the request `id`; one that is over is ignored."""

    id: int
    control: base.Control


@dataclass(frozen=True, slots=True)
class Warm:
    """To the child: compute this prompt while idle."""

    request: base.Request


@dataclass(frozen=True, slots=True)
class Count:
    """To the child: count these tokens."""

    id: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Loading:
    """From the child: `permille` of the weights are in place."""

    permille: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the child: ready."""

    info: base.EngineInfo


@dataclass(frozen=True, slots=True)
class Refused:
    """From the child: the model can't be loaded."""

    failure: events.Failure


@dataclass(frozen=True, slots=True)
class Happened:
    """From the child: an event of request `id`."""

    id: int
    event: events.Event


@dataclass(frozen=True, slots=True)
class Counted:
    """From the child: the answer to a Count."""

    id: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Survey:
    """To a throw-away child: which devices can layers be offloaded to?"""


@dataclass(frozen=True, slots=True)
class Surveyed:
    """From it: these."""

    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class Inspect:
    """To a throw-away child: what is the library? The answer is a Build."""


@dataclass(frozen=True, slots=True)
class DryLoad:
    """To a throw-away child: what would these plans take of memory? The path as in Load."""

    path: str
    plans: tuple[Plan, ...]


@dataclass(frozen=True, slots=True)
class DryLoaded:
    """From it: this, for each plan."""

    runs: tuple[Buffers, ...]


TYPES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(Load, Start, Interfere, Warm, Count, Loading, Loaded, Refused, Happened, Counted),
        *(Survey, Surveyed, Inspect, Build, DryLoad, DryLoaded, Buffers, Device, Use),
        *(events.Progress, events.Reasoning, events.Answer, events.Notice, events.Finished),
        *(events.Usage, events.Timings, events.Failure),
        *(base.Request, base.ThinkBudget, base.Spent, base.EngineInfo, base.Cancel, base.AnswerNow, base.Steer),
        *(Plan, Sampling, Special, Text),
    )
}
_FIELDS = {name: tuple(field.name for field in fields(kind)) for name, kind in TYPES.items()}


def encode(message: Any) -> bytes:
    """Write a value as one line of ASCII, line feed included."""
    return json.dumps(_pack(message)).encode("ascii") + b"\n"


def decode(line: bytes) -> Any:
    """Read a value back. Raises ValueError or KeyError for a line that `encode` did not write."""
    return json.loads(line, object_hook=_unpack)


def _pack(value: Any) -> Any:
    if is_dataclass(value):
        name = type(value).__name__
        return {"@": name, **{field: _pack(getattr(value, field)) for field in _FIELDS[name]}}
    if isinstance(value, tuple):
        return [_pack(item) for item in value]
    return value


def _unpack(packed: dict[str, Any]) -> Any:
    kind = TYPES[packed.pop("@")]
    values = {key: _tuples(item) for key, item in packed.items()}
    if kind is events.Finished:
        values["reason"] = events.Reason(str(values["reason"]))
    return kind(**values)


def _tuples(item: Any) -> Any:
    return tuple(map(_tuples, item)) if isinstance(item, list) else item
