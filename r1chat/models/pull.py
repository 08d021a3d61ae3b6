"""The download that survives: the files of one model from the Hub into its cache, by ranges, verified, resumable.

Knows the Hub's answers (hub.py) and the state on disk (partial.py); knows no names of models and no terminal.

Strategy. Every missing span of every file is cut into pieces, in order; up to `jobs` threads take the next piece and
fetch it by one range request. The first piece of a file goes alone until its answer shows that ranges work. A thread
reads behind the writers, from the page cache, and hashes what is there without a gap, so that little is left to hash at
the end; another one syncs. The calling thread holds the blobs' locks, reports, and publishes each file when its hash is
right: only then it gets its name in the cache; huggingface_hub's own functions make the pointer to it.

A piece that brings bytes may fail for ever; one that brings none gives up after `Patience.n_tries`. A server that
ignores the Range, also when asked again, gives the file in one stream from its start. A file whose storage changes its
ETag is asked for anew; where the Hub publishes a sha256, that decides what is the same file. A wrong hash costs this
file alone, once.
"""

import hashlib
import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.errors import DownloadError, FitError
from r1chat.models import partial
from r1chat.models.foreign import SNIFF_BYTES, not_a_gguf
from r1chat.models.hub import (
    Hub,
    Listing,
    Location,
    Stopped,
    Trouble,
    _Where,
    check_range,
    cut,
    etag_of,
    expired,
)
from r1chat.models.partial import SYNC_BYTES, Origin, PartialFile, Span
from r1chat.models.places import check_folders, check_names, disk_error, has_size, is_spelled_so, place, room, storage
from r1chat.models.variants import RepoFile

if TYPE_CHECKING:
    import httpx2

JOBS: Final = 8
_LEAST_PIECE: Final = 4 * 2**20  # at 20 ms for the round trip, a tenth of the time at 200 MB/s
_LARGEST_PIECE: Final = 64 * 2**20  # what a hash can lag behind, for each job
_MAX_MISMATCHES: Final = 2
_MAX_CHANGES: Final = 2
_MAX_IGNORED: Final = 2  # ranges in a row, before what is there is dropped: a proxy may do it once
_FAREWELL_SECONDS: Final = 2.0  # for threads at the end; one that waits for a server's first word takes longer
_RECORD_SECONDS: Final = 0.1
_HASH_BYTES: Final = 2**20
_TICK: Final = 0.1  # seconds between two reports
# Bytes a second above which no further connection is opened: more of them only cost CPU. From one run each (2 GiB, two
# shared cores, a hub on loopback, before this bound was there): one connection brought 587 MB/s, eight brought 322.
_FAST: Final = 200e6
_LOCK_SECONDS: Final = 0.2
_BLOB_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")


@dataclass(frozen=True, slots=True)
class FileProgress:
    """One file: how much of it is here, and how much of that is hashed."""

    path: str
    n_bytes: int
    n_done: int
    n_checked: int


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is. `waiting`: another process fetches the same file, and we wait for it."""

    files: tuple[FileProgress, ...]
    n_fetched: int = 0
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here. `n_fetched` came over the network now; the rest was here before."""

    repository: str
    commit: str
    paths: tuple[Path, ...]
    n_bytes: int
    n_fetched: int


def pull(
    hub: Hub,
    listing: Listing,
    files: Sequence[RepoFile],
    cache: Path,
    *,
    jobs: int = JOBS,
    force: bool = False,
    on_progress: Callable[[PullProgress], None] = lambda progress: None,
    piece_bytes: int | None = None,
) -> Pulled:
    """Fetch files of one listing into the Hub's cache; what is there is not fetched again.

    Raises FitError when there is no room (unless `force`), DownloadError when a file can't be had or is not what the
    Hub says, and KeyboardInterrupt; the state is saved then, and the same call goes on from there. After any of them
    the hub can't be used any more.
    """
    check_names(listing, files)
    try:
        with ExitStack() as stack:
            targets = _targets(hub, listing, files, cache)
            transfer = _Transfer(hub, listing, targets, cache, jobs, piece_bytes, on_progress)
            stack.callback(transfer.release)
            transfer.prepare(force=force)
            transfer.run()
            _remember(listing, cache)
    except OSError as error:
        raise disk_error(error, cache) from error
    paths = tuple(target.pointer for target in sorted(targets, key=lambda target: target.number))
    n_fetched = sum(target.part.n_written for target in targets if target.part)
    return Pulled(listing.repository, listing.commit, paths, sum(file.n_bytes for file in files), n_fetched)


