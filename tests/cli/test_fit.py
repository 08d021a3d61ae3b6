"""`r1chat fit`, and what run does with the plan: the real command in a process of its own."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from r1chat.engine import dryrun
from r1chat.errors import UsageError
from r1chat.settings.table import SETTINGS
from tests.conftest import Command
from tests.shapes import SHAPES, write_shape

GIB = 1 << 30
OWN = """
[[model]]
id = "mine"
aliases = ["mine"]
[[model.downloads]]
repository = "me/mine-GGUF"
file = "mine-{q}.gguf"
quantizations = [{name = "Q4_K_M", bytes = 1000}]
"""


def fit(r1chat: Command, *args: str, code: int = 0) -> dict[str, Any]:
    """Run fit with --json and read what it prints."""
    done = r1chat("fit", *args, "--json", env={"HF_HUB_OFFLINE": "1"})
    assert code == done.code, done.err.decode()
    value: dict[str, Any] = json.loads(done.out)
    return value


def test_the_demo_fits(r1chat: Command) -> None:
    """A model that is here is planned from its header, with measured buffers; the numbers are bytes."""
    value = fit(r1chat, "demo")
    assert (True, "file", True, True) == (
        value["fits"],
        value["source"],
        value["weights_exact"],
        value["buffers_measured"],
    )
    assert (2048, "f16", 5) == (value["context"], value["kv"], value["n_layers"])
    host = value["devices"][-1]
    assert value["weights_bytes"] == sum(device["weights_bytes"] for device in value["devices"])
    assert 2 << 20 == sum(device["kv_bytes"] for device in value["devices"])
    assert all(type(host[key]) is int for key in ("weights_bytes", "kv_bytes", "compute_bytes", "free_bytes"))


def test_a_model_that_is_not_here_is_planned_from_the_catalogue(r1chat: Command) -> None:
    """Without a network and without a file: exact weights, and a plan for the machine that one would like to buy."""
    value = fit(r1chat, "7b", "--vram", "24G", "--ram", "64G")
    assert ("7b:Q4_K_M", "catalogue", True, False) == (
        value["name"],
        value["source"],
        value["weights_exact"],
        value["buffers_measured"],
    )
    assert (29, 32_768, "f16") == (value["n_layers_gpu"], value["context"], value["kv"])
    gpu = value["devices"][0]
    assert 24 * GIB == gpu["free_bytes"]
    assert 1_879_048_192 == gpu["kv_bytes"]
    assert 131_072 == value["context_largest"]


def test_what_does_not_fit_is_exit_5_with_what_would(r1chat: Command) -> None:
    """The refusal has the numbers, and names the largest quantization that fits."""
    value = fit(r1chat, "32b", "--vram", "0", "--ram", "16G", code=5)
    assert not value["fits"]
    assert "weights 19.8 GB" in value["error"]["message"]
    assert "32b:Q3_K_S would fit (14.4 GB)" in value["error"]["hint"]
    done = r1chat("fit", "32b", "--vram", "0", "--ram", "16G", env={"HF_HUB_OFFLINE": "1"})
    assert (5, b"") == (done.code, done.out)
    assert b"does not fit" in done.err


def test_wishes_bind_the_plan(r1chat: Command) -> None:
    """Context, cache and layers are what was asked for."""
    words = ("7b:q8_0", "--vram", "24G", "--ram", "64G", "--ctx", "4096", "--kv", "q4_0", "--gpu-layers", "7")
    value = fit(r1chat, *words)
    assert (7, 4096, "q4_0", "Q8_0") == (
        value["n_layers_gpu"],
        value["context"],
        value["kv"],
        value["quantization"],
    )


def test_the_whole_catalogue_has_verdicts(r1chat: Command) -> None:
    """Without a name every model has a line; on a large machine all fit, on a small one few."""
    large = fit(r1chat, "--vram", "24G", "--ram", "512G")["models"]
    assert 10 == len(large)
    assert all(model["fits"] for model in large)
    small = fit(r1chat, "--vram", "0", "--ram", "4G")["models"]
    assert ["1.5b:Q4_K_M"] == [model["name"] for model in small if model["fits"]]
    text = r1chat("fit", "--vram", "0", "--ram", "4G").out.decode()
    assert "no; Q2_K fits" in next(line for line in text.splitlines() if line.startswith("7b:Q4_K_M"))
    assert max(map(len, text.splitlines())) <= 80


def test_a_wish_of_some_models_is_explained_below_the_list(r1chat: Command) -> None:
    """The models that can't have it are named with the reason; a wish that none can have is a mistake."""
    words = ("--gpu-layers", "40", "--vram", "24G", "--ram", "21G", "--cpu-moe", "2")
    text = r1chat("fit", *words).out.decode()
    assert "refused" in next(line for line in text.splitlines() if line.startswith("7b:Q4_K_M "))
    assert "40 layers can't be put on a GPU: the model has 29, the output counted." in " ".join(text.split())
    assert "no; Q4_K_S fits" in next(line for line in text.splitlines() if line.startswith("70b:Q4_K_M"))
    assert max(map(len, text.splitlines())) <= 80
    done = r1chat("fit", "--ctx", "16")
    assert (2, b"") == (done.code, done.out)


