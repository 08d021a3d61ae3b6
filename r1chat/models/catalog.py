"""The catalogue: the models r1chat knows by name, as models.toml lists them, and what a user's own file adds.

Knows names, sizes, licences and published results; knows nothing about what is on disk or on the Hub. The form of
models.toml is told at its top. Both files are read by the same rules, each by its own: what is wrong in the user's file
is a UsageError that names the file, the model and the key.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar, cast, get_args

from r1chat.core.sampling import Sampling
from r1chat.core.shape import FamilyName
from r1chat.errors import R1ChatError, UsageError
from r1chat.models.reference import is_inside, is_repository, named
from r1chat.models.variants import canonical, default_of

# A name of the catalogue may stand behind these, as other tools write it.
_PREFIXES: Final = ("r1:", "deepseek-r1:")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MODEL_KEYS: Final = frozenset(
    {"id", "title", "aliases", "family", "system_text", "forced_thinking", "base", "licence", "also_applies"}
    | {"parameters", "active_parameters", "context", "sampling", "results", "default", "downloads"}
)
_DOWNLOADS_KEYS: Final = frozenset({"repository", "revision", "commit", "file", "split", "quantizations"})
_QUANTIZATION_KEYS: Final = frozenset({"name", "bytes", "about", "files", "shards_gb", "sha256", "file"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Download:
    """Where one quantization of a model comes from.

    `file` is the path inside the repository, of the first shard if there are several; if nobody published how many
    (`n_files` 0), it is the path without the shard's number and ending. `n_bytes` is all files together: to the byte
    where `exact`, else as computed or rounded, None if unknown. `shards_gb` are the sizes of the shards as published,
    in 10^9 bytes. `sha256` is empty, or has one for each file, "" where it is not known. `revision` is what to pull
    instead of main; `commit` is where size and hashes were seen.
    """

    quantization: str
    repository: str
    file: str
    n_bytes: int | None = None
    n_files: int = 1
    revision: str | None = None
    sha256: tuple[str, ...] = ()
    exact: bool = False
    shards_gb: tuple[float, ...] = ()
    commit: str | None = None

    @property
    def url(self) -> str:
        """The address of the file on the Hub, or of the repository where the file's name isn't known."""
        page = f"https://huggingface.co/{self.repository}"
        return f"{page}/resolve/{self.revision or 'main'}/{self.file}" if self.n_files else page


@dataclass(frozen=True, slots=True)
class Entry:
    """One model. What a user's own file leaves out is empty, 0 or None.

    `parameters` counts all, `active_parameters` those used for one token. `also_applies` names the licences of what the
    model was made from. `system_text` tells whether its makers support a system prompt, `forced_thinking` whether its
    answers should be made to begin with thinking. `results` are published, and of the unquantized weights.
    """

    id: str
    title: str
    aliases: tuple[str, ...]
    family: FamilyName | None
    base: str
    parameters: int
    active_parameters: int
    context: int
    licence: str
    also_applies: tuple[str, ...]
    system_text: bool
    forced_thinking: bool
    sampling: Sampling
    sampling_source: str
    results: Mapping[str, float]
    results_source: str
    default: str
    downloads: tuple[Download, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every name it answers to."""
        return (self.id, self.title, *self.aliases, *(prefix + alias for alias in self.aliases for prefix in _PREFIXES))

    @property
    def short(self) -> str:
        """The name to type: the first alias, or the id."""
        return next(iter(self.aliases), self.id)

    @property
    def download(self) -> Download:
        """The default quantization's."""
        return next(download for download in self.downloads if download.quantization == self.default)

    @property
    def licences(self) -> str:
        """Every licence that applies, in one text."""
        return "; ".join((self.licence, *(f"also {terms}" for terms in self.also_applies)))

    def quantized(self, quantization: str) -> Download | None:
        """Return the download of that quantization, however it is spelled."""
        asked = canonical(quantization)
        return next((download for download in self.downloads if download.quantization == asked), None)


