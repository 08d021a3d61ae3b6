"""Checks of the disk: the Hub's cache, the models in it, r1chat's own folders. Writes nothing that stays."""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

from r1chat.core.sizes import size_text
from r1chat.doctor.check import OK, WARN, Check, Surroundings
from r1chat.models import catalog
from r1chat.models.cache import hub_cache
from r1chat.models.library import open_library


def cache(around: Surroundings) -> Check:
    """The Hub's cache: where it is, whether a pull can write there, and the room."""
    folder = hub_cache(around.environ)
    place, refusal = _place(folder)
    free = shutil.disk_usage(place).free if place else None
    smallest = min(entry.download.n_bytes or 0 for entry in catalog.load(catalog.default_path()).entries)
    data = {"folder": str(folder), "exists": folder.is_dir(), "writable": not refusal, "free_bytes": free}
    if refusal or free is None:
        remedy = "To pull models, give yourself the right to write there, or name another folder with HF_HUB_CACHE."
        return Check(WARN, f"{folder} can't be written: {refusal}.", remedy, data=data)
    text = f"{folder}{'' if folder.is_dir() else ' (not there yet)'}, {size_text(free)} free"
    if free < smallest:
        remedy = "Make room, or put the cache on another disk with HF_HUB_CACHE. What is here: r1chat list --all"
        return Check(WARN, f"{text}: no room for another model.", remedy, data=data)
    return Check(OK, f"{text}.", data=data)


def models(around: Surroundings) -> Check:
    """The models that are here, and what downloads have left."""
    library = open_library(around.environ)
    found, waste = library.models(), library.waste()
    n_bytes = sum(model.n_bytes for model in found)
    broken = sum(not model.complete for model in found)
    data = {
        "count": len(found),
        "bytes": n_bytes,
        "incomplete": broken,
        "unfinished_downloads": len(waste.partials),
        "unused_files": len(waste.orphans),
        "left_bytes": waste.n_bytes,
    }
    text = f"{len(found)} here, {size_text(n_bytes)}" if found else "None here but the bundled one: r1chat pull 7b"
    left = [f"{broken} of them incomplete"] if broken else []
    remedies = ["complete them with r1chat pull NAME (see r1chat list)"] if broken else []
    if waste:
        left.append(f"{size_text(waste.n_bytes)} left by unfinished downloads")
        remedies.append("go on with r1chat pull NAME, or remove what is left with r1chat prune")
    if left:
        remedy = "; ".join(remedies)
        return Check(WARN, f"{text}; {', '.join(left)}.", f"{remedy[0].upper()}{remedy[1:]}.", data=data)
    return Check(OK, f"{text}.", data=data)


def folders(around: Surroundings) -> Check:
    """r1chat's own folders: whether they can be written, and by whom else."""
    named = {"config": around.paths.config, "state": around.paths.state}
    data: dict[str, Any] = {}
    wrong, remedies = [], []
    for name, folder in named.items():
        _, refusal = _place(folder)
        mode = _mode(folder)
        data[name] = {"folder": str(folder), "writable": not refusal, "mode": None if mode is None else f"{mode:04o}"}
        if refusal and folder not in wrong:
            wrong.append(folder)
            remedies.append((f"{folder} can't be written: {refusal}", "Give yourself the right to write there."))
        elif mode is not None and mode & 0o022 and folder not in wrong:
            wrong.append(folder)
            remedies.append((f"Others may write to {folder}", f"Keep it to yourself: chmod go-w {folder}"))
    if wrong:
        text = "; ".join(text for text, _ in remedies)
        return Check(WARN, f"{text}.", " ".join(remedy for _, remedy in remedies), data=data)
    return Check(OK, f"{' and '.join(str(folder) for folder in dict.fromkeys(named.values()))} can be used.", data=data)


def _place(folder: Path) -> tuple[Path | None, str]:
    """Find the folder, or the one it would be made in; and why nothing can be written there, empty if it can."""
    place = None
    try:
        place = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        with tempfile.TemporaryFile(dir=place):
            return place, ""
    except OSError as error:
        return place, (error.strerror or str(error)).lower()


def _mode(folder: Path) -> int | None:
    """Give a folder's permissions; None where there is none, or on Windows, where they mean nothing."""
    with contextlib.suppress(OSError):
        return None if os.name == "nt" else stat.S_IMODE(folder.stat().st_mode)
    return None
