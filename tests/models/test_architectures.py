"""The lists of tensors, checked against the published sizes of the real models."""

import math
import struct
from typing import Any

import pytest

from r1chat.models.architectures import ARCHITECTURES, expected_tensors
from r1chat.models.header import Field, Header, ValueType
from tests.gguf_writer import TENSORS

R1 = {
    "block_count": 61,
    "embedding_length": 7168,
    "feed_forward_length": 18432,
    "attention.head_count": 128,
    "attention.q_lora_rank": 1536,
    "attention.kv_lora_rank": 512,
    "rope.dimension_count": 64,
    "leading_dense_block_count": 3,
    "expert_count": 256,
    "expert_shared_count": 1,
    "expert_feed_forward_length": 2048,
}
R1_JOINED = R1 | {"attention.head_count_kv": 128, "attention.key_length": 192, "attention.value_length": 128}
R1_SPLIT = R1 | {"attention.head_count_kv": 1, "attention.key_length": 576, "attention.value_length": 512}
R1_SPLIT |= {"attention.key_length_mla": 192, "attention.value_length_mla": 128}


def dense(n_layers: int, n_embd: int, n_heads: int, n_heads_kv: int, n_ff: int, **more: int) -> dict[str, int]:
    """Name the numbers of a dense model."""
    return {
        "block_count": n_layers,
        "embedding_length": n_embd,
        "attention.head_count": n_heads,
        "attention.head_count_kv": n_heads_kv,
        "feed_forward_length": n_ff,
        **more,
    }


def header_of(architecture: str, n_vocab: int, numbers: dict[str, int]) -> Header:
    """Make a header of real numbers. The tokens are only counted, never read."""
    spelled = struct.pack("<Q", len(architecture)) + architecture.encode()
    metadata = {
        f"{architecture}.{key}": Field(ValueType.UINT32, None, struct.pack("<I", n), 0) for key, n in numbers.items()
    }
    metadata["general.architecture"] = Field(ValueType.STRING, None, spelled, 0)
    metadata["tokenizer.ggml.tokens"] = Field(ValueType.STRING, n_vocab, b"", 0)
    return Header("The file", 3, metadata, (), 32, 0, 0, 0)


# Tensors as llama.cpp's logs count them; parameters as the safetensors indexes do. Llama has 64 rope factors more.
PUBLISHED: dict[str, tuple[str, int, dict[str, int], tuple[str, ...], int, int]] = {
    "Distill-Qwen-1.5B": ("qwen2", 151936, dense(28, 1536, 12, 2, 8960), ("bias",), 339, 1_777_088_000),
    "Distill-Qwen-7B": ("qwen2", 152064, dense(28, 3584, 28, 4, 18944), ("bias",), 339, 7_615_616_512),
    "Distill-Qwen-14B": ("qwen2", 152064, dense(48, 5120, 40, 8, 13824), ("bias",), 579, 14_770_033_664),
    "Distill-Qwen-32B": ("qwen2", 152064, dense(64, 5120, 40, 8, 27648), ("bias",), 771, 32_763_876_352),
    "Distill-Llama-8B": ("llama", 128256, dense(32, 4096, 32, 8, 14336), (), 292, 8_030_261_248 + 64),
    "Distill-Llama-70B": ("llama", 128256, dense(80, 8192, 64, 8, 28672), (), 724, 70_553_706_496 + 64),
    "0528-Qwen3-8B": (
        "qwen3",
        151936,
        dense(36, 4096, 32, 8, 12288, **{"attention.key_length": 128}),
        (),
        399,
        8_190_735_360,
    ),
    "R1, attn_kv_b": ("deepseek2", 129280, R1_JOINED, ("bias",), 1025, 671_026_419_200),
    "R1, attn_k_b and attn_v_b": ("deepseek2", 129280, R1_SPLIT, ("bias",), 1086, 671_026_419_200),
}


@pytest.mark.parametrize("published", PUBLISHED.values(), ids=PUBLISHED)
def test_tensors_and_parameters_equal_the_published_counts(published: tuple[Any, ...]) -> None:
    """With the hyperparameters of the ten models the list has exactly the tensors and parameters they have."""
    architecture, n_vocab, numbers, optional, n_tensors, n_parameters = published
    kept = (*optional, "output.weight", "rope_freqs.weight")
    tensors = [
        tensor
        for tensor in expected_tensors(header_of(architecture, n_vocab, numbers))
        if not tensor.optional or tensor.name.endswith(kept)
    ]
    assert (n_tensors, n_parameters) == (len(tensors), sum(math.prod(tensor.dims) for tensor in tensors))


def test_the_tiny_models_cover_every_architecture() -> None:
    """The tests' own models leave none out."""
    assert set(ARCHITECTURES) == set(TENSORS)
