"""The models that LM Studio holds: PUBLISHER/REPOSITORY/FILE.gguf, as on the Hub. Reads only; they run where they lie.

Where its home is: ~/.lmstudio-home-pointer names it, else ~/.lmstudio, in older versions ~/.cache/lm-studio
(lmstudio.js, packages/lms-common-server/src/findLMStudioHome.ts); its settings.json may name another folder for models.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from r1chat.models.cache import Walk
from r1chat.models.local import LocalModel
from r1chat.models.variants import RepoFile, Variant, variants

_MAX_BYTES = 2**20


def folders(home: Path) -> tuple[Path, ...]:
    """Say where LM Studio keeps models, for this home folder of the user."""
    homes = [home / ".lmstudio", home / ".cache" / "lm-studio"]
    if named := _text(home / ".lmstudio-home-pointer").strip():
        homes.insert(0, Path(named).expanduser())
    found = []
    for one in homes:
        try:
            chosen = json.loads(_text(one / "settings.json") or "{}").get("downloadsFolder")
        except (ValueError, AttributeError, RecursionError):
            chosen = None
        if isinstance(chosen, str) and chosen:
            found.append(Path(chosen).expanduser())
        found.append(one / "models")
    return tuple(dict.fromkeys(found))


def models(folder: Path) -> tuple[LocalModel, ...]:
    """Read every model of one of LM Studio's folders, by name."""
    repositories: dict[str, list[RepoFile]] = {}
    changed: dict[str, float] = {}
    for path, entry in Walk(folder):
        publisher, repository, file = [*path.split("/", 2), "", ""][:3]
        if not file or not file.lower().endswith(".gguf"):
            continue
        try:
            if entry.is_file():
                changed[path] = entry.stat().st_mtime
                repositories.setdefault(f"{publisher}/{repository}", []).append(RepoFile(file, entry.stat().st_size))
        except OSError:
            continue
    return tuple(
        _model(folder, repository, variant, changed, several=_repeated(variant, found))
        for repository in sorted(repositories)
        for found in [variants(repositories[repository])]
        for variant in found
    )


def _repeated(variant: Variant, found: Sequence[Variant]) -> bool:
    return not variant.quantization or [other.quantization for other in found].count(variant.quantization) > 1


def _model(folder: Path, repository: str, variant: Variant, changed: dict[str, float], *, several: bool) -> LocalModel:
    paths = tuple(folder.joinpath(repository, file.path) for file in variant.files)
    name = f"hf://{repository}/{variant.files[0].path}" if several else f"hf.co/{repository}:{variant.quantization}"
    return LocalModel(
        name=name,
        repository=repository,
        commit=None,
        variant=variant,
        path=paths[0],
        paths=paths,
        origin="lm-studio",
        n_bytes=variant.n_bytes,
        changed=max(changed[f"{repository}/{file.path}"] for file in variant.files),
    )


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""