@dataclass(slots=True)
class _Piece:
    """A span of a file that one thread fetches. `start` moves on."""

    target: "_Target"
    start: int
    end: int
    generation: int
    n_ignored: int = 0  # answers in a row that were the whole file


@dataclass(slots=True, eq=False)
class _Target:
    """One file on its way. What threads share is guarded by the transfer's condition."""

    number: int
    file: RepoFile
    blob: Path
    pointer: Path
    location: Location | None = None
    locating: threading.Lock = field(default_factory=threading.Lock)
    held: ExitStack = field(default_factory=ExitStack)  # the blob's lock
    part: PartialFile | None = None
    pieces: deque[_Piece] = field(default_factory=deque)
    generation: int = 0  # counts the times that everything was dropped
    n_active: int = 0
    opened: bool = False  # an answer has shown that the bytes can be had
    streaming: bool = False  # the server knows no ranges
    n_changes: int = 0
    n_mismatches: int = 0
    n_checked: int = 0
    finished: bool = False

    @property
    def progress(self) -> FileProgress:
        """How far it is."""
        n_bytes = self.file.n_bytes
        if self.finished:
            return FileProgress(self.file.path, n_bytes, n_bytes, n_bytes)
        return FileProgress(self.file.path, n_bytes, self.part.n_done if self.part else 0, self.n_checked)


