"""The KV cache in bytes: how large one layer's is, and which types of it a model can have. Knows no device."""

from collections.abc import Mapping
from typing import Final

from r1chat.core.shape import Shape

# Elements and bytes of a block: ggml-common.h of llama.cpp (block_q4_0 to block_q8_0).
BLOCKS: Final[Mapping[str, tuple[int, int]]] = {
    "f16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
}
PADDING: Final = 256  # tokens: GGML_PAD(n_ctx, 256) in the constructor of src/llama-context.cpp


def padded(n_ctx: int) -> int:
    """Give the number of cells that llama.cpp makes for a context of so many tokens."""
    return -(-n_ctx // PADDING) * PADDING


def layer_bytes(shape: Shape, n_ctx: int, type_k: str, type_v: str) -> int:
    """Give the size of one layer's cache; all layers of R1's architectures are alike (src/llama-kv-cache.cpp)."""
    row = _row(type_k, shape.n_heads_kv * shape.head_dim_k) + _row(type_v, shape.n_heads_kv * shape.head_dim_v)
    return padded(n_ctx) * row


def cache_bytes(shape: Shape, n_ctx: int, type_k: str, type_v: str) -> int:
    """Give the size of the whole cache."""
    return shape.n_layers * layer_bytes(shape, n_ctx, type_k, type_v)


def problem(shape: Shape, type_k: str, type_v: str, flash_attention: str = "auto") -> str:
    """Say in a clause why the engine would refuse such a cache, or nothing (`llama_init_from_model`)."""
    for name in (type_k, type_v):
        if name not in BLOCKS:
            return f"there is no KV cache of type {name}"
    if shape.head_dim_v == 0 and type_k != type_v:
        return "a model with latent attention needs keys and values of one type"
    if flash_attention == "off":
        return "values can be quantized only with flash attention" if type_v != "f16" else ""
    for name, head_dim in ((type_k, shape.head_dim_k), (type_v, shape.head_dim_v)):
        block = BLOCKS[name][0]
        if head_dim % block:
            return f"its heads of {head_dim} numbers can't be cut into the blocks of {block} that {name} has"
    return ""


def _row(name: str, n_elements: int) -> int:
    block, n_bytes = BLOCKS[name]
    return n_elements // block * n_bytes
