"""`list`, `show`, `rm`, `verify` and `prune` as whole processes, on real files in a cache that huggingface_hub made."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from r1chat.cli.library import verify_command
from r1chat.cli.show import Remote, show_command
from r1chat.errors import DownloadError
from r1chat.models import catalog
from r1chat.models.resolve import Wish
from r1chat.models.variants import RepoFile, variants
from r1chat.terminal.wrap import width
from tests.conftest import Command, Done
from tests.gguf_writer import tiny
from tests.hub_cache import COMMIT_1, COMMIT_2, HubCache, files_under

REPOSITORY = "someone/Some-R1-GGUF"
CATALOG = catalog.load(catalog.default_path())
ENTRY = CATALOG.find("7b")
assert ENTRY is not None
SEVEN = ENTRY.download
DEMO = Path(__file__).parents[2] / "r1chat" / "data" / "demo.gguf"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubCache:
    """The cache that the commands of this test see; nobody else's models."""
    user = tmp_path / "user"
    user.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(user))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    return HubCache(tmp_path / "hub")


@pytest.fixture
def run(hub: HubCache, r1chat: Command) -> Command:
    """The command line that sees this cache."""
    return r1chat


def told(done: Done) -> list[str]:
    """The lines on stdout of a command that went well."""
    assert (0, b"") == (done.code, done.err)
    return done.out.decode().splitlines()


def parsed(done: Done) -> dict[str, Any]:
    """The JSON object on stdout of a command that went well."""
    (line,) = told(done)
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def refused(done: Done, code: int) -> tuple[str, str]:
    """The sentence and the hint of a command that printed nothing else."""
    assert (b"", code) == (done.out, done.code)
    sentence, hint = done.err.decode().splitlines()
    assert sentence.startswith("r1chat: ")
    return sentence.removeprefix("r1chat: "), hint.strip()


# list


def test_an_empty_list_says_how_to_get_a_model(run: Command) -> None:
    """Without a model, `list` tells what to type; as JSON it is empty."""
    assert "No models yet." == told(run("list"))[0]
    assert ([], 0) == (parsed(run("list", "--json"))["models"], parsed(run("list", "--json"))["n_bytes"])


def test_list_names_models_as_one_types_them(run: Command, hub: HubCache) -> None:
    """The catalogue's names where it knows the file, the Hub's for others, sizes and a total."""
    hub.add(SEVEN.repository, SEVEN.file, b"x" * 2_000_000)
    hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"y" * 1_000_000)
    lines = told(run("list"))
    assert ["NAME", "SIZE", "CHANGED"] == lines[0].split()
    assert ["7b:Q4_K_M", "2.0", "MB", "just", "now"] == lines[1].split()
    assert [f"hf.co/{REPOSITORY}:Q8_0", "1.0", "MB"] == lines[2].split()[:3]
    assert lines[4].startswith("2 models, 3.0 MB.")
    value = parsed(run("list", "--json"))
    assert (3_000_000, [2_000_000, 1_000_000]) == (value["n_bytes"], [m["n_bytes"] for m in value["models"]])
    assert [("7b:Q4_K_M", "hub", COMMIT_1, True)] == [
        (m["name"], m["origin"], m["commit"], m["complete"]) for m in value["models"][:1]
    ]


def test_list_counts_what_is_shared_once(run: Command, hub: HubCache) -> None:
    """Two names for one file on the disk are two models of one size."""
    hub.share("a/one", b"x" * 100)
    hub.add("a/one", "one-Q4_K_M.gguf", b"x" * 100)
    hub.share("b/two", b"x" * 100)
    hub.add("b/two", "two-Q4_K_M.gguf", b"x" * 100)
    assert 100 == parsed(run("list", "--json"))["n_bytes"]


def test_list_shows_what_is_incomplete(run: Command, hub: HubCache) -> None:
    """A set that lacks parts says how many there are."""
    hub.add(REPOSITORY, "a-Q8_0-00001-of-00003.gguf", b"1")
    assert told(run("list"))[1].endswith("1 of 3 parts")