@dataclass(frozen=True, slots=True)
class Catalog:
    """All entries, in the order of the file; a user's own come behind."""

    entries: tuple[Entry, ...]

    def find(self, name: str) -> Entry | None:
        """Return the entry of that name, whatever its case and with -, _ and : taken as one."""
        folded = _folded(name)
        return next((entry for entry in self.entries if folded in map(_folded, entry.names)), None)

    def of_repository(self, repository: str) -> Entry | None:
        """Return the entry that has a download in a repository."""
        folded = repository.casefold()
        return next((e for e in self.entries if any(folded == d.repository.casefold() for d in e.downloads)), None)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Suggest up to three names that look like a mistyped one, best first and one per model."""
        owners = {_folded(known): (known, entry) for entry in self.entries for known in entry.names}
        best: dict[str, str] = {}
        for found in difflib.get_close_matches(_folded(name), owners, n=len(owners) or 1, cutoff=0.6):
            known, entry = owners[found]
            best.setdefault(entry.id, known.casefold())
        return tuple(best.values())[:3]


def default_path() -> Path:
    """Return where models.toml is: in the installed package, or beside the package in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "models.toml"
    return installed if installed.is_file() else package.parent / "models.toml"


def load(path: Path, user: Path | None = None) -> Catalog:
    """Read the catalogue, and what a user's own file adds to it or overrides, if there is one.

    A model in the user's file overrides the model of the same id, key by key; its aliases win over others' aliases.
    Raises R1ChatError if the catalogue is missing or not what it should be, UsageError if the user's file is not.
    """
    try:
        tables = _read(path)
        ours = tuple(_entry(table) for table in tables)
        _check_names(ours)
    except (OSError, ValueError, R1ChatError) as error:
        raise R1ChatError(f"The catalogue {path} can't be read: {error}.", hint="Install r1chat again.") from error
    if user is None:
        return Catalog(ours)
    try:
        return Catalog(_merged(ours, {table["id"]: table for table in tables}, _read(user)))
    except FileNotFoundError:
        return Catalog(ours)
    except (OSError, ValueError, R1ChatError) as error:
        what = error.strerror or "it can't be read" if isinstance(error, OSError) else str(error).rstrip(".")
        raise UsageError(f"Your catalogue {user} can't be used: {what}.", hint="Mend it, or move it away.") from error


def _read(path: Path) -> list[dict[str, Any]]:
    """Read a file's models as tables, none of them looked into but for the id."""
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("its brackets are nested too deeply") from error
    models = table.pop("model", None)
    if table:
        raise ValueError(f"there is no {next(iter(table))!r} in a catalogue, only [[model]] tables")
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise ValueError("it has no [[model]] table")
    for number, model in enumerate(models, 1):
        if not isinstance(model.get("id"), str):
            raise ValueError(f"model {number} has no id")
    if twice := _twice([_folded(model["id"]) for model in models]):
        raise ValueError(f"the id {twice!r} is there twice")
    return models


def _merged(
    ours: Sequence[Entry], tables: Mapping[str, dict[str, Any]], theirs: list[dict[str, Any]]
) -> tuple[Entry, ...]:
    """Put a user's models over ours by their ids, key by key, and give aliases that both claim to the user's."""
    ids = {_folded(known): known for known in tables}
    changed = {}
    for table in theirs:
        known = ids.get(_folded(table["id"]))
        base = tables[known] if known else {}
        if "downloads" in table and "default" not in table:  # the old default may not be among the new ones
            base = {key: value for key, value in base.items() if key != "default"}
        changed[known or table["id"]] = _entry(base | table | {"id": known or table["id"]})
    claimed = {_folded(alias) for entry in changed.values() for alias in entry.aliases}
    left = [
        changed.pop(entry.id)
        if entry.id in changed
        else replace(entry, aliases=tuple(alias for alias in entry.aliases if _folded(alias) not in claimed))
        for entry in ours
    ]
    merged = (*left, *changed.values())
    _check_names(merged)
    return merged


def _check_names(entries: Sequence[Entry]) -> None:
    """Refuse two models that answer to one name."""
    owners: dict[str, Entry] = {}
    for entry in entries:
        for name in entry.names:
            if (owner := owners.setdefault(_folded(name), entry)) is not entry:
                raise ValueError(f"{name!r} names both {owner.id} and {entry.id}")


