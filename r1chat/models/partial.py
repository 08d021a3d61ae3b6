"""What is on disk of a file that is still being fetched: the data, and beside it the state that says which bytes are
there. Knows no network and no huggingface_hub, only its cache layout.

Beside the blob `blobs/<name>` of the Hub's cache lie, until the file is whole and verified,

    <name>.r1chat-part         the data at their final offsets; sparse, as long as the file will be
    <name>.r1chat-part.json    what the file is, and the spans of it that are safe on the disk
    <name>.r1chat-part.now     the spans that are written, on the disk or still in the system's page cache

Two kinds of end, two records. When the process dies (SIGKILL, a crash, the memory killer), everything it has written
is still in the page cache, so `.now` holds: it is replaced every RECORD_BYTES, without a sync, and is believed as long
as the machine runs on (it names the boot). When the machine dies (power), only what was synced holds: every SYNC_BYTES
the data are synced, then the state that claims them is written, synced and put in place, in this order. So a state may
claim too little, never too much; what it claims too little is fetched again. The file's sha256 has the last word.
"""

import json
import os
import secrets
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

RECORD_BYTES: Final = 4 * 2**20  # at most half of the 8 MiB that a kill may cost
SYNC_BYTES: Final = 64 * 2**20
SUFFIX: Final = ".r1chat-part"
_FORMAT: Final = 1
_FOLDER_START: Final = "models--"
_INCOMPLETE: Final = ".incomplete"  # huggingface_hub's own, of downloads that died: <etag>.<8 hex digits>.incomplete
_MAX_STATE_BYTES: Final = 2**20

Span = tuple[int, int]


