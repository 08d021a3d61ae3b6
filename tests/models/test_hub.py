"""Talking to a Hub: listings, redirects, tokens, and the sentences for what goes wrong."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from r1chat.errors import DownloadError, NotFoundError, R1ChatError, UsageError
from r1chat.models.gguf import read_header
from r1chat.models.hub import Hub, Patience, TokenPolicy, as_stream, safe_path
from r1chat.models.library import demo_path
from r1chat.models.variants import RepoFile
from tests.hub import Fault
from tests.hub import Hub as LocalHub

CANARY = "hf_canaryCanaryCanary"
QUICK = Patience(connect_seconds=2, stall_seconds=0.5, n_tries=4, first_wait=0.01, n_questions=3)
REPOSITORY = "user/model-GGUF"


@pytest.fixture
def local() -> LocalHub:
    """A Hub with one model."""
    hub = LocalHub()
    hub.put(REPOSITORY, {"m-Q4_K_M.gguf": demo_path().read_bytes()})
    with hub:
        yield hub


def open_hub(local: LocalHub, tokens: TokenPolicy = TokenPolicy(), endpoint: str = "") -> Hub:  # noqa: B008 - frozen
    """Open it without much patience."""
    return Hub(endpoint or local.endpoint, tokens, patience=QUICK)


def test_a_listing_has_sizes_and_hashes(local: LocalHub) -> None:
    """The listing names the commit, and each file with its size and sha256."""
    data = demo_path().read_bytes()
    commit = local.put(REPOSITORY, {"a.gguf": data, "b.txt": b"hi"}, revision="v2")
    with open_hub(local) as hub:
        listing = hub.listing(REPOSITORY, "v2")
    assert (REPOSITORY, "v2", commit) == (listing.repository, listing.revision, listing.commit)
    assert ["a.gguf", "b.txt"] == [file.path for file in listing.files]
    assert len(data) == listing.files[0].n_bytes
    assert isinstance(listing.files[0], RepoFile)
    assert 64 == len(listing.files[0].sha256 or "")


def test_a_repository_is_named_in_its_owners_letters(local: LocalHub) -> None:
    """Whatever case it is typed in, its files come to the same folder of the cache; another name stays as typed."""
    local.renamed |= {"USER/Model-gguf": REPOSITORY, "old/name": REPOSITORY}
    with open_hub(local) as hub:
        assert REPOSITORY == hub.listing("USER/Model-gguf").repository
        assert "old/name" == hub.listing("old/name").repository


def test_a_password_in_the_endpoint_is_not_told(local: LocalHub) -> None:
    """An address with a name and a password is used, and no message shows them."""
    address = local.endpoint.replace("//", f"//bob:{CANARY}@")
    messages = []
    for endpoint in (address, f"http://bob:{CANARY}@127.0.0.1:1", f"ftp://bob:{CANARY}@x"):
        with pytest.raises(R1ChatError) as caught, open_hub(local, endpoint=endpoint) as hub:
            hub.listing("user/none")
        messages.append(caught.value.message + caught.value.hint)
    assert 3 == len(messages)
    assert CANARY not in "".join(messages)
    assert any("authorization" in seen.headers for seen in local.seen)


def test_the_signed_address_is_the_storages(local: LocalHub) -> None:
    """A large file lies on another host, under an address of its own; a renamed repository is followed to it."""
    local.renamed["old/name"] = REPOSITORY
    with open_hub(local) as hub:
        listing = hub.listing("old/name")
        location = hub.locate("old/name", listing.commit, "m-Q4_K_M.gguf")
    assert location.signed
    assert location.url.startswith(local.store)
    assert (listing.files[0].sha256, listing.files[0].n_bytes) == (location.etag, location.n_bytes)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://huggingface.co/x", True),
        ("https://HuggingFace.co:443/x", True),
        ("http://huggingface.co/x", False),
        ("https://huggingface.co:8443/x", False),
        ("https://huggingface.co.evil.org/x", False),
        ("https://evil-huggingface.co/x", False),
        ("https://huggingface.co@evil.org/x", False),
        ("https://user:pw@huggingface.co/x", False),
        ("https://cdn.huggingface.co/x", False),
        ("https://mirror.org/x", True),
        ("https://sub.mirror.org/x", False),
        ("http://10.0.0.1:8080/x", True),
        ("http://10.0.0.1:8081/x", False),
        ("ftp://mirror.org/x", False),
        ("https:///x", False),
        ("http://[::1", False),
        ("https://mirror.org:99999999/x", False),
    ],
)
def test_who_may_see_the_token(url: str, expected: bool) -> None:
    """The token is for huggingface.co over https and for the hosts that the user named, exactly."""
    policy = TokenPolicy(CANARY, frozenset({"mirror.org", "10.0.0.1:8080"}))
    assert (CANARY if expected else None) == policy.token_for(url)
    assert CANARY not in repr(policy)


def test_naming_the_hub_does_not_allow_it_without_https() -> None:
    """--token-host huggingface.co does not open plain http to it."""
    assert TokenPolicy(CANARY, frozenset({"huggingface.co"})).token_for("http://huggingface.co/x") is None


def seen_tokens(local: LocalHub) -> set[str]:
    """Tell which servers have seen the canary."""
    return {seen.server for seen in local.seen if CANARY in str(seen.headers) or CANARY in seen.path}


def test_an_endpoint_alone_gets_no_token(local: LocalHub) -> None:
    """HF_ENDPOINT does not name a host for the token."""
    with open_hub(local, TokenPolicy(CANARY)) as hub:
        listing = hub.listing(REPOSITORY)
        hub.source(REPOSITORY, listing.commit, "m-Q4_K_M.gguf").read(4)
    assert set() == seen_tokens(local)


@pytest.mark.parametrize("both", [False, True])
def test_a_redirect_target_gets_no_token(local: LocalHub, both: bool) -> None:
    """A named host sees the token, and the storage it sends us to does not, even if it is named too."""
    hosts = {"127.0.0.1", *({"localhost"} if both else set())}
    with open_hub(local, TokenPolicy(CANARY, frozenset(hosts))) as hub:
        listing = hub.listing(REPOSITORY)
        hub.source(REPOSITORY, listing.commit, "m-Q4_K_M.gguf").read(4)
    assert {"hub"} == seen_tokens(local)
    assert {"hub", "store"} == {seen.server for seen in local.seen}


def test_a_listing_is_not_fetched_from_elsewhere(local: LocalHub) -> None:
    """A redirect of the listing to another host is refused, and that host hears nothing."""
    local.faults.append(Fault("api", to=f"{local.store}/evil"))
    with open_hub(local, TokenPolicy(CANARY, frozenset({"127.0.0.1"}))) as hub, pytest.raises(DownloadError):
        hub.listing(REPOSITORY)
    assert {"hub"} == {seen.server for seen in local.seen}


def failure(local: LocalHub, tokens: TokenPolicy = TokenPolicy(), repository: str = REPOSITORY) -> R1ChatError:  # noqa: B008
    """Ask for a listing in vain."""
    with open_hub(local, tokens) as hub, pytest.raises(R1ChatError) as caught:
        hub.listing(repository)
    return caught.value


def test_a_gated_repository_says_where_to_ask(local: LocalHub) -> None:
    """401 and 403 with the Hub's code for gated name the page where access is granted."""
    for status in (401, 403):
        local.faults.append(Fault("api", status=status, headers={"X-Error-Code": "GatedRepo"}))
        error = failure(local)
        assert (4, True) == (error.exit_code, f"https://huggingface.co/{REPOSITORY}" in error.hint)
        assert "--token" in error.hint


