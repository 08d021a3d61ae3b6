"""Models in the Hub's cache: found, listed, removed, pruned, verified; and huggingface_hub reads what is left."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import filelock
import pytest
from huggingface_hub import constants, try_to_load_from_cache

from r1chat.models import catalog, reference, resolve
from r1chat.models.cache import MAX_ENTRIES, hub_cache, repositories
from r1chat.models.library import Library, locate, open_library
from r1chat.models.partial import Origin, PartialFile
from r1chat.models.verification import verify
from tests.conftest import ROOT
from tests.gguf_writer import tiny
from tests.hub_cache import COMMIT_1, COMMIT_2, HubCache, files_under

REPOSITORY = "someone/Some-R1-GGUF"
CATALOG = catalog.load(catalog.default_path())
NOBODY = 65534  # the usual number of the user without rights
SPLIT = [f"Q8_0/Some-R1-Q8_0-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


@pytest.fixture
def hub(tmp_path: Path) -> HubCache:
    """An empty cache that is filled by links."""
    return HubCache(tmp_path / "hub")


@pytest.fixture
def library(hub: HubCache) -> Library:
    """The library of that cache."""
    return Library(hub.folder)


@pytest.fixture
def copies(tmp_path: Path) -> HubCache:
    """An empty cache where links can't be made."""
    return HubCache(tmp_path / "copies", links=False)


# Where the cache is


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"HF_HUB_CACHE": "/a/hub"},
        {"HF_HUB_CACHE": "~/$CACHE_FOLDER/hub"},
        {"HUGGINGFACE_HUB_CACHE": "/b/hub"},
        {"HF_HUB_CACHE": "/a/hub", "HUGGINGFACE_HUB_CACHE": "/b/hub", "HF_HOME": "/c"},
        {"HF_HOME": "/c/home"},
        {"HF_HOME": "~/c"},
        {"XDG_CACHE_HOME": "/d/cache"},
        {"XDG_CACHE_HOME": "/d/cache", "HF_HOME": "/c"},
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable that moves huggingface_hub's cache moves ours to the same folder."""
    world = {**os.environ, "CACHE_FOLDER": "x"}
    for name in ("XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE"):
        world.pop(name, None)
    world |= environ
    code = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
    theirs = subprocess.run([sys.executable, "-c", code], env=world, capture_output=True, text=True, check=True)
    monkeypatch.setenv("CACHE_FOLDER", "x")
    assert Path(theirs.stdout.strip()) == hub_cache(world)


# Finding


def test_a_model_is_found_by_quantization_file_and_default(hub: HubCache, library: Library) -> None:
    """The quantization in any spelling, the file, or neither (then Q4_K_M) lead to the file in the snapshot."""
    four = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    eight = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"eight")
    hub.add(REPOSITORY, "README.md", b"read me")
    for quantization, file, expected in (
        ("Q4_K_M", None, four),
        ("q8-0", None, eight),
        (None, "Some-R1-Q8_0.gguf", eight),
        (None, None, four),
    ):
        model = library.find(REPOSITORY, quantization=quantization, file=file)
        assert model is not None
        assert (expected, (expected,), COMMIT_1, "hub") == (model.path, model.paths, model.commit, model.origin)
    assert library.find(REPOSITORY, quantization="Q6_K") is None
    assert library.find("someone/else", quantization="Q4_K_M") is None


