"""The models that Ollama holds: its manifests tell which of its blobs is one. Reads only; they are run where they lie.

    manifests/registry.ollama.ai/library/deepseek-r1/14b        ollama:deepseek-r1:14b
    manifests/registry.ollama.ai/USER/NAME/TAG                  ollama:USER/NAME:TAG
    manifests/hf.co/USER/NAME/Q4_K_M                            ollama:hf.co/USER/NAME:Q4_K_M, from that repository
    blobs/sha256-<64 hex digits>                                the files

Layout and media types: ollama, types/model/name.go, server/manifest.go and server/modelpath.go.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from r1chat.models.cache import Walk
from r1chat.models.local import LocalModel, folded
from r1chat.models.variants import RepoFile, Variant, canonical, looks_like_one

_MODEL: Final = "application/vnd.ollama.image.model"
_DIGEST: Final = re.compile(r"sha256[:-](?P<sha256>[0-9a-f]{64})")
_REGISTRY: Final = "registry.ollama.ai"
_HUB: Final = ("hf.co", "huggingface.co")
_MAX_JSON_BYTES: Final = 2**20


def folders(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Say where Ollama keeps its models: OLLAMA_MODELS, else the user's folder and that of the Linux service."""
    if named := environ.get("OLLAMA_MODELS"):
        return (Path(named).expanduser(),)
    service = (Path("/usr/share/ollama/.ollama/models"),) if os.name == "posix" else ()
    return (home / ".ollama" / "models", *service)


def models(folder: Path) -> tuple[LocalModel, ...]:
    """Read every model of one of Ollama's folders, by name. What is broken, or no GGUF, is left out."""
    manifests = folder / "manifests"
    found: list[LocalModel] = []
    for path, entry in Walk(manifests):
        parts = path.split("/")
        if len(parts) == 4 and (manifest := _json(Path(entry.path))):
            found += _model(folder, parts, manifest, entry)
    return tuple(sorted(found, key=lambda model: model.name))


def matches(model: LocalModel, name: str) -> bool:
    """Whether a model of Ollama answers to a name: the tag `latest` may be left out."""
    wanted = folded(name if ":" in name.rpartition("/")[2] else f"{name}:latest")
    return folded(model.name).removeprefix("ollama:") in (wanted, wanted.removeprefix("library/"))


def _model(
    folder: Path, parts: list[str], manifest: Mapping[str, Any], entry: os.DirEntry[str]
) -> Iterator[LocalModel]:
    registry, user, name, tag = parts
    layers = manifest.get("layers")
    layers = [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
    digests = [_digest(layer) for layer in layers if layer.get("mediaType") == _MODEL]
    if len(digests) != 1 or digests[0] is None:  # none, or several that only Ollama can put together
        return
    sha256 = digests[0]
    blob = folder / "blobs" / f"sha256-{sha256}"
    config = _config(folder, manifest)
    if config.get("model_format", "gguf") != "gguf":
        return
    try:
        n_bytes, changed = blob.stat().st_size, entry.stat().st_mtime
    except OSError:
        return
    word = config.get("file_type")
    named = tag if looks_like_one(tag) else word if isinstance(word, str) and len(word) < 40 else ""
    if registry == _REGISTRY:
        title = f"{name}:{tag}" if user == "library" else f"{user}/{name}:{tag}"
    else:
        title = f"{registry}/{user}/{name}:{tag}"
    yield LocalModel(
        name=f"ollama:{title}",
        repository=f"{user}/{name}" if registry in _HUB else None,
        commit=None,
        variant=Variant(canonical(named), (RepoFile(blob.name, n_bytes, sha256),)),
        path=blob,
        paths=(blob,),
        origin="ollama",
        n_bytes=n_bytes,
        changed=changed,
    )


def _config(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    config = manifest.get("config")
    digest = _digest(config) if isinstance(config, dict) else None
    return _json(folder / "blobs" / f"sha256-{digest}") if digest else {}


def _digest(layer: Mapping[str, Any]) -> str | None:
    """Read a digest. It becomes a path, hence the form is checked."""
    match = _DIGEST.fullmatch(str(layer.get("digest", "")))
    return match["sha256"] if match else None


def _json(path: Path) -> Mapping[str, Any]:
    """Read a small JSON object; empty if it is none."""
    try:
        if not path.is_file():
            return {}
        with path.open("rb") as stream:
            value = json.loads(stream.read(_MAX_JSON_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
