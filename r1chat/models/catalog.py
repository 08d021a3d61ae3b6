"""The catalogue: the models r1chat knows by name, as models.toml lists them.

Knows names, sizes and licences; knows nothing about what is on disk or on the Hub.
"""

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

from r1chat.core.shape import FamilyName
from r1chat.errors import R1ChatError

# A name of the catalogue may stand behind these, as other tools write it.
_PREFIXES: Final = ("r1:", "deepseek-r1:")


@dataclass(frozen=True, slots=True)
class Download:
    """Where a model's file comes from. `n_bytes` is the whole size, all `n_files` shards together, if it is known.

    `file` is the path inside the repository, of the first shard if there are several.
    """

    quantization: str
    repository: str
    file: str
    n_bytes: int | None
    n_files: int = 1

    @property
    def url(self) -> str:
        """The address of the file on the Hub."""
        return f"https://huggingface.co/{self.repository}/resolve/main/{self.file}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. `parameters` counts all, `active_parameters` those used for one token."""

    id: str
    title: str
    aliases: tuple[str, ...]
    family: FamilyName
    base: str
    parameters: int
    active_parameters: int
    context: int
    licence: str
    download: Download

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it answers to."""
        return (self.id, self.title, *self.aliases, *(prefix + alias for alias in self.aliases for prefix in _PREFIXES))


@dataclass(frozen=True, slots=True)
class Catalog:
    """All entries, in the order of the file."""

    entries: tuple[Entry, ...]

    def find(self, name: str) -> Entry | None:
        """Return the entry of that name, whatever its case and with - and _ taken as one."""
        folded = _folded(name)
        return next((entry for entry in self.entries if folded in map(_folded, entry.names)), None)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Suggest up to three names that look like a mistyped one, best first and one per model."""
        owners = {_folded(known): entry for entry in self.entries for known in entry.names}
        close = difflib.get_close_matches(_folded(name), owners, n=len(owners), cutoff=0.6)
        best: dict[str, str] = {}
        for known in close:
            best.setdefault(owners[known].id, known)
        return tuple(best.values())[:3]


def default_path() -> Path:
    """Return where models.toml is: in the installed package, or beside the package in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "models.toml"
    return installed if installed.is_file() else package.parent / "models.toml"


def load(path: Path) -> Catalog:
    """Read the catalogue. Raises R1ChatError if the file is missing or not what it should be."""
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
        return Catalog(tuple(_entry(model) for model in table["model"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise R1ChatError(f"The catalogue {path} can't be read: {error}.", hint="Install r1chat again.") from error


def _entry(model: dict[str, Any]) -> Entry:
    family = model["family"]
    if family not in get_args(FamilyName):
        raise ValueError(f"unknown family {family!r}")
    download = model["download"]
    return Entry(
        id=model["id"],
        title=model["title"],
        aliases=tuple(model["aliases"]),
        family=cast("FamilyName", family),
        base=model["base"],
        parameters=model["parameters"],
        active_parameters=model.get("active_parameters", model["parameters"]),
        context=model["context"],
        licence=model["licence"],
        download=Download(
            quantization=download["quantization"],
            repository=download["repository"],
            file=download["file"],
            n_bytes=download.get("bytes"),
            n_files=download.get("files", 1),
        ),
    )


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", "-")