def test_list_all_shows_partial_downloads_and_orphans(run: Command, hub: HubCache) -> None:
    """With --all also what downloads have left and what nothing uses, in words and as JSON."""
    orphan = hub.blob(REPOSITORY, b"orphan")
    orphan.with_name("f" * 64 + ".0123abcd.incomplete").write_bytes(b"h" * 5000)
    assert "No models yet." == told(run("list"))[0]
    text = "\n".join(told(run("list", "--all")))
    assert "Not finished" in text
    assert "Used by nothing" in text
    assert "r1chat prune" in text
    value = parsed(run("list", "--all", "--json"))
    assert (1, 1) == (len(value["partials"]), len(value["orphans"]))
    assert 6 == value["orphans"][0]["n_bytes"]


def test_other_programs_models_have_their_own_heading(run: Command, hub: HubCache, tmp_path: Path) -> None:
    """What Ollama and LM Studio hold stands under their names."""
    hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"y")
    manifest = tmp_path / "ollama" / "manifests" / "registry.ollama.ai" / "library" / "r1" / "7b"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:" + "a" * 64}
    manifest.write_text(json.dumps({"layers": [layer]}))
    (tmp_path / "ollama" / "blobs").mkdir()
    (tmp_path / "ollama" / "blobs" / f"sha256-{'a' * 64}").write_bytes(b"model")
    studio = tmp_path / "user" / ".lmstudio" / "models" / "p" / "r"
    studio.mkdir(parents=True)
    (studio / "x-Q4_0.gguf").write_bytes(b"x")
    lines = told(run("list"))
    heads = [number for number, line in enumerate(lines) if line.startswith(("Ollama", "LM Studio"))]
    assert ["ollama:r1:7b", "hf.co/p/r:Q4_0"] == [lines[number + 2].split()[0] for number in heads]
    assert 3 == len(parsed(run("list", "--json"))["models"])


