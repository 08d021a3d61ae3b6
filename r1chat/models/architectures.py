"""The tensors that each architecture of the R1 family has, and their dimensions. Knows headers; judges nothing.

Follows `load_arch_tensors` in src/models/{qwen2,qwen3,llama,deepseek2}.cpp of llama.cpp (in llama-cpp-python 0.3.36).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from r1chat.models.header import Header


@dataclass(frozen=True, slots=True)
class Expected:
    """A tensor an architecture knows. Not every file has an optional one."""

    name: str
    dims: tuple[int, ...]
    optional: bool = False


def expected_tensors(header: Header) -> Iterator[Expected]:
    """Yield every tensor of the header's architecture, which must be one of ARCHITECTURES."""
    n_embd, n_vocab = header.integer(header.key("embedding_length")), _n_vocab(header)
    yield Expected("token_embd.weight", (n_embd, n_vocab))
    yield Expected("output_norm.weight", (n_embd,))
    yield Expected("output.weight", (n_embd, n_vocab), optional=True)  # without it the embedding is used
    layer_tensors = _LAYERS[header.architecture]
    # Trailing layers for multi-token prediction are not used, and most conversions drop them.
    n_layers = header.integer(header.key("block_count")) - header.integer(header.key("nextn_predict_layers"))
    for number in range(n_layers):
        for tensor in layer_tensors(header, number):
            yield Expected(f"blk.{number}.{tensor.name}", tensor.dims, tensor.optional)
    if header.architecture == "llama":
        yield Expected("rope_freqs.weight", (_head_dim(header) // 2,), optional=True)


def _n_vocab(header: Header) -> int:
    tokens = header.strings("tokenizer.ggml.tokens")
    return len(tokens) if tokens is not None else 0


def _head_dim(header: Header) -> int:
    n_heads = header.integer(header.key("attention.head_count"))
    return header.integer(header.key("attention.key_length"), header.integer(header.key("embedding_length")) // n_heads)


def _feed_forward(header: Header) -> Iterator[Expected]:
    n_embd = header.integer(header.key("embedding_length"))
    n_ff = header.integer(header.key("feed_forward_length"))
    yield Expected("ffn_norm.weight", (n_embd,))
    yield Expected("ffn_gate.weight", (n_embd, n_ff))
    yield Expected("ffn_down.weight", (n_ff, n_embd))
    yield Expected("ffn_up.weight", (n_embd, n_ff))


def _dense(header: Header, number: int) -> Iterator[Expected]:
    """A layer of qwen2 and llama: grouped-query attention and one feed-forward network."""
    del number  # all layers are alike
    n_embd = header.integer(header.key("embedding_length"))
    n_heads = header.integer(header.key("attention.head_count"))
    n_q = n_heads * _head_dim(header)
    n_kv = header.integer(header.key("attention.head_count_kv"), n_heads) * _head_dim(header)
    yield Expected("attn_norm.weight", (n_embd,))
    for name, n_out in (("attn_q", n_q), ("attn_k", n_kv), ("attn_v", n_kv)):
        yield Expected(f"{name}.weight", (n_embd, n_out))
        yield Expected(f"{name}.bias", (n_out,), optional=True)
    yield Expected("attn_output.weight", (n_q, n_embd))
    yield from _feed_forward(header)


def _llama(header: Header, number: int) -> Iterator[Expected]:
    n_embd = header.integer(header.key("embedding_length"))
    n_ff = header.integer(header.key("feed_forward_length"))
    yield from _dense(header, number)
    for name, n_out in (("attn_output", n_embd), ("ffn_gate", n_ff), ("ffn_down", n_embd), ("ffn_up", n_ff)):
        yield Expected(f"{name}.bias", (n_out,), optional=True)


def _qwen3(header: Header, number: int) -> Iterator[Expected]:
    yield from _dense(header, number)
    yield Expected("attn_q_norm.weight", (_head_dim(header),))
    yield Expected("attn_k_norm.weight", (_head_dim(header),))


def _deepseek2(header: Header, number: int) -> Iterator[Expected]:
    """A layer of the full R1: latent attention, then a dense network or experts with a shared one."""

    def n(key: str) -> int:
        return header.integer(header.key(key))

    n_embd, n_heads, n_rot = n("embedding_length"), n("attention.head_count"), n("rope.dimension_count")
    q_rank, kv_rank = n("attention.q_lora_rank"), n("attention.kv_lora_rank")
    split = n("attention.key_length_mla") > 0  # files from before April 2025 have attn_kv_b in one piece
    head_k = n("attention.key_length_mla") if split else n("attention.key_length")
    head_v = n("attention.value_length_mla") if split else n("attention.value_length")
    yield Expected("attn_norm.weight", (n_embd,))
    yield Expected("attn_q_a_norm.weight", (q_rank,))
    yield Expected("attn_kv_a_norm.weight", (kv_rank,))
    yield Expected("attn_q_a.weight", (n_embd, q_rank))
    yield Expected("attn_q_b.weight", (q_rank, n_heads * head_k))
    yield Expected("attn_kv_a_mqa.weight", (n_embd, kv_rank + n_rot))
    if split:
        yield Expected("attn_k_b.weight", (head_k - n_rot, kv_rank, n_heads))
        yield Expected("attn_v_b.weight", (kv_rank, head_v, n_heads))
    else:
        yield Expected("attn_kv_b.weight", (kv_rank, n_heads * (head_k - n_rot + head_v)))
    yield Expected("attn_output.weight", (n_heads * head_v, n_embd))
    if number < n("leading_dense_block_count"):
        yield from _feed_forward(header)
        return
    n_experts, n_ff = n("expert_count"), n("expert_feed_forward_length")
    n_shared = n_ff * n("expert_shared_count")
    yield Expected("ffn_norm.weight", (n_embd,))
    yield Expected("ffn_gate_inp.weight", (n_embd, n_experts))
    yield Expected("exp_probs_b.bias", (n_experts,), optional=True)
    yield Expected("ffn_down_exps.weight", (n_ff, n_embd, n_experts))
    yield Expected("ffn_gate_exps.weight", (n_embd, n_ff, n_experts))
    yield Expected("ffn_up_exps.weight", (n_embd, n_ff, n_experts))
    yield Expected("ffn_gate_shexp.weight", (n_embd, n_shared))
    yield Expected("ffn_down_shexp.weight", (n_shared, n_embd))
    yield Expected("ffn_up_shexp.weight", (n_embd, n_shared))


_LAYERS: Final[Mapping[str, Callable[[Header, int], Iterator[Expected]]]] = {
    "qwen2": _dense,
    "qwen3": _qwen3,
    "llama": _llama,
    "deepseek2": _deepseek2,
}
ARCHITECTURES: Final = tuple(_LAYERS)
