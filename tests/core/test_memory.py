"""The plan: the ladder, the wishes, and what holds for every machine."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from r1chat.core.memory import Devices, Measured, Plan, Wishes, largest_context, plan, step_down
from r1chat.core.placement import Device
from r1chat.core.shape import Parts, Shape
from r1chat.errors import ExitCode, FitError, UsageError

GB, GIB = 10**9, 1 << 30
# DeepSeek-R1-Distill-Qwen-7B and DeepSeek-R1 in Q4_K_M, with every layer the same.
DENSE = Shape(
    *("qwen2", "7b", 28, 3584, 28, 4, 128, 128, 131_072, 152_064, 4_677_120_000, "Q4_K_M", "r1-distill"),
    n_ff=18_944,
    parts=Parts(306_561_024, 447_082_496, (140_124_160,) * 28, (0,) * 28),
)
MIXTURE = Shape(
    *("deepseek2", "r1", 61, 7168, 128, 1, 576, 0, 163_840, 129_280, 404_000_000_000, "Q4_K_M", "r1"),
    n_ff=18_432,
    parts=Parts(521_000_000, 760_000_000, (180_000_000,) * 61, (0, 0, 0, *(6_760_000_000,) * 58)),
)


def gpu(n_bytes: int, name: str = "CUDA0", kind: str = "gpu") -> Device:
    """Make a GPU with so much free."""
    return Device(name, f"GPU {name}", kind, "CUDA", n_bytes, n_bytes)


def planned(shape: Shape, ram: int | None, *vram: int, wishes: Wishes | None = None) -> Plan:
    """Plan for a machine with the given free memory."""
    gpus = tuple(gpu(n_bytes, f"CUDA{number}") for number, n_bytes in enumerate(vram))
    return plan(shape, Devices(8, ram, ram, gpus), wishes or Wishes())


def chosen(plan: Plan) -> tuple[int, int, str]:
    """Name the rung: layers on GPUs, context, cache."""
    return plan.n_gpu_layers, plan.n_ctx, plan.type_k


@pytest.mark.parametrize(
    ("vram", "ram", "rung"),
    [
        (80 * GB, 64 * GB, (29, 32_768, "f16")),
        (8 * GB, 64 * GB, (29, 32_768, "f16")),
        (7 * GB, 64 * GB, (29, 32_768, "q8_0")),
        (int(6.2 * GB), 64 * GB, (29, 16_384, "q8_0")),
        (4 * GB, 64 * GB, (18, 16_384, "q8_0")),
        (0, 64 * GB, (0, 16_384, "q8_0")),
    ],
)
def test_the_ladder_goes_down_with_the_gpu(vram: int, ram: int, rung: tuple[int, int, str]) -> None:
    """First the cache shrinks to q8_0, then the context to 16k, and only then layers leave the GPU."""
    gpus = (gpu(vram),)
    assert rung == chosen(plan(DENSE, Devices(8, ram, ram, gpus), Wishes()))


@pytest.mark.parametrize(
    ("ram", "rung"),
    [
        (None, (0, 32_768, "f16")),
        (64 * GB, (0, 32_768, "f16")),
        (7 * GB, (0, 32_768, "q8_0")),
        (int(6.2 * GB), (0, 16_384, "q8_0")),
        (int(5.7 * GB), (0, 8_192, "q8_0")),
    ],
)
def test_the_ladder_goes_down_with_the_memory(ram: int | None, rung: tuple[int, int, str]) -> None:
    """On a machine without GPUs the cache shrinks to what the memory leaves to it; unknown memory bounds nothing."""
    assert rung == chosen(planned(DENSE, ram))


def test_a_short_trained_context_bounds_every_rung() -> None:
    """No model gets more context than it was trained for, and a small one's ladder is short."""
    short = dataclasses.replace(DENSE, n_ctx_train=2048)
    assert (0, 2048, "f16") == chosen(planned(short, None))
    assert (0, 2048, "q8_0") == chosen(planned(short, int(5.45 * GB)))


