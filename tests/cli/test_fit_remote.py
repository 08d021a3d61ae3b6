"""`r1chat fit` of a model that is only on the Hub: a real Hub on loopback, whose bytes are counted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from r1chat.models.figures import FIGURES, FULL
from tests.conftest import Command
from tests.hub import Hub, OnDisk
from tests.shapes import write_shape

REPOSITORY = "user/DeepSeek-R1-Distill-Qwen-7B-GGUF"
FILE = "DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf"
MOST = 16_000_000


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Hub]:
    """A Hub with a model of a true shape."""
    file = tmp_path / FILE
    write_shape(file, FIGURES["deepseek-r1-distill-qwen-7b"], "Q4_K_M")
    (tmp_path / "hf").mkdir()
    with Hub() as hub:
        hub.put(REPOSITORY, {FILE: OnDisk(file)})
        yield hub


@pytest.fixture
def r1chat(checked: Path, local: Hub, tmp_path: Path) -> Command:
    """The command, with that Hub."""
    command = Command(checked)
    cache = str(tmp_path / "cache")
    command.environ |= {"HF_ENDPOINT": local.endpoint, "HF_HUB_CACHE": cache, "HF_HOME": str(tmp_path / "hf")}
    return command


def fitted(r1chat: Command, *args: str, **env: str) -> dict[str, Any]:
    """Run fit and read what it prints."""
    environ = {"TMPDIR": r1chat.environ["HF_HOME"], **env}
    done = r1chat("fit", "--ram", "64G", "--vram", "0", *args, "--json", env=environ)
    assert 0 == done.code, done.err.decode()
    value: dict[str, Any] = json.loads(done.out)
    return value


def test_the_headers_alone_are_measured(r1chat: Command, local: Hub, tmp_path: Path) -> None:
    """Weights are exact and buffers measured, for at most 16 MB of traffic; nothing is left on the disk."""
    value = fitted(r1chat, f"hf.co/{REPOSITORY}:Q4_K_M")
    assert ("hub", True, True) == (value["source"], value["weights_exact"], value["buffers_measured"])
    assert 4_677_120_000 == value["weights_bytes"]
    assert 0 < sum(seen.n_sent for seen in local.seen) <= MOST
    assert [] == list((tmp_path / "hf").rglob("*.gguf"))


def test_it_is_measured_as_the_file_itself(r1chat: Command, tmp_path: Path) -> None:
    """The file on the disk has the same header: what was measured of it on the Hub is known."""
    afar = fitted(r1chat, f"hf.co/{REPOSITORY}:Q4_K_M")
    here = fitted(r1chat, str(tmp_path / FILE))
    assert ("hub", "file") == (afar["source"], here["source"])
    assert afar["devices"] == here["devices"]


@pytest.mark.parametrize(("quantization", "n_parts"), [("Q4_K_M", 9), ("Q8_0", 15)])
def test_a_model_in_parts_costs_no_more(
    r1chat: Command, local: Hub, tmp_path: Path, quantization: str, n_parts: int
) -> None:
    """The full R1 in as many parts as it was published in: of each the header, and all of them are measured."""
    parts = write_shape(tmp_path / "R1.gguf", FULL, quantization, n_parts)
    names = {f"DeepSeek-R1-{quantization}/DeepSeek-R1-{quantization}{part.name[2:]}": OnDisk(part) for part in parts}
    local.put("user/DeepSeek-R1-GGUF", names)
    value = fitted(r1chat, f"hf.co/user/DeepSeek-R1-GGUF:{quantization}", "--ram", "800G")
    assert ("hub", True, True) == (value["source"], value["weights_exact"], value["buffers_measured"])
    assert {"Q4_K_M": 404_488_847_360, "Q8_0": 713_281_210_368}[quantization] == value["weights_bytes"]
    assert sum(seen.n_sent for seen in local.seen) <= MOST


def test_a_known_model_is_read_on_the_hub_as_well(r1chat: Command, local: Hub, tmp_path: Path) -> None:
    """The catalogue's figures are only for when nobody can be asked."""
    value = fitted(r1chat, "7b", HF_HUB_OFFLINE="1")
    assert ("catalogue", False) == (value["source"], value["buffers_measured"])
    local.put("bartowski/DeepSeek-R1-Distill-Qwen-7B-GGUF", {FILE: OnDisk(tmp_path / FILE)})
    value = fitted(r1chat, "7b")
    assert ("hub", True) == (value["source"], value["buffers_measured"])
