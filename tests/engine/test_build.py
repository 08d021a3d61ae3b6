"""What the engine's library says of itself: read from its words, and asked for real."""

import platform
import shutil
from pathlib import Path

import pytest

from r1chat.core.placement import Device
from r1chat.engine import dryrun, llama
from r1chat.engine.build import Build
from r1chat.errors import EngineError

# llama_print_system_info of llama.cpp, src/llama.cpp: each back end with features, and what these are.
SAID = "CUDA : ARCHS = 500,890 | USE_GRAPHS = 1 | CPU : SSE3 = 1 | AVX = 1 | AVX2 = 0 | OPENMP = 1 | "


def test_the_features_of_each_back_end_are_told_apart() -> None:
    """A back end's name stands before its first feature; what is 0 is not there."""
    build = Build(("CUDA", "CPU"), SAID, ())
    assert {"ARCHS": "500,890", "USE_GRAPHS": "1"} == build.features_of("CUDA")
    assert {"SSE3": "1", "AVX": "1", "OPENMP": "1"} == build.features_of("CPU")
    assert {} == build.features_of("Vulkan")
    assert {} == Build((), "", ()).features_of("CPU")


@pytest.mark.parametrize(
    ("processor", "unused"),
    [
        ("Some CPU\nfpu sse4_1 avx avx2 fma avx512f", ("AVX2", "FMA")),
        ("Some CPU\nfpu avx", ()),
        ("Features\nasimd asimddp i8mm", ("DOTPROD", "MATMUL_INT8")),
        ("", ()),
    ],
)
def test_what_the_cpu_has_and_the_build_has_not(processor: str, unused: tuple[str, ...]) -> None:
    """Only instructions that matter, and that this CPU has by its flags, are missed."""
    assert unused == Build(("CPU",), SAID, ()).unused(processor)


def test_back_ends_for_gpus() -> None:
    """The CPU, its mathematics library and other machines are no GPUs."""
    assert ("CUDA", "Vulkan") == Build(("CUDA", "Vulkan", "RPC", "BLAS", "CPU"), "", ()).gpu_backends


def test_each_gpu_counts_once() -> None:
    """A build with two back ends shows a GPU twice; integrated ones count where nothing better is, of one back end."""
    cuda, vulkan, other = (
        Device(name, "GPU", "gpu", name, 1 << 30, 1 << 30) for name in ("CUDA0", "Vulkan0", "Vulkan1")
    )
    inside, again = (
        Device(f"{backend}0", "iGPU", "integrated", backend, 1 << 30, 1 << 30) for backend in ("SYCL", "Vulkan")
    )
    remote = Device("RPC0", "afar", "remote", "RPC", 1 << 30, 1 << 30)
    assert (cuda, other) == llama.offloadable([(cuda, b"01:00.0"), (vulkan, b"01:00.0"), (other, b""), (inside, b"")])
    assert (vulkan, other) == llama.offloadable([(vulkan, b""), (other, b"")])
    assert (remote, inside) == llama.offloadable([(inside, b""), (again, b""), (remote, b"")])


def test_the_library_tells_what_it_is() -> None:
    """Asked in a child, this machine's build has at least the CPU's back end and says for what CPU it is."""
    build = dryrun.inspect()
    assert "CPU" in build.backends
    known = {"x86_64": "SSE3", "AMD64": "SSE3", "arm64": "NEON", "aarch64": "NEON"}
    assert known.get(platform.machine(), "") in {*build.features_of("CPU"), ""}


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the native libraries, which children load."""
    folder = tmp_path / "lib"
    shutil.copytree(llama.library_files()[0].parent, folder)
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(folder))
    return folder


def test_a_library_that_lacks_another_says_so(copied: Path) -> None:
    """The loader's own words about what is missing come through."""
    missing = [path for path in copied.iterdir() if "ggml-base" in path.name]
    assert missing
    for path in missing:
        path.unlink()
    with pytest.raises(EngineError, match="ggml-base"):
        dryrun.inspect()


def test_a_library_that_kills_is_survived(copied: Path) -> None:
    """A file that was cut kills, or is refused; both is one sentence, and this process lives."""
    for path in copied.iterdir():
        if "llama" in path.name:
            path.write_bytes(path.read_bytes()[:200_000])
    with pytest.raises(EngineError, match=r"died|can't be loaded"):
        dryrun.inspect()
