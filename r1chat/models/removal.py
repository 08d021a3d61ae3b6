"""Removes files from the Hub's cache so that nothing else loses its own, and finds what nobody uses. No network.

A blob goes when no pointer of any snapshot of its repository is left on it, and only under its lock, the one that
huggingface_hub and r1chat hold while they fetch it: what another process is fetching is left alone. Pointers go before
blobs, so that a removal that is cut short leaves no link to nowhere. Folders go only when they are empty.

In a store that repositories share (huggingface_hub's, for its Xet storage) a file goes with the last link to it.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from r1chat.models.cache import (
    STORE,
    Pointer,
    Repository,
    is_sha256,
    is_store,
    listing,
    repositories,
    reread,
    stored_behind,
)

IN_USE: Final = "another program is downloading it"
_UNKNOWN: Final = "a part of its folder can't be read, so what else uses it is unknown"
# A blob is named by its ETag: a sha256, or git's hash. Everything else in the folder is not ours to judge.
_BLOB_NAME: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MAX_MANIFEST_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was not removed, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Freed:
    """What a removal gave back, and what it left."""

    n_bytes: int = 0
    n_files: int = 0
    skipped: tuple[Skipped, ...] = ()

    def __add__(self, other: "Freed") -> "Freed":
        return Freed(self.n_bytes + other.n_bytes, self.n_files + other.n_files, self.skipped + other.skipped)


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file that no model uses. `kind`: "blob", "link" (that leads nowhere), or "stored" (in the shared store)."""

    kind: str
    repository: str
    path: str
    file: Path
    n_bytes: int


def freed_by(repository: Repository, doomed: Iterable[Pointer]) -> int:
    """Work out how many bytes go when these pointers do."""
    doomed = tuple(doomed)
    files = {pointer.file for pointer in doomed}
    kept = {pointer.blob for pointer in _pointers(repository) if pointer.file not in files}
    blobs = {pointer.blob for pointer in doomed if pointer.blob is not None} - kept if repository.whole else set()
    copies = {pointer.file for pointer in doomed if pointer.is_copy}
    links: Counter[tuple[int, int]] = Counter()
    sizes: dict[tuple[int, int], tuple[int, int]] = {}
    for file in {*blobs, *copies}:
        stored = stored_behind(file) if file in blobs else None
        if stored is not None and not _only_used_by(stored, blobs - {None}):
            continue
        with contextlib.suppress(OSError):
            status = file.stat()
            links[status.st_dev, status.st_ino] += 1
            sizes[status.st_dev, status.st_ino] = (status.st_size, status.st_nlink)
    return sum(n_bytes for key, (n_bytes, n_links) in sizes.items() if n_links <= links[key])


def remove(repository: Repository, doomed: Iterable[Pointer], *, tidying: bool = True) -> Freed:
    """Remove pointers, and the blobs that then have none left. Never raises: what can't be removed is told.

    Without `tidying`, empty folders and refs stay: the files are expected back.
    """
    by_blob: dict[Path | None, list[Pointer]] = {}
    for pointer in doomed:
        by_blob.setdefault(pointer.blob, []).append(pointer)
    freed = Freed()
    for blob, pointers in by_blob.items():
        freed += _remove_plain(pointers) if blob is None else _remove_blob(repository, blob, pointers)
    if tidying:
        tidy(repository)
    return freed


def orphans(cache: Path, known: Iterable[Path] = ()) -> tuple[Orphan, ...]:
    """Find what nobody uses: blobs without a pointer, pointers without a blob. `known` files are something else's."""
    kept = set(known)
    found: list[Orphan] = []
    for repository in repositories(cache):
        pointers = _pointers(repository)
        used = {pointer.blob for pointer in pointers}
        found += [Orphan("link", repository.name, p.path, p.file, 0) for p in pointers if p.dangling]
        if not repository.whole:
            continue
        for entry in listing(repository.blobs):
            file = repository.blobs / entry.name
            if _BLOB_NAME.fullmatch(entry.name) and file not in used | kept and not _is_folder(entry):
                n_bytes = 0 if entry.is_symlink() else _size(file)
                found.append(Orphan("blob", repository.name, entry.name, file, n_bytes))
    return (*found, *_stored_orphans(cache))