def test_what_is_not_there_is_told_as_such(local: LocalHub) -> None:
    """A missing repository and a missing revision are told apart, with exit code 3."""
    assert "There is no repository user/other" in failure(local, repository="user/other").message
    with open_hub(local) as hub, pytest.raises(NotFoundError, match="no revision nope"):
        hub.listing(REPOSITORY, "nope")
    with open_hub(local) as hub, pytest.raises(NotFoundError, match=r"no file x\.gguf"):
        hub.locate(REPOSITORY, hub.listing(REPOSITORY).commit, "x.gguf")


def test_a_refused_token_is_told_without_it(local: LocalHub) -> None:
    """A 401 with a token says that the token is not accepted, and never shows it."""
    local.faults.append(Fault("api", status=401))
    error = failure(local, TokenPolicy(CANARY, frozenset({"127.0.0.1"})))
    assert "does not accept your token" in error.message
    assert CANARY not in error.message + error.hint


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_hub_is_asked_again(local: LocalHub, status: int) -> None:
    """Two answers of a busy server, and the third is taken."""
    local.faults.append(Fault("api", status=status, times=2))
    with open_hub(local) as hub:
        assert 1 == len(hub.listing(REPOSITORY).files)
    assert 3 == len(local.seen)


def test_a_hub_that_stays_busy_is_given_up(local: LocalHub) -> None:
    """After a bounded number of tries one sentence says so, with exit code 4."""
    local.faults.append(Fault("api", status=503, times=-1))
    error = failure(local)
    assert (4, 3) == (error.exit_code, len(local.seen))
    assert "503" in error.message


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(local: LocalHub, as_date: bool) -> None:
    """Seconds and dates are waited for; one that asks for too long is told instead."""
    soon = format_datetime(datetime.now(UTC), usegmt=True) if as_date else "0"
    local.faults.append(Fault("api", status=429, headers={"Retry-After": soon}))
    with open_hub(local) as hub:
        hub.listing(REPOSITORY)
    late = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True) if as_date else "3600"
    local.faults.append(Fault("api", status=429, headers={"Retry-After": late}))
    n_before = len(local.seen)
    assert "minutes" in failure(local).hint
    assert 1 == len(local.seen) - n_before


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"[]", b"{}", b'{"sha": "x", "siblings": []}', b"\xff", b"[" * 100000]
)
def test_an_answer_that_is_no_listing(local: LocalHub, body: bytes) -> None:
    """A web page, or JSON of another kind, is one sentence and not a crash."""
    local.faults.append(Fault("api", body=body))
    assert "no listing" in failure(local).message


