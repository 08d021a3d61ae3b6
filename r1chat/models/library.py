"""What is on this machine: finds, lists, removes and cleans up. No network, and no huggingface_hub.

Three places are looked at: the Hub's cache, which is ours to change as it is every Hub program's (cache.py,
removal.py), and the folders of Ollama and LM Studio, whose models are run where they lie and never touched. Which
folders those are is told by the caller. No header is read here: what is listed is what the names tell.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from r1chat.models import lm_studio, ollama, partial, removal
from r1chat.models.cache import (
    Pointer,
    Repository,
    Snapshot,
    hub_cache,
    is_sha256,
    repositories,
    repository,
    tree_hashes,
)
from r1chat.models.catalog import Catalog, Download, Entry
from r1chat.models.local import LocalModel, folded
from r1chat.models.partial import Partial
from r1chat.models.removal import Freed, Orphan
from r1chat.models.variants import RepoFile, Variant, canonical, default_of, variants


def demo_path() -> Path:
    """Return where the bundled demo model is: a GGUF file inside the package."""
    return Path(__file__).parent.parent / "data" / "demo.gguf"


class Wanted(Protocol):
    """What a name means on the Hub (resolve.Wish has it)."""

    @property
    def repository(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def quantization(self) -> str | None: ...
    @property
    def file(self) -> str | None: ...
    @property
    def entry(self) -> Entry | None: ...
    @property
    def download(self) -> Download | None: ...
    @property
    def notice(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Waste:
    """What can go without anybody missing it."""

    partials: tuple[Partial, ...]
    orphans: tuple[Orphan, ...]

    @property
    def n_bytes(self) -> int:
        """How much it takes, about: a partial file may be sparse."""
        return sum(one.n_done for one in self.partials) + sum(one.n_bytes for one in self.orphans)

    def __bool__(self) -> bool:
        return bool(self.partials or self.orphans)


class Library:
    """The models in the Hub's cache, and those of Ollama and LM Studio. Looks anew at every call."""

    def __init__(
        self,
        cache: Path,
        ollama: Sequence[Path] = (),
        lm_studio: Sequence[Path] = (),
        catalog: Catalog | None = None,
    ) -> None:
        self.cache = Path(os.path.abspath(cache))  # noqa: PTH100 - not resolved: links are compared as they are written
        self.ollama = tuple(ollama)
        self.lm_studio = tuple(lm_studio)
        self._catalog = catalog

    def models(self) -> tuple[LocalModel, ...]:
        """Give every model: those of the Hub, incomplete ones too, then Ollama's, then LM Studio's, each by name.

        One that several snapshots hold is there once.
        """
        hub = [model for found in repositories(self.cache) for model in self._once(found)]
        return (*sorted(hub, key=lambda model: (folded(model.name), -model.changed)), *self._foreign())

    def find(
        self,
        repository: str,
        *,
        revision: str | None = None,
        quantization: str | None = None,
        file: str | None = None,
    ) -> LocalModel | None:
        """Find a model of the Hub, whole. Without a revision: main's if that is here, else the newest that is.

        A revision (branch, tag, commit or its beginning) is the only one looked at. Without a quantization and a file
        it is Q4_K_M if that is here, else as `default_of` chooses.
        """
        found = self._repository(repository)
        if found is None:
            return None
        commit = None if revision is None else found.commit_of(revision)
        for snapshot in found.snapshots:
            if revision is not None and snapshot.commit != commit:
                continue
            whole = [model for model in self._of_snapshot(found, snapshot) if model.complete]
            if model := _chosen(whole, quantization, file):
                return model
        return None

    def find_foreign(self, repository: str, *, quantization: str | None, file: str | None) -> LocalModel | None:
        """Find a model of a repository of the Hub that LM Studio or Ollama holds."""
        models = [
            model
            for model in self._foreign()
            if model.repository and model.complete and folded(model.repository) == folded(repository)
        ]
        return _chosen(models, quantization, file)

    def find_ollama(self, name: str) -> LocalModel | None:
        """Find a model of Ollama by its name there."""
        return next((model for model in self._of_ollama() if ollama.matches(model, name)), None)

    def holdings(
        self, repository: str, *, revision: str | None = None, quantization: str | None = None, file: str | None = None
    ) -> tuple[LocalModel, ...]:
        """Give everything that a name stands for in the Hub's cache: of every snapshot, incomplete ones too."""
        found = self._repository(repository)
        if found is None:
            return ()
        commit = None if revision is None else found.commit_of(revision)
        models = [
            model
            for snapshot in found.snapshots
            if revision is None or snapshot.commit == commit
            for model in self._of_snapshot(found, snapshot)
        ]
        return tuple(model for model in models if _fits(model, quantization, file))

    def owner_of(self, path: Path) -> LocalModel | None:
        """Find the model that a path belongs to: a file of a snapshot or a blob, or one of Ollama's or LM Studio's."""
        where = os.path.abspath(path)  # noqa: PTH100
        real = os.path.realpath(path)
        near: LocalModel | None = None
        for model in self.models():
            if where in map(os.path.abspath, model.paths):
                return model
            if near is None and real in map(os.path.realpath, model.paths):
                near = model
        return near

    def partials(self, models: Iterable[LocalModel] | None = None) -> tuple[Partial, ...]:
        """Give the downloads that were begun and not ended; with `models`, only those of files of these."""
        try:
            found = partial.find_partials(self.cache)
        except OSError:
            return ()
        if models is None:
            return found
        files = {(folded(model.repository or ""), file.path) for model in models for file in model.variant.files}
        return tuple(one for one in found if (folded(one.repository), one.path) in files)

    def partials_of(self, repository: str, *, quantization: str | None, file: str | None) -> tuple[Partial, ...]:
        """Give the unfinished downloads of one model."""
        ours = [one for one in self.partials() if one.path and folded(one.repository) == folded(repository)]
        sets = variants(RepoFile(one.path, one.n_bytes) for one in ours)
        paths = {member.path for found in sets if _matches(found, quantization, file) for member in found.files}
        return tuple(one for one in ours if one.path in paths)

    def name_of(self, one: Partial) -> str:
        """Name what a partial download is to become."""
        found = variants([RepoFile(one.path, one.n_bytes)]) if one.path else ()
        return self._name(one.repository, found[0], alone=True) if found else f"{one.repository}/{one.path or '?'}"

    def freed_by(self, models: Iterable[LocalModel]) -> int:
        """Work out how many bytes the removal of models gives back."""
        return sum(removal.freed_by(found, doomed) for found, doomed in self._pointers(models))

    def remove(self, models: Iterable[LocalModel], partials: Iterable[Partial] = ()) -> Freed:
        """Remove models of the Hub, each of its snapshot, and partial downloads. What is in use stays, and is told."""
        freed, partials = Freed(), tuple(partials)
        for one in partials:
            freed += _removed(one)
        for found, doomed in self._pointers(models):
            freed += removal.remove(found, doomed)
        for name in {one.repository for one in partials}:
            self.tidy(name)
        return freed

    def drop(self, model: LocalModel, paths: Iterable[str]) -> tuple[Freed, tuple[tuple[str, str], ...]]:
        """Remove bad files of a model, for every snapshot that uses them; give which (commit, path) to get again.

        Snapshots and refs stay, though they be empty now: the file is expected back. `tidy` is for when it won't come.
        """
        found = self._repository(model.repository or "")
        if found is None:
            return Freed(), ()
        bad = set(paths)
        ours = [p for s in found.snapshots if s.commit == model.commit for p in s.pointers if p.path in bad]
        blobs = {pointer.blob for pointer in ours} - {None}
        doomed = [
            (snapshot.commit, pointer)
            for snapshot in found.snapshots
            for pointer in snapshot.pointers
            if pointer in ours or pointer.blob in blobs
        ]
        freed = removal.remove(found, [pointer for _, pointer in doomed], tidying=False)
        return freed, tuple((commit, pointer.path) for commit, pointer in doomed)

    def tidy(self, repository: str) -> None:
        """Remove the empty folders of a repository, and refs to nothing."""
        if found := self._repository(repository):
            removal.tidy(found)

    def waste(self) -> Waste:
        """Find what unfinished downloads have left, and what nothing uses."""
        partials = self.partials()
        known = [file for one in partials for file in one.files]
        return Waste(partials, removal.orphans(self.cache, known))

    def prune(self, waste: Waste | None = None, *, dry_run: bool = False) -> Freed:
        """Remove that. What another program is fetching stays, and is told."""
        waste = self.waste() if waste is None else waste
        if dry_run:
            return Freed(waste.n_bytes, sum(len(one.files) for one in waste.partials) + len(waste.orphans))
        freed = Freed()
        for one in waste.partials:
            freed += _removed(one)
        for orphan in waste.orphans:
            freed += removal.remove_orphan(self.cache, orphan)
        for name in {one.repository for one in waste.partials}:
            self.tidy(name)
        return freed

    def _repository(self, name: str) -> Repository | None:
        return repository(self.cache, name)

    def _once(self, found: Repository) -> Iterator[LocalModel]:
        """Give every model of a repository once: whole ones first, then what is in none of these."""
        models = [model for snapshot in found.snapshots for model in self._of_snapshot(found, snapshot)]
        seen: set[str] = set()
        names: set[str] = set()
        for model in sorted(models, key=lambda model: not model.complete):  # stable: main's first, then the newest
            files = {os.path.realpath(path) for path in model.paths}
            if files <= seen:
                continue
            seen |= files
            yield model if model.name not in names else _of_its_commit(model)
            names.add(model.name)

    def _of_snapshot(self, found: Repository, snapshot: Snapshot) -> list[LocalModel]:
        pointers = {pointer.path: pointer for pointer in snapshot.pointers if pointer.n_bytes is not None}
        hashes = tree_hashes(found, snapshot.commit) if any(p.is_copy for p in pointers.values()) else {}
        sets = variants(
            RepoFile(path, pointer.n_bytes or 0, _sha256(pointer) or hashes.get(path))
            for path, pointer in pointers.items()
        )
        quantizations = [one.quantization for one in sets]
        return [
            self._model(found, snapshot, one, pointers, alone=quantizations.count(one.quantization) == 1)
            for one in sets
        ]

    def _model(
        self, found: Repository, snapshot: Snapshot, variant: Variant, pointers: dict[str, Pointer], *, alone: bool
    ) -> LocalModel:
        own = [pointers[file.path] for file in variant.files]
        return LocalModel(
            name=self._name(found.name, variant, alone=alone),
            repository=found.name,
            commit=snapshot.commit,
            variant=variant,
            path=own[0].file,
            paths=tuple(pointer.file for pointer in own),
            origin="hub",
            n_bytes=variant.n_bytes,
            changed=max(pointer.changed for pointer in own),
        )

    def _name(self, repository: str, variant: Variant, *, alone: bool) -> str:
        """Name a model as one would type it: the catalogue's name if that leads here, else that of the Hub."""
        if not variant.quantization or not alone:
            return f"hf://{repository}/{variant.files[0].path}"
        if self._catalog is not None:
            for entry in self._catalog.entries:
                download = entry.quantized(variant.quantization)
                if download is not None and folded(download.repository) == folded(repository):
                    return f"{entry.short}:{variant.quantization}"
        return f"hf.co/{repository}:{variant.quantization}"

    def _pointers(self, models: Iterable[LocalModel]) -> Iterator[tuple[Repository, list[Pointer]]]:
        """Group the pointers of models by repository, and read each of these once."""
        wanted: dict[str, set[tuple[str, str]]] = {}
        for model in models:
            if model.origin == "hub" and model.repository and model.commit:
                wanted.setdefault(model.repository, set()).update(
                    (model.commit, file.path) for file in model.variant.files
                )
        for name, keys in wanted.items():
            if found := self._repository(name):
                yield (
                    found,
                    [p for snapshot in found.snapshots for p in snapshot.pointers if (snapshot.commit, p.path) in keys],
                )

    def _foreign(self) -> Iterator[LocalModel]:
        yield from self._of_ollama()
        yield from (model for folder in self.lm_studio for model in lm_studio.models(folder))

    def _of_ollama(self) -> Iterator[LocalModel]:
        return (model for folder in self.ollama for model in ollama.models(folder))