def remove_orphan(cache: Path, orphan: Orphan) -> Freed:
    """Remove what `orphans` found, if it still is one."""
    if orphan.kind == "stored":
        return _sweep(orphan.file)
    repository = next((known for known in repositories(cache) if known.name == orphan.repository), None)
    if repository is None:
        return Freed()
    if orphan.kind == "link":
        return remove(repository, [p for p in _pointers(repository) if p.file == orphan.file and p.dangling])
    freed = _remove_blob(repository, orphan.file, ())
    tidy(repository)
    return freed


def tidy(repository: Repository) -> None:
    """Remove folders that are empty, refs to commits that went with them, and huggingface_hub's notes about these.

    Does nothing while anything of the repository is being downloaded: then an empty folder waits for its file.
    """
    if _is_busy(repository):
        return
    snapshots = repository.folder / "snapshots"
    commits = {snapshot.commit for snapshot in repository.snapshots} | {entry.name for entry in listing(snapshots)}
    for commit in commits:
        _remove_empty(snapshots / commit)
        if os.path.lexists(snapshots / commit):
            continue
        for name in repository.refs:
            file = repository.folder / "refs" / name
            with contextlib.suppress(OSError, ValueError):
                if file.read_text("ascii").strip() == commit:
                    file.unlink()
        _unlink(repository.folder / "trees" / f"{commit}.json")
        for entry in listing(repository.folder / ".no_exist" / commit):
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_size == 0:
                    Path(entry.path).unlink()
    if not snapshots.exists() or _is_empty(snapshots):
        for name in ("snapshots", "refs", "trees", ".no_exist", "blobs"):
            _remove_empty(repository.folder / name)
        _remove_empty(repository.folder)


def _is_busy(repository: Repository) -> bool:
    """Whether the lock on any blob of a repository is held."""
    for entry in listing(lock_of(repository, Path("any")).parent):
        if entry.name.endswith(".lock"):
            with try_lock(Path(entry.path)) as locked:
                if not locked:
                    return True
    return False


def try_lock(file: Path, mode: int = 0o664) -> contextlib.AbstractContextManager[bool]:
    """Take a lock as huggingface_hub does (utils/_fixes.py), without waiting; gives whether it was got."""
    return _lock(file, mode)


def lock_of(repository: Repository, blob: Path) -> Path:
    """Where the lock on a blob is (file_download.py)."""
    return repository.folder.parent / ".locks" / repository.folder.name / f"{blob.name}.lock"


@contextlib.contextmanager
def _lock(file: Path, mode: int) -> Iterator[bool]:
    import filelock

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock: filelock.BaseFileLock = filelock.FileLock(file, mode=mode)
        try:
            lock.acquire(blocking=False)
        except NotImplementedError:  # a file system without locks: as huggingface_hub, the file itself is the lock
            lock = filelock.SoftFileLock(file)
            lock.acquire(blocking=False)
    except filelock.Timeout:
        yield False
        return
    except OSError:  # a folder that can't be written to: what follows will tell
        yield True
        return
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):
            lock.release()


def _pointers(repository: Repository) -> list[Pointer]:
    return [pointer for snapshot in repository.snapshots for pointer in snapshot.pointers]


def _remove_plain(pointers: Sequence[Pointer]) -> Freed:
    """Remove copies, and links to somewhere else. What these lead to is not in the cache and stays."""
    freed = Freed()
    for pointer in pointers:
        n_bytes = _own_size(pointer.file) if pointer.is_copy else 0
        freed += _unlinked(pointer.file, pointer.path, n_bytes)
    return freed


