"""Models made for a purpose, with random weights: one that takes its time, one that talks in circles."""

import random
from array import array
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.gguf_writer import Model, random_weights, tiny

N_EMBD, N_KV, N_FF, N_LAYERS, N_CTX = 512, 256, 2048, 4, 8192
TILE = 4099  # floats that are drawn; the weights repeat them


def slow(path: Path) -> Path:
    """Write a model of 64 MB, large enough to be interrupted while it reads a prompt. What it says is noise."""
    model = tiny(
        context_length=N_CTX,
        embedding_length=N_EMBD,
        block_count=N_LAYERS,
        feed_forward_length=N_FF,
        **{"attention.head_count": 8, "attention.head_count_kv": 4},
    )
    n_vocab = len(model.metadata["tokenizer.ggml.tokens"])
    layer = {
        "attn_norm.weight": (N_EMBD,),
        "attn_q.weight": (N_EMBD, N_EMBD),
        "attn_q.bias": (N_EMBD,),
        "attn_k.weight": (N_EMBD, N_KV),
        "attn_k.bias": (N_KV,),
        "attn_v.weight": (N_EMBD, N_KV),
        "attn_v.bias": (N_KV,),
        "attn_output.weight": (N_EMBD, N_EMBD),
        "ffn_norm.weight": (N_EMBD,),
        "ffn_gate.weight": (N_EMBD, N_FF),
        "ffn_up.weight": (N_EMBD, N_FF),
        "ffn_down.weight": (N_FF, N_EMBD),
    }
    tensors = [("token_embd.weight", (N_EMBD, n_vocab), 0), ("output_norm.weight", (N_EMBD,), 0)]
    tensors += [(f"blk.{number}.{name}", dims, 0) for number in range(N_LAYERS) for name, dims in layer.items()]
    tensors.append(("output.weight", (N_EMBD, n_vocab), 0))
    path.write_bytes(Model(model.metadata, tensors, weights=weights).build())
    return path


def weights(name: str, n_elements: int) -> bytes:
    """Give norms that are ones, and everything else drawn."""
    if "norm" in name:
        return array("f", [1.0] * n_elements).tobytes()
    return (tile() * (n_elements // TILE + 1))[: 4 * n_elements]


@cache
def tile() -> bytes:
    """Draw once."""
    draw = random.Random(0)
    return array("f", [draw.gauss(0.0, 0.06) for _ in range(TILE)]).tobytes()


def circling(path: Path) -> Path:
    """Write a model whose layers do nothing: a token alone decides the next one, so at temperature 0 it circles."""
    path.write_bytes(replace(tiny(context_length=4096), weights=idle_layers).build())
    return path


def idle_layers(name: str, n_elements: int) -> bytes:
    """Give layers that add nothing to what goes through them."""
    return bytes(4 * n_elements) if name.startswith("blk.") else random_weights(name, n_elements)