def test_the_name_of_a_repository_in_any_case(hub: HubCache, library: Library) -> None:
    """The Hub takes a repository's name in any case, and so do we."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    assert library.find(REPOSITORY.upper()) is not None


def test_what_huggingface_hub_finds_is_what_we_find(hub: HubCache, library: Library) -> None:
    """A file that `hf_hub_download` would take from the cache is the file that is found."""
    hub.add(REPOSITORY, "a/Some-R1-Q4_K_M.gguf", b"four")
    theirs = try_to_load_from_cache(REPOSITORY, "a/Some-R1-Q4_K_M.gguf", cache_dir=hub.folder)
    model = library.find(REPOSITORY)
    assert model is not None
    assert theirs == str(model.path)


def test_the_commit_of_main_comes_first(hub: HubCache, library: Library) -> None:
    """What main points at is preferred, though another snapshot is newer."""
    old = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"old", commit=COMMIT_1)
    new = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"new", commit=COMMIT_2, revision=None)
    os.utime(old, (1000, 1000))
    model = library.find(REPOSITORY)
    assert model is not None
    assert old == model.path
    assert new == getattr(library.find(REPOSITORY, revision=COMMIT_2), "path", None)
    assert new == getattr(library.find(REPOSITORY, revision=COMMIT_2[:7]), "path", None)
    assert library.find(REPOSITORY, revision="v1.0") is None


def test_without_a_ref_the_newest_whole_one_is_found(hub: HubCache, library: Library) -> None:
    """Where main's snapshot lacks the model, the newest snapshot that has all of it is taken."""
    for number, name in enumerate(SPLIT):
        file = hub.add(REPOSITORY, name, b"old%d" % number, commit=COMMIT_1, revision=None)
        os.utime(file, (1000, 1000))
    hub.add(REPOSITORY, SPLIT[0], b"new0", commit=COMMIT_2)  # main's, and newer
    model = library.find(REPOSITORY, quantization="Q8_0")
    assert model is not None
    assert (COMMIT_1, 3, SPLIT[0]) == (model.commit, len(model.paths), model.variant.files[0].path)


def test_an_incomplete_set_is_listed_and_not_found(hub: HubCache, library: Library) -> None:
    """Two of three parts are no model to run, but something to see and to remove."""
    for name in SPLIT[:2]:
        hub.add(REPOSITORY, name, name.encode())
    assert library.find(REPOSITORY, quantization="Q8_0") is None
    (model,) = library.models()
    assert (False, 2, 3) == (model.complete, len(model.paths), model.variant.n_shards)
    assert 1 == len(library.holdings(REPOSITORY, quantization="Q8_0"))


def test_a_model_of_several_snapshots_is_listed_once(hub: HubCache, library: Library) -> None:
    """A commit that changed other files doesn't double a model; one that changed it gives a second, named by commit."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"same", commit=COMMIT_1, revision=None)
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"same", commit=COMMIT_2)
    assert [f"hf.co/{REPOSITORY}:Q4_K_M"] == [model.name for model in library.models()]
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"other", commit="3" * 40, revision=None)
    names = {model.name for model in library.models()}
    assert {f"hf.co/{REPOSITORY}:Q4_K_M", f"hf://{REPOSITORY}@33333333/Some-R1-Q4_K_M.gguf"} == names


@pytest.mark.parametrize("entry", CATALOG.entries, ids=lambda entry: entry.short)
def test_every_listed_name_can_be_typed(hub: HubCache, entry: catalog.Entry) -> None:
    """What `list` calls a model leads back to it, for every quantization of the catalogue and for others."""
    library = Library(hub.folder, catalog=CATALOG)
    for download in entry.downloads:
        last = download.n_files or 1
        for number in range(1, last + 1):
            path = download.file.replace("-00001-of-", f"-{number:05d}-of-")
            path = path if path.endswith(".gguf") else f"{path}.gguf"
            hub.add(download.repository, path, path.encode())
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    hub.add(REPOSITORY, "a/Some-R1-Q8_0.gguf", b"a")
    hub.add(REPOSITORY, "b/Some-R1-Q8_0.gguf", b"b")
    hub.add(REPOSITORY, "nothing-told.gguf", b"n")
    models = library.models()
    assert len(entry.downloads) + 4 == len(models)
    assert f"{entry.short}:{entry.default}" in [model.name for model in models]
    for model in models:
        assert model == locate(library, resolve.wish(reference.parse(model.name), CATALOG))


def test_a_quantization_that_nobody_named(hub: HubCache) -> None:
    """`7b` means Q4_K_M if that is here, else one that is; `7b:Q6_K` only ever means that."""
    library = Library(hub.folder, catalog=CATALOG)
    entry = CATALOG.find("7b")
    assert entry is not None
    download = entry.quantized("Q8_0")
    assert download is not None
    hub.add(download.repository, download.file, b"eight")
    found = [locate(library, resolve.wish(reference.parse(word), CATALOG)) for word in ("7b", "7b:Q8_0", "7b:Q6_K")]
    assert ["7b:Q8_0", "7b:Q8_0", None] == [model and model.name for model in found]


def test_a_revision_that_the_user_names_is_the_only_one(hub: HubCache, library: Library) -> None:
    """With a revision in the name, another snapshot is not taken instead."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    for at, there in ((COMMIT_1[:8], True), ("main", True), ("v2", False), (COMMIT_2, False)):
        word = f"hf://{REPOSITORY}@{at}/Some-R1-Q4_K_M.gguf"
        assert there == (locate(library, resolve.wish(reference.parse(word), CATALOG)) is not None)


