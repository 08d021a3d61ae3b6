"""Models that Ollama and LM Studio hold: found from their own folders, and never touched."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from r1chat.models import lm_studio, ollama
from r1chat.models.library import Library
from r1chat.models.verification import verify
from tests.hub_cache import files_under

MODEL = "application/vnd.ollama.image.model"


def blob(folder: Path, content: bytes) -> str:
    """Write one of Ollama's blobs; give its digest."""
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "blobs" / f"sha256-{sha256}").write_bytes(content)
    return f"sha256:{sha256}"


def manifest(folder: Path, path: str, layers: list[dict[str, Any]], config: dict[str, Any] | None = None) -> Path:
    """Write one of Ollama's manifests."""
    file = folder / "manifests" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schemaVersion": 2,
        "config": {"digest": blob(folder, json.dumps(config or {}).encode())},
        "layers": layers,
    }
    file.write_text(json.dumps(content))
    return file


def add(folder: Path, path: str, content: bytes, **config: Any) -> Path:
    """Let Ollama hold a model; give its file."""
    digest = blob(folder, content)
    manifest(folder, path, [{"mediaType": MODEL, "digest": digest, "size": len(content)}], config)
    return folder / "blobs" / digest.replace(":", "-")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """Ollama's folder."""
    return tmp_path / "ollama"


def test_ollamas_models_by_their_names(theirs: Path) -> None:
    """Its library, other users' models and those from the Hub have the names that Ollama gives them."""
    file = add(theirs, "registry.ollama.ai/library/deepseek-r1/14b", b"fourteen", file_type="Q4_K_M")
    add(theirs, "registry.ollama.ai/someone/r1/latest", b"latest")
    add(theirs, "hf.co/someone/Some-R1-GGUF/Q8_0", b"eight", file_type="unknown")
    library = Library(theirs / "none", (theirs,))
    names = {model.name: model.quantization for model in library.models()}
    assert {
        "ollama:deepseek-r1:14b": "Q4_K_M",
        "ollama:someone/r1:latest": "",
        "ollama:hf.co/someone/Some-R1-GGUF:Q8_0": "Q8_0",
    } == names
    model = library.find_ollama("deepseek-r1:14b")
    assert model is not None
    assert (file, 8, "ollama", None) == (model.path, model.n_bytes, model.origin, model.repository)
    assert ["good"] == [check.state for check in verify(model)]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("deepseek-r1:14b", True),
        ("DeepSeek-R1:14B", True),
        ("library/deepseek-r1:14b", True),
        ("deepseek-r1", False),
        ("deepseek-r1:7b", False),
        ("someone/r1", True),
        ("someone/r1:latest", True),
        ("hf.co/someone/Some-R1-GGUF:q8_0", True),
    ],
)
def test_a_tag_may_be_left_out_where_it_is_latest(theirs: Path, name: str, there: bool) -> None:
    """As with Ollama: NAME is NAME:latest, in any case, and nothing else."""
    add(theirs, "registry.ollama.ai/library/deepseek-r1/14b", b"fourteen")
    add(theirs, "registry.ollama.ai/someone/r1/latest", b"latest")
    add(theirs, "hf.co/someone/Some-R1-GGUF/Q8_0", b"eight")
    assert there == (Library(theirs / "none", (theirs,)).find_ollama(name) is not None)


def test_a_hub_model_of_ollama_is_found_by_its_hub_name(theirs: Path) -> None:
    """What Ollama fetched from hf.co is what that repository and quantization mean."""
    file = add(theirs, "hf.co/someone/Some-R1-GGUF/Q8_0", b"eight")
    library = Library(theirs / "none", (theirs,))
    found = library.find_foreign("someone/some-r1-gguf", quantization="q8_0", file=None)
    assert file == getattr(found, "path", None)
    assert library.find_foreign("someone/Some-R1-GGUF", quantization="Q4_K_M", file=None) is None