def test_experts_go_to_memory_before_anything_else() -> None:
    """Of a mixture of experts, attention and the whole context stay on the GPU; as few experts as needed go."""
    found = planned(MIXTURE, 512 * GB, 24 * GB)
    assert (62, 32_768, "f16") == chosen(found)
    assert 60 == found.n_cpu_moe
    more = planned(MIXTURE, 512 * GB, 80 * GB)
    assert (62, 32_768, "f16", 52) == (*chosen(more), more.n_cpu_moe)


def test_layers_spread_over_gpus() -> None:
    """One GPU takes all if it can, the one with most room; else each gets what its memory is worth."""
    assert (0, 29) == planned(DENSE, 64 * GB, 8 * GB, 24 * GB).tensor_split
    spread = planned(DENSE, 64 * GB, 3 * GB, 6 * GB).tensor_split
    assert 29 == sum(spread)
    assert 0 < spread[0] < spread[1]


def test_a_gpu_that_shares_the_memory_counts_twice() -> None:
    """What an integrated GPU takes is taken from the host's memory as well."""
    shared = (gpu(16 * GB, kind="integrated"),)
    assert 29 == plan(DENSE, Devices(8, 16 * GB, 16 * GB, shared), Wishes()).n_gpu_layers
    with pytest.raises(FitError):
        plan(DENSE, Devices(8, 5 * GB, 5 * GB, shared), Wishes())


def test_wishes_are_honoured() -> None:
    """Layers, context, cache type, experts and margins are what the user says."""
    wishes = Wishes(n_ctx=10_000, n_gpu_layers=7, kv="q4_0")
    assert (7, 10_000, "q4_0") == chosen(planned(DENSE, 64 * GB, 24 * GB, wishes=wishes))
    assert 29 == planned(DENSE, 64 * GB, 24 * GB, wishes=Wishes(n_gpu_layers=-1)).n_gpu_layers
    assert 61 == planned(MIXTURE, 512 * GB, 80 * GB, wishes=Wishes(n_cpu_moe=61)).n_cpu_moe
    imagined = planned(DENSE, 64 * GB, wishes=Wishes(vram=(24 * GB,)))
    assert (29, 32_768, "f16") == chosen(imagined)
    assert (0, 32_768, "f16") == chosen(planned(DENSE, 64 * GB, 24 * GB, wishes=Wishes(vram=(0,))))
    assert (0, 16_384, "q8_0") == chosen(planned(DENSE, 64 * GB, wishes=Wishes(ram=int(6.2 * GB))))
    assert (0, 32_768, "f16") == chosen(planned(DENSE, int(6.9 * GB), wishes=Wishes(margin=0)))


@pytest.mark.parametrize(
    "wishes", [Wishes(n_ctx=131_072), Wishes(n_gpu_layers=-1), Wishes(kv="f16", n_ctx=32_768), Wishes(margin=10 * GB)]
)
def test_a_wish_that_does_not_fit_is_refused_with_numbers(wishes: Wishes) -> None:
    """Exit 5, with what is needed, of what it is made, and what there is."""
    with pytest.raises(FitError) as error:
        planned(DENSE, 6 * GB, 2 * GB, wishes=wishes)
    assert ExitCode.NO_FIT == error.value.exit_code
    for word in ("GB at the least", "weights 4.7 GB", "KV cache", "buffers", "2.0 GB on GPU CUDA0", "6.0 GB of memory"):
        assert word in error.value.message
    assert error.value.hint


@pytest.mark.parametrize(
    "wishes", [Wishes(n_gpu_layers=30), Wishes(n_gpu_layers=-2), Wishes(kv="q9"), Wishes(n_cpu_moe=3)]
)
def test_a_wish_that_no_machine_can_honour_is_a_mistake(wishes: Wishes) -> None:
    """More layers than there are, an unknown cache, experts that the model has not: exit 2."""
    with pytest.raises(UsageError):
        planned(DENSE, 64 * GB, 24 * GB, wishes=wishes)


def test_the_reasons_say_what_and_why() -> None:
    """The first line has layers, device, context, cache, its price, and the memory."""
    reason = planned(DENSE, 64 * GB, 7 * GB).reasons[0]
    assert reason.startswith("29/29 layers on GPU CUDA0, context 32,768, KV q8_0 (f16 would leave ")
    assert "of 7.0 GB free" in reason
    assert "context 32,768, KV q8_0 (f16 would take 880.8 MB more): " in planned(DENSE, 7 * GB).reasons[0]
    assert (
        "context 2,048 (all it was trained for)"
        in planned(dataclasses.replace(DENSE, n_ctx_train=2048), None).reasons[0]
    )


