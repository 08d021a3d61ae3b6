"""What fits a machine, by the catalogue's figures: the lists' words, and what a name without a quantization means."""

import dataclasses

import pytest

from r1chat.core.memory import Devices, Wishes
from r1chat.core.placement import Device
from r1chat.models import catalog
from r1chat.models.catalog import Entry
from r1chat.models.fitting import NO, largest_fitting, suited, verdict
from r1chat.models.reference import parse
from r1chat.models.resolve import Wish, wish

KNOWN = catalog.load(catalog.default_path())
GIB = 1 << 30


def entry(name: str) -> Entry:
    """A model of the catalogue."""
    found = KNOWN.find(name)
    assert found is not None
    return found


def wished(name: str) -> Wish:
    """What a name means without any machine."""
    return wish(parse(name), KNOWN)


def machine(ram: float, *vram: float) -> Devices:
    """A machine with so many GiB of memory and GPUs with so many."""
    gpus = [Device(f"CUDA{n}", "", "gpu", "CUDA", int(each * GIB), int(each * GIB)) for n, each in enumerate(vram)]
    return Devices(8, int(ram * GIB), int(ram * GIB), tuple(gpus))


@pytest.mark.parametrize(
    ("name", "here", "expected"),
    [
        ("7b", machine(16), "RAM"),
        ("7b", machine(16, 24), "GPU"),
        ("32b", machine(32, 12), "GPU+RAM"),
        ("671b", machine(512, 24), "GPU+RAM"),
        ("70b", machine(16), NO),
    ],
)
def test_the_lists_say_where_a_model_would_go(name: str, here: Devices, expected: str) -> None:
    """The GPU, the host's memory, both, or nowhere."""
    assert expected == verdict(entry(name), entry(name).download, here)


def test_a_model_without_figures_has_no_verdict() -> None:
    """A model of the user's own catalogue: nobody knows its shape."""
    own = dataclasses.replace(entry("7b"), id="my-own")
    assert "" == verdict(own, own.download, machine(16))


def test_a_name_means_what_fits() -> None:
    """The default where it fits; below it, the largest that does, and the notice has both sizes."""
    assert wished("7b") == suited(wished("7b"), machine(16))
    small = suited(wished("7b"), machine(4.8))
    assert "Q4_K_M" != small.quantization
    assert small.download is not None
    assert small.quantization == small.download.quantization
    largest = largest_fitting(entry("7b"), entry("7b").download.n_bytes, machine(4.8), Wishes())
    assert largest is not None
    assert largest[0] == small.download
    assert small.notice.startswith("7b:Q4_K_M (4.7 GB) does not fit this machine: 7b:")


def test_more_than_the_default_is_never_taken() -> None:
    """A large machine does not make the download larger than what a name has always meant."""
    assert "Q4_K_M" == suited(wished("7b"), machine(512, 80)).quantization


def test_where_nothing_fits_the_default_stays_with_a_warning() -> None:
    """The model may be for another machine: it is pulled all the same."""
    large = suited(wished("671b"), machine(8))
    assert "Q4_K_M" == large.quantization
    assert "does not fit this machine, and no smaller one does" in large.notice


def test_a_named_quantization_stays() -> None:
    """Who names one gets that one, whether it fits or not."""
    assert wished("70b:Q8_0") == suited(wished("70b:Q8_0"), machine(8))
    assert wished("user/repository:Q4_K_M") == suited(wished("user/repository:Q4_K_M"), machine(1))