def test_a_model_of_unknown_size_is_in_the_list(r1chat: Command, tmp_path: Path) -> None:
    """One that the user has named has no figures: its line says so."""
    own = tmp_path / "models.toml"
    own.write_text(OWN, "utf-8")
    env = {"R1CHAT_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    assert "unknown" in next(line for line in r1chat("fit", env=env).out.decode().splitlines() if "mine:" in line)
    listed = json.loads(r1chat("fit", "--json", env=env).out)["models"]
    assert [{"name": "mine:Q4_K_M", "fits": None}] == [model for model in listed if model["fits"] is None]


def test_a_picture_and_a_table(r1chat: Command, tmp_path: Path) -> None:
    """For one model: a bar for each device with its legend, the same as a table, and where the figures are from."""
    file = tmp_path / "model.gguf"
    write_shape(file, SHAPES["deepseek-r1-distill-qwen-1.5b"], "Q4_K_M")
    text = r1chat("fit", str(file), "--ram", "64G", "--vram", "0").out.decode()
    for word in ("model.gguf: 1.1 GB of weights, 28 layers", "█", "▓ KV cache", "DEVICE", "from its file", "measured"):
        assert word in text
    picture = r1chat("fit", "70b", "--vram", "24G,24G", "--ram", "64G").out.decode()
    assert "GPU0 GPU of 24 GiB" in picture
    assert "GPU1 GPU of 24 GiB" in picture
    assert "81/81 layers on GPU of 24 GiB, GPU of 24 GiB" in " ".join(picture.split())


def test_run_refuses_what_does_not_fit(r1chat: Command) -> None:
    """Nothing is loaded where the memory is too small: exit 5 at once."""
    done = r1chat("run", "demo", "1 + 1", "--ram", "8M")
    assert (5, b"") == (done.code, done.out)
    assert b"does not fit" in done.err


def test_run_uses_the_cache_that_was_asked_for(r1chat: Command) -> None:
    """--kv is what the engine is loaded with, as its own log says, and the demo answers."""
    done = r1chat("run", "demo", "What is 17 + 25?", "--kv", "q8_0", "--verbose", "--seed", "1")
    assert 0 == done.code
    err = done.err.decode()
    assert "K (q8_0)" in err
    assert "KV q8_0: " in err
    assert "memory: weights 1.8 MB planned, 1.8 MB taken (1.8 MB as the mapped file)" in err
    assert "KV cache 1.1 MB planned, 1.1 MB taken" in err


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("24G", 24 * GIB),
        ("24gib", 24 * GIB),
        ("24GB", 24 * 10**9),
        ("512m", 512 << 20),
        ("1.5T", 3 << 39),
        ("1000", 1000),
        ("10B", 10),
    ],
)
def test_sizes_are_read(word: str, number: int) -> None:
    """G is what memory is sold in, GB is what files are told in."""
    assert number == SETTINGS["ram"].read(word, "--ram")


@pytest.mark.parametrize("word", ["", "G", "-1G", "1e9", "24X", "1,5G", "9" * 20])
def test_what_is_no_size_is_refused(word: str) -> None:
    """And the option is named."""
    with pytest.raises(UsageError) as error:
        SETTINGS["ram"].read(word, "--ram")
    assert error.value.message.startswith("--ram: ")


@pytest.fixture
def two_gpus(tmp_path: Path) -> str:
    """A PATH with a driver's tool that tells of two GPUs, which the build of the tests can't use."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho RTX 4090, 24564\necho RTX 4090, 24564\n", "utf-8")
    tool.chmod(0o755)
    return os.pathsep.join([str(tmp_path), os.environ["PATH"]])


@pytest.mark.skipif(
    sys.platform == "win32" or Path("/proc/driver/nvidia").exists() or bool(dryrun.gpus()),
    reason="the machine has GPUs of its own, or can't run a script for the driver's tool",
)
def test_gpus_that_are_not_used_are_told_once(r1chat: Command, two_gpus: str) -> None:
    """By fit in one line; by run once, and not before somebody hears it."""
    env = {"PATH": two_gpus, "HF_HUB_OFFLINE": "1"}
    text = " ".join(r1chat("fit", "7b", "--ram", "64G", env=env).out.decode().split())
    assert 1 == text.count("RTX 4090")
    assert "not used RTX 4090 (2); a build for it: CMAKE_ARGS=" in text
    asked = ("run", "demo", "1 + 1", "--max-tokens", "1")
    assert b"" == r1chat(*asked, env=env).err
    notices = [json.loads(r1chat(*asked, "--json", env=env).out)["notices"] for _ in range(2)]
    assert ["idle-gpu"] == [notice["code"] for notice in notices[0]]
    assert [] == notices[1]
