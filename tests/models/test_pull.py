"""The download that survives: layout, resuming, faults, hostile names, two at once."""

import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import huggingface_hub
import pytest

from r1chat.core.sanitize import clean
from r1chat.errors import DownloadError, FitError, R1ChatError, UsageError
from r1chat.models.hub import Hub, Listing, Patience, TokenPolicy
from r1chat.models.partial import SUFFIX, PartialFile, Span, find_partial, find_partials, spans_of
from r1chat.models.places import place, room
from r1chat.models.pull import Pulled, PullProgress, pull
from r1chat.models.variants import RepoFile
from tests.conftest import ROOT
from tests.hub import Bytes, Fault
from tests.hub import Hub as LocalHub
from tests.processes import wait_for

MIB = 2**20
REPOSITORY = "user/model-GGUF"
NAME = "m-Q4_K_M.gguf"
QUICK = Patience(connect_seconds=5, stall_seconds=20, n_tries=4, first_wait=0.01, n_questions=3)
HASTY = replace(QUICK, stall_seconds=0.3)
CANARY = "hf_canaryCanaryCanary"


def gguf(n_bytes: int, seed: int = 1) -> bytes:
    """Make bytes that begin like a GGUF."""
    return b"GGUF" + random.Random(seed).randbytes(n_bytes - 4)


DATA = gguf(9 * MIB + 123)
SHARDS = {f"q/m-Q8_0-{n:05d}-of-00003.gguf": gguf(2 * MIB + n, n) for n in (1, 2, 3)}


@pytest.fixture
def local() -> Iterator[LocalHub]:
    """A Hub with one model in one file, and one in three."""
    hub = LocalHub()
    hub.put(REPOSITORY, {NAME: DATA, "README.md": b"# hi", **SHARDS})
    with hub:
        yield hub


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """An empty cache."""
    return tmp_path / "cache"


def get(
    local: LocalHub,
    cache: Path,
    *paths: str,
    patience: Patience = QUICK,
    revision: str = "main",
    piece_bytes: int | None = MIB,
    tokens: TokenPolicy = TokenPolicy(),  # noqa: B008 - frozen
    **options: object,
) -> Pulled:
    """Pull files by their paths."""
    with Hub(local.endpoint, tokens, patience=patience) as hub:
        listing = hub.listing(REPOSITORY, revision)
        wanted = paths or (NAME,)
        files = [next(file for file in listing.files if file.path == path) for path in wanted]
        return pull(hub, listing, files, cache, piece_bytes=piece_bytes, **options)  # type: ignore[arg-type]


def fails(local: LocalHub, cache: Path, *paths: str, **options: object) -> R1ChatError:
    """Pull in vain; nothing half-made may be visible then."""
    with pytest.raises(R1ChatError) as caught:
        get(local, cache, *paths, **options)  # type: ignore[arg-type]
    assert [] == visible(cache)
    return caught.value


def visible(cache: Path) -> list[Path]:
    """List what any program sees as a file of a model."""
    snapshots = [path for path in cache.glob("models--*/snapshots/*/**/*") if not path.is_dir()]
    blobs = [path for path in cache.glob("models--*/blobs/*") if SUFFIX not in path.name]
    return [*snapshots, *blobs]


def leftovers(cache: Path) -> list[Path]:
    """List what is no blob among the blobs."""
    return [path for path in cache.glob("models--*/blobs/*") if "." in path.name]


# The layout


def test_a_model_lands_in_the_standard_cache(local: LocalHub, cache: Path) -> None:
    """Blob, pointer and ref lie where huggingface_hub puts them, and it finds the model without the network."""
    pulled = get(local, cache)
    expected = cache / "models--user--model-GGUF" / "snapshots" / pulled.commit / NAME
    assert (expected,) == pulled.paths
    assert DATA == expected.read_bytes()
    found = huggingface_hub.hf_hub_download(REPOSITORY, NAME, cache_dir=cache, local_files_only=True, token=False)
    assert str(expected) == found
    (repo,) = huggingface_hub.scan_cache_dir(cache).repos
    assert (REPOSITORY, len(DATA), 1) == (repo.repo_id, repo.size_on_disk, repo.nb_files)
    assert {"main"} == {ref for revision in repo.revisions for ref in revision.refs}
    assert [] == leftovers(cache)


