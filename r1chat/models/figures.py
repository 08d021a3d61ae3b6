"""The numbers of R1's ten models as their GGUF headers have them, by the catalogue's ids. Data only.

They say how large a model is before a byte of it is here. From config.json of the repositories of deepseek-ai, and the
headers' dumps in llama.cpp's logs of the published files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Figures:
    """An architecture, the rows of its vocabulary, and the metadata of its own keys (`block_count`, …)."""

    architecture: str
    n_vocab: int
    numbers: Mapping[str, int | float | bool]


def _grouped(
    architecture: str,
    n_vocab: int,
    sizes: tuple[int, int, int, int, int],
    rope: float,
    eps: float,
    **more: int,
) -> Figures:
    """A dense model with grouped-query attention. `sizes`: layers, width, heads, heads of keys, inner width."""
    n_layers, n_embd, n_heads, n_heads_kv, n_ff = sizes
    numbers: dict[str, int | float | bool] = {
        "block_count": n_layers,
        "context_length": 131_072,
        "embedding_length": n_embd,
        "feed_forward_length": n_ff,
        "attention.head_count": n_heads,
        "attention.head_count_kv": n_heads_kv,
        "attention.layer_norm_rms_epsilon": eps,
        "rope.freq_base": rope,
    }
    return Figures(architecture, n_vocab, {**numbers, **{key.replace("__", "."): value for key, value in more.items()}})


def _qwen2(n_vocab: int, sizes: tuple[int, int, int, int, int], rope: float, eps: float) -> Figures:
    return _grouped("qwen2", n_vocab, sizes, rope, eps)


def _llama(sizes: tuple[int, int, int, int, int]) -> Figures:
    return _grouped("llama", 128_256, sizes, 500_000.0, 1e-5, rope__dimension_count=128)


def _qwen3(sizes: tuple[int, int, int, int, int]) -> Figures:
    heads = {"attention__key_length": 128, "attention__value_length": 128}
    return _grouped("qwen3", 151_936, sizes, 1_000_000.0, 1e-6, **heads)


_FULL: Final[Mapping[str, int | float | bool]] = {
    "block_count": 61,
    "context_length": 163_840,
    "embedding_length": 7168,
    "feed_forward_length": 18_432,
    "attention.head_count": 128,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "attention.q_lora_rank": 1536,
    "attention.kv_lora_rank": 512,
    "rope.dimension_count": 64,
    "rope.freq_base": 10_000.0,
    "leading_dense_block_count": 3,
    "expert_count": 256,
    "expert_used_count": 8,
    "expert_shared_count": 1,
    "expert_feed_forward_length": 2048,
    "expert_weights_scale": 2.5,
    "expert_weights_norm": True,
    "expert_gating_func": 2,
}
_LATENT: Final = {
    "attention.head_count_kv": 1,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
}
FULL: Final = Figures("deepseek2", 129_280, {**_FULL, **_LATENT})
# Files converted before April 2025, such as unsloth's of January: keys and values are kept unpacked.
FULL_UNPACKED: Final = Figures(
    "deepseek2",
    129_280,
    {**_FULL, "attention.head_count_kv": 128, "attention.key_length": 192, "attention.value_length": 128},
)

FIGURES: Final[Mapping[str, Figures]] = {
    "deepseek-r1-distill-qwen-1.5b": _qwen2(151_936, (28, 1536, 12, 2, 8960), 10_000.0, 1e-6),
    "deepseek-r1-distill-qwen-7b": _qwen2(152_064, (28, 3584, 28, 4, 18_944), 10_000.0, 1e-6),
    "deepseek-r1-distill-llama-8b": _llama((32, 4096, 32, 8, 14_336)),
    "deepseek-r1-0528-qwen3-8b": _qwen3((36, 4096, 32, 8, 12_288)),
    "deepseek-r1-distill-qwen-14b": _qwen2(152_064, (48, 5120, 40, 8, 13_824), 1_000_000.0, 1e-5),
    "deepseek-r1-distill-qwen-32b": _qwen2(152_064, (64, 5120, 40, 8, 27_648), 1_000_000.0, 1e-5),
    "deepseek-r1-distill-llama-70b": _llama((80, 8192, 64, 8, 28_672)),
    "deepseek-r1": FULL,
    "deepseek-r1-zero": FULL,
    "deepseek-r1-0528": FULL,
}