class _Transfer:
    """All files of one pull."""

    def __init__(
        self,
        hub: Hub,
        listing: Listing,
        targets: list[_Target],
        cache: Path,
        jobs: int,
        piece_bytes: int | None,
        on_progress: Callable[[PullProgress], None],
    ) -> None:
        self._hub = hub
        self._listing = listing
        self._targets = targets
        self._cache = cache
        self._jobs = max(1, jobs)
        self._piece_bytes = piece_bytes
        self._on_progress = on_progress
        self._changed = threading.Condition()
        self._events: queue.SimpleQueue[_Target | BaseException] = queue.SimpleQueue()
        self._n_allowed = 1  # pieces under way at once; grows up to `jobs`
        self._measured = (0.0, 0)

    # In the calling thread

    def prepare(self, *, force: bool) -> None:
        """Take the locks, see what is here, and check the room. Raises FitError."""
        for target in sorted(self._targets, key=lambda target: target.blob.name):  # one order for all: no deadlock
            if not (_is_whole(target) and partial.is_clear(target.blob)):
                self._lock(target)
                if _is_whole(target) or has_size(target.blob, target.file.n_bytes):
                    partial.clear(target.blob)
                    self._point(target)
            if _is_whole(target):
                target.finished = True
                target.held.close()
        missing = [target.file for target in self._targets if not target.finished]
        space = room(self._listing, missing, self._cache)
        if missing and not force and not space.fits:
            raise FitError(
                f"There is no room: this needs {size_text(space.n_needed)}, and {size_text(space.n_free)} are free "
                f"in {clean(str(self._cache))}.",
                hint="Make room, or choose a smaller quantization; --force tries all the same.",
            )

    def run(self) -> None:
        """Fetch, verify and publish what is missing."""
        waiting = [target for target in self._targets if not target.finished]
        if not waiting:
            self._report()
            return
        threads = [threading.Thread(target=self._guarded, args=(self._check,), name="pull-check", daemon=True)]
        threads.append(threading.Thread(target=self._guarded, args=(self._sync,), name="pull-sync", daemon=True))
        for n in range(self._jobs):
            threads.append(threading.Thread(target=self._guarded, args=(self._work,), name=f"pull-{n}", daemon=True))
        try:
            for target in waiting:
                self._begin(target)
            for thread in threads:
                thread.start()
            while not all(target.finished for target in self._targets):
                with suppress(queue.Empty):
                    event = self._events.get(timeout=_TICK)
                    if isinstance(event, BaseException):
                        raise event
                    self._publish(event)
                self._widen()
                self._report()
        except BaseException:
            self._hub.interrupt()
            raise
        finally:
            with self._changed:
                self._changed.notify_all()
            until = time.monotonic() + _FAREWELL_SECONDS
            for thread in threads:
                if thread.ident is not None:
                    thread.join(max(0.0, until - time.monotonic()))
            for target in waiting:
                if target.part and not target.finished:
                    with suppress(OSError):  # what is recorded stays recorded
                        target.part.record()
                        target.part.sync()

    def _widen(self) -> None:
        """Allow twice as many connections while those that there are bring less than _FAST."""
        now, n_bytes = time.monotonic(), self._n_written()
        (before, n_before) = self._measured
        elapsed = now - before
        if elapsed < _TICK / 2:
            return
        self._measured = (now, n_bytes)
        if n_before and (n_bytes - n_before) / elapsed < _FAST and self._n_allowed < self._jobs:
            with self._changed:
                self._n_allowed = min(self._jobs, 2 * self._n_allowed)
                self._changed.notify_all()

    def _n_written(self) -> int:
        return sum(target.part.n_written for target in self._targets if target.part)

    def release(self) -> None:
        """Give the locks back."""
        for target in self._targets:
            target.held.close()

    def _lock(self, target: _Target) -> None:
        from filelock import Timeout
        from huggingface_hub.utils._fixes import WeakFileLock

        path = partial.lock_of(target.blob)
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                target.held.enter_context(WeakFileLock(path, timeout=_LOCK_SECONDS))
                return
            except Timeout:
                self._report(waiting=True)

    def _begin(self, target: _Target) -> None:
        listing, file = self._listing, target.file
        check_folders(target.blob.parent, self._cache)
        if not self._cache.exists():
            self._cache.mkdir(parents=True)
        from huggingface_hub._local_folder import _create_cachedir_tag

        _create_cachedir_tag(self._cache)
        etag = target.location.etag if target.location else ""
        origin = Origin(listing.repository, file.path, listing.revision, listing.commit, file.n_bytes, etag)
        target.part = PartialFile(target.blob, origin)
        self._cut(target, target.part.gaps())

    def _cut(self, target: _Target, gaps: Sequence[Span]) -> None:
        """Cut spans into pieces, and put them into the queue."""
        n_bytes = self._piece_bytes or min(max(target.file.n_bytes // (4 * self._jobs), _LEAST_PIECE), _LARGEST_PIECE)
        for start, end in gaps:
            for at in range(start, end, n_bytes):
                target.pieces.append(_Piece(target, at, min(at + n_bytes, end), target.generation))

    def _publish(self, target: _Target) -> None:
        """Give a verified file its name."""
        assert target.part is not None
        _expect_gguf(target)
        partial.put(target.part.data, target.blob)
        partial.sync_folder(target.blob.parent)
        target.part.forget()
        self._point(target)
        target.finished = True
        target.held.close()
        self._forget_older(target)

    def _point(self, target: _Target) -> None:
        """Let the snapshot point at the blob; where there are no symbolic links, the blob moves there."""
        from huggingface_hub.file_download import _create_symlink

        if _is_whole(target):
            return
        check_folders(target.pointer.parent, self._cache)
        target.pointer.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target.pointer) and not is_spelled_so(target.pointer):
            raise DownloadError(
                f"{clean(target.file.path)} differs from another file of its folder only in upper and lower case.",
                hint="Put the cache on a disk that tells them apart, with HF_HUB_CACHE.",
            )
        _create_symlink(str(target.blob), str(target.pointer), new_blob=True)

    def _forget_older(self, target: _Target) -> None:
        """Remove what was begun of an older state of this file in this revision: nobody will ask for it again."""
        this = (self._listing.repository, self._listing.revision, target.file.path)
        for found in partial.find_partials(self._cache):
            if (found.repository, found.revision, found.path) == this and not found.files[0].name.startswith(
                target.blob.name
            ):
                partial.remove(found)

    def _report(self, *, waiting: bool = False) -> None:
        files = tuple(target.progress for target in sorted(self._targets, key=lambda target: target.number))
        self._on_progress(PullProgress(files, self._n_written(), waiting))

    # In threads of their own

    def _guarded(self, action: Callable[[], None]) -> None:
        """Run a thread's work; what goes wrong in it goes to the calling thread."""
        try:
            action()
        except Stopped:
            pass
        except BaseException as error:
            self._events.put(error)

    def _over(self) -> bool:
        return self._hub.stop.is_set() or all(target.finished for target in self._targets)

    def _sync(self) -> None:
        """Keep the states up to date by time, where little comes, and bring what has come to the disk."""
        while not self._over():
            for target in self._targets:
                if target.part and not target.finished:
                    target.part.record()
                    if target.part.n_unsynced >= SYNC_BYTES:
                        target.part.sync()
            self._hub.stop.wait(_RECORD_SECONDS)

    def _work(self) -> None:
        while (piece := self._take()) is not None:
            try:
                self._fetch(piece)
            finally:
                with self._changed:
                    piece.target.n_active -= 1
                    self._changed.notify_all()

    def _take(self) -> _Piece | None:
        """Wait for the next piece, in the order of the files; None when all is done."""
        with self._changed:
            while not self._over():
                n_active = sum(target.n_active for target in self._targets)
                for target in self._targets if n_active < self._n_allowed else ():
                    if target.pieces and (target.opened or not target.n_active):
                        target.n_active += 1
                        return target.pieces.popleft()
                self._changed.wait(_TICK)
        return None

    def _fetch(self, piece: _Piece) -> None:
        """Fetch a piece, however often it takes."""
        target = piece.target
        assert target.part is not None
        n_failed, reached = 0, piece.start
        with target.part.open() as stream:
            while piece.start < piece.end and piece.generation == target.generation:
                try:
                    self._range(piece, stream)
                except Trouble as trouble:
                    n_failed = 0 if piece.start > reached else n_failed + 1
                    reached = max(reached, piece.start)
                    if n_failed >= self._hub.patience.n_tries:
                        raise trouble.error from trouble
                    self._hub.wait(trouble, max(0, n_failed - 1))

    def _range(self, piece: _Piece, stream: BinaryIO) -> None:
        """Ask once for what is left of a piece, and write what comes. Raises Trouble."""
        target, part = piece.target, piece.target.part
        assert part is not None
        location = self._locate(target)
        with self._hub.range(location, piece.start, piece.end) as response:
            if not self._accept(piece, location, response):
                return
            with self._changed:
                target.opened = True
                self._changed.notify_all()
            for data in response.iter_raw():
                if self._hub.stop.is_set():
                    raise Stopped
                if piece.generation != target.generation:
                    return
                if len(data) > piece.end - piece.start:
                    data = data[: piece.end - piece.start]
                    if not data:  # more than was asked for
                        return
                part.write(stream, piece.start, data)
                piece.start += len(data)
        if piece.start < piece.end:
            raise Trouble(cut(clean(response.url.host)))

    def _locate(self, target: _Target) -> Location:
        """Give the address of a file's bytes; ask the Hub if there is none. Raises Trouble and DownloadError."""
        with target.locating:
            if target.location is None:
                listing, file = self._listing, target.file
                found = self._hub.locate(listing.repository, listing.commit, file.path)
                _check_location(found, file, self._hub.host)
                target.location = found
            return target.location

    def _forget(self, target: _Target, location: Location) -> None:
        with target.locating:
            if target.location is location:
                target.location = None

    def _accept(self, piece: _Piece, location: Location, response: "httpx2.Response") -> bool:
        """Judge an answer by its head; False if this piece has become pointless. Raises Trouble and DownloadError."""
        target, status = piece.target, response.status_code
        host = clean(response.url.host)
        if location.signed and status in (401, 403, 404, 410):
            self._forget(target, location)
            raise Trouble(expired(self._hub.host), now=True)
        if status == 416:
            self._forget(target, location)
            error = DownloadError(f"{host} has less of {clean(target.file.path)} than the Hub lists.", hint=_CHANGED)
            raise Trouble(error)
        self._hub.check(response, _Where(self._listing.repository, self._listing.revision, target.file.path))
        if status == 206:
            check_range(response, piece.start, piece.end, target.file.n_bytes)
            piece.n_ignored = 0
            return self._same(piece, location, response)
        if status == 200 and _is_the_file(response, target.file.n_bytes):
            assert target.part is not None
            if target.part.n_done and not target.streaming and piece.n_ignored < _MAX_IGNORED:
                piece.n_ignored += 1
                raise Trouble(DownloadError(f"{host} does not serve parts of files.", hint="Try again later."))
            return self._same(piece, location, response) and self._stream(piece)
        what = "a web page" if "html" in response.headers.get("Content-Type", "") else "something else"
        self._forget(target, location)
        raise Trouble(DownloadError(f"{host} sent {what} instead of {clean(target.file.path)}.", hint=_LOGIN))

    def _same(self, piece: _Piece, location: Location, response: "httpx2.Response") -> bool:
        """Compare the storage's name for the bytes with what it was; drop what we have if it is another file's."""
        target, etag = piece.target, etag_of(response)
        assert target.part is not None
        known = target.part.origin.etag
        if etag in ("", known):
            return True
        if not known or target.file.sha256:
            if known:  # the Hub must still say that it is the same content; in the end the hash decides
                self._forget(target, location)
                self._locate(target)
            target.part.name(etag)
            return True
        target.n_changes += 1
        if target.n_changes > _MAX_CHANGES:
            raise DownloadError(f"{clean(target.file.path)} keeps changing while it is fetched.", hint=_CHANGED)
        if self._reset(piece, etag):
            with self._changed:
                self._cut(target, target.part.gaps())
                self._changed.notify_all()
        piece.end = piece.start
        return False

    def _stream(self, piece: _Piece) -> bool:
        """Take the whole file in one go, from its start, because the server knows no ranges."""
        target = piece.target
        if not self._reset(piece, None):
            return False
        target.streaming = True
        piece.start, piece.end = 0, target.file.n_bytes
        return True

    def _reset(self, piece: _Piece, etag: str | None) -> bool:
        """Drop all that is there of a file, once nobody else writes it; False if somebody else has done so."""
        target = piece.target
        assert target.part is not None
        with self._changed:
            if piece.generation != target.generation:
                return False
            target.generation += 1
            piece.generation = target.generation
            target.pieces.clear()
            self._changed.wait_for(lambda: target.n_active <= 1 or self._hub.stop.is_set())
            if self._hub.stop.is_set():
                raise Stopped
            if etag is not None or target.part.n_done:
                target.part.restart(target.part.origin.etag if etag is None else etag)
            return True

    def _check(self) -> None:
        """Hash each file behind its writers, in order, and report those that are right."""
        for target in self._targets:
            while not target.finished and not self._hub.stop.is_set():
                generation = target.generation
                found, expected = self._hash(target, generation)
                if found is None:
                    continue  # everything was dropped meanwhile
                assert target.part is not None
                if found == expected:
                    target.part.sync()
                    self._events.put(target)
                    break
                self._mismatch(target)

    def _mismatch(self, target: _Target) -> None:
        """Drop a file that is not what the Hub says, and begin it anew; the second time, give up."""
        assert target.part is not None
        target.n_mismatches += 1
        if target.n_mismatches >= _MAX_MISMATCHES:
            target.part.remove()
            raise DownloadError(
                f"{clean(target.file.path)} came damaged twice: its sha256 is not the one the Hub publishes.",
                hint="The damaged file has been removed. Try again later, or from another network.",
            )
        with self._changed:
            target.generation += 1
            target.part.restart()
            target.location, target.opened = None, False
            self._cut(target, target.part.gaps())
            self._changed.notify_all()

    def _hash(self, target: _Target, generation: int) -> tuple[str | None, str | None]:
        """Give the hash of a file and the one it should have; (None, None) if everything was dropped meanwhile."""
        assert target.part is not None
        digest, expected = _digest(target)
        n_bytes, at = target.file.n_bytes, 0
        buffer = memoryview(bytearray(_HASH_BYTES))
        with target.part.data.open("rb", buffering=0) as stream:
            while at < n_bytes:
                if target.generation != generation:
                    return None, None
                if self._hub.stop.is_set():
                    raise Stopped
                n = min(target.part.prefix - at, _HASH_BYTES)
                if n <= 0:
                    if self._hub.stop.wait(0.01):
                        raise Stopped
                    continue
                n = stream.readinto(buffer[:n]) or 0
                if not n:
                    what = f"Another program has cut {clean(str(target.part.data))} short."
                    raise DownloadError(what, hint="Run the same command again.")
                digest.update(buffer[:n])
                at = target.n_checked = at + n
        if target.generation != generation:
            return None, None
        return digest.hexdigest() if expected else "", expected


_CHANGED: Final = "It has changed on the server: run the same command again."
_LOGIN: Final = "Does this network ask for a login, or block downloads?"


def _targets(hub: Hub, listing: Listing, files: Sequence[RepoFile], cache: Path) -> list[_Target]:
    """Name the blob and the pointer of each file. Asks the Hub for the name of a file without a sha256."""
    targets = []
    for number, file in enumerate(files):
        name, location = file.sha256, None
        if name is None:
            location = hub.patiently(
                lambda path=file.path: hub.locate(listing.repository, listing.commit, path),  # type: ignore[misc]
                hub.patience.n_questions,
            )
            _check_location(location, file, hub.host)
            name = location.etag
        if not _BLOB_NAME.fullmatch(name):
            raise DownloadError(
                f"{hub.host} gives {clean(file.path)} no name that can be kept.", hint="Try again later."
            )
        blob = storage(listing, cache) / "blobs" / name
        targets.append(_Target(number, file, blob, place(listing, file, cache), location))
    first: dict[Path, _Target] = {}
    for target in targets:  # the same content under two names would be fetched by two at once
        if first.setdefault(target.blob, target) is not target:
            raise DownloadError(
                f"{clean(target.file.path)} is the same file as {clean(first[target.blob].file.path)}.",
                hint="The repository is broken: choose another one.",
            )
    return targets


def _check_location(location: Location, file: RepoFile, host: str) -> None:
    """Return if the Hub speaks of the file that it has listed. Raises DownloadError."""
    other = file.sha256 and re.fullmatch(r"[0-9a-f]{64}", location.etag) and location.etag != file.sha256
    if other or location.n_bytes not in (None, file.n_bytes):
        raise DownloadError(f"{host} has another {clean(file.path)} than the one it lists.", hint=_CHANGED)


def _is_the_file(response: "httpx2.Response", n_bytes: int) -> bool:
    """Tell whether an answer with status 200 can be the whole file."""
    told = response.headers.get("Content-Length", str(n_bytes))
    kind = response.headers.get("Content-Type", "")
    plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return bool(told == str(n_bytes) and "html" not in kind and plain)


def _digest(target: _Target) -> tuple[Any, str | None]:
    """Choose the hash that a file is known by: the Hub's sha256, or git's own of a small file, or none."""
    if target.file.sha256:
        return hashlib.sha256(), target.file.sha256
    if re.fullmatch(r"[0-9a-f]{40}", target.blob.name):
        return hashlib.sha1(b"blob %d\0" % target.file.n_bytes, usedforsecurity=False), target.blob.name
    return hashlib.sha256(), ""


def _expect_gguf(target: _Target) -> None:
    """Refuse what is called a GGUF and is none. Raises DownloadError."""
    assert target.part is not None
    if not target.file.path.lower().endswith(".gguf"):
        return
    with target.part.data.open("rb") as stream:
        head = stream.read(SNIFF_BYTES)
    if not head.startswith((b"GGUF", b"FUGG")):
        target.part.remove()
        wrong = not_a_gguf(clean(target.file.path), head, target.file.n_bytes)
        raise DownloadError(wrong.message, hint="The repository holds no model here: choose another one.")


def _is_whole(target: _Target) -> bool:
    """Tell whether the snapshot has the file: its own blob, or without symbolic links a file of the right size."""
    pointer = target.pointer
    try:
        if pointer.is_symlink():
            return pointer.resolve() == target.blob.resolve() and has_size(pointer, target.file.n_bytes)
        return is_spelled_so(pointer) and has_size(pointer, target.file.n_bytes)
    except OSError:
        return False


def _remember(listing: Listing, cache: Path) -> None:
    """Note which commit the revision is, as huggingface_hub does."""
    from huggingface_hub.file_download import _cache_commit_hash_for_specific_revision

    folder = storage(listing, cache)
    check_folders((folder / "refs" / listing.revision).parent, cache)
    _cache_commit_hash_for_specific_revision(str(folder), listing.revision, listing.commit)