def test_a_redirect_loop_ends(local: LocalHub) -> None:
    """A server that sends us round in circles is told as such."""
    local.faults.append(Fault("api", loop=True, times=-1))
    assert "circles" in failure(local).message


def test_no_network_is_told(local: LocalHub) -> None:
    """A port where nobody listens, TLS to a server without it, and a proxy that is none are one sentence each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open_hub(local, endpoint=f"http://127.0.0.1:{port}") as hub, pytest.raises(DownloadError, match="reached"):
        hub.listing(REPOSITORY)
    https = local.endpoint.replace("http:", "https:")
    with open_hub(local, endpoint=https) as hub, pytest.raises(DownloadError, match="secure connection"):
        hub.listing(REPOSITORY)


def test_a_bad_proxy_is_told(local: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is not there, or whose address is none, is one sentence."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert 4 == failure(local).exit_code
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    assert "proxy" in failure(local).message
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    assert not failure(local).message.endswith("..")


def test_a_missing_certificate_file_is_told(local: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SSL_CERT_FILE that names nothing is told, with what to check."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert "SSL_CERT_FILE" in failure(local).hint


def test_offline_opens_no_connection(local: LocalHub) -> None:
    """An offline hub says so without a request."""
    with Hub(local.endpoint, offline=True) as hub, pytest.raises(DownloadError, match="forbids"):
        hub.listing(REPOSITORY)
    assert [] == local.seen


def test_a_header_is_read_from_afar(local: LocalHub) -> None:
    """`read_header` reads through ranges what it reads from the file, and never more than the file or 16 MB."""
    with open_hub(local) as hub:
        source = hub.source(REPOSITORY, hub.listing(REPOSITORY).commit, "m-Q4_K_M.gguf")
        header = read_header(as_stream(source))
    assert read_header(demo_path()).metadata.keys() == header.metadata.keys()
    assert source.n_fetched == local.n_asked()
    assert source.n_fetched <= demo_path().stat().st_size


def test_a_source_survives_an_expired_address(local: LocalHub) -> None:
    """A signature that expires between two reads is renewed."""
    with open_hub(local) as hub:
        source = hub.source(REPOSITORY, hub.listing(REPOSITORY).commit, "m-Q4_K_M.gguf")
        assert b"GGUF" == source.read(4)
        local.expire()
        assert demo_path().read_bytes()[4:100] == source.read(96)


def test_a_source_is_bounded(local: LocalHub) -> None:
    """More than 16 MB are never read from afar."""
    local.put("user/big", {"b.gguf": b"GGUF" + bytes(17 * 2**20)})
    with open_hub(local) as hub, pytest.raises(DownloadError, match="too large"):
        hub.source("user/big", hub.listing("user/big").commit, "b.gguf").read(17 * 2**20)


@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "C:/x", "C:x", "a\\b", "\\\\host\\x"),
        *("a\0b", "a\nb", "a\x1b[2Jb", "a\x7f", "a\x9bb", "a\u202eb", "\ud800", "x" * 256, "é" * 128, "a/" * 3000),
        *("con", "NUL", "aux.gguf", "a/COM1.gguf", "lpt9", "x.", "x ", " x", "a?b", "a*b", 'a"b', "a<b", "a|b", "a:b"),
    ],
)
def test_hostile_paths_are_refused(path: str) -> None:
    """What leads out of a folder, means something else elsewhere or can't be a name is no path."""
    assert not safe_path(path)


@pytest.mark.parametrize("path", ["m.gguf", "a/b/m-00001-of-00002.gguf", "v1.5 (x).gguf", "模型.gguf", "console.gguf"])
def test_honest_paths_are_taken(path: str) -> None:
    """Names with blanks, dots and any letters are fine."""
    assert safe_path(path)


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a/..", "a--b/c", "-a/b", "a b/c", "a/b\n", "/a", "a/"])
def test_hostile_repositories_are_refused(local: LocalHub, name: str) -> None:
    """What can't be a repository is not asked for."""
    with open_hub(local) as hub, pytest.raises(UsageError):
        hub.listing(name)
    assert [] == local.seen


@pytest.mark.parametrize("endpoint", ["", "ftp://x", "huggingface.co", "http://", "http://[::1"])
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    """HF_ENDPOINT with anything but an address is one sentence."""
    with pytest.raises(UsageError):
        Hub(endpoint)
