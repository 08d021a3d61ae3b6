"""The ladder: the ways to load a model, the best first, and the climb to the highest one that fits.

From rung to rung neither the layers on the GPUs nor the context grow; only that makes the plan monotone, so that more
memory never gives less. The rungs (docs/design.md, section 4): everything on the GPUs, with a context of 32k in f16;
then the experts of one layer after the other in the host's memory; then the cache in q8_0; a context of 16k; then layer
after layer off the GPUs; and at last a context of 8k.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from r1chat.core.placement import Placement, Rung, n_slots, parts_of
from r1chat.core.shape import Shape

CONTEXTS: Final = (32_768, 16_384, 8_192)  # R1 thinks for 8 to 32 thousand tokens (README of DeepSeek-R1: 32,768)


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is fixed for all rungs: the types that the KV cache may have, the best first; and, unless None, the context,
    the layers on the GPUs (the output counted) and the layers whose experts stay in memory.
    """

    shape: Shape
    types: tuple[str, ...]
    n_ctx: int | None = None
    n_gpu: int | None = None
    n_cpu_moe: int | None = None

    @property
    def caches(self) -> list[tuple[int, str]]:
        """The contexts and types, from the largest cache to the smallest."""
        if self.n_ctx is not None:
            return [(self.n_ctx, name) for name in self.types]
        largest, *smaller = (min(n, self.shape.n_ctx_train) for n in CONTEXTS)
        caches = [(largest, name) for name in self.types] + [(n, self.types[-1]) for n in smaller]
        return list(dict.fromkeys(caches))

    @property
    def all_layers(self) -> int:
        """How many layers there are, the output counted."""
        return n_slots(self.shape)

    @property
    def experts(self) -> range:
        """The layers whose experts may be kept in memory, as numbers of the first layers: none up to all."""
        if self.n_cpu_moe is not None:
            return range(self.n_cpu_moe, self.n_cpu_moe + 1)
        experts = parts_of(self.shape).experts
        if not any(experts) or self.n_gpu == 0:
            return range(1)
        return range(len(experts) + 1)

    @property
    def lowest(self) -> Rung:
        """The rung that takes the least."""
        n_ctx, name = self.caches[-1]
        return Rung(self.n_gpu or 0, self.experts[-1] if self.n_gpu != 0 else 0, n_ctx, name)

    @property
    def upper_caches(self) -> list[tuple[int, str]]:
        """The caches but for the smallest context, which is only for where nothing else helps."""
        alone = self.n_ctx is not None or self.n_gpu is not None or len(self.caches) == 1
        return self.caches if alone else self.caches[:-1]

    def rungs(self) -> Iterator[Rung]:
        """Give the rungs above the last one, the best first."""
        n_gpu = self.all_layers if self.n_gpu is None else self.n_gpu
        experts = parts_of(self.shape).experts
        for cache in self.upper_caches:
            for k in self.experts:
                if k == self.experts[0] or experts[k - 1]:  # a dense layer has none to keep
                    yield Rung(n_gpu, k, *cache)
        if self.n_gpu is None:
            for n in range(self.all_layers - 1, -1, -1):
                yield Rung(n, self.experts[-1], *self.upper_caches[-1])


def climb(
    ladder: Ladder, placed: Callable[[Rung], Placement], below: Rung | None = None
) -> tuple[Rung, Placement] | None:
    """Find the highest rung that fits, or None; with `below`, only among those beneath that rung.

    Layers that leave the GPUs go to the host. Where the GPUs have no room for more of them and the host has none for
    the others, the smallest context comes last, with the layers that the GPUs can hold.
    """
    held: Rung | None = None
    reached = below is None
    for rung in ladder.rungs():
        placement = placed(rung)
        if reached and placement.fits:
            return rung, placement
        reached = reached or rung == below
        if reached and placement.gpus_fit and held is None and (rung.n_ctx, rung.kv) == ladder.upper_caches[-1]:
            held = rung
    if held is None:
        return None
    last = Rung(held.n_gpu, held.n_cpu_moe, *ladder.caches[-1])
    placement = placed(last)
    return (last, placement) if last != below and placement.fits else None
