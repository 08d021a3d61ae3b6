"""The Hub over HTTP: what a repository holds, where a file's bytes are, and single ranges of them.

Knows addresses, headers, redirects, tokens and the sentences for what goes wrong; knows nothing of the disk.

Redirects are followed by hand, because each asks the same question: may this address see the token? It goes with a
request only to the host that the user's endpoint names, if the policy knows that host, and never to where that host
sends us: the storage behind the Hub gets signed addresses, and a signature is enough for it.
"""

import io
import os
import random
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar, cast
from urllib.parse import quote, urljoin, urlsplit

from r1chat import __version__
from r1chat.core.sanitize import clean
from r1chat.errors import DownloadError, NotFoundError, R1ChatError, UsageError
from r1chat.models.variants import RepoFile

if TYPE_CHECKING:
    import httpx2

ENDPOINT: Final = "https://huggingface.co"
_HUB_HOST: Final = "huggingface.co"
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9._-]{1,96})?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})  # what may be right the next time
_MAX_REDIRECTS: Final = 10
_MAX_LISTING_BYTES: Final = 32 * 2**20  # 100,000 files; the largest R1 repository has some 200
_MAX_PATH: Final = 4096
MAX_SOURCE_BYTES: Final = 16 * 2**20  # models/gguf.py's bound for a header

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Which hosts may see the token: huggingface.co over https, and those that the user named, as HOST or HOST:PORT."""

    token: str | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()

    def token_for(self, url: str) -> str | None:
        """Give the token if this address may see it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # brackets or a port that are none; whoever opens it says so
            return None
        host = (parts.hostname or "").lower()
        if not self.token or not host or parts.username is not None:
            return None
        if host == _HUB_HOST and parts.scheme == "https" and port in (None, 443):
            return self.token
        named = {name.strip().lower() for name in self.hosts} - {_HUB_HOST}
        return self.token if named & {host, f"{host}:{port}"} and parts.scheme in ("http", "https") else None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait and how often to try. `n_tries` counts those in a row that brought not one byte."""

    connect_seconds: float = 10.0
    stall_seconds: float = 30.0
    n_tries: int = 8  # with the waits between them some two minutes: a router's restart
    n_questions: int = 4  # the same for listings, where somebody waits for the first word
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_asked: float = 300.0  # of a server's Retry-After; more is told, not waited for


class Trouble(Exception):
    """Something that may be over the next time. `error` is what to say if it isn't; `seconds` what the server asks.

    `now`: the first new try needs no wait.
    """

    def __init__(self, error: R1ChatError, *, seconds: float | None = None, now: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.seconds = seconds
        self.now = now


class Stopped(Exception):
    """Somebody wants everything to end."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds at one commit."""

    repository: str
    revision: str
    commit: str
    files: tuple[RepoFile, ...]
    gated: bool = False


@dataclass(frozen=True, slots=True)
class Location:
    """Where a file's bytes are now. `signed`: elsewhere than on the Hub, under an address that expires.

    `etag` is the Hub's name for the content (the sha256 of a large file), `n_bytes` its size, each if the Hub told it.
    """

    url: str
    signed: bool
    etag: str
    n_bytes: int | None


