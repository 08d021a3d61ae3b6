"""Model shape + devices + wishes -> Plan: where a model goes and how much context it gets, with reasons in words.

Pure and deterministic. The plan is the highest rung that fits of a fixed ladder (ladder.py). Each rung has at least the
layers and the context of the one below, so that more memory never gives less. Weights and KV cache are exact; compute
buffers are measured by the engine's dry run, or else estimated by a formula that is never below what was measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from r1chat.core import kv
from r1chat.core.ladder import Ladder, climb
from r1chat.core.placement import HOST, Device, Machine, Placement, Rung, Use, n_slots, place
from r1chat.core.shape import Shape
from r1chat.core.sizes import size_text
from r1chat.errors import FitError, UsageError

SMALLEST_CTX = 32  # below it not even a question and the reserve for its answer have room
# Below it the threads of one token spend more time waiting for each other than computing, and on a busy machine they
# wait for the scheduler: scripts/bench threads.
ONE_CORE_BYTES = 16 << 20
RESERVE_SHARE, RESERVE_CAP = 4, 1024  # docs/design.md, section 5: reserve = min(n_ctx / 4, 1,024) tokens
N_BATCH: Final = 512
ALL_LAYERS: Final = -1
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Devices:
    """What the machine offers: the physical cores this process may use, the host's memory (None: unknown), its GPUs.

    Only GPUs that this build of the engine's library can use count.
    """

    n_threads: int
    ram_free: int | None = None
    ram_total: int | None = None
    gpus: tuple[Device, ...] = ()

    @property
    def emptied(self) -> "Devices":
        """The same machine as if nothing else ran on it."""
        gpus = tuple(replace(gpu, free_bytes=gpu.total_bytes) for gpu in self.gpus)
        return replace(self, ram_free=self.ram_total, gpus=gpus)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; None leaves the choice to the plan. `n_gpu_layers` -1 means all.

    `kv` is a type of the KV cache; `vram` (for each GPU; one that is not there is imagined) and `ram` are taken for the
    free memory, and `margin` for what is left of it; the experts of the first `n_cpu_moe` layers stay in memory.
    """

    n_ctx: int | None = None
    n_threads: int | None = None
    n_gpu_layers: int | None = None
    kv: str | None = None
    vram: tuple[int, ...] = ()
    ram: int | None = None
    margin: int | None = None
    n_cpu_moe: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the engine's own dry run found: bytes of compute buffers for each GPU and, last, for the host."""

    compute_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How to load a model, and what that takes (`uses`, the GPUs first and the host last).

    `n_gpu_layers` counts the output as a layer, -1 means all; `tensor_split` is how many of them each GPU has. Types
    are ggml's names ("f16", "q8_0"). `estimated`: the compute buffers are not measured.
    """

    n_ctx: int
    n_threads: int
    n_gpu_layers: int = 0
    n_batch: int = N_BATCH
    n_ubatch: int = N_BATCH
    type_k: str = "f16"
    type_v: str = "f16"
    flash_attention: str = "auto"
    reasons: tuple[str, ...] = ()
    tensor_split: tuple[int, ...] = ()
    n_cpu_moe: int = 0
    uses: tuple[Use, ...] = ()
    estimated: bool = True

    @property
    def reserve(self) -> int:
        """Tokens of the context kept free for the answer while the model thinks."""
        return min(self.n_ctx // RESERVE_SHARE, RESERVE_CAP)

    @property
    def summary(self) -> str:
        """What was chosen, in one line."""
        return self.reasons[0] if self.reasons else f"a context of {self.n_ctx:,}"

    @property
    def rung(self) -> Rung:
        """Its rung of the ladder."""
        return Rung(self.n_gpu_layers, self.n_cpu_moe, self.n_ctx, self.type_k)


def plan(shape: Shape, devices: Devices, wishes: Wishes, measured: Measured | None = None) -> Plan:
    """Decide layers, experts, context, KV cache and threads.

    Raises UsageError for a wish that can't be honoured by any machine, FitError where the memory is too small.
    """
    _check(shape, wishes)
    return _plan(shape, devices, wishes, measured, None)


def step_down(shape: Shape, devices: Devices, wishes: Wishes, failed: Plan, measured: Measured | None = None) -> Plan:
    """Decide as `plan` does, on a rung beneath that of a plan for which the memory was too small after all.

    `devices` is what is free now. Raises FitError where no lower rung is left, or none that fits.
    """
    return _plan(shape, devices, wishes, measured, failed)


def _plan(shape: Shape, devices: Devices, wishes: Wishes, measured: Measured | None, failed: Plan | None) -> Plan:
    n_threads = _threads(shape, devices, wishes)
    machine = machine_of(devices, wishes)
    ladder = ladder_of(shape, machine, wishes)

    def placed(rung: Rung) -> Placement:
        return place(shape, rung, machine, _compute(shape, rung, machine, measured))

    chosen = climb(ladder, placed, failed.rung if failed else None)
    if chosen is None and failed:
        raise _no_lower(failed, machine)
    if chosen is None:
        raise _misfit(ladder.lowest, placed(ladder.lowest), machine)
    rung, placement = chosen
    reasons = (
        _summary(shape, rung, placement, machine, ladder, placed),
        f"{n_threads} thread{'' if n_threads == 1 else 's'}",
    )
    return Plan(
        n_ctx=rung.n_ctx,
        n_threads=n_threads,
        n_gpu_layers=rung.n_gpu,
        type_k=rung.kv,
        type_v=rung.kv,
        reasons=reasons,
        tensor_split=placement.tensor_split if rung.n_gpu else (),
        n_cpu_moe=rung.n_cpu_moe,
        uses=placement.uses,
        estimated=measured is None,
    )


def largest_context(shape: Shape, devices: Devices, wishes: Wishes, found: Plan) -> int:
    """Give the largest context, in thousands of 1,024, that a plan's layers leave room for; at least the plan's own."""
    low, high = found.n_ctx // 1024, shape.n_ctx_train // 1024
    while low < high:
        middle = (low + high + 1) // 2
        n_ctx = middle * 1024
        try:
            other = plan(shape, devices, replace(wishes, n_ctx=n_ctx), _grown(found, shape, n_ctx))
            fits = other.n_gpu_layers >= found.n_gpu_layers
        except FitError:
            fits = False
        low, high = (middle, high) if fits else (low, middle - 1)
    return max(found.n_ctx, low * 1024)


def _grown(found: Plan, shape: Shape, n_ctx: int) -> Measured | None:
    """Bound a plan's measured buffers from above for a larger context, on any of its GPUs: they grow as estimated."""
    if found.estimated:
        return None
    on_gpu, host = (
        compute_estimate(shape, n_ctx, on_gpu=on_gpu) - compute_estimate(shape, found.n_ctx, on_gpu=on_gpu)
        for on_gpu in (True, False)
    )
    *of_gpus, of_host = (use.compute_bytes for use in found.uses)
    if any(of_gpus):
        on_gpu += max(of_gpus)
    else:
        on_gpu = compute_estimate(shape, n_ctx, on_gpu=True)
    return Measured((*[on_gpu] * len(of_gpus), of_host + host))


