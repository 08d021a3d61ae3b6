"""How it is told that the memory ran out: by words, by the way of dying, by the kernel's counter."""

import pytest

from r1chat.engine.process import death
from r1chat.engine.shortage import KILLED, LIKELY_KILLED, REFUSED, shortage


@pytest.mark.parametrize(
    "line",
    [
        "ggml_aligned_malloc: insufficient memory (attempted to allocate 1024.00 MB)",
        "alloc_tensor_range: failed to allocate CPU buffer of size 1073741824",
        "llama_model_load: error loading model: unable to allocate CUDA0 buffer",
        "alloc_buffer: allocating 9216.00 MiB on device 0: cudaMalloc failed: out of memory",
        "llama_model_load: error loading model: mmap failed: Cannot allocate memory",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
    ],
)
def test_the_librarys_words_are_known(line: str) -> None:
    """A line that tells of memory that was not given, whatever the process did then."""
    assert REFUSED == shortage("exit code 1", ["before", line, "after"], (0, 0))
    assert REFUSED == shortage("SIGABRT", [line], (None, None))


@pytest.mark.parametrize(
    "line",
    [
        "llama_model_load: error loading model: tensor 'a' data is not within the file bounds",
        "gguf_init_from_file_impl: encountered bad_alloc error while reading value for key 'x'",
        "ggml_cuda_host_malloc: failed to allocate 8.00 MiB of pinned memory: out of memory",
        "print_info: max token length = 256",
    ],
)
def test_other_words_are_not_taken_for_it(line: str) -> None:
    """A broken file, and memory that the library can do without, are no shortage."""
    assert "" == shortage("exit code 1", [line], (0, 0))


@pytest.mark.parametrize(
    ("kills", "said"),
    [((4, 5), KILLED), ((4, 4), ""), ((None, None), LIKELY_KILLED), ((None, 1), LIKELY_KILLED)],
)
def test_a_kill_is_the_systems_if_it_counted_one(kills: tuple[int | None, int | None], said: str) -> None:
    """Without a counter it is most likely so; a counter that stood still speaks against it."""
    assert said == shortage("SIGKILL", ["alloc: out of memory"], kills)


def test_windows_has_numbers_for_it() -> None:
    """STATUS_NO_MEMORY and STATUS_COMMITMENT_LIMIT, as Python gives them."""
    assert [REFUSED, REFUSED] == [shortage(death(code), [], (None, None)) for code in (0xC0000017, 0xC000012D - 2**32)]
