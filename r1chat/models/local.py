"""One model that is on this machine, whoever brought it here. A value; opens nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from r1chat.models.variants import Variant

Origin = Literal["hub", "ollama", "lm-studio"]


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model and where it lies. `path` is the file to load, the first shard of several; `paths` are all of them.

    `name` is what a user types for it. `repository` and `commit` are of the Hub, None where they are not known. Only
    those of the origin "hub" are ours to remove.
    """

    name: str
    repository: str | None
    commit: str | None
    variant: Variant
    path: Path
    paths: tuple[Path, ...]
    origin: Origin
    n_bytes: int
    changed: float

    @property
    def complete(self) -> bool:
        """Whether all parts are here."""
        return self.variant.complete

    @property
    def quantization(self) -> str:
        """The quantization that its name tells, empty if it tells none."""
        return self.variant.quantization


def folded(text: str) -> str:
    """Write a name as it is compared: without case, and with - and _ taken as one."""
    return text.strip().casefold().replace("_", "-")
