"""The Hub's cache on disk, read as it lies there: models--USER--NAME/{blobs,refs,snapshots}. No network.

Knows the layout (huggingface_hub 2.4: file_download.py, utils/_cache_manager.py) and nothing about what the files are.
Reads the folders itself, because importing huggingface_hub takes longer than a start may; changes nothing
(removal.py does).

Whatever lies there may be broken or hostile: links to nowhere or in circles, folders nobody may read, names of any
kind. What can't be read is left out, folders behind links are not entered, and no name is ever made into a path: what a
user asks for is compared with what the folders list.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER_PREFIX: Final = "models--"
STORE: Final = "blobs"  # beside the repositories: one copy of what several of them hold (utils/_shared_blobs.py)
STORE_MARKER: Final = ".huggingface-shared-blobs"
# Real repositories have some hundred files, at most two folders deep.
MAX_ENTRIES: Final = 20_000
MAX_DEPTH: Final = 8
MAX_REF_BYTES: Final = 256
MAX_TREE_BYTES: Final = 16 * 2**20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_COMMIT_START: Final = re.compile(r"[0-9a-f]{5,40}")


@dataclass(frozen=True, slots=True)
class Pointer:
    """One file of a snapshot. `path` is inside it, with /; `file` is where it lies.

    `blob` is the file in the repository's blobs that it points at; None for a copy (where links can't be made) and
    for a link to somewhere else. `n_bytes` is None where the link leads to no file; `dangling`: since its blob is gone.
    """

    path: str
    file: Path
    blob: Path | None
    n_bytes: int | None
    changed: float
    dangling: bool = False

    @property
    def is_copy(self) -> bool:
        """Whether the file itself lies in the snapshot."""
        return self.blob is None and not self.file.is_symlink()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is here of one commit of a repository."""

    commit: str
    folder: Path
    pointers: tuple[Pointer, ...]
    changed: float


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository: `name` is USER/NAME, `refs` has the commit of every branch or tag that was asked for.

    Its snapshots are sorted: that of `main` first, then the newest. `whole` is False where a part could not be looked
    at: then nobody knows what else uses a blob.
    """

    name: str
    folder: Path
    refs: Mapping[str, str]
    snapshots: tuple[Snapshot, ...]
    whole: bool = True

    @property
    def blobs(self) -> Path:
        """Where the files themselves are."""
        return self.folder / "blobs"

    def commit_of(self, revision: str) -> str | None:
        """Find the commit of a branch, a tag, or the beginning of a commit's hash, among those that are here."""
        if revision in self.refs:
            return self.refs[revision]
        commits = [snapshot.commit for snapshot in self.snapshots]
        if revision in commits:
            return revision
        if not _COMMIT_START.fullmatch(start := revision.lower()):
            return None
        found = [commit for commit in commits if commit.startswith(start)]
        return found[0] if len(found) == 1 else None