# Without links (Windows)


def test_copies_are_found_and_measured(copies: HubCache) -> None:
    """Where links can't be made, the files lie in the snapshots, with their sizes, and no blob is left over."""
    file = copies.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    library = Library(copies.folder)
    assert not file.is_symlink()
    (model,) = library.models()
    assert (4, file, None) == (model.n_bytes, model.path, model.variant.files[0].sha256)
    assert not library.waste()


def test_copies_are_removed(copies: HubCache) -> None:
    """A copy goes with its snapshot; nothing of the repository stays."""
    copies.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    library = Library(copies.folder)
    freed = library.remove(library.models())
    assert (4, ()) == (freed.n_bytes, freed.skipped)
    assert set() == files_under(copies.folder)


def test_copies_are_verified_by_what_was_noted(copies: HubCache) -> None:
    """A copy has no hash in its name: huggingface_hub's list of the tree tells it, if there is one."""
    copies.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    library = Library(copies.folder)
    assert ["unknown"] == [check.state for model in library.models() for check in verify(model)]
    trees = copies.repository(REPOSITORY) / "trees"
    trees.mkdir()
    for content, state in ((b"four", "good"), (b"five", "bad")):
        entry = {"size": 4, "blob_id": "x", "lfs_sha256": hashlib.sha256(content).hexdigest(), "lfs_size": 4}
        tree = {"format_version": 1, "files": {"Some-R1-Q4_K_M.gguf": entry}}
        (trees / f"{COMMIT_1}.json").write_text(json.dumps(tree))
        assert [state] == [check.state for model in library.models() for check in verify(model)]


# A cache in disorder


def test_disorder_is_left_out_and_nothing_raises(hub: HubCache, library: Library, tmp_path: Path) -> None:
    """Links to nowhere and in circles, foreign files and folders, odd names: the one good model is found."""
    good = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    snapshot = good.parent
    (snapshot / "gone-Q8_0.gguf").symlink_to("../../blobs/" + "0" * 64)
    (snapshot / "circle-Q6_K.gguf").symlink_to("circle-Q6_K.gguf")
    (snapshot / "a-folder-Q5_K_M.gguf").mkdir()
    (snapshot / "up").symlink_to("..")
    (hub.folder / "models--a-file").write_text("")
    (hub.folder / "models--").mkdir()
    (hub.folder / "models--..--..--etc").mkdir()
    (hub.folder / "models--empty--one" / "snapshots").mkdir(parents=True)
    (hub.folder / "models--no--snapshots" / "blobs").mkdir(parents=True)
    (hub.folder / "datasets--a--b" / "snapshots" / COMMIT_1).mkdir(parents=True)
    (hub.folder / "datasets--a--b" / "snapshots" / COMMIT_1 / "x-Q4_0.gguf").write_text("x")
    refs = hub.repository(REPOSITORY) / "refs"
    (refs / "binary").write_bytes(b"\xff\xfe\x00")
    (refs / "long").write_bytes(b"1" * 5000)
    (refs / "circle").symlink_to("circle")
    assert [good] == [model.path for model in library.models()]
    assert good == getattr(library.find(REPOSITORY), "path", None)
    library.waste()


