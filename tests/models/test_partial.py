"""What is kept of a file that is still being fetched."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from r1chat.models import partial
from r1chat.models.partial import RECORD_BYTES, Origin, PartialFile, Spans, find_partials, lock_of, remove

MIB = 2**20
ORIGIN = Origin("u/r-GGUF", "m-Q4_K_M.gguf", "main", "c" * 40, 16 * MIB)


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    """Where a blob will be in a cache."""
    return tmp_path / "models--u--r-GGUF" / "blobs" / ("a" * 64)


def write(part: PartialFile, start: int, end: int) -> None:
    """Write some bytes at their place."""
    with part.open() as stream:
        part.write(stream, start, b"x" * (end - start))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12))
def test_spans_are_a_set_of_bytes(pairs: list[tuple[int, int]]) -> None:
    """However spans are added, their count, their gaps and their prefix are those of the set of bytes."""
    spans, expected = Spans(), set()
    for start, end in pairs:
        spans.add(start, end)
        expected |= set(range(start, end))
    assert len(expected) == spans.n_bytes
    assert expected == {byte for start, end in spans for byte in range(start, end)}
    assert set(range(60)) - expected == {byte for start, end in spans.gaps(60) for byte in range(start, end)}
    assert next(n for n in range(62) if n not in expected) == spans.prefix
    assert all(one[1] < other[0] for one, other in zip([*spans], [*spans][1:], strict=False))


def test_what_is_recorded_is_not_asked_for_again(blob: Path) -> None:
    """A new object on the same blob knows every byte that was recorded."""
    part = PartialFile(blob, ORIGIN)
    write(part, 0, 2 * MIB)
    write(part, 5 * MIB, 6 * MIB)
    part.record()
    assert ((2 * MIB, 5 * MIB), (6 * MIB, 16 * MIB)) == PartialFile(blob, ORIGIN).gaps()


def test_a_kill_costs_less_than_the_record_step(blob: Path) -> None:
    """Without any call to record, at most RECORD_BYTES of what was written is forgotten."""
    part = PartialFile(blob, ORIGIN)
    for at in range(0, 11 * MIB, 65536):
        write(part, at, at + 65536)
    assert 11 * MIB - RECORD_BYTES <= PartialFile(blob, ORIGIN).n_done <= 11 * MIB


def test_after_power_loss_only_what_was_synced_counts(blob: Path) -> None:
    """The record of another run of the machine is not believed; the synced state is."""
    part = PartialFile(blob, ORIGIN)
    write(part, 0, MIB)
    part.sync()
    write(part, MIB, 6 * MIB)
    part.record()
    now = Path(f"{part.data}.now")
    now.write_text(json.dumps({**json.loads(now.read_text()), "boot": "another"}))
    assert ((MIB, 16 * MIB),) == PartialFile(blob, ORIGIN).gaps()


def test_a_state_never_claims_what_came_after_the_sync_began(blob: Path) -> None:
    """The synced state has the spans from before the sync, and the file has them."""
    part = PartialFile(blob, ORIGIN)
    write(part, 0, MIB)
    part.sync()
    write(part, MIB, 2 * MIB)
    assert [[0, MIB]] == json.loads(Path(f"{part.data}.json").read_text())["done"]


@pytest.mark.parametrize(
    "state",
    ["", "{", "[]", "null", '{"format": 2}', '{"format": 1}', "\x00" * 300, '{"format":1,"id":"a","n_bytes":"x"}'],
)
def test_a_broken_state_is_no_state(blob: Path, state: str) -> None:
    """What can't be read as a state begins the file anew."""
    part = PartialFile(blob, ORIGIN)
    write(part, 0, MIB)
    part.sync()
    Path(f"{part.data}.json").write_text(state)
    assert 0 == PartialFile(blob, ORIGIN).n_done


def test_mutilated_states_never_raise(blob: Path) -> None:
    """A state with any bytes overwritten is refused or claims spans inside the file."""
    part = PartialFile(blob, ORIGIN)
    write(part, 3 * MIB, 4 * MIB)
    part.sync()
    state = Path(f"{part.data}.json")
    good, rng = state.read_bytes(), random.Random(1)
    for _ in range(200):
        bad = bytearray(good)
        bad[rng.randrange(len(bad))] = rng.randrange(256)
        state.write_bytes(bad)
        assert 0 <= partial.find_partial(blob) <= ORIGIN.n_bytes