def locate(library: Library, wish: Wanted) -> LocalModel | None:
    """Find what a name means, if it is on this machine: in the Hub's cache, else where LM Studio or Ollama keep it.

    The commit that the catalogue names is preferred; a revision that the user names is the only one that will do. Where
    no quantization was named (there is a notice), one that is here is better than none.
    """
    named = wish.revision not in ("", "main")
    pinned = wish.download is not None and wish.revision == wish.download.revision
    if named and (model := _found(library, wish, wish.revision)):
        return model
    if named and not pinned:
        return None
    found = _found(library, wish, None) or library.find_foreign(
        wish.repository, quantization=wish.quantization, file=wish.file
    )
    if found is not None or not wish.notice or wish.entry is None:
        return found
    # Nobody named a quantization, and the one we would pull is not here: another that is here will do, with a notice.
    names = dict.fromkeys(download.repository for download in wish.entry.downloads)
    models = (library.find(name) or library.find_foreign(name, quantization=None, file=None) for name in names)
    return next((model for model in models if model is not None), None)


def _found(library: Library, wish: Wanted, revision: str | None) -> LocalModel | None:
    return library.find(wish.repository, revision=revision, quantization=wish.quantization, file=wish.file)


def _chosen(models: Sequence[LocalModel], quantization: str | None, file: str | None) -> LocalModel | None:
    """Choose among whole models of one snapshot."""
    if quantization is None and file is None:
        quantization = default_of(model.quantization for model in models)
        if quantization is None:
            return models[0] if len(models) == 1 else None
    return next((model for model in models if _fits(model, quantization, file)), None)