def hub_cache(environ: Mapping[str, str]) -> Path:
    """Find the Hub's cache as huggingface_hub does: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, ~/.cache (constants.py)."""
    home = environ.get("HF_HOME") or os.path.join(environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    named = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(_expanded(named) if named else os.path.join(_expanded(home), "hub"))  # noqa: PTH118


def repositories(cache: Path) -> tuple[Repository, ...]:
    """Read every model repository of the cache, by name."""
    return tuple(_read(folder) for folder in _folders(cache))


def repository(cache: Path, name: str) -> Repository | None:
    """Read one repository, whatever the case of its name; None if it is not here."""
    folders = {_name_of(folder): folder for folder in _folders(cache)}
    folded = {known.casefold(): folder for known, folder in folders.items()}
    folder = folders.get(name) or folded.get(name.casefold())
    return None if folder is None else _read(folder)


def is_sha256(name: str) -> bool:
    """Whether a blob's name is the hash of its content; others are those of git."""
    return _SHA256.fullmatch(name) is not None


def is_store(folder: Path) -> bool:
    """Whether a folder is the store that repositories share, of the one layout there is."""
    try:
        return (folder / STORE_MARKER).read_bytes()[:3] in (b"1\n", b"1\r\n")
    except OSError:
        return False


def stored_behind(blob: Path) -> Path | None:
    """Give the file of the shared store that a blob links to, there or gone; None if it is no such link."""
    try:
        where = Path(os.path.abspath(blob.parent / str(blob.readlink()).removeprefix("\\\\?\\")))  # noqa: PTH100
    except (OSError, ValueError):
        return None
    store = Path(os.path.abspath(blob.parents[2] / STORE))  # noqa: PTH100
    shaped = where.parents[1] == store and is_sha256(where.name) and where.parent.name == where.name[:2]
    return where if shaped else None


def tree_hashes(repository: Repository, commit: str) -> dict[str, str]:
    """Give the sha256 of the files of a commit, as huggingface_hub kept them (_tree_cache.py); empty if it did not."""
    try:
        file = repository.folder / "trees" / f"{commit}.json"
        if file.stat().st_size > MAX_TREE_BYTES:
            return {}
        files = json.loads(file.read_bytes())["files"]
        hashes = {str(path): str(entry.get("lfs_sha256", "")) for path, entry in files.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {path: sha256 for path, sha256 in hashes.items() if is_sha256(sha256)}


def reread(repository: Repository) -> Repository:
    """Read the repository again, as it lies there now."""
    return _read(repository.folder)


class Walk:
    """Every file and link under a folder, with its path in it. Bounded, and never through a link to a folder.

    After it, `whole` tells whether all of it could be looked at.
    """

    def __init__(self, folder: Path) -> None:
        self.whole = True
        self._folder = folder

    def __iter__(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        waiting = [("", self._folder, 0)]
        n_seen = 0
        while waiting:
            prefix, current, depth = waiting.pop()
            for entry in self._entries(current):
                n_seen += 1
                if n_seen > MAX_ENTRIES:
                    self.whole = False
                    return
                path = f"{prefix}{entry.name}"
                if not _is_folder(entry):
                    yield path, entry
                elif depth < MAX_DEPTH:
                    waiting.append((f"{path}/", Path(entry.path), depth + 1))
                else:
                    self.whole = False

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            return entries(folder)
        except FileNotFoundError:
            return []
        except (OSError, ValueError):
            self.whole = False
            return []


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder by name. Raises OSError."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name)


def listing(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder by name; empty if it is none, or nobody may read it."""
    try:
        return entries(folder)
    except (OSError, ValueError):
        return []


def _expanded(path: str) -> str:
    return os.path.expandvars(os.path.expanduser(path))  # noqa: PTH111 - huggingface_hub's order: first ~, then $


def _folders(cache: Path) -> list[Path]:
    return [
        Path(entry.path)
        for entry in listing(cache)
        if entry.name.startswith(FOLDER_PREFIX) and len(entry.name) > len(FOLDER_PREFIX) and _is_folder(entry)
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False) and not _is_junction(entry)
    except OSError:
        return False


def _is_junction(entry: os.DirEntry[str]) -> bool:
    """Whether a folder of Windows is a link to another (Python 3.12 has DirEntry.is_junction)."""
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0))


def _name_of(folder: Path) -> str:
    return folder.name.removeprefix(FOLDER_PREFIX).replace("--", "/")


def _read(folder: Path) -> Repository:
    refs = dict(_refs(folder / "refs"))
    blobs = _Blobs(folder / "blobs")
    walk = Walk(folder / "snapshots")
    pointers: dict[str, list[Pointer]] = {}
    for path, entry in walk:
        commit, slash, inside = path.partition("/")
        if slash:
            pointers.setdefault(commit, []).append(_pointer(inside, entry, blobs))
        elif entry.is_symlink():  # a snapshot that lies somewhere else
            walk.whole = False
    found = [
        Snapshot(commit, folder / "snapshots" / commit, tuple(of_it), max(pointer.changed for pointer in of_it))
        for commit, of_it in pointers.items()
    ]
    main = refs.get("main")
    found.sort(key=lambda snapshot: (snapshot.commit == main, snapshot.changed), reverse=True)
    return Repository(_name_of(folder), folder, refs, tuple(found), walk.whole and not blobs.leads_to_a_folder)


def _refs(folder: Path) -> Iterator[tuple[str, str]]:
    for name, entry in Walk(folder):
        try:
            if entry.is_file() and entry.stat().st_size <= MAX_REF_BYTES:
                yield name, Path(entry.path).read_text("ascii").strip()
        except (OSError, ValueError):
            continue


def _pointer(path: str, entry: os.DirEntry[str], blobs: "_Blobs") -> Pointer:
    file = Path(entry.path)
    blob = blobs.behind(file) if entry.is_symlink() else None
    try:
        status = entry.stat()
    except OSError:  # a link to nowhere, or in a circle
        gone = blob is not None and blobs.lacks(blob)
        return Pointer(path, file, blob, None, _own_time(entry), dangling=gone)
    if stat.S_ISDIR(status.st_mode):
        blobs.leads_to_a_folder = True
    n_bytes = status.st_size if stat.S_ISREG(status.st_mode) else None
    return Pointer(path, file, blob, n_bytes, status.st_mtime)


def _own_time(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def _is_missing(path: Path) -> bool:
    """Whether nothing is there; what can't be looked at may be there."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


class _Blobs:
    """The folder of the blobs, and whether a link leads into it. The real place of a folder is asked for once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, str] = {}
        self._is_there = folder.is_dir()
        self.leads_to_a_folder = False

    def lacks(self, blob: Path) -> bool:
        """Whether a blob is gone, and not only somewhere that is out of reach now."""
        if not self._is_there:
            return False
        if _is_missing(blob):
            return True
        stored = stored_behind(blob)
        return stored is not None and is_store(stored.parents[1]) and _is_missing(stored)

    def behind(self, link: Path) -> Path | None:
        """Follow one step of a link: a blob may itself be a link, into the store that repositories share."""
        try:
            target = link.readlink()
        except (OSError, ValueError):
            return None
        text = str(target).removeprefix("\\\\?\\")  # Windows' long form
        where = os.path.abspath(link.parent / text)  # noqa: PTH100 - not resolved: only ".." is worked out
        parent, name = os.path.split(where)
        return self._folder / name if name and self._place(parent) == self._place(str(self._folder)) else None

    def _place(self, folder: str) -> str:
        if folder not in self._places:
            self._places[folder] = os.path.realpath(folder)
        return self._places[folder]