class Spans:
    """A set of bytes as sorted spans [start, end) that don't touch. Few, however large the file: one per range."""

    def __init__(self, spans: Sequence[Span] = ()) -> None:
        self._spans: list[Span] = []
        self.n_bytes = 0
        for start, end in spans:
            self.add(start, end)

    def add(self, start: int, end: int) -> None:
        """Add a span, which may touch or overlap those that are there."""
        if start >= end:
            return
        spans = self._spans
        first = bisect_left(spans, (start, start))
        if first and spans[first - 1][1] >= start:
            first -= 1
        last = first
        n_before = 0
        while last < len(spans) and spans[last][0] <= end:
            n_before += spans[last][1] - spans[last][0]
            start, end = min(start, spans[last][0]), max(end, spans[last][1])
            last += 1
        spans[first:last] = [(start, end)]
        self.n_bytes += end - start - n_before

    @property
    def prefix(self) -> int:
        """How many bytes are there from the start without a gap."""
        return self._spans[0][1] if self._spans and self._spans[0][0] == 0 else 0

    def gaps(self, n_bytes: int) -> tuple[Span, ...]:
        """What is missing of so many bytes."""
        edges = [0, *(edge for span in self._spans for edge in span), n_bytes]
        return tuple((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end)

    def __iter__(self) -> Iterator[Span]:
        return iter(tuple(self._spans))


@dataclass(frozen=True, slots=True)
class Origin:
    """What a partial file is a part of. `etag` is the storage's own name for the bytes, empty if it gave none."""

    repository: str
    path: str
    revision: str
    commit: str
    n_bytes: int
    etag: str = ""


class PartialFile:
    """One file being fetched. The caller holds the blob's lock; `write` may be called by many threads at once."""

    def __init__(self, blob: Path, origin: Origin) -> None:
        """Go on from what is recorded, if that is of the same file; else begin anew. Raises OSError."""
        self.data = blob.with_name(blob.name + SUFFIX)
        self.origin = origin
        self._state, self._now = _beside(self.data)
        self._lock = threading.Lock()  # of the spans and counters
        self._record_lock = threading.Lock()  # of the file .now
        self._sync_lock = threading.Lock()  # of the file .json
        self._id = ""
        self._closed = False  # nothing may be noted any more
        self._spans = Spans()
        self._n_unrecorded = self._n_unsynced = 0
        self.n_written = 0  # by this process, also what was dropped again
        self.data.parent.mkdir(parents=True, exist_ok=True)
        found = _read(self.data)
        if found and found.origin.n_bytes == origin.n_bytes and _is_file(self.data, origin.n_bytes):
            self._id, self._spans = found.id, found.spans
            self.origin = Origin(**{**_fields(origin), "etag": found.origin.etag or origin.etag})
        else:
            self.restart()

    @property
    def n_done(self) -> int:
        """How many bytes are there."""
        return self._spans.n_bytes

    @property
    def prefix(self) -> int:
        """How many bytes are there from the start without a gap."""
        with self._lock:
            return self._spans.prefix

    @property
    def n_unsynced(self) -> int:
        """How many bytes have come since the last sync began."""
        return self._n_unsynced

    def gaps(self) -> tuple[Span, ...]:
        """What is still missing."""
        with self._lock:
            return self._spans.gaps(self.origin.n_bytes)

    def open(self) -> BinaryIO:
        """Open the data for one writer of its own."""
        return self.data.open("r+b", buffering=0)

    def write(self, stream: BinaryIO, position: int, data: bytes) -> None:
        """Put data at their place, and record them once enough have come. Raises OSError."""
        stream.seek(position)
        view, end = memoryview(data), position
        while view:
            n = stream.write(view)
            view, end = view[n:], end + n
        with self._lock:
            self._spans.add(position, end)
            self._n_unrecorded += end - position
            self._n_unsynced += end - position
            self.n_written += end - position
            due = self._n_unrecorded >= RECORD_BYTES
        if due:
            self.record()

    def record(self) -> None:
        """Note what is written, for the case that this process dies."""
        with self._record_lock:
            with self._lock:
                if self._closed or not self._n_unrecorded:
                    return
                spans, self._n_unrecorded = tuple(self._spans), 0
            text = json.dumps({"id": self._id, "boot": boot(), "done": spans})
            with suppress(PermissionError):  # Windows, while somebody reads it: the next record comes soon
                _replace(self._now, text, sync=False)

    def sync(self) -> None:
        """Bring the data to the disk, then note them there, for the case that the machine dies."""
        with self._sync_lock:
            if self._closed:
                return
            with self._lock:  # what is written before the sync begins is what the sync covers
                spans, self._n_unsynced = tuple(self._spans), 0
            with self.data.open("r+b") as stream:
                os.fsync(stream.fileno())
            self._claim(spans)

    def restart(self, etag: str = "") -> None:
        """Drop every byte and begin anew."""
        with self._record_lock, self._sync_lock, self._lock:
            self._id = secrets.token_hex(8)
            self._spans = Spans()
            self._n_unrecorded = self._n_unsynced = 0
            self.origin = Origin(**{**_fields(self.origin), "etag": etag})
            _unlink(self._state)  # first: from here on nothing claims the old bytes
            _unlink(self._now)
            if self.data.is_symlink():
                self.data.unlink()  # what it points at is not ours
            with self.data.open("wb") as stream:
                stream.truncate(self.origin.n_bytes)
            self._claim(())

    def name(self, etag: str) -> None:
        """Remember what the storage calls the bytes."""
        with self._sync_lock:
            self.origin = Origin(**{**_fields(self.origin), "etag": etag})

    def forget(self) -> None:
        """Remove the state, once the data lie under their final name."""
        with self._record_lock, self._sync_lock:
            self._closed = True
            _unlink(self._now)
            _unlink(self._state)

    def remove(self) -> None:
        """Remove data and state."""
        self.forget()
        _unlink(self.data)

    def _claim(self, spans: Sequence[Span]) -> None:
        state = {"format": _FORMAT, "id": self._id, **_fields(self.origin), "done": spans}
        _replace(self._state, json.dumps(state), sync=True)


@dataclass(frozen=True, slots=True)
class Partial:
    """A download that was begun and not ended. `path` is empty and `n_bytes` 0 where nothing says what it was."""

    repository: str
    path: str
    n_bytes: int
    n_done: int
    changed: float
    files: tuple[Path, ...]
    revision: str = ""  # what was asked for: a branch, a tag or a commit


def find_partials(cache: Path) -> tuple[Partial, ...]:
    """Find what unfinished downloads have left in the cache: our own, and huggingface_hub's orphans."""
    found = []
    for blobs in sorted(cache.glob(f"{_FOLDER_START}*/blobs")):
        try:
            files = sorted(path for path in blobs.iterdir() if SUFFIX in path.name or path.name.endswith(_INCOMPLETE))
        except OSError:  # of another repository, that nobody may read, or no folder
            continue
        ours = sorted({path.name.partition(SUFFIX)[0] for path in files if SUFFIX in path.name})
        groups = [[path for path in files if path.name.startswith(name + SUFFIX)] for name in ours]
        groups += [[path] for path in files if SUFFIX not in path.name]
        for group in groups:
            with suppress(OSError):  # finished or removed meanwhile
                found.append(_partial(blobs, group))
    return tuple(found)


def find_partial(blob: Path) -> int:
    """Tell how many bytes of a blob are recorded, without touching anything."""
    return sum(end - start for start, end in spans_of(blob))


def spans_of(blob: Path) -> tuple[Span, ...]:
    """Tell which bytes of a blob are recorded, without touching anything."""
    data = blob.with_name(blob.name + SUFFIX)
    found = _read(data)
    return tuple(found.spans) if found and _is_file(data, found.origin.n_bytes) else ()


def clear(blob: Path) -> None:
    """Remove what is left beside a blob that is whole, by a kill in the last moment. The caller holds its lock."""
    data = blob.with_name(blob.name + SUFFIX)
    for path in (*_beside(data), data):
        _unlink(path)


def is_clear(blob: Path) -> bool:
    """Tell whether nothing is left beside a blob."""
    data = blob.with_name(blob.name + SUFFIX)
    return not any(os.path.lexists(path) for path in (*_beside(data), data))


def remove(partial: Partial) -> int:
    """Remove what a download has left, and tell how many bytes that gives back. One that is under way stays."""
    from filelock import FileLock, Timeout

    lock = FileLock(lock_of(partial.files[0]), timeout=0, mode=0o664)
    Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
    try:
        with lock:
            n_bytes = 0
            for path in sorted(partial.files, reverse=True):  # .now and .json before the data they claim
                with suppress(OSError):
                    size = _allocated(path)
                    path.unlink()
                    n_bytes += size
            return n_bytes
    except (Timeout, OSError):
        return 0


def lock_of(path: Path) -> Path:
    """Where huggingface_hub locks a blob, told from the path of the blob or of what is to become it."""
    name = path.name.partition(SUFFIX)[0]
    if name.endswith(_INCOMPLETE):
        name = name.removesuffix(_INCOMPLETE).partition(".")[0]
    folder = path.parent.parent
    return folder.parent / ".locks" / folder.name / f"{name}.lock"


@cache
def boot() -> str:
    """Name this run of the machine. What was only in the page cache is gone when it is another one."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    import psutil

    return f"{psutil.boot_time() // 60:.0f}"  # Windows and macOS; a clock that is set costs a few bytes, no harm


@dataclass(frozen=True, slots=True)
class _Found:
    id: str
    origin: Origin
    spans: Spans


def _read(data: Path) -> _Found | None:
    """Read the state beside a partial file; None for none, or one that can't be believed."""
    state_path, now_path = _beside(data)
    try:
        state = _load(state_path)
        if state["format"] != _FORMAT:
            return None
        origin = Origin(**{name: kind(state[name]) for name, kind in Origin.__annotations__.items()})
        spans = Spans(_checked(state["done"], origin.n_bytes))
        known = str(state["id"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        now = _load(now_path)
        if now["id"] == known and now["boot"] == boot():
            for start, end in _checked(now["done"], origin.n_bytes):
                spans.add(start, end)
    return _Found(known, origin, spans)


def _load(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        value = json.loads(stream.read(_MAX_STATE_BYTES))
    if not isinstance(value, dict):
        raise ValueError("no state")
    return value


def _checked(spans: Any, n_bytes: int) -> list[Span]:
    checked = [(start, end) for start, end in spans]
    if not all(type(a) is int and type(b) is int and 0 <= a <= b <= n_bytes for a, b in checked):
        raise ValueError("spans outside the file")
    return checked


def _partial(blobs: Path, group: list[Path]) -> Partial:
    """Describe one group of files of the same blob."""
    changed = max(path.stat().st_mtime for path in group)
    data = next((path for path in group if path.name.endswith((SUFFIX, _INCOMPLETE))), None)
    found = _read(data) if data and data.name.endswith(SUFFIX) else None
    if data and found:
        origin = found.origin
        n_done, files = found.spans.n_bytes, tuple(group)
        return Partial(origin.repository, origin.path, origin.n_bytes, n_done, changed, files, origin.revision)
    repository = blobs.parent.name.removeprefix(_FOLDER_START).replace("--", "/")
    return Partial(repository, "", 0, _allocated(data) if data else 0, changed, tuple(group))


def _beside(data: Path) -> tuple[Path, Path]:
    return data.with_name(f"{data.name}.json"), data.with_name(f"{data.name}.now")


def _fields(origin: Origin) -> dict[str, Any]:
    return {name: getattr(origin, name) for name in Origin.__annotations__}


def _is_file(path: Path, n_bytes: int) -> bool:
    try:
        return path.is_file() and not path.is_symlink() and path.stat().st_size == n_bytes
    except OSError:
        return False


def _allocated(path: Path) -> int:
    """How much of the disk a file takes: of a sparse one, less than its length."""
    stat = path.stat()
    n_blocks: int | None = getattr(stat, "st_blocks", None)  # not on Windows
    return stat.st_size if n_blocks is None else min(stat.st_size, n_blocks * 512)


def _replace(path: Path, text: str, *, sync: bool) -> None:
    """Write a small file so that it is there whole, the old one or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    if fresh.is_symlink():
        fresh.unlink()  # what it points at is not ours
    with fresh.open("w", encoding="utf-8") as stream:
        stream.write(text)
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    put(fresh, path)
    if sync:
        sync_folder(path.parent)


def put(file: Path, place: Path) -> None:
    """Move a file to its place within a folder, over what is there; a link there is replaced, not followed."""
    for left in (2, 1, 0):
        try:
            file.replace(place)
            break
        except PermissionError:  # Windows, while a scanner looks at it
            if not left:
                raise
            time.sleep(0.05)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk. Windows does it by itself and refuses to be asked."""
    if os.name == "nt":
        return
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _unlink(path: Path) -> None:
    """Remove a file, and what a kill between writing and replacing may have left of it."""
    path.with_name(f"{path.name}.new").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
