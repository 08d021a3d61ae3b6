"""A Hub on loopback: a real HTTP server that speaks the Hub's API as huggingface_hub uses it, and can misbehave.

Two servers in threads. The Hub (http://127.0.0.1:PORT) knows model info, trees and resolve addresses; the storage
(http://localhost:PORT, another host) gives the bytes of large files under signed addresses, as the Hub's CDN does.
Every request is logged, with the range it asked for. As a program, `python -m tests.hub --n-bytes N` serves a generated
file, prints a line of JSON that says where, and lives until its stdin ends.
"""

import argparse
import hashlib
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

BLOCK: Final = 2**20


class Content(Protocol):
    """The bytes of a file."""

    n_bytes: int
    sha256: str
    sha1: str

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Give the bytes [start, end) in pieces of at most BLOCK."""


class Bytes:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.n_bytes = len(data)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Cut them."""
        view = memoryview(self.data)[start:end]
        for at in range(0, len(view), BLOCK):
            yield view[at : at + BLOCK]


class Pattern:
    """As many bytes as you like, none of them stored: a random block whose length divides nothing, over and over."""

    def __init__(self, n_bytes: int, seed: int = 1) -> None:
        self.n_bytes = n_bytes
        self._block = b"GGUF" + random.Random(seed).randbytes(7 * BLOCK - 7)
        digest = hashlib.sha256()
        for piece in self.pieces(0, n_bytes):
            digest.update(piece)
        self.sha256, self.sha1 = digest.hexdigest(), "0" * 40

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Cut them out of the block."""
        view = memoryview(self._block)
        while start < end:
            at = start % len(view)
            n = min(len(view) - at, end - start, BLOCK)
            yield view[at : at + n]
            start += n


class OnDisk:
    """A file of this machine, also one with holes. It is not read to be hashed: its name stands for it."""

    def __init__(self, file: Path) -> None:
        self.n_bytes = file.stat().st_size
        self.sha256, self.sha1 = hashlib.sha256(file.name.encode()).hexdigest(), "1" * 40
        self._file = file

    def pieces(self, start: int, end: int) -> Iterator[memoryview]:
        """Read them."""
        with self._file.open("rb") as stream:
            stream.seek(start)
            for at in range(start, end, BLOCK):
                yield memoryview(stream.read(min(BLOCK, end - at)))


@dataclass(slots=True)
class Fault:
    """One way to misbehave, for so many answers (-1: always) at "api", "resolve" or "data", after `skip` good ones."""

    at: str
    times: int = 1
    skip: int = 0
    status: int = 0  # answer with this status
    headers: Mapping[str, str] = field(default_factory=dict)  # … and these headers, which also overwrite good ones
    body: bytes | None = None  # … or with this body and status 200
    cut: int = -1  # break the connection after so many bytes of the body
    stall: int = -1  # say nothing more after so many bytes of the body
    flip: int = -1  # turn the byte at this place of the file
    short: int = 0  # leave out so many bytes at the end, and say so in the length
    whole: bool = False  # ignore the Range
    shift: int = 0  # claim another range
    expire: bool = False  # make all signatures given so far invalid, before answering
    loop: bool = False  # redirect to the same address
    to: str = ""  # redirect to this address
    path: str = ""  # only for addresses that contain this


@dataclass(slots=True)
class Seen:
    """One request, as it came, and what became of it. `range` is what it asked for."""

    server: str
    method: str
    path: str
    range: tuple[int, int] | None
    headers: dict[str, str]
    status: int = 0
    n_sent: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of a commit."""

    content: Content
    lfs: bool = True