def test_huggingface_hub_works_against_this_hub_unmodified(local: LocalHub, cache: Path) -> None:
    """What huggingface_hub downloads from the test's Hub through HF_ENDPOINT is found by us, and not fetched again."""
    script = f"import huggingface_hub as h; print(h.hf_hub_download({REPOSITORY!r}, {NAME!r}, token=False))"
    names = {"HF_ENDPOINT": local.endpoint, "HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1"}
    subprocess.run([sys.executable, "-c", script], env={**os.environ, **names}, check=True, capture_output=True)
    assert 0 == get(local, cache).n_fetched


def test_all_shards_come_and_nothing_twice(local: LocalHub, cache: Path) -> None:
    """A split model is pulled whole, in the order of its shards, and each byte is asked for once."""
    pulled = get(local, cache, *SHARDS)
    assert [*SHARDS.values()] == [path.read_bytes() for path in pulled.paths]
    assert sum(map(len, SHARDS.values())) == local.n_asked() == pulled.n_fetched == pulled.n_bytes


def test_a_second_pull_asks_for_nothing(local: LocalHub, cache: Path) -> None:
    """A model that is here costs the listing, and no request for its bytes."""
    get(local, cache)
    n_before = len(local.seen)
    assert 0 == get(local, cache).n_fetched
    assert ["/api/models/user/model-GGUF/revision/main?blobs=true"] == [seen.path for seen in local.seen[n_before:]]


def test_a_file_without_lfs_is_known_by_its_git_hash(local: LocalHub, cache: Path) -> None:
    """A small file has no sha256 on the Hub: its blob is named by git's hash, which is checked."""
    local.put(REPOSITORY, {"notes.txt": b"hello", NAME: DATA}, revision="small", lfs=False)
    pulled = get(local, cache, "notes.txt", revision="small")
    assert b"hello" == pulled.paths[0].read_bytes()
    assert Bytes(b"hello").sha1 == pulled.paths[0].resolve().name


def test_a_new_commit_reuses_the_blob(local: LocalHub, cache: Path) -> None:
    """The same content in another commit is pointed at, not fetched again."""
    get(local, cache)
    local.put(REPOSITORY, {NAME: DATA, "new.txt": b"1"})
    pulled = get(local, cache)
    assert (0, DATA) == (pulled.n_fetched, pulled.paths[0].read_bytes())


def test_several_ranges_are_open_at_once(local: LocalHub, cache: Path) -> None:
    """On slow connections, up to `jobs` ranges over all files are under way at the same time."""
    local.rate = 2e6
    most = 0

    def count(progress: PullProgress) -> None:
        nonlocal most
        ranges = [(seen.n_sent, seen.range) for seen in list(local.seen) if seen.range]
        most = max(most, sum(1 for n_sent, (start, end) in ranges if 0 < n_sent < end - start))

    get(local, cache, NAME, *SHARDS, jobs=6, on_progress=count)
    assert 3 <= most <= 6


# Going on


def interrupted(local: LocalHub, cache: Path, *paths: str, after: int = 3 * MIB) -> None:
    """Begin a pull, and stop it as Ctrl-C does."""

    def stop(progress: PullProgress) -> None:
        if progress.n_fetched >= after:
            raise KeyboardInterrupt

    before, local.rate = local.rate, 8e6
    with pytest.raises(KeyboardInterrupt):
        get(local, cache, *paths, on_progress=stop)
    local.rate = before


def test_after_a_clean_stop_only_the_rest_is_asked_for(local: LocalHub, cache: Path) -> None:
    """After Ctrl-C the next pull asks for exactly the bytes that were not there."""
    interrupted(local, cache)
    (found,) = find_partials(cache)
    assert 3 * MIB <= found.n_done < len(DATA)
    n_before = len(local.seen)
    pulled = get(local, cache)
    assert len(DATA) - found.n_done == local.n_asked(n_before) == pulled.n_fetched
    assert DATA == pulled.paths[0].read_bytes()
    assert [] == leftovers(cache)