class Hub:
    """One Hub, or a mirror of it. A context manager; its methods may be called by many threads."""

    def __init__(
        self,
        endpoint: str = ENDPOINT,
        tokens: TokenPolicy = TokenPolicy(),
        *,
        offline: bool = False,
        patience: Patience = Patience(),
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.patience = patience
        self.stop = threading.Event()
        self._tokens = tokens
        self._offline = offline
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self._open: set[httpx2.Response] = set()
        parts = _parts(self.endpoint)
        if parts is None or parts[0] not in ("http", "https"):
            shown = clean(re.sub(r"//[^/]*@", "//", self.endpoint))  # without a password
            raise UsageError(f"{shown} is no address of a Hub.", hint=f"The usual one is {ENDPOINT}.")

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every transfer."""
        self.interrupt()
        if self._client is not None:
            self._client.close()

    def interrupt(self) -> None:
        """Wake whatever waits for bytes or for the next try; it raises Stopped."""
        self.stop.set()
        with self._lock:
            responses = tuple(self._open)
        for response in responses:
            stream = response.extensions.get("network_stream")
            connection = stream.get_extra_info("socket") if stream is not None else None
            if connection is not None:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    @property
    def host(self) -> str:
        """The Hub's host, for messages."""
        return _site(self.endpoint)

    def listing(self, repository: str, revision: str = "main") -> Listing:
        """Ask what a repository holds. Raises NotFoundError for one that isn't there, and DownloadError."""
        check_repository(repository)
        check_revision(revision)
        url = f"{self.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        where = _Where(repository, revision)
        answer = self.patiently(lambda: self._json(url, where), self.patience.n_questions)
        try:
            commit = answer["sha"]
            if not _COMMIT.fullmatch(commit):
                raise ValueError(commit)
            files = tuple(_repo_file(sibling) for sibling in answer["siblings"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DownloadError(
                f"{self.host} answered with something that is no listing of {repository}.",
                hint="Is HF_ENDPOINT the address of a Hub?",
            ) from error
        name = answer.get("id")  # in the owner's letters: two spellings must not be two folders of the cache
        if isinstance(name, str) and name.casefold() == repository.casefold():
            check_repository(name)
            repository = name
        return Listing(repository, revision, commit, files, bool(answer.get("gated")))

    def locate(self, repository: str, commit: str, path: str) -> Location:
        """Ask the Hub where a file's bytes are. Raises Trouble, NotFoundError and DownloadError."""
        url = f"{self.endpoint}/{repository}/resolve/{commit}/{quote(path)}"
        where = _Where(repository, commit, path)
        etag, n_bytes = "", None
        for _ in range(_MAX_REDIRECTS):
            with self.send("HEAD", url, allowed=_same_origin(url, self.endpoint)) as response:
                self.check(response, where)
                headers = response.headers
                etag = etag or _etag(headers.get("X-Linked-Etag") or headers.get("ETag"))
                target = _target(url, response)
                told = headers.get("X-Linked-Size") or (None if target else headers.get("Content-Length"))
                n_bytes = int(told) if told and told.isdecimal() and len(told) < 19 else n_bytes
            if target is None:
                return Location(url, signed=False, etag=etag, n_bytes=n_bytes)
            if not _same_origin(target, url):
                return Location(target, signed=True, etag=etag, n_bytes=n_bytes)
            url = target
        raise _loop(self.host)

    @contextmanager
    def range(self, location: Location, start: int, end: int) -> "Iterator[httpx2.Response]":
        """Ask for the bytes [start, end) of a file; give the answer, whatever its status, unread. Raises Trouble."""
        url = location.url
        headers = {"Range": f"bytes={start}-{end - 1}"}
        for _ in range(_MAX_REDIRECTS):
            allowed = not location.signed and _same_origin(url, self.endpoint)
            with self.send("GET", url, headers, allowed=allowed) as response:
                target = _target(url, response)
                if target is None:
                    yield response
                    return
            url = target
        raise _loop(self.host)

    def source(self, repository: str, commit: str, path: str) -> "RangeSource":
        """Give a stream that reads a file in place, for a look at its header."""
        location = self.patiently(lambda: self.locate(repository, commit, path), self.patience.n_questions)
        return RangeSource(self, location, _Where(repository, commit, path))

    @contextmanager
    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, *, allowed: bool
    ) -> "Iterator[httpx2.Response]":
        """Send one request and give its answer, unread. The token goes with it only if `allowed`. Raises Trouble."""
        import httpx2

        if self._offline:
            raise DownloadError(
                "This needs the network, and --offline or HF_HUB_OFFLINE forbids it.", hint="Try again without it."
            )
        token = self._tokens.token_for(url) if allowed else None
        wanted = {
            "Accept-Encoding": "identity",  # the sizes and ranges of the file itself
            "User-Agent": f"r1chat/{__version__}",
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **(headers or {}),
        }
        response: httpx2.Response | None = None
        try:
            client = self._connected()
            response = client.send(client.build_request(method, url, headers=wanted), stream=True)
            with self._lock:
                self._open.add(response)
            if self.stop.is_set():
                raise Stopped
            yield response
        except (httpx2.TransportError, httpx2.InvalidURL, UnicodeError, RuntimeError) as error:
            if self.stop.is_set():
                raise Stopped from error
            if isinstance(error, RuntimeError) and not isinstance(error, httpx2.StreamError):
                raise
            raise _trouble(error, url) from error
        finally:
            if response is not None:
                with self._lock:
                    self._open.discard(response)
                response.close()

    def check(self, response: "httpx2.Response", where: "_Where") -> None:
        """Return for a good answer or a redirect. Raises Trouble for what may pass, else the error in words."""
        status, headers = response.status_code, response.headers
        if status < 400:
            return
        if status in _AGAIN:
            raise self.busy(response)
        code = headers.get("X-Error-Code", "")
        raise _refusal(status, code, where, self.host, self._tokens.token_for(self.endpoint) is not None)

    def busy(self, response: "httpx2.Response") -> Trouble:
        """Say that the server can't now, and when it asks to come back."""
        host = clean(response.url.host)
        seconds = _retry_after(response.headers.get("Retry-After"))
        what = "has too many requests from here" if response.status_code == 429 else "can't answer now"
        error = DownloadError(
            f"{host} {what} (status {response.status_code}).", hint="Run the same command later; it goes on from here."
        )
        if seconds is not None and seconds > self.patience.longest_asked:
            raise DownloadError(error.message, hint=f"It asks to come back in {seconds / 60:.0f} minutes.")
        return Trouble(error, seconds=seconds)

    def patiently(self, action: Callable[[], _T], n_tries: int) -> _T:
        """Do something that may raise Trouble, up to so many times. Raises what the last Trouble says."""
        for n in range(n_tries):
            try:
                return action()
            except Trouble as trouble:
                if n + 1 == n_tries:
                    raise trouble.error from trouble
                self.wait(trouble, n)
        raise AssertionError("no tries")

    def wait(self, trouble: Trouble, n_before: int) -> None:
        """Wait before the next try: as long as the server asks, else twice as long each time, with a random part."""
        patience = self.patience
        seconds = min(patience.longest_wait, patience.first_wait * 2**n_before) * random.uniform(0.5, 1.0)
        if trouble.seconds is not None:
            seconds = trouble.seconds
        if self.stop.wait(0.0 if trouble.now and not n_before else seconds):
            raise Stopped

    def _json(self, url: str, where: "_Where") -> dict[str, Any]:
        for _ in range(_MAX_REDIRECTS):
            with self.send("GET", url, allowed=_same_origin(url, self.endpoint)) as response:
                self.check(response, where)
                target = _target(url, response)
                if target is None:
                    body = bytearray()
                    for chunk in response.iter_raw():
                        body += chunk
                        if len(body) > _MAX_LISTING_BYTES:
                            break
                    import json

                    try:
                        answer = json.loads(body)
                    except (ValueError, RecursionError):
                        answer = None
                    return answer if isinstance(answer, dict) else {}
                if not _same_origin(target, url):
                    raise DownloadError(
                        f"{self.host} sends us to {clean(_site(target))} for its listing.",
                        hint="If you trust it, name it with HF_ENDPOINT.",
                    )
            url = target
        raise _loop(self.host)

    def _connected(self) -> "httpx2.Client":
        with self._lock:
            if self._client is None:
                import httpx2

                timeout = httpx2.Timeout(self.patience.stall_seconds, connect=self.patience.connect_seconds)
                limits = httpx2.Limits(max_connections=None, max_keepalive_connections=32)
                try:
                    self._client = httpx2.Client(follow_redirects=False, timeout=timeout, limits=limits)
                except (OSError, ssl.SSLError) as error:
                    raise DownloadError(
                        f"The certificates can't be read: {error}.", hint="Check SSL_CERT_FILE and SSL_CERT_DIR."
                    ) from error
                except (ValueError, ImportError, httpx2.InvalidURL) as error:
                    raise DownloadError(
                        f"The proxy can't be used: {clean(str(error)).rstrip('.')}.",
                        hint="Check HTTPS_PROXY and HTTP_PROXY.",
                    ) from error
            return self._client


class RangeSource(io.RawIOBase):
    """A file on the Hub as a seekable stream. Each read is one range; all reads together are bounded."""

    def __init__(self, hub: Hub, location: Location, where: "_Where") -> None:
        super().__init__()
        if location.n_bytes is None:
            raise DownloadError(f"{hub.host} does not say how large {clean(where.path)} is.", hint="Pull the model.")
        self.n_fetched = 0
        self._hub = hub
        self._location = location
        self._where = where
        self._size = location.n_bytes
        self._position = 0

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Tell the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position; costs nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Fetch the next bytes. Raises DownloadError."""
        start = min(self._position, self._size)
        end = self._size if size < 0 else min(start + size, self._size)
        if start == end:
            return b""
        if self.n_fetched + end - start > MAX_SOURCE_BYTES:
            raise DownloadError(
                f"The header of {clean(self._where.path)} is too large to be read from afar.", hint="Pull the model."
            )
        data = bytearray()
        self._hub.patiently(lambda: self._fetch(data, start, end), self._hub.patience.n_questions)
        self._position = end
        return bytes(data)

    def readall(self) -> bytes:
        """Fetch the rest."""
        return self.read()

    def readinto(self, buffer: Any) -> int:
        """Fetch into a buffer."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, data: bytearray, start: int, end: int) -> None:
        begun = start + len(data)
        with self._hub.range(self._location, begun, end) as response:
            if self._location.signed and response.status_code in (401, 403, 404, 410):
                self._location = self._hub.locate(self._where.repository, self._where.revision, self._where.path)
                raise Trouble(expired(self._hub.host), now=True)
            self._hub.check(response, self._where)
            if response.status_code == 206:
                check_range(response, begun, end, self._size)
            elif begun:  # no ranges here: we would have to read all that stands before it
                raise DownloadError(f"{self._hub.host} does not serve parts of files.", hint="Pull the model.")
            for chunk in response.iter_raw():
                data += chunk[: end - start - len(data)]
                self.n_fetched += len(chunk)
                if len(data) == end - start:
                    return
        raise Trouble(cut(self._hub.host))


def as_stream(source: RangeSource) -> BinaryIO:
    """See a range source as what `read_header` takes."""
    return cast("BinaryIO", source)


def check_range(response: "httpx2.Response", start: int, end: int, n_bytes: int) -> None:
    """Return when a 206 answer is what was asked for, or the beginning of it. Raises Trouble."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    fits = match and int(match[1]) == start and start <= int(match[2]) < end and match[3] in ("*", str(n_bytes))
    if not fits or response.headers.get("Content-Encoding", "identity") != "identity":
        host = clean(response.url.host)
        raise Trouble(DownloadError(f"{host} sent other bytes than those asked for.", hint="Try again later."))


def etag_of(response: "httpx2.Response") -> str:
    """Give the storage's name for the bytes; empty for none, or a weak one."""
    told = response.headers.get("ETag", "")
    return "" if told.startswith("W/") else _etag(told)


def cut(host: str) -> DownloadError:
    """Say that an answer ended too early."""
    return DownloadError(
        f"{host} ended in the middle of the file.", hint="Run the same command again; it goes on here."
    )


def expired(host: str) -> DownloadError:
    """Say that an address can't be used any more."""
    return DownloadError(f"{host} gives addresses that its storage refuses.", hint="Try again later.")


def check_repository(repository: str) -> None:
    """Return for a name that a repository can have. Raises UsageError."""
    if not _REPOSITORY.fullmatch(repository) or ".." in repository or "--" in repository:
        raise UsageError(
            f"{clean(repository)[:100]!r} is no name of a repository.", hint="They are named USER/REPOSITORY."
        )


def check_revision(revision: str) -> None:
    """Return for a name that a branch, tag or commit can have. Raises UsageError."""
    if not safe_path(revision):
        raise UsageError(f"{clean(revision)[:100]!r} is no revision.", hint="Name a branch, a tag or a commit.")


_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)
_FORBIDDEN: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|\ud800-\udfff]')


