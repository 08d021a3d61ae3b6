"""Model shape + devices + wishes -> Plan: where a model goes and how much context it gets, with reasons in words.

Pure and deterministic. This first form knows no GPU memory: it keeps every layer on the CPU unless told otherwise.
"""

from dataclasses import dataclass

from r1chat.core.shape import Shape
from r1chat.errors import UsageError

DEFAULT_CTX = 8192  # docs/design.md, section 5: until the planner sizes the context for the machine
SMALLEST_CTX = 32  # below it not even a question and the reserve for its answer have room
# Below it the threads of one token spend more time waiting for each other than computing, and on a busy machine they
# wait for the scheduler: scripts/bench threads.
ONE_CORE_BYTES = 16 << 20
RESERVE_SHARE, RESERVE_CAP = 4, 1024  # docs/design.md, section 5: reserve = min(n_ctx / 4, 1,024) tokens


@dataclass(frozen=True, slots=True)
class Devices:
    """What the machine offers. `n_threads` is the number of physical cores this process may use."""

    n_threads: int


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; None leaves the choice to the plan. `n_gpu_layers` -1 means all."""

    n_ctx: int | None = None
    n_threads: int | None = None
    n_gpu_layers: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What the engine's own dry run found: bytes of compute buffers per device."""

    compute_bytes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """How to load a model. `n_gpu_layers` -1 means all; types are ggml's names ("f16", "q8_0")."""

    n_ctx: int
    n_threads: int
    n_gpu_layers: int = 0
    n_batch: int = 512
    n_ubatch: int = 512
    type_k: str = "f16"
    type_v: str = "f16"
    flash_attention: str = "auto"
    reasons: tuple[str, ...] = ()

    @property
    def reserve(self) -> int:
        """Tokens of the context kept free for the answer while the model thinks."""
        return min(self.n_ctx // RESERVE_SHARE, RESERVE_CAP)


def plan(shape: Shape, devices: Devices, wishes: Wishes, measured: Measured | None = None) -> Plan:
    """Decide context, layers and threads. Raises UsageError for a wish that can't be honoured."""
    n_ctx = wishes.n_ctx if wishes.n_ctx is not None else min(shape.n_ctx_train, DEFAULT_CTX)
    if n_ctx < SMALLEST_CTX:
        raise UsageError(f"A context of {n_ctx} tokens is too small.", hint=f"Use at least {SMALLEST_CTX}.")
    if n_ctx > shape.n_ctx_train:
        raise UsageError(
            f"A context of {n_ctx:,} tokens is more than the {shape.n_ctx_train:,} the model was trained for.",
            hint=f"Use --ctx {shape.n_ctx_train} or less.",
        )
    n_threads = wishes.n_threads
    if n_threads is None:
        n_threads = 1 if shape.weights_bytes < ONE_CORE_BYTES else devices.n_threads
    if not 1 <= n_threads <= 512:  # ggml.h, GGML_MAX_N_THREADS
        raise UsageError(f"{n_threads} threads can't be used.", hint="Use a number from 1 to 512.")
    n_gpu_layers = wishes.n_gpu_layers if wishes.n_gpu_layers is not None else 0
    reasons = (
        f"context {n_ctx:,} of {shape.n_ctx_train:,} tokens",
        "all layers on the GPU" if n_gpu_layers < 0 else f"{n_gpu_layers} of {shape.n_layers} layers on the GPU",
        f"{n_threads} thread{'' if n_threads == 1 else 's'}",
    )
    return Plan(n_ctx=n_ctx, n_threads=n_threads, n_gpu_layers=n_gpu_layers, reasons=reasons)