def test_a_range_that_is_ignored_once_drops_nothing(local: LocalHub, cache: Path) -> None:
    """A server or proxy that sends the whole file for a range is asked again before what is there goes."""
    interrupted(local, cache)
    (found,) = find_partials(cache)
    local.faults.append(Fault("data", whole=True, times=2))
    assert len(DATA) - found.n_done == get(local, cache).n_fetched


def test_a_stop_waits_for_no_server(local: LocalHub, cache: Path) -> None:
    """Ctrl-C ends a pull whose server has taken the request and says nothing."""
    silent = socket.create_server(("127.0.0.1", 0))  # connections come about, and nobody takes them
    local.faults.append(Fault("resolve", to=f"http://localhost:{silent.getsockname()[1]}/x", times=-1))
    slow = Patience(connect_seconds=3600, stall_seconds=3600)

    def stop(progress: PullProgress) -> None:
        if local.seen[-1].method == "HEAD":
            raise KeyboardInterrupt

    with silent, pytest.raises(KeyboardInterrupt):
        get(local, cache, patience=slow, on_progress=stop)


def test_a_file_that_is_cut_by_others_is_told(local: LocalHub, cache: Path) -> None:
    """Data that vanish behind our back end the pull with a sentence; the next one begins anew."""
    interrupted(local, cache)
    (found,) = find_partials(cache)
    data = next(file for file in found.files if file.name.endswith(SUFFIX))
    local.rate = 8e6
    with pytest.raises(DownloadError, match="short"):
        get(local, cache, on_progress=lambda progress: os.truncate(data, 0))
    local.rate = 0
    assert DATA == get(local, cache).paths[0].read_bytes()


def test_a_changed_file_begins_anew_and_the_old_partial_goes(local: LocalHub, cache: Path) -> None:
    """When the repository has another file by that name, nothing of the old one is used, and nothing of it stays."""
    interrupted(local, cache)
    other = gguf(5 * MIB, 9)
    local.put(REPOSITORY, {NAME: other})
    pulled = get(local, cache)
    assert other == pulled.paths[0].read_bytes()
    assert () == find_partials(cache)


def test_a_partial_of_another_revision_stays(local: LocalHub, cache: Path) -> None:
    """What was begun of the same file in another revision is still there for that one's next pull."""
    interrupted(local, cache)
    (begun,) = find_partials(cache)
    local.put(REPOSITORY, {NAME: gguf(5 * MIB, 9)}, revision="v2")
    get(local, cache, revision="v2")
    (left,) = find_partials(cache)
    assert begun.files == left.files
    assert len(DATA) - begun.n_done == get(local, cache).n_fetched


