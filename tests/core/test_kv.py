"""The KV cache in bytes, against the figures of llama.cpp's log."""

import dataclasses

import pytest

from r1chat.core import kv
from r1chat.core.shape import Shape

QWEN_7B = Shape("qwen2", "x", 28, 3584, 28, 4, 128, 128, 131072, 152064, 4_677_120_000, "Q4_K_M", "r1-distill")
R1 = dataclasses.replace(QWEN_7B, architecture="deepseek2", n_layers=61, n_heads_kv=1, head_dim_k=576, head_dim_v=0)
UNPACKED = dataclasses.replace(R1, n_heads_kv=128, head_dim_k=192, head_dim_v=128)


@pytest.mark.parametrize(
    ("shape", "name", "bytes_per_token"),
    [
        (QWEN_7B, "f16", 57_344),
        (QWEN_7B, "q8_0", 30_464),
        (QWEN_7B, "q5_1", 21_504),
        (QWEN_7B, "q5_0", 19_712),
        (QWEN_7B, "q4_1", 17_920),
        (QWEN_7B, "q4_0", 16_128),
        (R1, "f16", 70_272),
        (R1, "q8_0", 37_332),
        (R1, "q4_0", 19_764),
        (UNPACKED, "f16", 4_997_120),
    ],
)
def test_the_cache_takes_so_much_for_a_token(shape: Shape, name: str, bytes_per_token: int) -> None:
    """Every type has the size of its blocks; latent attention keeps keys only, the older form of R1 both, unpacked."""
    assert 8192 * bytes_per_token == kv.cache_bytes(shape, 8192, name, name)


@pytest.mark.parametrize(("n_ctx", "cells"), [(1, 256), (256, 256), (257, 512), (8192, 8192), (10_000, 10_240)])
def test_the_context_is_padded_to_256(n_ctx: int, cells: int) -> None:
    """llama.cpp makes whole blocks of 256 cells."""
    assert cells == kv.padded(n_ctx)


def test_what_the_engine_refuses_is_known() -> None:
    """Quantized values need flash attention, latent attention equal types, and heads must be made of whole blocks."""
    narrow = dataclasses.replace(QWEN_7B, head_dim_k=80, head_dim_v=80)
    assert "" == kv.problem(QWEN_7B, "f16", "f16", "off") == kv.problem(R1, "q8_0", "q8_0")
    assert "" == kv.problem(QWEN_7B, "q4_0", "f16", "off")
    assert "flash attention" in kv.problem(QWEN_7B, "q8_0", "q8_0", "off")
    assert "one type" in kv.problem(R1, "q4_0", "f16")
    assert "blocks of 32" in kv.problem(narrow, "q8_0", "q8_0")
    assert "no KV cache" in kv.problem(QWEN_7B, "q9_9", "q9_9")