@pytest.mark.parametrize("content", ["missing", "a file", "a circle"])
def test_a_cache_that_is_none(tmp_path: Path, content: str) -> None:
    """No cache at all, a file or a link in a circle in its place, is an empty cache."""
    folder = tmp_path / "hub"
    if content == "a file":
        folder.write_text("x")
    elif content == "a circle":
        folder.symlink_to(folder)
    library = Library(folder, (folder,), (folder,))
    assert ((), None, False) == (library.models(), library.find(REPOSITORY), bool(library.waste()))


@pytest.fixture
def restricted() -> Iterator[HubCache]:
    """A cache of a user whom permissions bind, which root is not: the test is that user then."""
    if os.name == "nt":
        pytest.skip("needs POSIX permissions")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        hub = HubCache(Path(folder) / "hub")
        hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
        hub.add("a/b", "Some-R1-Q4_K_M.gguf", b"four")
        before = os.geteuid()
        if before == 0:
            Path(folder).chmod(0o755)
            for path in (hub.folder, *hub.folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
            os.seteuid(NOBODY)
        try:
            yield hub
        finally:
            os.seteuid(before)
            for path in hub.folder.rglob("*"):
                if path.is_dir():
                    path.chmod(0o755)


def test_folders_nobody_may_read(restricted: HubCache) -> None:
    """A folder without permission hides its models; others are found, and no blob of its repository is an orphan."""
    library = Library(restricted.folder)
    hidden = restricted.repository(REPOSITORY) / "snapshots" / COMMIT_1
    hidden.chmod(0)
    assert ["a/b"] == [model.repository for model in library.models()]
    assert () == library.waste().orphans
    hidden.chmod(0o755)
    (restricted.repository(REPOSITORY) / "blobs").chmod(0)
    assert ["a/b"] == [model.repository for model in library.models()]
    assert () == library.waste().orphans


def test_a_folder_that_cannot_be_written_to(restricted: HubCache) -> None:
    """What can't be removed is told, with the system's reason, and nothing else is done."""
    library = Library(restricted.folder)
    models = library.holdings(REPOSITORY)
    models[0].path.parent.chmod(0o500)
    assert ["Permission denied"] == [one.why for one in library.remove(models).skipped]
    assert b"four" == models[0].path.read_bytes()


def test_more_files_than_are_looked_at(hub: HubCache, library: Library) -> None:
    """In a repository too large to look through, nothing counts as unused."""
    kept = hub.add(REPOSITORY, "zzz/Some-R1-Q4_K_M.gguf", b"four").resolve()
    folder = hub.repository(REPOSITORY) / "snapshots" / COMMIT_1 / "many"
    folder.mkdir()
    for number in range(MAX_ENTRIES):
        (folder / str(number)).touch()
    (found,) = repositories(hub.folder)
    assert not found.whole
    assert () == library.waste().orphans
    for model in library.models():
        library.remove([model])
    assert kept.exists()


def test_a_link_out_of_the_cache_is_a_model_and_its_target_stays(
    hub: HubCache, library: Library, tmp_path: Path
) -> None:
    """A user's own link in a snapshot is run, and removed without what it leads to."""
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"mine")
    link = hub.add(REPOSITORY, "README.md", b"x").with_name("Some-R1-Q4_K_M.gguf")
    link.symlink_to(mine)
    (model,) = library.models()
    assert 0 == library.freed_by([model])
    assert 0 == library.remove([model]).n_bytes
    assert (True, False) == (mine.exists(), link.is_symlink())


# Removing


def test_removing_leaves_nothing_of_a_model(hub: HubCache, library: Library) -> None:
    """Pointers, blobs, refs and empty folders go; what was said to be freed is freed."""
    for name in SPLIT:
        hub.add(REPOSITORY, name, name.encode())
    (model,) = library.models()
    expected = sum(len(name) for name in SPLIT)
    assert expected == model.n_bytes == library.freed_by([model])
    freed = library.remove([model])
    assert (expected, 6, ()) == (freed.n_bytes, freed.n_files, freed.skipped)
    assert set() == files_under(hub.folder)
    assert [] == [entry.name for entry in hub.folder.iterdir() if entry.name != ".locks"]