def safe_path(path: str) -> bool:
    """Tell whether a path from a server can be a relative path on every system, and means the same on each."""
    if not path or len(path) > _MAX_PATH or _FORBIDDEN.search(path) or clean(path) != path:
        return False
    return all(
        part not in ("", ".", "..")
        and not part.endswith((".", " "))
        and not part.startswith(" ")
        and len(part.encode()) <= 255
        and not _DEVICES.fullmatch(part)
        for part in path.split("/")
    )


@dataclass(frozen=True, slots=True)
class _Where:
    """What a request was about, for its error."""

    repository: str
    revision: str = "main"
    path: str = ""


def _refusal(status: int, code: str, where: _Where, host: str, has_token: bool) -> R1ChatError:
    """Say in words what a status from 400 on means."""
    repository = clean(where.repository)
    # The Hub answers 401 for what isn't there too, and tells which in a header (huggingface_hub, utils/_http.py).
    if code == "GatedRepo" or (status == 403 and code != "DisabledRepo"):
        login = "" if has_token else " Then give your token with --token or HF_TOKEN."
        return DownloadError(
            f"{repository} is gated: its owner must grant you access.",
            hint=f"Ask for it at {ENDPOINT}/{repository}.{login}",
        )
    if code == "RevisionNotFound":
        return NotFoundError(
            f"{repository} has no revision {clean(where.revision)}.", hint="Leave out --revision, or name another."
        )
    if code == "EntryNotFound" or (status in (404, 410) and where.path):
        return NotFoundError(f"{repository} has no file {clean(where.path)}.", hint="See the repository's page.")
    if code == "DisabledRepo":
        return DownloadError(f"{repository} has been disabled by the Hub.", hint="Choose another repository.")
    if status in (401, 404, 410):
        if status == 401 and code != "RepoNotFound" and has_token:
            return DownloadError(
                f"{host} does not accept your token.", hint=f"Make a new one: {ENDPOINT}/settings/tokens"
            )
        private = "" if has_token else " If it is private, give your token with --token or HF_TOKEN."
        return NotFoundError(f"There is no repository {repository} on {host}.", hint=f"Check its name.{private}")
    return DownloadError(f"{host} refuses the request (status {status}).", hint="Try again later.")


