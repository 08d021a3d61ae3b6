"""Makes a Hub cache for tests, with huggingface_hub's own functions for everything but the download."""

import hashlib
import os
from pathlib import Path

from huggingface_hub import constants, scan_cache_dir
from huggingface_hub.file_download import (
    _cache_commit_hash_for_specific_revision,
    _create_symlink,
    repo_folder_name,
)
from huggingface_hub.utils import HFCacheInfo
from huggingface_hub.utils._shared_blobs import publish_blob_to_shared_store

COMMIT_1, COMMIT_2 = "1" * 40, "2" * 40


class HubCache:
    """A cache that is filled as `hf download` fills it."""

    def __init__(self, folder: Path, *, links: bool = True) -> None:
        self.folder = folder
        self._links = links

    def repository(self, name: str) -> Path:
        """Give the folder of a repository."""
        return self.folder / repo_folder_name(repo_id=name, repo_type="model")

    def add(
        self, repository: str, path: str, content: bytes, *, commit: str = COMMIT_1, revision: str | None = "main"
    ) -> Path:
        """Put a file into a snapshot; give where it lies there."""
        blob = self.blob(repository, content)
        pointer = self.repository(repository) / "snapshots" / commit / path
        pointer.parent.mkdir(parents=True, exist_ok=True)
        before = constants.HF_HUB_DISABLE_SYMLINKS
        constants.HF_HUB_DISABLE_SYMLINKS = not self._links  # what Windows without its developer mode is like
        try:
            _create_symlink(str(blob), str(pointer), new_blob=True)
        finally:
            constants.HF_HUB_DISABLE_SYMLINKS = before
        if revision:
            _cache_commit_hash_for_specific_revision(str(self.repository(repository)), revision, commit)
        return pointer

    def blob(self, repository: str, content: bytes) -> Path:
        """Put content under its hash."""
        blobs = self.repository(repository) / "blobs"
        blobs.mkdir(parents=True, exist_ok=True)
        blob = blobs / hashlib.sha256(content).hexdigest()
        if not blob.exists():
            blob.write_bytes(content)
        return blob

    def share(self, repository: str, content: bytes) -> Path:
        """Move a blob into the store that repositories share, as for files of the Hub's Xet storage."""
        blob = self.blob(repository, content)
        xet_hash = hashlib.sha256(b"xet" + content).hexdigest()
        assert publish_blob_to_shared_store(
            blob_path=str(blob), xet_hash=xet_hash, cache_dir=self.folder, expected_size=len(content)
        )
        return self.folder / "blobs" / xet_hash[:2] / xet_hash

    def scan(self) -> HFCacheInfo:
        """Let huggingface_hub read the cache, and find nothing wrong with it."""
        found = scan_cache_dir(self.folder)
        assert [] == found.warnings
        return found


def files_under(folder: Path) -> set[str]:
    """List every file and link under a folder but the locks, by its path in it."""
    return {
        Path(base, name).relative_to(folder).as_posix()
        for base, _, names in os.walk(folder)
        for name in names
        if ".locks" not in Path(base).parts
    }