def test_a_changed_etag_without_a_hash_begins_anew(local: LocalHub, cache: Path) -> None:
    """Where no sha256 is published, another ETag in mid-file drops what was there."""
    local.put(REPOSITORY, {"n.bin": DATA}, revision="plain", lfs=False)
    local.faults += [Fault("data", skip=2, cut=MIB // 2), Fault("data", headers={"ETag": '"other"'})]
    pulled = get(local, cache, "n.bin", revision="plain")
    assert DATA == pulled.paths[0].read_bytes()


def test_a_new_etag_of_the_storage_is_no_new_file(local: LocalHub, cache: Path) -> None:
    """Where the Hub still names the same sha256, another ETag of its storage costs one question, and no byte."""
    interrupted(local, cache)
    local.etags = {Bytes(DATA).sha256: "another-name"}
    (found,) = find_partials(cache)
    n_before = len(local.seen)
    assert DATA == get(local, cache).paths[0].read_bytes()
    assert len(DATA) - found.n_done == local.n_asked(n_before)


# Faults that pass: each ends in the right file, and asks for little more than what was lost

PASSING = {
    "cut": [Fault("data", cut=300_000, times=5)],
    "cut at once": [Fault("data", cut=0, times=3)],
    "503": [Fault("data", status=503, times=3)],
    "503 with Retry-After": [Fault("data", status=503, times=2, headers={"Retry-After": "0"})],
    "429": [Fault("data", status=429, times=2), Fault("resolve", status=429)],
    "500 while resolving": [Fault("resolve", status=500, times=2)],
    "stall": [Fault("data", stall=200_000), Fault("data", stall=0, skip=3)],
    "expired in mid-file": [Fault("data", expire=True, skip=3, cut=1000)],
    "expired twice": [Fault("data", expire=True, skip=2), Fault("data", status=403, skip=3)],
    "no ranges": [Fault("data", whole=True, times=-1)],
    "no ranges, and a cut": [Fault("data", whole=True, cut=2 * MIB), Fault("data", whole=True, times=-1)],
    "no ranges any more": [Fault("data", whole=True, skip=4, times=-1)],
    "other bytes than asked": [Fault("data", shift=7, times=2)],
    "a web page once": [Fault("data", body=b"<html>", headers={"Content-Type": "text/html"})],
    "short once": [Fault("data", short=4 * MIB, skip=6)],
    "corrupt once": [Fault("data", flip=5_000_000, times=9)],
    "redirect of the storage": [Fault("resolve", loop=True)],
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_ends_in_the_right_file(local: LocalHub, cache: Path, name: str) -> None:
    """Whatever goes wrong on the way, the file is right in the end and nothing else is left."""
    local.faults += [replace(fault) for fault in PASSING[name]]
    assert DATA == get(local, cache, patience=HASTY if "stall" in name else QUICK).paths[0].read_bytes()
    assert [] == leftovers(cache)


def test_a_cut_costs_nothing(local: LocalHub, cache: Path) -> None:
    """After a broken connection the range goes on at the byte where it broke."""
    local.faults.append(Fault("data", cut=300_000, times=4))
    get(local, cache)
    lost = sum(end - start - seen.n_sent for seen in local.seen if seen.range for start, end in [seen.range])
    assert len(DATA) + lost == local.n_asked()


# Faults that stay: each ends in one sentence, with the right exit code, and nothing half-made

STAYING = {
    "503": (Fault("data", status=503, times=-1), "can't answer now"),
    "429": (Fault("data", status=429, times=-1), "too many requests"),
    "403 of the storage": (Fault("data", status=403, times=-1), "its storage refuses"),
    "403 of the Hub": (Fault("resolve", status=403, times=-1), "is gated"),
    "404 of the Hub": (Fault("resolve", status=404, times=-1), "has no file"),
    "416": (Fault("data", status=416, times=-1), "has less of"),
    "cut": (Fault("data", cut=0, times=-1), "connection to localhost"),
    "stall": (Fault("data", stall=0, times=-1), "stopped sending"),
    "a web page": (Fault("data", body=b"<html>", headers={"Content-Type": "text/html"}, times=-1), "a web page"),
    "a pointer": (Fault("data", body=b"version https://git-lfs.github.com/spec/v1\n", times=-1), "something else"),
    "short": (Fault("data", short=MIB, times=-1), "other bytes|has less of"),
    "wrong length": (Fault("resolve", headers={"X-Linked-Size": "5"}, times=-1), "has another"),
    "another hash": (Fault("resolve", headers={"X-Linked-Etag": '"' + "0" * 64 + '"'}, times=-1), "has another"),
    "other bytes": (Fault("data", shift=3, times=-1), "other bytes"),
    "compressed": (Fault("data", headers={"Content-Encoding": "gzip"}, times=-1), "other bytes"),
    "corrupt": (Fault("data", flip=1_000_000, times=-1), "damaged twice"),
    "a loop": (Fault("resolve", loop=True, times=-1), "circles"),
    "a loop of the storage": (Fault("data", loop=True, times=-1), "circles"),
    "nowhere": (Fault("resolve", to="http://127.0.0.1:1/x", times=-1), "can't be reached"),
    "no address": (Fault("resolve", to="http://[x", times=-1), "can't be used"),
    "another scheme": (Fault("resolve", to="file:///etc/passwd", times=-1), "can't be used"),
}


@pytest.mark.parametrize("name", STAYING)
def test_a_fault_that_stays_is_one_sentence(local: LocalHub, cache: Path, name: str) -> None:
    """What doesn't pass ends in a sentence with a way out, exit code 3 or 4, and no file that anybody sees."""
    fault, words = STAYING[name]
    local.faults.append(replace(fault))
    error = fails(local, cache, patience=HASTY if "stall" in name else QUICK)
    assert 3 <= error.exit_code <= 4
    assert any(word in error.message for word in words.split("|")), error.message
    assert "\n" not in error.message
    assert error.message.endswith(".")


def test_only_the_bad_file_goes(local: LocalHub, cache: Path) -> None:
    """When one shard comes damaged twice, its data are removed and what the others have stays."""
    bad = [*SHARDS][1]
    sha256 = Bytes(SHARDS[bad]).sha256
    local.faults.append(Fault("data", flip=MIB, times=-1, path=sha256))
    with pytest.raises(DownloadError, match="damaged twice"):
        get(local, cache, *SHARDS)
    assert not [path for path in cache.glob("models--*/blobs/*") if sha256 in path.name]
    local.faults.clear()
    n_before = len(local.seen)
    pulled = get(local, cache, *SHARDS)
    assert [*SHARDS.values()] == [path.read_bytes() for path in pulled.paths]
    assert local.n_asked(n_before) < sum(map(len, SHARDS.values()))


def test_no_corruption_of_one_byte_is_taken(local: LocalHub, cache: Path) -> None:
    """100 files with one byte changed in transit are all refused, wherever the byte is."""
    small = gguf(20_000, 5)
    local.put(REPOSITORY, {NAME: small})
    rng = random.Random(2)
    for at in [0, 1, len(small) - 1, *(rng.randrange(len(small)) for _ in range(97))]:
        local.faults = [Fault("data", flip=at, times=-1)]
        with pytest.raises(DownloadError, match="damaged"):
            get(local, cache)
        assert [] == [*visible(cache), *leftovers(cache)]


@pytest.mark.parametrize(
    "data", [b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", b"<html>", b""]
)
def test_what_is_no_gguf_never_becomes_a_model(local: LocalHub, cache: Path, data: bytes) -> None:
    """A pointer, a page or an empty file that the repository itself holds under a model's name is refused."""
    local.put(REPOSITORY, {NAME: data}, lfs=False)
    assert 4 == fails(local, cache).exit_code
    assert [] == leftovers(cache)


# The disk


def test_no_room_is_told_before_the_first_byte(local: LocalHub, cache: Path) -> None:
    """What is larger than the disk ends with exit code 5 and both numbers, and no byte was asked for."""
    with Hub(local.endpoint, patience=QUICK) as hub:
        listing = hub.listing(REPOSITORY)
        huge = RepoFile(NAME, 10**16, "a" * 64)
        with pytest.raises(FitError, match=r"needs 10,?200,?000.0 GB, and [\d,.]+ GB are free") as caught:
            pull(hub, listing, [huge], cache)
    assert 5 == caught.value.exit_code
    assert 0 == local.n_asked()


def test_the_room_counts_what_is_there(local: LocalHub, cache: Path) -> None:
    """What a partial file has recorded, and what is here, needs no room again."""
    with Hub(local.endpoint) as hub:
        listing = hub.listing(REPOSITORY)
    files = [file for file in listing.files if file.path == NAME]
    assert len(DATA) == room(listing, files, cache).n_missing
    assert round(len(DATA) * 1.02) == room(listing, files, cache).n_needed
    interrupted(local, cache)
    (found,) = find_partials(cache)
    assert len(DATA) - found.n_done == room(listing, files, cache).n_missing
    get(local, cache)
    assert 0 == room(listing, files, cache).n_missing


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs a limit on file sizes")
def test_a_disk_that_refuses_is_told(local: LocalHub, cache: Path) -> None:
    """A file larger than the file system takes ends with exit code 5 and a plain sentence."""
    code = f"""
        import resource, signal
        from pathlib import Path
        from r1chat.models.hub import Hub
        from r1chat.models.pull import pull
        from r1chat.errors import FitError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, ({2 * MIB}, {2 * MIB}))
        with Hub({local.endpoint!r}) as hub:
            listing = hub.listing({REPOSITORY!r})
            try:
                pull(hub, listing, listing.files[:1], Path({str(cache)!r}))
            except FitError as error:
                print(error.message)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert "can't hold files this large" in done.stdout, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_in_mid_file_is_told(local: LocalHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left while writing ends with exit code 5, and what is recorded stays."""
    interrupted(local, cache)
    (before,) = find_partials(cache)
    monkeypatch.setattr(PartialFile, "open", lambda self: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    error = fails(local, cache)
    monkeypatch.undo()
    assert (5, True) == (error.exit_code, "full" in error.message)
    (after,) = find_partials(cache)
    assert before.n_done == after.n_done


# Two at once


def test_two_pulls_share_the_work(local: LocalHub, cache: Path) -> None:
    """Of two pulls at once one waits and says so, then finds it done; each byte is asked for once."""
    local.rate = 8e6
    waited = threading.Event()
    results: list[Pulled] = []

    def watch(progress: PullProgress) -> None:
        if progress.waiting:
            waited.set()

    threads = [
        threading.Thread(target=lambda: results.append(get(local, cache, NAME, *SHARDS, on_progress=watch)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert waited.is_set()
    total = len(DATA) + sum(map(len, SHARDS.values()))
    assert [0, total] == sorted(pulled.n_fetched for pulled in results)
    assert total == local.n_asked()


# Hostile names


def hostile(cache: Path, local: LocalHub, *paths: str, commit: str = "c" * 40, revision: str = "main") -> R1ChatError:
    """Pull files by names that a server made up."""
    listing = Listing(REPOSITORY, revision, commit, tuple(RepoFile(path, 10, "a" * 64) for path in paths))
    with Hub(local.endpoint, patience=QUICK) as hub, pytest.raises(R1ChatError) as caught:
        pull(hub, listing, listing.files, cache)
    assert clean(caught.value.message) == caught.value.message
    return caught.value


@pytest.mark.parametrize(
    "path",
    ["../../../evil.gguf", "/tmp/evil.gguf", "a\\..\\..\\evil.gguf", "C:evil", "a\0b", "\x1b[2Jx", "nul", "x" * 300],
)
def test_a_hostile_path_writes_nothing(local: LocalHub, cache: Path, path: str) -> None:
    """A path that is none is refused before anything is made, and shown harmlessly."""
    hostile(cache, local, path)
    assert not cache.exists()


def test_hostile_repositories_and_revisions_write_nothing(local: LocalHub, cache: Path) -> None:
    """A repository or a revision that leads out of the cache is refused."""
    with Hub(local.endpoint, patience=QUICK) as hub:
        for repository, revision in (("../../x", "main"), ("u/r", "../../x"), ("u/r", "a\0b")):
            listing = Listing(repository, revision, "c" * 40, (RepoFile("x.gguf", 1, "a" * 64),))
            with pytest.raises(UsageError):
                pull(hub, listing, listing.files, cache)
    assert not cache.exists()


def test_two_names_that_differ_in_case_only(local: LocalHub, cache: Path) -> None:
    """Two files that are one on Windows and macOS are refused."""
    assert "upper and lower case" in hostile(cache, local, "a.gguf", "A.gguf").message


@pytest.mark.parametrize("where", ["blobs", "snapshots", "refs", ""])
def test_a_symbolic_link_leads_nowhere(local: LocalHub, cache: Path, tmp_path: Path, where: str) -> None:
    """A folder of the cache that is a link out of it is refused, and nothing is written behind it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    link = cache / "models--user--model-GGUF" / where
    link.parent.mkdir(parents=True)
    link.symlink_to(outside, target_is_directory=True)
    with pytest.raises(DownloadError, match="symbolic link"):
        get(local, cache)
    assert [] == [*outside.iterdir()]


def test_a_symbolic_link_for_the_pointer_is_replaced(local: LocalHub, cache: Path, tmp_path: Path) -> None:
    """A link where the pointer goes is replaced; what it pointed at is not written to."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    commit = local.find(REPOSITORY, "main")
    assert commit
    pointer = cache / "models--user--model-GGUF" / "snapshots" / commit[0] / NAME
    pointer.parent.mkdir(parents=True)
    pointer.symlink_to(precious)
    get(local, cache)
    assert (b"mine", DATA) == (precious.read_bytes(), pointer.read_bytes())


def test_a_symbolic_link_for_the_blob_is_replaced(local: LocalHub, cache: Path, tmp_path: Path) -> None:
    """A link to a folder where the blob goes is replaced, and nothing is written behind it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    blob = blob_of(cache, Bytes(DATA))
    blob.parent.mkdir(parents=True)
    blob.symlink_to(outside, target_is_directory=True)
    assert DATA == get(local, cache).paths[0].read_bytes()
    assert [] == [*outside.iterdir()]


# The token


def test_the_token_is_nowhere(local: LocalHub, cache: Path) -> None:
    """A whole pull with a token, faults and a resume leaves it with the named host alone, and in no file."""
    local.faults += [Fault("data", cut=1000, times=2), Fault("data", expire=True, skip=4)]
    tokens = TokenPolicy(CANARY, frozenset({local.endpoint.removeprefix("http://")}))
    get(local, cache, tokens=tokens)
    with_it = {seen.server for seen in local.seen if CANARY in str(seen.headers) + seen.path}
    assert {"hub"} == with_it
    assert not [path for path in cache.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


# SIGKILL

PULL = """
import sys
from pathlib import Path
from r1chat.models.hub import Hub
from r1chat.models.pull import pull
with Hub(sys.argv[1]) as hub:
    listing = hub.listing(sys.argv[2])
    files = [file for file in listing.files if file.path in sys.argv[4:]]
    pull(hub, listing, files, Path(sys.argv[3]))
"""


@pytest.mark.parametrize("split", [False, True])
def test_a_kill_at_any_moment_costs_at_most_8_mib(tmp_path: Path, split: bool) -> None:
    """After each of 6 kills the next pull asks for none of what was recorded, and the last ends in the right files."""
    rng = random.Random(4 + split)
    whole = (
        {f"s-Q8_0-{n:05d}-of-00003.gguf": gguf(7 * MIB + n, n) for n in (1, 2, 3)} if split else {NAME: gguf(24 * MIB)}
    )
    cache = tmp_path / "cache"
    n_bytes = sum(map(len, whole.values()))
    with LocalHub(rate=6e6) as local:
        local.put(REPOSITORY, whole)
        argv = [sys.executable, "-c", PULL, local.endpoint, REPOSITORY, str(cache), *whole]
        for _ in range(6):
            recorded = {path: recorded_of(cache, Bytes(data)) for path, data in whole.items()}
            n_before = len(local.seen)
            process = subprocess.Popen(argv, cwd=ROOT)
            wait_for(partial(_asks, local, n_before, process), "the first range")
            time.sleep(rng.uniform(0.0, 0.35))
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert 8 * MIB >= sum(
                asked_again(local, n_before, Bytes(whole[path]), spans) for path, spans in recorded.items()
            )
        local.rate = 0
        n_before, n_here = len(local.seen), sum(done(cache, Bytes(data)) for data in whole.values())
        with Hub(local.endpoint) as hub:
            listing = hub.listing(REPOSITORY)
            pulled = pull(hub, listing, listing.files, cache)
        assert n_bytes - n_here == local.n_asked(n_before)
        assert n_here > 0
    assert [*whole.values()] == [path.read_bytes() for path in pulled.paths]
    assert [] == leftovers(cache)


def _asks(local: LocalHub, since: int, process: subprocess.Popen[bytes]) -> bool:
    return local.n_asked(since) > 0 or process.poll() is not None


def blob_of(cache: Path, content: Bytes) -> Path:
    """Where the blob of some content is, or will be."""
    return cache / "models--user--model-GGUF" / "blobs" / content.sha256


def done(cache: Path, content: Bytes) -> int:
    """How much of a file is there, as the next pull will see it."""
    blob = blob_of(cache, content)
    return content.n_bytes if blob.exists() else find_partial(blob)


def recorded_of(cache: Path, content: Bytes) -> tuple[Span, ...]:
    """Which bytes of a file are recorded."""
    blob = blob_of(cache, content)
    return ((0, content.n_bytes),) if blob.exists() else spans_of(blob)


def asked_again(local: LocalHub, since: int, content: Bytes, spans: tuple[Span, ...]) -> int:
    """Count the bytes that were asked for though they were recorded."""
    ranges = [seen.range for seen in local.seen[since:] if seen.range and content.sha256 in seen.path]
    return sum(max(0, min(end, b) - max(start, a)) for start, end in ranges for a, b in spans)


def test_a_file_is_placed_where_it_was_announced(local: LocalHub, cache: Path) -> None:
    """`place` tells beforehand where the file will be."""
    with Hub(local.endpoint) as hub:
        listing = hub.listing(REPOSITORY)
    file = next(file for file in listing.files if file.path == NAME)
    assert get(local, cache).paths == (place(listing, file, cache),)
