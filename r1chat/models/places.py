"""Where the files of a pull go in the Hub's cache: their places, the room for them, names that are no names here.

Knows the layout and the disk; knows no network and no download.
"""

import errno
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from r1chat.core.sanitize import clean
from r1chat.errors import DownloadError, FitError, R1ChatError
from r1chat.models import partial
from r1chat.models.hub import Listing, check_repository, check_revision, safe_path
from r1chat.models.variants import RepoFile

MARGIN: Final = 1.02  # of the disk's free space over the files' sizes
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Room:
    """The disk before a pull: what is missing, what that needs, what is free."""

    n_missing: int
    n_needed: int
    n_free: int

    @property
    def fits(self) -> bool:
        """Whether there is room."""
        return self.n_needed <= self.n_free


def room(listing: Listing, files: Sequence[RepoFile], cache: Path) -> Room:
    """Compare what is missing of the files, plus 2 %, with the free space. Touches nothing. Raises DownloadError."""
    n_missing = sum(file.n_bytes - _n_here(listing, file, cache) for file in files)
    try:
        folder = next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())
        n_free = shutil.disk_usage(folder).free
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise disk_error(error, cache) from error
    return Room(n_missing, round(n_missing * MARGIN), n_free)


def place(listing: Listing, file: RepoFile, cache: Path) -> Path:
    """Tell where a file will be found: its path in the snapshot."""
    return storage(listing, cache) / "snapshots" / listing.commit / Path(*file.path.split("/"))


def storage(listing: Listing, cache: Path) -> Path:
    """The folder of a repository in the cache (huggingface_hub, file_download.py: repo_folder_name)."""
    return cache / "--".join(("models", *listing.repository.split("/")))


def check_names(listing: Listing, files: Sequence[RepoFile]) -> None:
    """Return if every name can be a file of its own in the cache. Raises DownloadError and UsageError."""
    check_repository(listing.repository)
    check_revision(listing.revision)
    seen: set[str] = set()
    for file in files:
        if not safe_path(file.path):
            raise DownloadError(
                f"{clean(file.path)[:200]!r} is no name that a file can have here.",
                hint="The repository is broken, or hostile: choose another one.",
            )
        if file.path.casefold() in seen:
            raise DownloadError(
                f"{clean(file.path)} is there twice, in upper and lower case.", hint="Choose another repository."
            )
        seen.add(file.path.casefold())


def check_folders(folder: Path, cache: Path) -> None:
    """Return if no folder between the cache and this one is a symbolic link. Raises DownloadError."""
    while folder != cache and folder != folder.parent:
        if folder.is_symlink():
            raise DownloadError(
                f"{clean(str(folder))} is a symbolic link, and would lead out of the cache.", hint="Remove it."
            )
        folder = folder.parent


def has_size(path: Path, n_bytes: int) -> bool:
    """Tell whether there is a file of this size."""
    try:
        return path.is_file() and path.stat().st_size == n_bytes
    except OSError:
        return False


def is_spelled_so(path: Path) -> bool:
    """Tell whether a folder has this very name, and not one in other letters that the system takes for the same."""
    return any(other.name == path.name for other in path.parent.iterdir())


def _n_here(listing: Listing, file: RepoFile, cache: Path) -> int:
    """Tell how much of a file need not be fetched."""
    if not safe_path(file.path) or has_size(place(listing, file, cache), file.n_bytes):
        return file.n_bytes if safe_path(file.path) else 0
    if file.sha256 is None:
        return 0
    blob = storage(listing, cache) / "blobs" / file.sha256
    return file.n_bytes if has_size(blob, file.n_bytes) else partial.find_partial(blob)


def disk_error(error: OSError, cache: Path) -> R1ChatError:
    """Say in words what the disk refuses."""
    where = clean(str(cache))
    if error.errno in _FULL or getattr(error, "winerror", None) == 112:  # ERROR_DISK_FULL
        return FitError(
            f"The disk is full: {where}.", hint="Make room, and run the same command again; it goes on here."
        )
    if error.errno == errno.EFBIG:
        return FitError(
            f"The disk of {where} can't hold files this large.", hint="Put the cache on another one, with HF_HUB_CACHE."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DownloadError(
            f"{clean(str(error.filename or where))} can't be written: permission denied.",
            hint="Give yourself the right to write there, or choose another folder with HF_HUB_CACHE.",
        )
    what = clean(error.strerror or str(error))
    return DownloadError(f"The model can't be stored in {where}: {what}.", hint="Check the disk.")