@pytest.mark.parametrize("locale", [{}, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_any_name_leaves_the_table_in_line(run: Command, hub: HubCache, locale: dict[str, str]) -> None:
    """Names of 200 characters, Chinese and hostile ones: no row is wider than 80 cells, none drives a terminal."""
    for name in ("n" * 200, "模型" * 30, "\x1b[2J\u202eevil", "plain"):
        hub.add(REPOSITORY, f"{name}-Q8_0.gguf", name.encode())
    done = run("list", env=locale)
    lines = told(done)
    assert all(width(line) <= 80 for line in lines[:-1])
    assert b"\x1b" not in done.out
    assert "\u202e" not in done.out.decode()
    assert 4 == len(parsed(run("list", "--json", env=locale))["models"])


# show


def test_the_demos_card(run: Command) -> None:
    """`show demo` is short: what it is, its licence, context and size, from the file itself."""
    lines = told(run("show", "demo"))
    assert "r1chat demo" == lines[0]
    assert len(lines) < 12
    text = " ".join(" ".join(lines).split())
    for words in ("A toy", "licence MIT", "context 2,048 tokens", "Q8_0"):
        assert words in text


def test_show_tells_a_models_facts(run: Command, hub: HubCache) -> None:
    """By name, from the cache: architecture, size, licence of the catalogue, tensors, metadata, and where it is."""
    file = hub.add(SEVEN.repository, SEVEN.file, DEMO.read_bytes())
    text = "\n".join(told(run("show", "7b")))
    for words in ("7b:Q4_K_M", "qwen2", "2,048 tokens", "MIT", "50 tensors", "Q8_0", "general.name", "runs"):
        assert words in text
    value = parsed(run("show", "7b", "--json"))
    assert (str(file), 2048, True) == (value["where"], value["context"], value["runs"])
    assert 50 == sum(group["count"] for group in value["tensors"].values())
    assert SEVEN.repository == value["on_disk"]["repository"]
    assert value["metadata"]["tokenizer.ggml.tokens"]["count"] == 768
    assert value == parsed(run("show", str(file), "--json"))


def test_one_value_of_the_metadata(run: Command) -> None:
    """`--get` prints one value whole: text, a number, an array by lines, or JSON; an unknown key suggests another."""
    path = str(DEMO)
    assert ["r1chat demo"] == told(run("show", path, "--get", "general.name"))
    assert ["2048"] == told(run("show", "demo", "--get", "qwen2.context_length"))
    assert ["true"] == told(run("show", "demo", "--get", "tokenizer.ggml.add_bos_token"))
    assert 768 == len(told(run("show", "demo", "--get", "tokenizer.ggml.token_type")))
    assert ["en"] == json.loads(run("show", "demo", "--get", "general.languages", "--json").out)
    assert ("The model has no metadata 'general.nam'.", True) == (
        (found := refused(run("show", "demo", "--get", "general.nam"), 3))[0],
        "general.name" in found[1],
    )


def test_metadata_can_not_drive_a_terminal(run: Command, tmp_path: Path) -> None:
    """Escapes in names, keys and values are shown and not obeyed, in every form of the output."""
    model = tiny()
    model.metadata["general.name"] = "\x1b]0;evil\x07\u202e"
    model.metadata["\x1b[2J.key"] = ["\x9b31m", "\x1b[1m"]
    file = tmp_path / "evil.gguf"
    file.write_bytes(model.build())
    for words in ((), ("--json",), ("--get", "general.name"), ("--get", "\x1b[2J.key"), ("--get", "no\x1b[2J")):
        done = run("show", str(file), *words)
        assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set((done.out + done.err).decode())


def test_show_of_what_is_not_there(run: Command, tmp_path: Path) -> None:
    """A known model that is not here, a file that is none, and a name that nobody knows are errors with a way out."""
    assert 3 == run("show", str(tmp_path / "none.gguf")).code
    assert 3 == run("show", "9b").code
    assert 3 == run("show", "ollama:r1:7b").code
    (tmp_path / "page.gguf").write_text("<html>")
    assert 6 == run("show", str(tmp_path / "page.gguf")).code


def test_a_model_on_the_hub_is_shown_by_its_header(hub: HubCache, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not on this machine is read through the stream that is handed in; the facts are the same."""
    content = DEMO.read_bytes()

    @contextmanager
    def open_remote(wish: Wish) -> Iterator[Remote]:
        (variant,) = variants([RepoFile(SEVEN.file, len(content))])
        yield Remote(wish.repository, COMMIT_2, variant, lambda: iter([io.BytesIO(content)]))

    show_command(open_remote)(name="7b:Q4_K_M", json=True, get=None)
    value = json.loads(capsys.readouterr().out)
    assert (SEVEN.repository, COMMIT_2, "r1chat demo") == (value["repository"], value["commit"], value["title"])
    assert (len(content), 2048, None) == (value["n_bytes"], value["context"], value["on_disk"])
    show_command(open_remote)(name="7b:Q4_K_M", json=False, get=None)
    assert "not on this machine" in capsys.readouterr().out
    hub.add(SEVEN.repository, SEVEN.file, content)
    show_command(None)(name="7b:Q4_K_M", json=True, get=None)
    assert json.loads(capsys.readouterr().out)["on_disk"] is not None


# rm


def test_rm_removes_and_says_what_was_freed(run: Command, hub: HubCache) -> None:
    """With --yes nobody is asked; models, their blobs and what their downloads left are gone."""
    hub.add(SEVEN.repository, SEVEN.file, b"x" * 1000)
    hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"y" * 500)
    assert ["Removed 4 files: 1.5 kB freed."] == told(run("rm", "7b", f"hf.co/{REPOSITORY}:q8_0", "--yes"))
    assert set() == files_under(hub.folder)
    assert "No models yet." == told(run("list"))[0]


def test_rm_in_a_pipe_says_what_to_type(run: Command, hub: HubCache) -> None:
    """Where nobody can be asked nothing is removed, and the command that does it is told."""
    file = hub.add(SEVEN.repository, SEVEN.file, b"x")
    assert "r1chat rm 7b --yes" in refused(run("rm", "7b"), 2)[1]
    assert file.exists()


def test_rm_takes_all_revisions_and_incomplete_sets(run: Command, hub: HubCache) -> None:
    """A name stands for the model in every snapshot, and for the parts of it that are here."""
    hub.add(REPOSITORY, "a-Q8_0-00001-of-00003.gguf", b"1", commit=COMMIT_1, revision="old")
    hub.add(REPOSITORY, "a-Q8_0-00001-of-00003.gguf", b"2", commit=COMMIT_2)
    told(run("rm", f"{REPOSITORY}:Q8_0", "--yes"))
    assert set() == files_under(hub.folder)


def test_rm_of_one_revision_leaves_the_others(run: Command, hub: HubCache) -> None:
    """With a revision in the name only that snapshot's file goes."""
    hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"old", commit=COMMIT_1, revision="old")
    new = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"new", commit=COMMIT_2)
    told(run("rm", f"hf://{REPOSITORY}@old/Some-R1-Q8_0.gguf", "--yes"))
    assert [str(new)] == [model["path"] for model in parsed(run("list", "--json"))["models"]]
    hub.scan()


def test_rm_of_a_path_in_the_cache(run: Command, hub: HubCache) -> None:
    """The path that `list --json` tells stands for its model."""
    file = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"old")
    told(run("rm", str(file), "--yes"))
    assert set() == files_under(hub.folder)