# One model


def _entry(table: Mapping[str, Any]) -> Entry:
    model = _Table(table, f"model {table['id']!r}", _MODEL_KEYS)
    title = model.text("title", model.text("id"))
    parameters = model.whole("parameters", 0)
    sampling = _Table(model.table("sampling"), f"{model.where}, sampling", frozenset())
    results = dict(model.table("results"))
    source = results.pop("source", "")
    if not isinstance(source, str) or not all(type(value) in (int, float) for value in results.values()):
        raise ValueError(f"{model.where}: results must be numbers, and their source a text")
    aliases = model.texts("aliases")
    for name in (model.text("id"), *aliases):
        if not _NAME.fullmatch(name) or named(name).quantization or _folded(name) == "demo":
            raise ValueError(f"{model.where}: {name!r} can't be a name: use letters, digits and -, and no quantization")
    family = model.family()
    system_text = model.yes("system_text", default=False)
    forced_thinking = model.yes("forced_thinking", default=False)
    downloads = tuple(download for table in model.tables("downloads") for download in _downloads(table, model.where))
    quantizations = [download.quantization for download in downloads]
    if not downloads:
        raise ValueError(f"{model.where} has no downloads")
    if twice := _twice(quantizations):
        raise ValueError(f"{model.where}: the quantization {twice} is there twice")
    default = canonical(model.text("default", default_of(quantizations) or quantizations[0]))
    if default not in quantizations:
        raise ValueError(f"{model.where}: its default {default} is not among its downloads")
    return Entry(
        id=model.text("id"),
        title=title,
        aliases=aliases,
        family=family,
        base=model.text("base", ""),
        parameters=parameters,
        active_parameters=model.whole("active_parameters", parameters),
        context=model.whole("context", 0),
        licence=model.text("licence", "not stated"),
        also_applies=model.texts("also_applies"),
        system_text=system_text,
        forced_thinking=forced_thinking,
        sampling=_sampling(sampling),
        sampling_source=sampling.text("source", ""),
        results={name: float(value) for name, value in results.items()},
        results_source=source,
        default=default,
        downloads=downloads,
    )


def _sampling(table: "_Table") -> Sampling:
    """Read the values that a model's makers recommend; Sampling checks them itself."""
    values = {key: value for key, value in table.values.items() if key != "source"}
    if not all(type(value) in (int, float) for value in values.values()):
        raise ValueError(f"{table.where}: the values must be numbers")
    if unknown := set(values) - {"temperature", "top_p", "top_k", "min_p", "repeat_penalty"}:
        raise ValueError(f"{table.where}: there is no {min(unknown)!r}")
    if type(values.get("top_k", 0)) is not int:
        raise ValueError(f"{table.where}: top_k must be a whole number")
    return Sampling(**values)


def _downloads(values: Mapping[str, Any], where: str) -> list[Download]:
    """Read a repository and its quantizations."""
    table = _Table(values, f"{where}, downloads", _DOWNLOADS_KEYS)
    repository = table.text("repository")
    if not is_repository(repository):
        raise ValueError(f"{table.where}: {repository!r} is no repository: it must be user/repository")
    table = _Table(values, f"{where}, {repository}", _DOWNLOADS_KEYS)
    revision, commit = table.text("revision", ""), table.text("commit", "")
    if commit and not _COMMIT.fullmatch(commit):
        raise ValueError(f"{table.where}: the commit must have 40 hexadecimal digits")
    return [
        replace(
            _download(_Table(each, table.where, _QUANTIZATION_KEYS), table),
            repository=repository,
            revision=revision or None,
            commit=commit or None,
        )
        for each in table.tables("quantizations")
    ]


