"""Dry loads in a child: what the engine's library says of the true shapes, and what becomes of a question."""

import sys
from pathlib import Path

import pytest

from r1chat.core import kv
from r1chat.core.memory import Plan, compute_estimate
from r1chat.engine.dryrun import DryRuns, dry_runs, gpus, may_offload
from r1chat.errors import EngineError
from r1chat.models import catalog
from r1chat.models.figures import FIGURES, FULL_UNPACKED
from r1chat.models.library import demo_path
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from tests.shapes import SHAPES, write_shape


def test_every_model_of_the_catalogue_has_a_shape_here() -> None:
    """All ten, of which the three full ones are alike; and the full one's older form besides."""
    entries = catalog.load(catalog.default_path()).entries
    assert 10 == len(entries)
    assert all(FIGURES[entry.id] in SHAPES.values() for entry in entries)
    assert FULL_UNPACKED in SHAPES.values()


@pytest.mark.skipif(sys.platform == "win32", reason="a file with a hole takes all of its size there")
@pytest.mark.parametrize("quantization", ["Q4_K_M", "Q8_0"])
@pytest.mark.parametrize("id", SHAPES)
def test_our_bytes_are_the_engines(id: str, quantization: str, tmp_path: Path) -> None:
    """Weights and KV cache of every true shape are what the engine says, and no buffer is above the estimate."""
    file = tmp_path / "model.gguf"
    write_shape(file, SHAPES[id], quantization)
    shape = shape_of(read_model(file).header)
    plans = [Plan(n, 1, type_k=name, type_v=name) for n in (8192, 32_768) for name in ("f16", "q8_0")]
    for plan, run in zip(plans, dry_runs(file, plans), strict=True):
        assert shape.weights_bytes == run.weights_bytes
        ours = kv.cache_bytes(shape, plan.n_ctx, plan.type_k, plan.type_v)
        assert ours == pytest.approx(run.kv_bytes, abs=0.006 * (1 << 20))  # the log rounds to a hundredth of a MiB
        assert 0 < sum(n for _, n in run.compute) <= compute_estimate(shape, plan.n_ctx)


@pytest.mark.skipif(sys.platform == "win32", reason="a file with a hole takes all of its size there")
def test_a_plan_with_offloaded_layers_and_experts_can_be_tried(tmp_path: Path) -> None:
    """Splits and overrides reach the library in a form that it takes; what they do needs a GPU to be seen."""
    file = tmp_path / "model.gguf"
    write_shape(file, SHAPES["deepseek-r1"], "Q4_K_M")
    plan = Plan(8192, 1, n_gpu_layers=62, tensor_split=(30, 32), n_cpu_moe=61)
    (run,) = dry_runs(file, [plan])
    assert (404_488_847_360, 575_668_224) == (run.weights_bytes, run.kv_bytes)


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    """The second question needs no child: even a file that is gone has its answer; another context has not."""
    file, state = tmp_path / "demo.gguf", tmp_path / "state" / "dryruns.json"
    file.write_bytes(demo_path().read_bytes())
    measured = DryRuns(state).measure(file, "digest", Plan(512, 1))
    assert measured is not None
    assert 1 == len(measured.compute_bytes)
    file.unlink()
    assert measured == DryRuns(state).measure(file, "digest", Plan(512, 1))
    assert None is DryRuns(state).measure(file, "digest", Plan(1024, 1))
    assert None is DryRuns(state).measure(file, "another", Plan(512, 1))


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a": 1}', "not json"])
def test_a_broken_memory_is_measured_anew(text: str, tmp_path: Path) -> None:
    """Whatever is in the file, the answer is right, and it is kept."""
    state = tmp_path / "dryruns.json"
    state.write_text(text)
    assert DryRuns(state).measure(demo_path(), "digest", Plan(512, 1))
    assert state.read_text() != text


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """The library's refusal is an error, and so is a file that is not there."""
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(EngineError):
        dry_runs(tmp_path / "x.gguf", [Plan(512, 1)])
    assert None is DryRuns(None).measure(tmp_path / "none.gguf", "digest", Plan(512, 1))


def test_a_back_end_is_told_by_its_library() -> None:
    """Libraries of GPU back ends are files of their own; without one, nothing is asked."""
    ours = [Path("libggml.so.0"), Path("libggml-base.so"), Path("libggml-cpu-haswell.so"), Path("libllama.so")]
    assert not may_offload(ours)
    assert may_offload([*ours, Path("libggml-cuda.so")])
    assert may_offload([*ours, Path("ggml-vulkan.dll")])


def test_the_registry_is_asked_in_a_child() -> None:
    """The devices are a list, whatever this build has; on a build for the CPU it is empty."""
    from r1chat.engine import llama

    assert (len(gpus()) > 0) <= may_offload(llama.library_files())