def test_rm_refuses_what_is_not_ours(run: Command, hub: HubCache, tmp_path: Path) -> None:
    """The demo, files outside the cache, Ollama's and LM Studio's models are never removed, whatever is asked."""
    mine = tmp_path / "mine.gguf"
    mine.write_bytes(b"mine")
    studio = tmp_path / "user" / ".lmstudio" / "models" / "p" / "r" / "x-Q4_0.gguf"
    studio.parent.mkdir(parents=True)
    studio.write_bytes(b"x")
    before = files_under(tmp_path)
    for name in ("demo", str(mine), "ollama:r1:7b", "hf.co/p/r:Q4_0", str(studio)):
        refused(run("rm", name, "--yes"), 2)
    assert before == files_under(tmp_path)


def test_rm_of_what_is_not_here(run: Command, hub: HubCache) -> None:
    """A model that is not on the disk is told, with what there is instead of it; nothing else is removed."""
    assert "7b is not on this machine." == refused(run("rm", "7b", "--yes"), 3)[0]
    eight = ENTRY.quantized("Q8_0") if ENTRY else None
    assert eight is not None
    file = hub.add(eight.repository, eight.file, b"8")
    assert "Here is 7b:Q8_0." == refused(run("rm", "7b", "--yes"), 3)[1]
    assert file.exists()


