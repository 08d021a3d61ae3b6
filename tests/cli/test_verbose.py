"""What --verbose tells of the memory, device by device."""

from r1chat.cli.run import memory_lines
from r1chat.core.memory import Plan
from r1chat.core.placement import Use
from tests.engine.test_buffers import LOG

MIB = 1 << 20


def test_planned_and_taken_stand_side_by_side_for_each_device() -> None:
    """The GPUs first, by name and description, then the host's memory; the engine's log is what was taken."""
    gpu = Use("RPC0", "GPU of 24 GB", 370 * MIB, 72 * MIB, 91 * MIB, None)
    host = Use("CPU", "memory", 700 * MIB, 152 * MIB, 61 * MIB, None)
    assert [
        "RPC0 (GPU of 24 GB): weights 388.0 MB planned, 388.5 MB taken; KV cache 75.5 MB planned, 75.5 MB taken; "
        "buffers 95.4 MB planned, 94.4 MB taken",
        "memory: weights 734.0 MB planned, 734.3 MB taken; KV cache 159.4 MB planned, 159.4 MB taken; "
        "buffers 64.0 MB planned, 63.5 MB taken",
    ] == memory_lines(Plan(8192, 1, uses=(gpu, host)), LOG.splitlines())


def test_weights_of_the_mapped_file_are_marked() -> None:
    """A mapped file spans what was copied to a GPU as well: that explains more than was planned."""
    host = Use("CPU", "memory", 100 * MIB, 0, 0, None)
    (line,) = memory_lines(Plan(8192, 1, uses=(host,)), ["load_tensors: CPU_Mapped model buffer size =  150.00 MiB"])
    assert "weights 104.9 MB planned, 157.3 MB taken (157.3 MB as the mapped file)" in line
