"""Writes GGUF files with the true shapes of R1's models and no weights: sparse files that take a few megabytes.

The engine can load them dry: every size it tells is that of the real model. Their vocabulary has the real length, R1's
special tokens, and words that mean nothing.
"""

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from r1chat.models.blueprint import ALIGNMENT, blueprint
from r1chat.models.figures import FIGURES, FULL, FULL_UNPACKED, Figures
from r1chat.models.header import TENSOR_TYPES, Tensor, ValueType
from tests.gguf_writer import (
    ASSISTANT,
    BOS,
    CONTROL,
    EOS,
    NORMAL,
    USER,
    USER_DEFINED,
    Typed,
    byte_tokens,
    encode,
    string,
)

FILE_TYPES = {"F16": 1, "Q8_0": 7, "Q4_K_M": 15}  # llama.h, llama_ftype
PRE = {"qwen2": "deepseek-r1-qwen", "qwen3": "deepseek-r1-qwen", "llama": "llama-bpe", "deepseek2": "deepseek-v3"}
NUMBERS = {type_.name: number for number, type_ in TENSOR_TYPES.items()}
# The three full models have one shape, and files from before April 2025 another.
SHAPES: Mapping[str, Figures] = {
    **{id: figures for id, figures in FIGURES.items() if id not in ("deepseek-r1-zero", "deepseek-r1-0528")},
    "deepseek-r1-unpacked": FULL_UNPACKED,
}

# None of R1's: weights of 25 MB, and a cache of 1 GiB for 32k tokens.
WIDE = Figures(
    "qwen2",
    1024,
    {
        "block_count": 16,
        "context_length": 32_768,
        "embedding_length": 512,
        "feed_forward_length": 256,
        "attention.head_count": 8,
        "attention.head_count_kv": 8,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "rope.freq_base": 10_000.0,
    },
)

# None of R1's either: the full R1's architecture, small enough to be loaded for real.
MIXTURE = Figures(
    "deepseek2",
    FULL.n_vocab,
    {
        **FULL.numbers,
        "block_count": 8,
        "embedding_length": 1024,
        "feed_forward_length": 4096,
        "attention.head_count": 16,
        "attention.q_lora_rank": 512,
        "expert_count": 32,
        "expert_feed_forward_length": 512,
    },
)


def write_shape(path: Path, figures: Figures, quantization: str, n_parts: int = 1) -> list[Path]:
    """Write the file, or so many parts of it beside it: headers, and holes in the place of the weights."""
    made = blueprint(figures, quantization)
    metadata: dict[str, Any] = {
        "general.architecture": figures.architecture,
        "general.name": path.stem,
        "general.file_type": FILE_TYPES[quantization],
        **vocabulary(figures),
    }
    for key, field in made.metadata.items():
        if key.startswith(f"{figures.architecture}."):
            metadata[key] = Typed(ValueType(field.type), field.value)
    if n_parts == 1:
        _write(path, metadata, made.tensors)
        return [path]
    paths, n_each = [], -(-len(made.tensors) // n_parts)
    for number in range(n_parts):
        split = {
            "split.no": Typed(ValueType.UINT16, number),
            "split.count": Typed(ValueType.UINT16, n_parts),
            "split.tensors.count": Typed(ValueType.INT32, len(made.tensors)),
        }
        paths.append(path.with_name(f"{path.stem}-{number + 1:05d}-of-{n_parts:05d}.gguf"))
        own = made.tensors[number * n_each : (number + 1) * n_each]
        _write(paths[-1], {**metadata, **split} if number == 0 else split, own)
    return paths


def _write(path: Path, metadata: Mapping[str, Any], tensors: Sequence[Tensor]) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(string(key.encode()) + encode(value) for key, value in metadata.items())
    offset = 0
    for tensor in tensors:
        head += string(tensor.name.encode()) + struct.pack(f"<I{len(tensor.dims)}Q", len(tensor.dims), *tensor.dims)
        head += struct.pack("<IQ", NUMBERS[tensor.type.name], offset)
        offset += -(-tensor.n_bytes // ALIGNMENT) * ALIGNMENT
    head += bytes(-len(head) % ALIGNMENT)
    path.write_bytes(head)
    os.truncate(path, len(head) + offset)


def vocabulary(figures: Figures) -> dict[str, Any]:
    """Make a vocabulary of the right length."""
    specials = {BOS: CONTROL, EOS: CONTROL, USER: CONTROL, ASSISTANT: CONTROL}
    specials |= {"<think>": USER_DEFINED, "</think>": USER_DEFINED}
    words = byte_tokens()
    fill = figures.n_vocab - len(words) - len(specials)
    tokens = [*words, *(f"w{number}" for number in range(fill)), *specials]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": PRE[figures.architecture],
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [NORMAL] * (len(words) + fill) + list(specials.values()),
        "tokenizer.ggml.merges": ["w 1"],
        "tokenizer.ggml.bos_token_id": tokens.index(BOS),
        "tokenizer.ggml.eos_token_id": tokens.index(EOS),
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.chat_template": "{{ bos_token }}{{ messages }}",
    }