def test_rm_of_a_repository_with_several_models(run: Command, hub: HubCache) -> None:
    """A name that could mean two models removes neither and names both."""
    for quantization in ("Q4_K_M", "Q8_0"):
        hub.add(REPOSITORY, f"Some-R1-{quantization}.gguf", quantization.encode())
    hint = refused(run("rm", REPOSITORY, "--yes"), 2)[1]
    assert "Q4_K_M" in hint
    assert "Q8_0" in hint
    assert 2 == len(hub.scan().repos and files_under(hub.repository(REPOSITORY) / "blobs"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
@pytest.mark.parametrize(("answer", "gone"), [("y", True), ("YES", True), ("", False), ("n", False), ("maybe", False)])
def test_rm_asks_on_a_terminal(run: Command, hub: HubCache, answer: str, gone: bool) -> None:
    """On a terminal the sizes are shown and one question asked; anything but yes is no."""
    import pty

    file = hub.add(SEVEN.repository, SEVEN.file, b"x" * 1000)
    parent, child = pty.openpty()
    process = run.start("rm", "7b", stdin=child, stdout=child, stderr=child)
    os.close(child)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(parent, 4096)
    assert b"7b:Q4_K_M" in shown
    assert b"1.0 kB" in shown
    os.write(parent, answer.encode() + b"\n")
    assert (0 if gone else 1) == process.wait(timeout=30)
    os.close(parent)
    assert gone != file.exists()


# verify


def test_verify_tells_good_from_bad(run: Command, hub: HubCache) -> None:
    """Good models pass with 0; a changed byte is named, with the way to repair it, and exit code 4."""
    file = hub.add(SEVEN.repository, SEVEN.file, b"x" * 1000)
    hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"y")
    assert ["good", "good"] == [line.split()[-1] for line in told(run("verify"))]
    file.resolve().write_bytes(b"x" * 999 + b"z")
    done = run("verify")
    assert 4 == done.code
    assert SEVEN.file in done.out.decode()
    assert "r1chat verify --repair" in done.err.decode()
    assert b"1 of 2 files is bad" in done.err
    assert 0 == run("verify", f"hf.co/{REPOSITORY}:Q8_0").code
    assert 3 == run("verify", "14b").code


def test_verify_repairs_by_pulling_again(hub: HubCache, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the bad file is dropped and asked for, at its commit; afterwards the model is good again."""
    names = [f"a-Q8_0-0000{number}-of-00002.gguf" for number in (1, 2)]
    for name in names:
        hub.add(REPOSITORY, name, name.encode())
    bad = hub.repository(REPOSITORY) / "snapshots" / COMMIT_1 / names[1]
    bad.resolve().write_bytes(b"bad")
    asked: list[tuple[str, str, tuple[str, ...]]] = []

    def pull_again(repository: str, commit: str, paths: tuple[str, ...]) -> None:
        asked.append((repository, commit, paths))
        for path in paths:
            hub.add(repository, path, path.encode(), commit=commit, revision=None)

    verify_command(pull_again)(names=[f"{REPOSITORY}:Q8_0"], repair=True)
    assert [(REPOSITORY, COMMIT_1, (names[1],))] == asked
    assert "Repaired: 1 file." in capsys.readouterr().out
    verify_command(None)(names=None, repair=False)
    assert "good" in capsys.readouterr().out
    hub.scan()


def test_a_repair_that_fails_leaves_no_bad_file(hub: HubCache, capsys: pytest.CaptureFixture[str]) -> None:
    """When the file can't be fetched again, the bad one is gone all the same and nothing points at it."""
    hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"good").resolve().write_bytes(b"evil")

    def pull_again(repository: str, commit: str, paths: tuple[str, ...]) -> None:
        raise DownloadError("The Hub can't be reached.")

    with pytest.raises(DownloadError, match="reached"):
        verify_command(pull_again)(names=None, repair=True)
    assert set() == files_under(hub.folder)


# prune


def test_prune_shows_first_and_removes_then(run: Command, hub: HubCache) -> None:
    """A dry run and a pipe change nothing; --yes removes what nothing uses, and models stay."""
    file = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"y")
    orphan = hub.blob(REPOSITORY, b"orphan" * 1000)
    before = files_under(hub.folder)
    assert "Removing this frees 6.0 kB." == told(run("prune", "--dry-run"))[-1]
    assert "r1chat prune --yes" in refused(run("prune"), 2)[1]
    assert before == files_under(hub.folder)
    assert ["Removed 1 file: 6.0 kB freed."] == told(run("prune", "--yes"))
    assert (False, True) == (orphan.exists(), file.exists())
    assert ["There is nothing to remove."] == told(run("prune"))


# All of them


@pytest.mark.parametrize("words", [("list", "--all"), ("prune", "--dry-run"), ("verify",)])
def test_a_cache_in_disorder_stops_nothing(run: Command, hub: HubCache, words: tuple[str, ...]) -> None:
    """Broken links, circles and foreign files give no traceback and no error of ours."""
    good = hub.add(REPOSITORY, "Some-R1-Q8_0.gguf", b"y")
    good.with_name("gone-Q4_0.gguf").symlink_to("../../blobs/" + "0" * 64)
    good.with_name("circle-Q4_0.gguf").symlink_to("circle-Q4_0.gguf")
    (hub.folder / "models--file").write_text("")
    shutil.copytree(hub.folder, hub.folder / "models--copy--copy", symlinks=True)
    assert told(run(*words))


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("words", [("list", "--all"), ("show", "7b"), ("verify", "7b"), ("rm", "7b", "--yes")])
def test_what_is_on_the_disk_needs_no_socket(
    run: Command, hub: HubCache, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """The whole process, its children and the native code make no socket at all."""
    import subprocess

    hub.add(SEVEN.repository, SEVEN.file, DEMO.read_bytes())
    log = tmp_path / "trace"
    argv = ["strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", str(log), *run.argv, *words]
    done = subprocess.run(argv, env=run.environ, cwd=DEMO.parents[2], capture_output=True, timeout=120, check=False)
    assert (0, b"") == (done.returncode, done.stderr)
    assert "" == log.read_text()
