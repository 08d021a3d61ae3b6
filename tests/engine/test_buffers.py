"""What the engine has reserved, read from its log."""

from r1chat.core.prompt import Text
from r1chat.engine.buffers import Buffers, by_device, read_buffers
from r1chat.engine.worker import WorkerEngine

MIB = 1 << 20
# Of a load with 10 layers on a device: llama-cpp-python 0.3.36, built with -DGGML_RPC=ON.
LOG = """\
load_tensors: loading model tensors, this can take a while... (load_mode = none)
load_tensors: offloaded 10/29 layers to GPU
load_tensors:          CPU model buffer size =   700.25 MiB
load_tensors: RPC0[127.0.0.1:50052] model buffer size =   370.50 MiB
llama_context:        CPU  output buffer size =     0.58 MiB
llama_kv_cache:        CPU KV buffer size =   152.00 MiB
llama_kv_cache: RPC0[127.0.0.1:50052] KV buffer size =    72.00 MiB
llama_kv_cache: size =  224.00 MiB (  8192 cells,  28 layers,  1/1 seqs), K (f16):  112.00 MiB, V (f16):  112.00 MiB
sched_reserve: RPC0[127.0.0.1:50052] compute buffer size =    90.00 MiB
sched_reserve:        CPU compute buffer size =    60.00 MiB
"""


def test_a_log_is_summed_up() -> None:
    """Weights and cache of all devices together, the buffers for computing by their names."""
    found = read_buffers(LOG.splitlines())
    assert (round(1070.75 * MIB), 224 * MIB) == (found.weights_bytes, found.kv_bytes)
    assert (("CPU", round(60.58 * MIB)), ("RPC0[127.0.0.1:50052]", 90 * MIB)) == found.compute
    assert [round(370.5 * MIB), round(700.25 * MIB)] == by_device(found.weights, ["RPC0"])
    assert [72 * MIB, 152 * MIB] == by_device(found.kv, ["RPC0"])


def test_buffers_are_sorted_by_device() -> None:
    """Each GPU has its own; what a GPU pins in the host's memory, and all that has no known owner, is the host's."""
    buffers = (("CUDA1", 5), ("CUDA_Host", 2), ("CPU_Mapped", 1), ("CUDA0", 3), ("RPC0[127.0.0.1:1]", 7))
    assert [3, 5, 10] == by_device(buffers, ["CUDA0", "CUDA1"])
    assert [7, 11] == by_device(buffers, ["RPC0"])
    assert [18] == by_device(buffers, [])
    assert [0, 9] == by_device((("CUDA10", 9),), ["CUDA1"])
    assert [4, 0] == by_device((("MTL0_Mapped", 3), ("MTL0_Private", 1)), ["MTL0"])


def test_only_the_last_load_counts() -> None:
    """A log of two loads tells of the second; one of none tells nothing."""
    assert read_buffers(LOG.splitlines()) == read_buffers((LOG + LOG).splitlines())
    assert Buffers(0, 0, ()) == read_buffers(["nothing", ""])


def test_the_real_engine_tells_its_buffers(engine: WorkerEngine) -> None:
    """A load of the demo model tells weights, cache and buffers, all of them more than nothing."""
    engine.count([Text("1")])
    found = read_buffers(engine.log())
    assert 1_700_000 < found.mapped_bytes <= found.weights_bytes
    assert MIB == found.kv_bytes
    assert 0 < sum(by_device(found.compute, [])) < 20_000_000