def test_a_blob_stays_while_another_snapshot_points_at_it(hub: HubCache, library: Library) -> None:
    """Of two commits with the same file, removing one frees nothing and leaves the other whole."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"same", commit=COMMIT_1, revision="old")
    other = hub.add(REPOSITORY, "renamed-Q4_K_M.gguf", b"same", commit=COMMIT_2)
    (old,) = library.holdings(REPOSITORY, revision="old")
    assert 0 == library.freed_by([old])
    assert 0 == library.remove([old]).n_bytes
    assert b"same" == other.read_bytes()
    (repo,) = hub.scan().repos
    assert [COMMIT_2] == [revision.commit_hash for revision in repo.revisions]


def test_a_model_goes_from_every_snapshot(hub: HubCache, library: Library) -> None:
    """What a name stands for is removed from all commits; other files of them, and their refs, stay."""
    for commit, revision in ((COMMIT_1, "old"), (COMMIT_2, "main")):
        hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"same", commit=commit, revision=revision)
        hub.add(REPOSITORY, "README.md", b"read me", commit=commit, revision=revision)
    freed = library.remove(library.holdings(REPOSITORY, quantization="Q4_K_M"))
    assert (4, 3) == (freed.n_bytes, freed.n_files)
    (repo,) = hub.scan().repos
    assert {"main", "old"} == set(repo.refs)
    assert {"README.md"} == {file.file_name for revision in repo.revisions for file in revision.files}


def test_only_the_model_that_is_named_goes(hub: HubCache, library: Library) -> None:
    """Another quantization in the same snapshot is not touched."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    eight = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"eight")
    library.remove(library.holdings(REPOSITORY, quantization="Q4_K_M"))
    assert [eight] == [model.path for model in library.models()]
    hub.scan()


def test_a_hard_link_elsewhere_frees_nothing(hub: HubCache, library: Library, tmp_path: Path) -> None:
    """A blob that has another name on the disk gives nothing back."""
    blob = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four").resolve()
    os.link(blob, tmp_path / "kept.gguf")
    assert 0 == library.freed_by(library.models())
    assert 0 == library.remove(library.models()).n_bytes
    assert b"four" == (tmp_path / "kept.gguf").read_bytes()


@pytest.fixture
def downloading(hub: HubCache) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock on the blob of b"four", as huggingface_hub does while it downloads."""
    name = hashlib.sha256(b"four").hexdigest()
    lock = hub.folder / ".locks" / hub.repository(REPOSITORY).name / f"{name}.lock"
    lock.parent.mkdir(parents=True)
    code = (
        "import sys; from huggingface_hub.utils import WeakFileLock\n"
        "with WeakFileLock(sys.argv[1]):\n    print('held', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(lock)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert b"held" == process.stdout.readline().strip()
    yield process
    process.communicate()


def test_what_another_process_downloads_is_left(
    hub: HubCache, library: Library, downloading: subprocess.Popen[bytes]
) -> None:
    """A blob whose lock is held stays with its pointers, is told, and goes when the lock is free."""
    file = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    incomplete = hub.blob(REPOSITORY, b"four").with_name(f"{hashlib.sha256(b'four').hexdigest()}.0123abcd.incomplete")
    incomplete.write_bytes(b"fo")
    freed = library.remove(library.models())
    assert [("Some-R1-Q4_K_M.gguf", "another program is downloading it")] == [
        (one.path, one.why) for one in freed.skipped
    ]
    assert b"four" == file.read_bytes()
    assert 1 == len(library.prune().skipped)
    assert incomplete.exists()
    downloading.communicate()
    assert 4 == library.remove(library.models()).n_bytes
    assert () == library.prune().skipped
    assert not incomplete.exists()


def test_removing_holds_the_lock(hub: HubCache, library: Library) -> None:
    """The lock that is taken is the one that huggingface_hub takes for the same blob."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    name = hashlib.sha256(b"four").hexdigest()
    with filelock.FileLock(hub.folder / ".locks" / hub.repository(REPOSITORY).name / f"{name}.lock") as lock:
        assert 1 == len(library.remove(library.models()).skipped)
        assert lock.is_locked
    assert () == library.remove(library.models()).skipped


