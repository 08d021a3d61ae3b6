"""What the engine has reserved, read from its log."""

from r1chat.core.prompt import Text
from r1chat.engine.buffers import Buffers, read_buffers
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
    assert round(150.58 * MIB) == found.compute_bytes


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
    assert 0 < found.compute_bytes < 20_000_000