def _trouble(error: Exception, url: str) -> Trouble:
    """Say in words why no answer came."""
    import httpx2

    host = clean(_site(url))
    again = "Run the same command again; it goes on from here."
    if isinstance(error, httpx2.ProxyError):
        return Trouble(DownloadError("The proxy refuses the connection.", hint="Check HTTPS_PROXY and HTTP_PROXY."))
    if isinstance(error, httpx2.ConnectTimeout):
        return Trouble(DownloadError(f"{host} does not answer.", hint=again))
    if isinstance(error, httpx2.TimeoutException):
        return Trouble(DownloadError(f"{host} has stopped sending.", hint=again))
    causes = _causes(error)
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        hint = "Behind a proxy that reads along, name its certificates with SSL_CERT_FILE."
        return Trouble(DownloadError(f"The certificate of {host} can't be trusted.", hint=hint))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return Trouble(DownloadError(f"No secure connection to {host} can be made.", hint="Is its address right?"))
    if isinstance(error, httpx2.ConnectError):
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return Trouble(DownloadError(f"{host} can't be found.", hint="Is this machine connected to the network?"))
        return Trouble(DownloadError(f"{host} can't be reached.", hint="Is this machine connected to the network?"))
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | UnicodeError):
        return Trouble(DownloadError(f"{host or 'The Hub'} gave an address that is none.", hint="Try again later."))
    return Trouble(DownloadError(f"The connection to {host} broke.", hint=again))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _loop(host: str) -> DownloadError:
    return DownloadError(f"{host} sends us round in circles.", hint="Try again later.")