def test_a_shared_blob_goes_with_its_last_repository(hub: HubCache, library: Library) -> None:
    """Two repositories with the same file share it on the disk: it is counted once and removed with the second."""
    stored = hub.share("a/one", b"shared")
    hub.add("a/one", "one-Q4_K_M.gguf", b"shared")
    assert stored == hub.share("b/two", b"shared")
    hub.add("b/two", "two-Q4_K_M.gguf", b"shared")
    one, two = library.models()
    assert (6, 0) == (one.n_bytes, library.freed_by([one]))
    assert (0, ()) == (library.remove([one]).n_bytes, library.waste().orphans)
    assert b"shared" == two.path.read_bytes()
    hub.scan()
    assert 6 == library.freed_by([two])
    assert 6 == library.remove([two]).n_bytes
    assert not stored.exists()


def test_removing_twice_is_no_error(hub: HubCache, library: Library) -> None:
    """What is gone already frees nothing and raises nothing."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    models = library.models()
    library.remove(models)
    assert 0 == library.remove(models).n_bytes


# Pruning


def test_orphans_are_found_and_pruned(hub: HubCache, library: Library) -> None:
    """Blobs without a pointer, pointers without a blob and unfinished downloads go; models and their files stay."""
    good = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    orphan = hub.blob(REPOSITORY, b"orphan")
    broken = good.with_name("gone-Q8_0.gguf")
    broken.symlink_to("../../blobs/" + "0" * 64)
    incomplete = orphan.with_name("f" * 64 + ".0123abcd.incomplete")
    incomplete.write_bytes(b"half")
    notes = orphan.with_name("notes.txt")
    notes.write_text("mine")
    waste = library.waste()
    assert {("blob", orphan), ("link", broken)} == {(one.kind, one.file) for one in waste.orphans}
    assert [(incomplete,)] == [one.files for one in waste.partials]
    before = files_under(hub.folder)
    assert waste.n_bytes == library.prune(dry_run=True).n_bytes
    assert before == files_under(hub.folder)
    freed = library.prune()
    assert (3, ()) == (freed.n_files, freed.skipped)
    assert [False, False, False] == [os.path.lexists(path) for path in (orphan, broken, incomplete)]
    assert (b"four", "mine") == (good.read_bytes(), notes.read_text())
    assert not library.waste()
    hub.scan()


def test_an_orphan_that_got_a_pointer_meanwhile_stays(hub: HubCache, library: Library) -> None:
    """Between the look and the removal a download may have ended: its file is no orphan any more."""
    hub.blob(REPOSITORY, b"four")
    waste = library.waste()
    file = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    assert 0 == library.prune(waste).n_bytes
    assert b"four" == file.read_bytes()


def test_a_shared_file_without_a_repository_is_pruned(hub: HubCache, library: Library) -> None:
    """A file of the shared store that no blob leads to any more goes; one whose list is unreadable stays."""
    stored, kept = hub.share("a/one", b"shared"), hub.share("a/one", b"kept")
    for name in (b"shared", b"kept"):
        (hub.repository("a/one") / "blobs" / hashlib.sha256(name).hexdigest()).unlink()
    kept.with_name(f"{kept.name}.refs").unlink()
    assert [("stored", stored)] == [(one.kind, one.file) for one in library.waste().orphans]
    assert 6 == library.prune().n_bytes
    assert (False, True) == (stored.exists(), kept.exists())


def test_models_elsewhere_are_never_waste(hub: HubCache, library: Library) -> None:
    """Datasets, folders of others and files beside the repositories are not looked at."""
    for path in ("datasets--a--b/blobs/" + "0" * 64, "blobs/aa/" + "a" * 64, "version.txt"):
        (hub.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (hub.folder / path).write_text("x")
    assert not library.waste()


# Verifying


def test_every_changed_byte_is_found(hub: HubCache, library: Library) -> None:
    """A file with one byte changed, anywhere, is bad; unchanged it is good."""
    content = bytes(range(100))
    blob = hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", content).resolve()
    (model,) = library.models()
    assert ["good"] == [check.state for check in verify(model)]
    for position in range(100):
        wrong = bytearray(content)
        wrong[position] ^= 1
        blob.write_bytes(wrong)
        assert ["bad"] == [check.state for check in verify(model)]


def test_small_files_are_named_by_git(hub: HubCache, library: Library) -> None:
    """A file outside LFS is checked against git's own hash of it."""
    content = b"not in LFS"
    name = hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()
    link = hub.add(REPOSITORY, "README.md", b"x").with_name("Some-R1-Q4_K_M.gguf")
    blob = hub.repository(REPOSITORY) / "blobs" / name
    blob.write_bytes(content)
    link.symlink_to(f"../../blobs/{name}")
    (model,) = library.models()
    assert ["good"] == [check.state for check in verify(model)]
    blob.write_bytes(b"something else")
    assert ["bad"] == [check.state for check in verify(model)]