def _download(table: "_Table", around: "_Table") -> Download:
    """Read one quantization's line."""
    name = table.text("name")
    table.where = f"{around.where}, {name}"
    shards_gb = table.numbers("shards_gb")
    n_files = table.whole("files", len(shards_gb) or 1)
    if shards_gb and len(shards_gb) != n_files:
        raise ValueError(f"{table.where}: {len(shards_gb)} sizes of shards, but {n_files} files")
    n_bytes, about = table.whole("bytes", 0), table.whole("about", 0) or round(sum(shards_gb) * 1e9)
    if n_bytes and shards_gb and abs(n_bytes - sum(shards_gb) * 1e9) > 1e8 * n_files:  # they are rounded to 0.1 GB
        raise ValueError(f"{table.where}: its shards don't sum up to its bytes")
    hashes = table.values.get("sha256", ())
    sha256 = (hashes,) if isinstance(hashes, str) else table.texts("sha256")
    if sha256 and len(sha256) != n_files:
        raise ValueError(f"{table.where}: {len(sha256)} hashes, but {n_files} files")
    if not all(_SHA256.fullmatch(each) for each in sha256 if each):
        raise ValueError(f"{table.where}: a sha256 must have 64 hexadecimal digits in lower case")
    return Download(
        quantization=canonical(name),
        repository="",
        file=_first_file(table, around, name, n_files),
        n_bytes=n_bytes or about or None,
        n_files=n_files,
        sha256=sha256,
        exact=bool(n_bytes),
        shards_gb=shards_gb,
    )


def _first_file(table: "_Table", around: "_Table", name: str, n_files: int) -> str:
    """Write out the file's path: {q} is the quantization's name, and shards are counted behind it."""
    path = table.text("file", "") or around.text("file" if n_files == 1 else "split", "") or around.text("file", "")
    path = path.replace("{q}", name)
    if not path.lower().endswith(".gguf") or not is_inside(path):
        raise ValueError(f"{table.where}: {path!r} is no GGUF file of a repository")
    if n_files == 1:
        return path
    stem = path[: -len(".gguf")]
    return f"{stem}-00001-of-{n_files:05d}.gguf" if n_files else stem


@dataclass(slots=True)
class _Table:
    """A TOML table whose values are asked for by kind; `where` names it in messages. No `keys`: any are allowed."""

    values: Mapping[str, Any]
    where: str
    keys: frozenset[str]

    def __post_init__(self) -> None:
        for key in self.values:
            if self.keys and key not in self.keys:
                near = difflib.get_close_matches(key, self.keys, n=1)
                raise ValueError(f"{self.where}: there is no {key!r}" + (f", only {near[0]!r}" if near else ""))

    def text(self, key: str, default: str | None = None) -> str:
        return self._get(key, default, "a text", lambda value: isinstance(value, str))

    def whole(self, key: str, default: int) -> int:
        return self._get(key, default, "a whole number", lambda value: type(value) is int and value >= 0)

    def yes(self, key: str, *, default: bool) -> bool:
        return self._get(key, default, "true or false", lambda value: isinstance(value, bool))

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(self._get(key, [], "a list of texts", _list_of(str)))

    def numbers(self, key: str) -> tuple[float, ...]:
        return tuple(map(float, self._get(key, [], "a list of numbers", _list_of(int, float))))

    def tables(self, key: str) -> tuple[Mapping[str, Any], ...]:
        return tuple(self._get(key, [], "a list of tables", _list_of(dict)))

    def table(self, key: str) -> Mapping[str, Any]:
        return self._get(key, {}, "a table", lambda value: isinstance(value, dict))

    def family(self) -> FamilyName | None:
        family = self.text("family", "")
        if family and family not in get_args(FamilyName):
            raise ValueError(f"{self.where}: unknown family {family!r}, it is one of {', '.join(get_args(FamilyName))}")
        return cast("FamilyName | None", family or None)

    def _get(self, key: str, default: T | None, kind: str, fits: Callable[[Any], bool]) -> T:
        value = self.values.get(key, default)
        if value is None:
            raise ValueError(f"{self.where} has no {key!r}")
        if not fits(value):
            raise ValueError(f"{self.where}: {key!r} must be {kind}")
        return cast("T", value)


def _list_of(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(type(each) in kinds for each in value)


def _twice(names: Sequence[str]) -> str:
    return next((name for number, name in enumerate(names) if name in names[:number]), "")


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", "-").replace(":", "-")