def _target(url: str, response: "httpx2.Response") -> str | None:
    """Where an answer sends us, or None if it is the answer itself."""
    place = response.headers.get("Location")
    if response.status_code not in (301, 302, 303, 307, 308) or not place:
        return None
    try:
        target = urljoin(url, place)
    except ValueError:
        target = ""
    parts = _parts(target)
    if parts is None or parts[0] not in ("http", "https") or (url.startswith("https:") and parts[0] != "https"):
        raise DownloadError(f"{clean(_site(url))} sends us to an address that can't be used.", hint="Try again later.")
    return target


def _parts(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return (parts.scheme, parts.hostname.lower(), port) if parts.hostname else None
    except ValueError:
        return None


def _site(url: str) -> str:
    """Give an address's host and port for a message, without the name and password that may stand before them."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _same_origin(url: str, other: str) -> bool:
    return _parts(url) is not None and _parts(url) == _parts(other)


def _etag(told: str | None) -> str:
    return (told or "").strip().removeprefix("W/").strip('"')


def _retry_after(told: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date (RFC 9110, 10.2.3)."""
    told = (told or "").strip()
    if told.isdecimal() and len(told) < 10:
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _repo_file(sibling: Any) -> RepoFile:
    lfs = sibling.get("lfs") or {}
    path, n_bytes, sha256 = sibling["rfilename"], lfs.get("size", sibling.get("size")), lfs.get("sha256")
    if not isinstance(path, str) or type(n_bytes) is not int or n_bytes < 0:
        raise ValueError("no file")
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise ValueError("no hash")
    return RepoFile(path, n_bytes, sha256)