def test_progress_counts_every_byte(hub: HubCache, library: Library) -> None:
    """What is reported as done adds up to the size."""
    for name in SPLIT:
        hub.add(REPOSITORY, name, name.encode() * 100_000)
    (model,) = library.models()
    done: list[int] = []
    assert ["good"] * 3 == [check.state for check in verify(model, on_bytes=done.append)]
    assert model.n_bytes == sum(done)


def test_a_file_that_vanishes_is_told(hub: HubCache, library: Library) -> None:
    """A file that can't be read any more is not good."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    (model,) = library.models()
    (hub.repository(REPOSITORY) / "blobs" / hashlib.sha256(b"four").hexdigest()).unlink()
    assert ["unreadable"] == [check.state for check in verify(replace(model))]


def test_a_bad_file_goes_from_every_snapshot_and_can_come_back(hub: HubCache, library: Library) -> None:
    """Dropping a bad file tells what to get again for which commit, and keeps refs until that is done."""
    for commit, revision in ((COMMIT_1, "old"), (COMMIT_2, "main")):
        hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four", commit=commit, revision=revision)
    model = library.find(REPOSITORY)
    assert model is not None
    model.path.resolve().write_bytes(b"five")
    freed, lost = library.drop(model, ["Some-R1-Q4_K_M.gguf"])
    assert (4, ()) == (freed.n_bytes, freed.skipped)
    assert {(COMMIT_1, "Some-R1-Q4_K_M.gguf"), (COMMIT_2, "Some-R1-Q4_K_M.gguf")} == set(lost)
    assert library.find(REPOSITORY) is None
    for commit, path in lost:
        hub.add(REPOSITORY, path, b"four", commit=commit, revision=None)
    library.tidy(REPOSITORY)
    (repo,) = hub.scan().repos
    assert {"main", "old"} == set(repo.refs)
    assert COMMIT_2 == getattr(library.find(REPOSITORY), "commit", None)


def test_a_bad_file_that_does_not_come_back_leaves_nothing(hub: HubCache, library: Library) -> None:
    """When the pull fails after a drop, tidying leaves no refs to nothing."""
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    (model,) = library.models()
    library.drop(model, ["Some-R1-Q4_K_M.gguf"])
    library.tidy(REPOSITORY)
    assert set() == files_under(hub.folder)


# No network


NO_SOCKETS = """
import json, os, socket, sys
def refused(*_, **__):
    raise AssertionError("a socket was made")