def machine_of(devices: Devices, wishes: Wishes) -> Machine:
    """Put the wished memory in the place of the machine's. `vram` of nothing but 0 leaves the GPUs out."""
    gpus = list(devices.gpus)
    for number, n_bytes in enumerate(wishes.vram):
        if number < len(gpus):
            gpus[number] = replace(gpus[number], free_bytes=n_bytes)
        else:
            gpus.append(Device(f"GPU{number}", f"GPU of {n_bytes / GIB:g} GiB", "imagined", "", n_bytes, n_bytes))
    if wishes.vram and not any(gpu.free_bytes for gpu in gpus):
        gpus = []
    return Machine(wishes.ram if wishes.ram is not None else devices.ram_free, tuple(gpus), wishes.margin)


def ladder_of(shape: Shape, machine: Machine, wishes: Wishes) -> Ladder:
    """Make the ladder for a model, within what the user has fixed."""
    n_gpu = wishes.n_gpu_layers
    if n_gpu is not None:
        n_gpu = n_slots(shape) if n_gpu == ALL_LAYERS else min(n_gpu, n_slots(shape))
    elif not machine.gpus:
        n_gpu = 0
    types = (wishes.kv,) if wishes.kv else ("f16", *(("q8_0",) if not kv.problem(shape, "q8_0", "q8_0") else ()))
    return Ladder(shape, types, wishes.n_ctx, n_gpu, wishes.n_cpu_moe)