def test_another_size_or_a_missing_file_begins_anew(blob: Path) -> None:
    """A state is believed only beside data of the right length."""
    part = PartialFile(blob, ORIGIN)
    write(part, 0, MIB)
    part.sync()
    assert 0 == PartialFile(blob, replace(ORIGIN, n_bytes=8 * MIB)).n_done
    part = PartialFile(blob, ORIGIN)
    write(part, 0, MIB)
    part.sync()
    part.data.unlink()
    assert 0 == PartialFile(blob, ORIGIN).n_done


def test_a_symbolic_link_in_the_way_is_not_followed(blob: Path, tmp_path: Path) -> None:
    """A link where the data should be is replaced, and what it points at stays as it was."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    blob.parent.mkdir(parents=True)
    blob.with_name(blob.name + partial.SUFFIX).symlink_to(precious)
    write(PartialFile(blob, ORIGIN), 0, MIB)
    assert b"mine" == precious.read_bytes()


def test_a_symbolic_link_for_the_record_is_not_followed(blob: Path, tmp_path: Path) -> None:
    """A link where a record is written before it is put in place is replaced too."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    blob.parent.mkdir(parents=True)
    part = PartialFile(blob, ORIGIN)
    for name in ("json", "now"):
        blob.with_name(f"{part.data.name}.{name}.new").symlink_to(precious)
    write(part, 0, MIB)
    part.record()
    part.sync()
    assert b"mine" == precious.read_bytes()
    assert MIB == PartialFile(blob, ORIGIN).n_done


def test_partials_are_found_and_removed(blob: Path, tmp_path: Path) -> None:
    """Ours are listed with their name and what is done, huggingface_hub's orphans too; removing gives all back."""
    part = PartialFile(blob, ORIGIN)
    write(part, 0, MIB)
    part.record()
    orphan = blob.with_name(f"{'b' * 64}.0123abcd.incomplete")
    orphan.write_bytes(b"y" * 70000)
    ours, theirs = find_partials(tmp_path)
    assert ("u/r-GGUF", "m-Q4_K_M.gguf", 16 * MIB, MIB) == (ours.repository, ours.path, ours.n_bytes, ours.n_done)
    assert ("u/r-GGUF", "", 0, (orphan,)) == (theirs.repository, theirs.path, theirs.n_bytes, theirs.files)
    assert remove(ours) >= MIB
    assert 70000 <= remove(theirs) + 4096
    assert [] == [*blob.parent.iterdir()]
    assert () == find_partials(tmp_path)


def test_a_repository_that_cannot_be_read_hides_no_other(blob: Path, tmp_path: Path) -> None:
    """What is no folder, or may not be read, is passed over; partial files of others are found."""
    PartialFile(blob, ORIGIN)
    broken = tmp_path / "models--a--b" / "blobs"
    broken.parent.mkdir()
    broken.write_bytes(b"no folder")
    assert ["u/r-GGUF"] == [found.repository for found in find_partials(tmp_path)]


def test_a_download_under_way_is_not_removed(blob: Path, tmp_path: Path) -> None:
    """Whoever holds the blob's lock keeps its partial file."""
    part = PartialFile(blob, ORIGIN)
    (found,) = find_partials(tmp_path)
    lock_of(blob).parent.mkdir(parents=True)
    with FileLock(lock_of(blob)):
        assert 0 == remove(found)
        assert part.data.exists()
    remove(found)
    assert not part.data.exists()


def test_the_lock_is_huggingface_hubs(tmp_path: Path) -> None:
    """A blob, its partial and its orphan share the lock that huggingface_hub takes."""
    blobs = tmp_path / "models--u--r" / "blobs"
    expected = tmp_path / ".locks" / "models--u--r" / "abc.lock"
    for name in ("abc", "abc.r1chat-part", "abc.r1chat-part.json", "abc.01234567.incomplete"):
        assert expected == lock_of(blobs / name)