socket.socket.__init__ = refused
socket.create_connection = refused
sys.addaudithook(lambda event, args: refused() if event.startswith("socket.") else None)
from pathlib import Path
from r1chat.models import catalog, reference, resolve
from r1chat.models.library import locate, open_library
models = catalog.load(catalog.default_path())
library = open_library(os.environ, Path(os.environ["R1CHAT_HOME"]), models)
model = locate(library, resolve.wish(reference.parse(sys.argv[1]), models))
print(json.dumps([str(model.path), sorted({m.partition(".")[0] for m in sys.modules})]))
"""


def test_a_model_on_disk_is_found_without_a_socket(hub: HubCache, home: Path) -> None:
    """A whole process finds the model by name with sockets refused, and imports no HTTP client for it."""
    entry = CATALOG.find("7b")
    assert entry is not None
    file = hub.add(entry.download.repository, entry.download.file, tiny().build())
    environ = {**os.environ, "HF_HUB_CACHE": str(hub.folder)}
    argv = [sys.executable, "-c", NO_SOCKETS, "7b"]
    done = subprocess.run(argv, env=environ, cwd=ROOT, capture_output=True, text=True, check=True)
    path, modules = json.loads(done.stdout)
    assert str(file) == path
    assert {"huggingface_hub", "httpx2", "filelock", "requests"} & set(modules) == set()


def test_the_environment_opens_the_library(hub: HubCache, tmp_path: Path) -> None:
    """HF_HUB_CACHE and OLLAMA_MODELS, or the home folder, say where models are."""
    environ = {"HF_HUB_CACHE": str(hub.folder), "OLLAMA_MODELS": str(tmp_path / "o")}
    library = open_library(environ, tmp_path)
    assert (hub.folder, (tmp_path / "o",)) == (library.cache, library.ollama)
    assert tmp_path / ".lmstudio" / "models" in library.lm_studio
    assert tmp_path / ".ollama" / "models" in open_library({}, tmp_path).ollama


def test_the_tests_see_the_real_links() -> None:
    """The fixtures restore what they change in huggingface_hub."""
    assert not constants.HF_HUB_DISABLE_SYMLINKS


def test_a_folder_that_waits_for_a_download_stays(
    hub: HubCache, library: Library, downloading: subprocess.Popen[bytes]
) -> None:
    """While another process downloads into the same snapshot, removing a model leaves the folder for its file."""
    eight = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"eight")
    library.remove(library.models())
    assert (False, True) == (eight.exists(), eight.parent.is_dir())
    hub.add(REPOSITORY, "Some-R1-Q4_K_M.gguf", b"four")
    assert library.find(REPOSITORY) is not None


# Unfinished downloads of r1chat's own


@pytest.fixture
def begun(hub: HubCache) -> PartialFile:
    """A download that was cut at a third."""
    blob = hub.blob(REPOSITORY, b"four").with_name("f" * 64)
    partial = PartialFile(blob, Origin(REPOSITORY, "Some-R1-Q8_0.gguf", "main", COMMIT_1, 3_000_000))
    with partial.open() as stream:
        partial.write(stream, 0, bytes(1_000_000))
    partial.sync()
    return partial


def test_a_partial_download_is_no_model(hub: HubCache, library: Library, begun: PartialFile) -> None:
    """It is not found and not listed as a model, but told with what is done of it, and its files are no orphans."""
    assert () == library.models()
    assert library.find(REPOSITORY, quantization="Q8_0") is None
    (one,) = library.partials()
    assert (1_000_000, 3_000_000) == (one.n_done, one.n_bytes)
    assert f"hf.co/{REPOSITORY}:Q8_0" == library.name_of(one)
    assert [hub.blob(REPOSITORY, b"four")] == [orphan.file for orphan in library.waste().orphans]


def test_a_partial_download_goes_with_its_model(library: Library, begun: PartialFile, hub: HubCache) -> None:
    """`rm` takes the unfinished download of the quantization that is named, and no other."""
    assert () == library.partials_of(REPOSITORY, quantization="Q4_K_M", file=None)
    partials = library.partials_of(REPOSITORY.lower(), quantization="q8_0", file=None)
    assert 1 == len(partials)
    assert () == library.remove((), partials).skipped
    assert {f"blobs/{hashlib.sha256(b'four').hexdigest()}"} == files_under(hub.repository(REPOSITORY))


def test_a_partial_download_alone_leaves_no_folder(library: Library, begun: PartialFile, hub: HubCache) -> None:
    """With the last of a repository its folder goes too: huggingface_hub would take it for a broken one."""
    hub.blob(REPOSITORY, b"four").unlink()
    assert library.remove((), library.partials()).n_files > 0
    assert not hub.repository(REPOSITORY).exists()