BROKEN: dict[str, Any] = {
    "not JSON": b"{",
    "a list": b"[]",
    "no layers": b"{}",
    "layers that are none": b'{"layers": [1, null, "x"]}',
    "deep": b"[" * 100_000,
    "a digest that is a path": json.dumps({"layers": [{"mediaType": MODEL, "digest": "sha256:../../etc"}]}).encode(),
    "a blob that is gone": json.dumps({"layers": [{"mediaType": MODEL, "digest": f"sha256:{'0' * 64}"}]}).encode(),
    "a number for a digest": json.dumps(
        {"layers": [{"mediaType": MODEL, "digest": 7}], "config": {"digest": 7}}
    ).encode(),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_manifests_are_left_out(theirs: Path, content: bytes) -> None:
    """Whatever a manifest holds, the others are found."""
    add(theirs, "registry.ollama.ai/library/deepseek-r1/14b", b"fourteen")
    bad = theirs / "manifests" / "registry.ollama.ai" / "library" / "deepseek-r1" / "bad"
    bad.write_bytes(content)
    assert ["ollama:deepseek-r1:14b"] == [model.name for model in ollama.models(theirs)]


def test_what_only_ollama_can_run_is_left_out(theirs: Path) -> None:
    """Models in another format, in several layers, or in the cloud have no file that could be run in place."""
    add(theirs, "registry.ollama.ai/library/other/1", b"x", model_format="safetensors")
    layers = [{"mediaType": MODEL, "digest": blob(theirs, content), "size": 1} for content in (b"a", b"b")]
    manifest(theirs, "registry.ollama.ai/library/parts/1", layers)
    manifest(theirs, "registry.ollama.ai/library/cloud/1", [])
    assert () == ollama.models(theirs)


def test_lm_studios_models_by_the_names_of_the_hub(tmp_path: Path) -> None:
    """PUBLISHER/REPOSITORY/FILE is read as on the Hub: split sets are one model, projectors are none."""
    folder = tmp_path / "models"
    for path in (
        "someone/Some-R1-GGUF/Some-R1-Q4_K_M.gguf",
        "someone/Some-R1-GGUF/mmproj-f16.gguf",
        "other/Big/Big-Q8_0-00001-of-00002.gguf",
        "other/Big/Big-Q8_0-00002-of-00002.gguf",
        "other/Big/README.md",
        "loose-Q4_0.gguf",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"1234")
    library = Library(tmp_path / "none", (), (folder,))
    found = {model.name: (model.n_bytes, len(model.paths), model.origin) for model in library.models()}
    assert {
        "hf.co/someone/Some-R1-GGUF:Q4_K_M": (4, 1, "lm-studio"),
        "hf.co/other/Big:Q8_0": (8, 2, "lm-studio"),
    } == found
    assert library.find_foreign("other/Big", quantization=None, file=None) is not None


def test_where_lm_studio_keeps_models(tmp_path: Path) -> None:
    """Its two usual folders, the home that its pointer names, and the folder that its settings name."""
    usual = (tmp_path / ".lmstudio" / "models", tmp_path / ".cache" / "lm-studio" / "models")
    assert usual == lm_studio.folders(tmp_path)
    (tmp_path / ".lmstudio-home-pointer").write_text(str(tmp_path / "far") + "\n")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "settings.json").write_text(json.dumps({"downloadsFolder": str(tmp_path / "disk")}))
    assert (tmp_path / "disk", tmp_path / "far" / "models", *usual) == lm_studio.folders(tmp_path)
    (tmp_path / "far" / "settings.json").write_text("[1]")
    assert (tmp_path / "far" / "models", *usual) == lm_studio.folders(tmp_path)


def test_foreign_models_are_never_removed(theirs: Path, tmp_path: Path) -> None:
    """Neither removal nor pruning touches a file of theirs, not even when asked to."""
    add(theirs, "registry.ollama.ai/library/deepseek-r1/14b", b"fourteen")
    lm = tmp_path / "lm" / "a" / "b"
    lm.mkdir(parents=True)
    (lm / "c-Q4_0.gguf").write_bytes(b"four")
    library = Library(tmp_path / "hub", (theirs,), (tmp_path / "lm",))
    before = files_under(tmp_path)
    assert 0 == library.remove(library.models()).n_bytes
    assert 0 == library.prune().n_bytes
    assert before == files_under(tmp_path)