class Hub:
    """The two servers. A context manager; everything may be changed while it runs."""

    def __init__(self, *, latency: float = 0.0, rate: float = 0.0, signed: bool = True) -> None:
        self.latency = latency  # seconds before each answer
        self.rate = rate  # bytes a second and connection; 0: no bound
        self.signed = signed  # False: the Hub gives the bytes itself
        self.gated = False
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.renamed: dict[str, str] = {}
        self.etags: dict[str, str] = {}  # of the storage, by sha256; else the sha256
        self._repositories: dict[str, dict[str, dict[str, Stored]]] = {}
        self._heads: dict[tuple[str, str], str] = {}
        self._signatures: set[str] = set()
        self._lock = threading.Lock()
        self.release = threading.Event()
        self._servers = [_Server(("127.0.0.1", 0), _handler(self, name)) for name in ("hub", "store")]
        ports = [server.server_address[1] for server in self._servers]
        self.endpoint = f"http://127.0.0.1:{ports[0]}"
        self.store = f"http://localhost:{ports[1]}"

    def __enter__(self) -> "Hub":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def put(
        self, repository: str, files: Mapping[str, bytes | Content], *, revision: str = "main", lfs: bool = True
    ) -> str:
        """Make a commit that holds these files; give its hash."""
        stored = {
            path: Stored(Bytes(data) if isinstance(data, bytes) else data, lfs or (path.endswith(".gguf") and lfs))
            for path, data in files.items()
        }
        commits = self._repositories.setdefault(repository, {})
        text = repr((repository, len(commits), sorted((path, file.content.sha256) for path, file in stored.items())))
        commit = hashlib.sha1(text.encode("utf-8", "surrogatepass")).hexdigest()
        commits[commit] = stored
        self._heads[repository, revision] = commit
        return commit

    def n_asked(self, since: int = 0) -> int:
        """Count the bytes that were asked for by range at the storage, or wherever bytes are given."""
        return sum(end - start for start, end in self.ranges(since))

    def ranges(self, since: int = 0) -> list[tuple[int, int]]:
        """List the ranges that were asked for, in order."""
        return [seen.range for seen in self.seen[since:] if seen.method == "GET" and seen.range]

    def expire(self) -> None:
        """Make every signature given so far invalid."""
        with self._lock:
            self._signatures.clear()

    def sign(self, sha256: str) -> str:
        """Give a signed address of a blob."""
        with self._lock:
            signature = f"{len(self.seen)}-{random.getrandbits(64):x}"
            self._signatures.add(signature)
        return f"{self.store}/{sha256}?X-Signature={signature}"

    def accepts(self, signature: str) -> bool:
        """Check one."""
        with self._lock:
            return signature in self._signatures

    def fault(self, at: str, path: str) -> Fault | None:
        """Take the fault that is due for this answer."""
        with self._lock:
            for fault in self.faults:
                if fault.at != at or fault.times == 0 or fault.path not in path:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def find(self, repository: str, revision: str) -> tuple[str, dict[str, Stored]] | None:
        """Look a commit up."""
        commit = self._heads.get((repository, revision), revision)
        files = self._repositories.get(repository, {}).get(commit)
        return None if files is None else (commit, files)

    def knows(self, repository: str) -> bool:
        """Tell whether there is a repository."""
        return repository in self._repositories

    def blob(self, sha256: str) -> Content | None:
        """Look a blob up."""
        for commits in self._repositories.values():
            for files in commits.values():
                for file in files.values():
                    if file.content.sha256 == sha256:
                        return file.content
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are nothing to talk about."""


def _handler(hub: Hub, name: str) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"hub": hub, "name": name})


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    name: str
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def do_HEAD(self) -> None:
        """Answer like GET, without a body."""
        self._answer()

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def _answer(self) -> None:
        hub = self.hub
        if hub.latency:
            time.sleep(hub.latency)
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.seen = Seen(self.name, self.command, self.path, _range(headers.get("range")), headers)
        hub.seen.append(self.seen)
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        self.fault = None
        with suppress(OSError):
            if self.name == "store":
                self._blob(path.strip("/"), parse_qs(parts.query))
            elif path.startswith("/api/models/"):
                self._api(path.removeprefix("/api/models/"))
            else:
                self._resolve(path)

    def _faulty(self, at: str) -> bool:
        """Take the fault that is due; tell whether it is the whole answer."""
        fault = self.fault = self.hub.fault(at, self.path)
        if fault is None:
            return False
        if fault.expire:
            self.hub.expire()
        if fault.loop or fault.to:
            self._send(302, {"Location": fault.to or self.path})
        elif fault.body is not None:
            self._send(fault.status or 200, fault.headers, fault.body)
        elif fault.status:
            self._send(fault.status, fault.headers, b"no")
        else:
            return False
        return True

    def _api(self, path: str) -> None:
        if self._faulty("api"):
            return
        for old, new in self.hub.renamed.items():
            if path.startswith(old):
                self._send(307, {"Location": f"/api/models/{new}{self.path.split(old, 1)[1]}"})
                return
        repository, _, rest = path.partition("/revision/")
        if "/tree/" in path:
            repository, _, rest = path.partition("/tree/")
        revision, _, _ = (rest or "main").partition("/" if "/tree/" in path else "\0")
        found = self.hub.find(repository, revision)
        if found is None:
            self._missing(repository)
            return
        commit, files = found
        if "/tree/" in path:
            self._json([_leaf(name, file) for name, file in files.items()])
            return
        siblings = [
            {
                "rfilename": name,
                "size": file.content.n_bytes,
                "blobId": file.content.sha1,
                **({"lfs": _lfs(file)} if file.lfs else {}),
            }
            for name, file in files.items()
        ]
        self._json(
            {
                "_id": "1",
                "id": repository,
                "modelId": repository,
                "sha": commit,
                "private": False,
                "gated": "manual" if self.hub.gated else False,
                "tags": [],
                "downloads": 1,
                "likes": 1,
                "siblings": siblings,
                "createdAt": "2025-01-20T00:00:00.000Z",
            }
        )

    def _missing(self, repository: str) -> None:
        if self.hub.knows(repository):
            self._send(404, {"X-Error-Code": "RevisionNotFound"}, b"Invalid rev id")
        else:
            self._send(401, {"X-Error-Code": "RepoNotFound"}, b"Repository not found")

    def _resolve(self, path: str) -> None:
        if self._faulty("resolve"):
            return
        for old, new in self.hub.renamed.items():
            if path.startswith(f"/{old}/"):
                self._send(307, {"Location": self.path.replace(f"/{old}/", f"/{new}/", 1)})
                return
        repository, _, rest = path.strip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        found = self.hub.find(repository, revision)
        if found is None:
            self._missing(repository)
            return
        commit, files = found
        file = files.get(name)
        if file is None:
            self._send(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b"Entry not found")
            return
        if self.hub.gated:
            self._send(403, {"X-Error-Code": "GatedRepo", "X-Repo-Commit": commit}, b"Access is restricted")
            return
        headers = {"X-Repo-Commit": commit}
        extra = self.fault.headers if self.fault else {}
        if file.lfs:
            headers["X-Linked-Size"] = str(file.content.n_bytes)
            headers["X-Linked-Etag"] = f'"{file.content.sha256}"'
        if file.lfs and self.hub.signed:
            self._send(302, {**headers, "Location": self.hub.sign(file.content.sha256), **extra})
            return
        headers["ETag"] = f'"{file.content.sha256 if file.lfs else file.content.sha1}"'
        if self.command == "GET" and self._faulty("data"):
            return
        self._content(file.content, headers)

    def _blob(self, sha256: str, query: Mapping[str, list[str]]) -> None:
        if self._faulty("data"):
            return
        content = self.hub.blob(sha256)
        if content is None or not self.hub.accepts(query.get("X-Signature", [""])[0]):
            self._send(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
            return
        self._content(content, {"ETag": f'"{self.hub.etags.get(sha256, sha256)}"'})

    def _content(self, content: Content, headers: dict[str, str]) -> None:
        """Send a file or a part of it, with what the fault of the hour makes of it."""
        fault = self.fault or Fault("")
        n_bytes = content.n_bytes - fault.short
        start, end, status = 0, n_bytes, 200
        if self.seen.range and not fault.whole:
            start, end = self.seen.range[0], min(self.seen.range[1], n_bytes)
            if start >= n_bytes:
                self._send(416, {"Content-Range": f"bytes */{n_bytes}"})
                return
            status = 206
            headers["Content-Range"] = f"bytes {start + fault.shift}-{end - 1 + fault.shift}/{n_bytes}"
        self._head(status, {**headers, "Accept-Ranges": "bytes", "Content-Length": str(end - start), **fault.headers})
        if self.command == "HEAD":
            return
        limits = [n for n in (fault.cut, fault.stall) if n >= 0]
        for piece in content.pieces(start, min([end, *(start + n for n in limits)])):
            at = start + self.seen.n_sent
            self._out(_flipped(piece, fault.flip - at))
        if fault.stall >= 0:
            self.hub.release.wait()
        if limits:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _out(self, data: bytes | memoryview) -> None:
        rate = self.hub.rate
        step = max(1, int(rate / 50)) if rate else len(data)
        for at in range(0, len(data), step or 1):
            piece = data[at : at + step]
            begun = time.monotonic()
            self.connection.sendall(piece)
            self.seen.n_sent += len(piece)
            if rate:
                time.sleep(max(0.0, len(piece) / rate - (time.monotonic() - begun)))

    def _json(self, value: object) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _send(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self._head(status, {"Content-Length": str(len(body)), **headers})
        if self.command != "HEAD" and body:
            self._out(body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.seen.status = status
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()


def _flipped(piece: memoryview, at: int) -> bytes | memoryview:
    if not 0 <= at < len(piece):
        return piece
    data = bytearray(piece)
    data[at] ^= 0x10
    return bytes(data)


def _lfs(file: Stored) -> dict[str, object]:
    return {"sha256": file.content.sha256, "size": file.content.n_bytes, "pointerSize": 135}


def _leaf(name: str, file: Stored) -> dict[str, object]:
    leaf: dict[str, object] = {"type": "file", "path": name, "size": file.content.n_bytes, "oid": file.content.sha1}
    if file.lfs:
        leaf["lfs"] = {"oid": file.content.sha256, "size": file.content.n_bytes, "pointerSize": 135}
    return leaf


def _range(header: str | None) -> tuple[int, int] | None:
    if not header or not header.startswith("bytes="):
        return None
    start, _, end = header.removeprefix("bytes=").partition("-")
    return int(start), int(end) + 1 if end else 2**62


def main() -> None:
    """Serve one generated file as its own process, until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n-bytes", type=int, default=2 * 2**30)
    parser.add_argument("--n-files", type=int, default=1)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0)
    options = parser.parse_args()
    names = ["big-Q4_K_M.gguf"]
    if options.n_files > 1:
        names = [f"big-Q4_K_M-{n + 1:05d}-of-{options.n_files:05d}.gguf" for n in range(options.n_files)]
    files = {name: Pattern(options.n_bytes // options.n_files, seed) for seed, name in enumerate(names)}
    with Hub(latency=options.latency, rate=options.rate) as hub:
        hub.put("bench/big-GGUF", files)
        told = {"endpoint": hub.endpoint, "store": hub.store, "files": names, "repository": "bench/big-GGUF"}
        print(json.dumps(told), flush=True)  # noqa: T201
        for line in sys.stdin:  # "ranges": what was asked for so far, and forget it
            if line.strip() == "ranges":
                print(json.dumps([[*seen.range, seen.n_sent] for seen in hub.seen if seen.range]), flush=True)  # noqa: T201
                hub.seen.clear()


if __name__ == "__main__":
    main()