def _remove_blob(repository: Repository, blob: Path, pointers: Sequence[Pointer]) -> Freed:
    what = pointers[0].path if pointers else blob.name
    stored = stored_behind(blob)
    with try_lock(lock_of(repository, blob)) as locked:
        if not locked:
            return Freed(skipped=(Skipped(what, IN_USE),))
        freed = Freed()
        for pointer in pointers:
            freed += _unlinked(pointer.file, pointer.path, 0)
        now = reread(repository)
        if any(pointer.blob == blob for pointer in _pointers(now)) or not os.path.lexists(blob):
            return freed
        if not now.whole:
            return freed + Freed(skipped=(Skipped(what, _UNKNOWN),))
        freed += _unlinked(blob, what, 0 if stored else _own_size(blob))
    return freed + _sweep(stored) if stored is not None else freed


def _unlinked(file: Path, what: str, n_bytes: int) -> Freed:
    try:
        file.unlink()
    except FileNotFoundError:
        return Freed()
    except OSError as error:
        return Freed(skipped=(Skipped(what, error.strerror or str(error)),))
    return Freed(n_bytes, 1)


def _own_size(file: Path) -> int:
    """What removing a file frees: nothing while it has another name (a hard link), or is a link itself."""
    with contextlib.suppress(OSError):
        status = file.lstat()
        return status.st_size if status.st_nlink <= 1 and not file.is_symlink() else 0
    return 0


def _size(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size
    return 0


def _stored_orphans(cache: Path) -> list[Orphan]:
    """Find files of the shared store whose list of links is readable, and holds none that still leads to them."""
    store = cache / STORE
    if not is_store(store):
        return []
    return [
        Orphan("stored", "", entry.name, Path(entry.path), _size(Path(entry.path)))
        for prefix in listing(store)
        if len(prefix.name) == 2 and _is_folder(prefix)
        for entry in listing(Path(prefix.path))
        if is_sha256(entry.name) and not entry.is_symlink() and _links_to(Path(entry.path)) == set()
    ]


def _links_to(stored: Path) -> set[Path] | None:
    """Give the blobs that lead to a file of the store. None if its list is missing or unreadable: then it must stay."""
    cache = stored.parents[2]
    try:
        manifest = stored.with_name(f"{stored.name}.refs")
        if manifest.is_symlink() or manifest.stat().st_size > _MAX_MANIFEST_BYTES:
            return None
        lines = manifest.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return None
    found = set()
    for line in lines:
        parts = line.split("/")
        if len(parts) == 3 and parts[1] == "blobs" and ".." not in parts and "\\" not in line:
            blob = cache.joinpath(*parts)
            if blob.is_symlink() and os.path.realpath(blob) == os.path.realpath(stored):
                found.add(blob)
    return found


def _only_used_by(stored: Path, blobs: set[Path]) -> bool:
    links = _links_to(stored)
    return links is not None and links <= {Path(os.path.abspath(blob)) for blob in blobs}  # noqa: PTH100


def _sweep(stored: Path) -> Freed:
    """Remove a file of the store if nothing leads to it any more, as huggingface_hub does (`sweep_shared_blob`)."""
    if not is_store(stored.parents[1]):
        return Freed()
    with try_lock(stored.with_name(f"{stored.name}.lock"), 0o666) as locked:
        if not locked:
            return Freed(skipped=(Skipped(stored.name, IN_USE),))
        if _links_to(stored) != set():
            return Freed()
        freed = _unlinked(stored, stored.name, _own_size(stored))
        if not freed.skipped:
            _unlink(stored.with_name(f"{stored.name}.refs"))
        return freed


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except OSError:
        return False


def _remove_empty(folder: Path) -> None:
    """Remove a folder with all the empty folders in it; one that holds a file stays."""
    if folder.is_symlink():
        return
    for entry in listing(folder):
        if _is_folder(entry):
            _remove_empty(Path(entry.path))
    with contextlib.suppress(OSError):
        folder.rmdir()


def _unlink(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()