def compute_estimate(shape: Shape, n_ctx: int, *, on_gpu: bool = False) -> int:
    """Bound the compute buffers of one device from above, for batches of N_BATCH and one row of logits.

    Fitted on dry runs of R1's models (scripts/shapes) with flash attention, which every back end has for their heads:
    to a hundredth of a MiB they are 3 inner and 4 outer vectors in f32 for each token of a batch, the mask in f16 and
    the logits; for the full R1's latent attention at most 9 outer ones, and its heads' keys twice or four times. A
    tenth is added; GPUs differ and get another quarter and 64 MiB for the matrices that they unpack.
    """
    if shape.architecture == "deepseek2":
        times = 2 if shape.head_dim_v == 0 else 4
        floats = 9 * shape.n_embd + times * shape.n_heads * shape.head_dim_k
    else:
        # A header without the width of the inner layer is taken to have the widest of the family, six times the outer.
        floats = 4 * shape.n_embd + 3 * (shape.n_ff or 6 * shape.n_embd)
    n_bytes = 4 * N_BATCH * floats + 2 * N_BATCH * kv.padded(n_ctx) + 4 * shape.n_vocab
    n_bytes += n_bytes // 10
    return n_bytes + n_bytes // 4 + (64 << 20) if on_gpu else n_bytes


def _compute(shape: Shape, rung: Rung, machine: Machine, measured: Measured | None) -> Sequence[int]:
    """Give the compute buffers for each GPU and the host."""
    n_devices = len(machine.gpus) + 1
    if measured is not None and n_devices in (1, len(measured.compute_bytes)):  # 1: GPUs may have been left out
        return measured.compute_bytes[-n_devices:]
    gpu, host = (compute_estimate(shape, rung.n_ctx, on_gpu=on_gpu) for on_gpu in (True, False))
    return [*[gpu] * (n_devices - 1), host]


def _check(shape: Shape, wishes: Wishes) -> None:
    n_ctx, n_layers, kind = wishes.n_ctx, wishes.n_gpu_layers, wishes.kv
    if n_ctx is not None and n_ctx < SMALLEST_CTX:
        raise UsageError(
            f"A context of {n_ctx} token{'' if n_ctx == 1 else 's'} is too small.", hint=f"Use at least {SMALLEST_CTX}."
        )
    if n_ctx is not None and n_ctx > shape.n_ctx_train:
        raise UsageError(
            f"A context of {n_ctx:,} tokens is more than the {shape.n_ctx_train:,} the model was trained for.",
            hint=f"Use --ctx {shape.n_ctx_train} or less.",
        )
    if n_layers is not None and not ALL_LAYERS <= n_layers <= n_slots(shape):
        raise UsageError(
            f"{n_layers} layers can't be put on a GPU: the model has {n_slots(shape)}, the output counted.",
            hint="Use --gpu-layers auto, or all.",
        )
    if kind is not None and (why := kv.problem(shape, kind, kind)):
        raise UsageError(f"This model can't have a KV cache of {kind}: {why}.", hint="Use --kv auto, or f16.")
    has_experts = shape.parts is not None and any(shape.parts.experts)
    if wishes.n_cpu_moe and (not has_experts or wishes.n_cpu_moe > n_slots(shape) - 1):
        what = f"{n_slots(shape) - 1} layers" if has_experts else "no experts"
        raise UsageError(
            f"--cpu-moe {wishes.n_cpu_moe} can't be honoured: the model has {what}.",
            hint="Use --cpu-moe auto.",
        )


def _threads(shape: Shape, devices: Devices, wishes: Wishes) -> int:
    n_threads = wishes.n_threads
    if n_threads is None:
        n_threads = 1 if shape.weights_bytes < ONE_CORE_BYTES else devices.n_threads
    if not 1 <= n_threads <= 512:  # ggml.h, GGML_MAX_N_THREADS
        raise UsageError(f"{n_threads} threads can't be used.", hint="Use a number from 1 to 512.")
    return n_threads