def _fits(model: LocalModel, quantization: str | None, file: str | None) -> bool:
    return _matches(model.variant, quantization, file)


def _matches(variant: Variant, quantization: str | None, file: str | None) -> bool:
    if file is not None:
        return file.casefold() in (member.path.casefold() for member in variant.files)
    return quantization is None or canonical(quantization) == variant.quantization


def _of_its_commit(model: LocalModel) -> LocalModel:
    """Name a model that is not the one its plain name leads to."""
    commit = (model.commit or "")[:8]
    return dataclasses.replace(model, name=f"hf://{model.repository}@{commit}/{model.variant.files[0].path}")


def _sha256(pointer: Pointer) -> str | None:
    return pointer.blob.name if pointer.blob is not None and is_sha256(pointer.blob.name) else None


def _removed(one: Partial) -> Freed:
    there = [file for file in one.files if os.path.lexists(file)]
    n_bytes = partial.remove(one)
    left = [file for file in there if os.path.lexists(file)]
    if left:
        return Freed(n_bytes, len(there) - len(left), (removal.Skipped(one.path or left[0].name, removal.IN_USE),))
    return Freed(n_bytes, len(there))


def open_library(environ: Mapping[str, str], home: Path | None = None, catalog: Catalog | None = None) -> Library:
    """Open the library of this environment and this home folder; without one, of the user's."""
    home = home or Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none
    return Library(hub_cache(environ), ollama.folders(environ, home), lm_studio.folders(home), catalog)