def test_measured_buffers_win_over_the_estimate() -> None:
    """What the dry run found is what is counted, and the plan says so."""
    measured = Measured((100 << 20, 50 << 20))
    found = plan(DENSE, Devices(8, 64 * GB, 64 * GB, (gpu(24 * GB),)), Wishes(), measured)
    assert [100 << 20, 50 << 20] == [use.compute_bytes for use in found.uses]
    assert not found.estimated
    assert planned(DENSE, 64 * GB).estimated


def test_buffers_of_gpus_that_are_left_out_do_not_count() -> None:
    """Planned without its GPUs, a machine's memory has the buffers that were measured for it."""
    left_out = planned(DENSE, 64 * GB, 24 * GB, wishes=Wishes(vram=(0,)))
    assert 1 == len(left_out.uses)
    devices = Devices(8, 64 * GB, gpus=(gpu(24 * GB),))
    found = plan(DENSE, devices, Wishes(vram=(0,)), Measured((100 << 20, 50 << 20)))
    assert [50 << 20] == [use.compute_bytes for use in found.uses]


@pytest.mark.parametrize("vram", [(), (7 * GB,)])
def test_the_largest_context_has_room_for_larger_buffers(vram: tuple[int, ...]) -> None:
    """A longer context's mask is larger than what was measured with a short one: 1 KiB for each token."""
    for tenths in range(60, 110, 5):
        gpus = tuple(gpu(n_bytes) for n_bytes in vram)
        devices = Devices(8, 64 * GB if gpus else tenths * GB // 10, gpus=gpus)
        found = plan(DENSE, devices, Wishes(), Measured((*[330 << 20 for _ in gpus], 100 << 20)))
        largest = largest_context(DENSE, devices, Wishes(), found)
        grown = (largest - found.n_ctx) << 10
        measured = Measured((*[(330 << 20) + grown for _ in gpus], (100 << 20) + grown))
        assert largest == plan(DENSE, devices, Wishes(n_ctx=largest), measured).n_ctx


def steps(shape: Shape, devices: Devices, wishes: Wishes) -> list[tuple[int, int, str]]:
    """Name all the rungs from the plan down to the last one."""
    found = plan(shape, devices, wishes)
    rungs = [chosen(found)]
    while True:
        try:
            found = step_down(shape, devices, wishes, found)
        except FitError:
            return rungs
        rungs.append(chosen(found))


def test_every_step_down_is_the_next_rung() -> None:
    """With room for anything, a plan that failed is followed by the rung below it, down to the last."""
    without = [(0, 32_768, "f16"), (0, 32_768, "q8_0"), (0, 16_384, "q8_0"), (0, 8_192, "q8_0")]
    assert without == steps(DENSE, Devices(8, 64 * GB), Wishes())
    layers = [(n, 16_384, "q8_0") for n in range(29, -1, -1)]
    with_gpu = [(29, 32_768, "f16"), (29, 32_768, "q8_0"), *layers, (0, 8_192, "q8_0")]
    assert with_gpu == steps(DENSE, Devices(8, 64 * GB, gpus=(gpu(24 * GB),)), Wishes())
    assert [(0, 12_000, "f16"), (0, 12_000, "q8_0")] == steps(DENSE, Devices(8, 64 * GB), Wishes(n_ctx=12_000))


def test_a_step_down_looks_at_what_is_free_now() -> None:
    """Rungs that do not fit any more are passed over at once."""
    before = plan(DENSE, Devices(8, 64 * GB, gpus=(gpu(24 * GB),)), Wishes())
    after = step_down(DENSE, Devices(8, 64 * GB, gpus=(gpu(4 * GB),)), Wishes(), before)
    assert (18, 16_384, "q8_0") == chosen(after)


def test_a_plan_that_was_fixed_has_no_lower_one() -> None:
    """What the user has said in full is not changed: exit 5, with what it was, and what there is."""
    fixed = Wishes(n_ctx=8192, n_gpu_layers=0, kv="f16")
    machine = Devices(8, 64 * GB)
    with pytest.raises(FitError) as error:
        step_down(DENSE, machine, fixed, plan(DENSE, machine, fixed))
    for word in ("weights 4.7 GB", "8,192 tokens in f16", "no smaller one", "64.0 GB of memory free"):
        assert word in error.value.message
    assert "--ctx" in error.value.hint


MEMORY = st.integers(0, 120 * GB)
SHAPES = st.sampled_from(
    [DENSE, MIXTURE, dataclasses.replace(DENSE, n_ctx_train=12_000), dataclasses.replace(DENSE, parts=None)]
)
WISHES = st.builds(
    Wishes,
    n_ctx=st.sampled_from([None, None, 4096, 12_000]),
    n_gpu_layers=st.sampled_from([None, None, 0, 10, -1]),
    kv=st.sampled_from([None, None, "f16", "q4_0"]),
    margin=st.sampled_from([None, 0, GIB]),
)
MEASURED = st.sampled_from([None, (300 << 20, 200 << 20), (300 << 20, 250 << 20, 200 << 20)])


def outcome(shape: Shape, ram: int, vram: list[int], wishes: Wishes, measured: tuple[int, ...] | None) -> Plan | None:
    """Plan for a machine; None where nothing fits."""
    gpus = tuple(gpu(n_bytes, f"CUDA{number}") for number, n_bytes in enumerate(vram))
    try:
        return plan(shape, Devices(8, ram, ram, gpus), wishes, Measured(measured) if measured else None)
    except FitError:
        return None


@settings(max_examples=100, deadline=None)
@given(SHAPES, MEMORY, st.lists(MEMORY, max_size=2), WISHES, MEASURED)
def test_a_plan_never_exceeds_a_device(
    shape: Shape, ram: int, vram: list[int], wishes: Wishes, measured: tuple[int, ...] | None
) -> None:
    """On every device weights, cache and buffers together stay within what is free, and all weights are somewhere."""
    found = outcome(shape, ram, vram, wishes, measured)
    if found is None:
        return
    assert [*vram, ram] == [use.free_bytes for use in found.uses]
    assert all(use.n_bytes <= (use.free_bytes or 0) for use in found.uses)
    assert shape.weights_bytes - sum(use.weights_bytes for use in found.uses) in range(shape.weights_bytes // 50)
    assert found == outcome(shape, ram, vram, wishes, measured)


@settings(max_examples=100, deadline=None)
@given(SHAPES, MEMORY, st.lists(MEMORY, max_size=2), WISHES, MEASURED, st.data())
def test_more_memory_never_gives_less(
    shape: Shape, ram: int, vram: list[int], wishes: Wishes, measured: tuple[int, ...] | None, data: st.DataObject
) -> None:
    """Neither fewer layers nor less context, nor nothing where there was a plan."""
    before = outcome(shape, ram, vram, wishes, measured)
    grown = [n_bytes + data.draw(MEMORY) for n_bytes in vram]
    after = outcome(shape, ram + data.draw(MEMORY), grown, wishes, measured)
    if before is not None:
        assert after is not None
        assert before.n_gpu_layers <= after.n_gpu_layers
        assert before.n_ctx <= after.n_ctx


@settings(max_examples=100, deadline=None)
@given(SHAPES, MEMORY, st.lists(MEMORY, max_size=2), WISHES)
def test_a_step_down_never_gives_more(shape: Shape, ram: int, vram: list[int], wishes: Wishes) -> None:
    """Neither more layers nor more context, never the same once more, and within every device, down to an end."""
    found = outcome(shape, ram, vram, wishes, None)
    gpus = tuple(gpu(n_bytes, f"CUDA{number}") for number, n_bytes in enumerate(vram))
    seen = set()
    while found is not None:
        assert found.rung not in seen
        seen.add(found.rung)
        try:
            lower = step_down(shape, Devices(8, ram, ram, gpus), wishes, found)
        except FitError:
            return
        assert lower.n_gpu_layers <= found.n_gpu_layers
        assert lower.n_ctx <= found.n_ctx
        assert all(use.n_bytes <= (use.free_bytes or 0) for use in lower.uses)
        found = lower