def _summary(
    shape: Shape,
    rung: Rung,
    placement: Placement,
    machine: Machine,
    ladder: Ladder,
    placed: Callable[[Rung], Placement],
) -> str:
    """Say in one line what was chosen, why, and what it takes."""
    parts = []
    if rung.n_gpu:
        used = [use for use, n in zip(placement.uses, placement.tensor_split, strict=False) if n]
        names = ", ".join(use.description or use.device for use in used)
        parts.append(f"{rung.n_gpu}/{ladder.all_layers} layers on {names}")
        if rung.n_cpu_moe:
            parts.append(f"the experts of the first {rung.n_cpu_moe} layers in memory")
    elif machine.gpus:
        parts.append(f"0/{ladder.all_layers} layers on the GPU")
    whole = " (all it was trained for)" if rung.n_ctx == shape.n_ctx_train else ""
    parts.append(f"context {rung.n_ctx:,}{whole}")
    parts.append(f"KV {rung.kv}{_why_not_f16(rung, ladder, placed)}")
    uses = [use for use in placement.uses if use.n_bytes and (use.device == HOST) != bool(rung.n_gpu)]
    taken = size_text(sum(use.n_bytes for use in uses))
    free = [use.free_bytes for use in uses if use.free_bytes is not None]
    of = f" of {size_text(sum(free))} free" if free else ""
    host = placement.uses[-1]
    also = f", and {size_text(host.n_bytes)} of memory" if rung.n_gpu else ""
    return f"{', '.join(parts)}: {taken}{of}{also}"


def _why_not_f16(rung: Rung, ladder: Ladder, placed: Callable[[Rung], Placement]) -> str:
    """Say what the cache would cost in full width, where the plan has chosen a smaller one."""
    if rung.kv == "f16" or len(ladder.types) < 2:
        return ""
    full = replace(rung, kv="f16")
    if rung.n_gpu and ladder.n_gpu is None:
        for n in range(rung.n_gpu, 0, -1):
            if placed(replace(full, n_gpu=n)).gpus_fit:
                return f" (f16 would leave {n} layer{'' if n == 1 else 's'})" if n < rung.n_gpu else ""
    more = sum(use.kv_bytes for use in placed(full).uses) - sum(use.kv_bytes for use in placed(rung).uses)
    return f" (f16 would take {size_text(more)} more)"


def _misfit(rung: Rung, placement: Placement, machine: Machine) -> FitError:
    """Say what the least demanding way would take, and what there is."""
    total, parts = _taken(placement.uses, rung)
    return FitError(
        f"This model does not fit: it needs {total} at the least ({parts}), and {_free(machine)}.",
        hint="Take a smaller quantization or context (--ctx), or say with --ram, --vram or --margin what may be used.",
    )


def _no_lower(failed: Plan, machine: Machine) -> FitError:
    """Say what was tried in vain, and what there is."""
    total, parts = _taken(failed.uses, failed.rung)
    return FitError(
        f"The plan was {total} ({parts}); no smaller one fits or is allowed, and {_free(machine)}.",
        hint="Take a smaller quantization or context (--ctx), or close other programs; "
        "in a container, raise its memory limit.",
    )


def _taken(uses: Sequence[Use], rung: Rung) -> tuple[str, str]:
    """Add up uses: in all, and of what."""
    weights = sum(use.weights_bytes for use in uses)
    cache = sum(use.kv_bytes for use in uses)
    buffers = sum(use.compute_bytes for use in uses)
    parts = f"weights {size_text(weights)}, KV cache {size_text(cache)} for {rung.n_ctx:,} tokens in {rung.kv}"
    return size_text(weights + cache + buffers), f"{parts}, buffers {size_text(buffers)}"


def _free(machine: Machine) -> str:
    """Say in a clause what memory there is."""
    free = [f"{size_text(gpu.free_bytes)} on {gpu.description or gpu.name}" for gpu in machine.gpus]
    if machine.ram_bytes is not None:
        free.append(f"{size_text(machine.ram_bytes)} of memory")
    if not free:
        return "nobody knows what is free"
    margins = sum(gpu.free_bytes - machine.gpu_room(gpu) for gpu in machine.gpus)
    margins += (machine.ram_bytes or 0) - (machine.host_room() or 0)
    return f"there are {', '.join(free)} free, {size_text(margins)} of it kept back"
