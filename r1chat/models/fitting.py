"""Which quantizations of a model fit a machine: for lists, for a name without a quantization, for advice.

Plans with the catalogue's figures; reads no file and asks nobody.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from r1chat.core.memory import Devices, Plan, Wishes, plan
from r1chat.core.placement import n_slots
from r1chat.core.shape import Shape
from r1chat.core.sizes import size_text
from r1chat.errors import FitError, UsageError
from r1chat.models.blueprint import estimated_shape
from r1chat.models.catalog import Download, Entry
from r1chat.models.resolve import Wish, file_of

NO: Final = "no"


def shape_of_download(entry: Entry, download: Download) -> Shape | None:
    """Describe a quantization by the catalogue's figures; None for a model without any."""
    return estimated_shape(entry.id, download.quantization, download.n_bytes, entry.family)


def fitting_plan(shape: Shape, machine: Devices, wishes: Wishes) -> Plan | None:
    """Plan, or give None where there is no way. A wish that the model can't have is no reason either."""
    try:
        return plan(shape, machine, wishes)
    except (FitError, UsageError):
        return None


def verdict(entry: Entry, download: Download, machine: Devices) -> str:
    """Say how a quantization fits: where it goes (`words`), or `no`. Nothing for a model without figures."""
    shape = shape_of_download(entry, download)
    if shape is None:
        return ""
    found = fitting_plan(shape, machine, Wishes())
    return words(found, shape) if found else NO


def words(found: Plan, shape: Shape) -> str:
    """Say in a word where a model goes: the GPUs, the host's memory, or both."""
    if not found.n_gpu_layers:
        return "RAM"
    return "GPU+RAM" if found.n_gpu_layers < n_slots(shape) or found.n_cpu_moe else "GPU"


def largest_fitting(entry: Entry, below: int | None, machine: Devices, wishes: Wishes) -> tuple[Download, int] | None:
    """Find the largest quantization of a model, smaller than `below` bytes, that has a plan; it and its size."""
    for n_bytes, download, shape in sorted(_sized(entry), key=lambda each: -each[0]):
        if (below is None or n_bytes < below) and fitting_plan(shape, machine, wishes):
            return download, n_bytes
    return None


def suited(wish: Wish, machine: Devices) -> Wish:
    """Let a name without a quantization mean the largest that fits, up to the model's default; and say so.

    Where none fits the default stays, with the warning in its notice. A wish that names one stays as it is.
    """
    entry = wish.entry
    if entry is None or wish.download is None or not wish.notice:
        return wish
    shape = shape_of_download(entry, wish.download)
    if shape is None or fitting_plan(shape, machine, Wishes()):
        return wish
    default = f"{entry.short}:{entry.default} ({size_text(shape.weights_bytes)})"
    found = largest_fitting(entry, shape.weights_bytes, machine, Wishes())
    if found is None:
        return replace(wish, notice=f"{default} does not fit this machine, and no smaller one does: r1chat fit")
    download, n_bytes = found
    taken = f"{entry.short}:{download.quantization} ({size_text(n_bytes)})"
    return replace(
        wish,
        repository=download.repository,
        revision=download.revision or wish.revision,
        quantization=download.quantization,
        file=file_of(download),
        download=download,
        notice=f"{default} does not fit this machine: {taken} is taken.",
    )


def _sized(entry: Entry) -> Iterator[tuple[int, Download, Shape]]:
    for download in entry.downloads:
        if shape := shape_of_download(entry, download):
            yield shape.weights_bytes, download, shape
