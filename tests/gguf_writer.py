"""Writes GGUF files by hand for tests: honest ones, and ones with a single thing wrong."""

import random
import struct
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

USER, ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
BOS, EOS = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}  # F32, F16, Q4_0, Q8_0


@dataclass(frozen=True)
class Typed:
    """A metadata value of a named type; a list is an array of that type."""

    type: int
    value: Any


def u16(value: int) -> Typed:
    """Make an unsigned 16-bit number."""
    return Typed(2, value)


def string(value: bytes) -> bytes:
    """Spell bytes as GGUF does: length, then content."""
    return struct.pack("<Q", len(value)) + value


def typed(value: Any) -> Typed:
    """Choose the type that converters choose for a plain Python value."""
    if isinstance(value, Typed):
        return value
    sample = value[0] if isinstance(value, list) and value else value
    kinds: list[tuple[type, int, int]] = [
        (bool, 7, 7),
        (int, 4, 5),
        (float, 6, 6),
        (str, STRING, STRING),
        (bytes, STRING, STRING),
        (list, STRING, STRING),
    ]
    scalar, item = next((scalar, item) for kind, scalar, item in kinds if isinstance(sample, kind))
    return Typed(item if isinstance(value, list) else scalar, value)


def encode(value: Any) -> bytes:
    """Encode one metadata value with its type."""
    it = typed(value)
    if isinstance(it.value, list):
        return struct.pack("<IIQ", ARRAY, it.type, len(it.value)) + b"".join(_item(it.type, x) for x in it.value)
    return struct.pack("<I", it.type) + _item(it.type, it.value)


def _item(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return string(value if isinstance(value, bytes) else value.encode())
    return struct.pack("<" + FORMATS[kind], value)


@dataclass
class Model:
    """A GGUF file to be: change what should be wrong, then `build` it. Tensors are (name, dims, type number)."""

    metadata: dict[str, Any]
    tensors: list[tuple[str, tuple[int, ...], int]]
    version: int = 3
    alignment: int = 32
    weights: Callable[[str, int], bytes] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def build(self, *, cut: int = 0) -> bytes:
        """Spell the whole file, without its last `cut` bytes."""
        metadata = {**self.metadata, **self.extra}
        head = b"GGUF" + struct.pack("<IQQ", self.version, len(self.tensors), len(metadata))
        head += b"".join(string(key.encode()) + encode(value) for key, value in metadata.items())
        data = bytearray()
        for name, dims, kind in self.tensors:
            head += string(name.encode()) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data))
            data += self._weights(name, dims, kind)
            data += bytes(-len(data) % self.alignment)
        head += bytes(-len(head) % self.alignment)
        whole = head + bytes(data)
        return whole[: len(whole) - cut]

    def _weights(self, name: str, dims: tuple[int, ...], kind: int) -> bytes:
        n_elements = 1
        for dim in dims:
            n_elements *= dim
        block, n_bytes = BLOCKS[kind]
        if self.weights is not None and kind == 0:
            return self.weights(name, n_elements)
        return bytes(n_elements // block * n_bytes)


def random_weights(name: str, n_elements: int) -> bytes:
    """Draw small numbers, the same for the same name; norms are ones."""
    if "norm" in name:
        return array("f", [1.0] * n_elements).tobytes()
    draw = random.Random(name)
    return array("f", [draw.uniform(-0.2, 0.2) for _ in range(n_elements)]).tobytes()


def byte_tokens() -> list[str]:
    """Spell the 256 bytes as GPT-2's vocabulary does: printable ones as themselves, the others from U+0100 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def vocabulary() -> dict[str, Any]:
    """Make the metadata of a small R1 tokenizer: bytes, two merges, the special tokens."""
    specials = {BOS: CONTROL, EOS: CONTROL, USER: CONTROL, ASSISTANT: CONTROL}
    specials |= {"<think>": USER_DEFINED, "</think>": USER_DEFINED}
    plain = [*byte_tokens(), "th", "the"]
    tokens = [*plain, *specials]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "deepseek-r1-qwen",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [NORMAL] * len(plain) + list(specials.values()),
        "tokenizer.ggml.merges": ["t h", "th e"],
        "tokenizer.ggml.bos_token_id": tokens.index(BOS),
        "tokenizer.ggml.eos_token_id": tokens.index(EOS),
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.chat_template": "{{ bos_token }}{{ messages }}",
    }


def tiny(architecture: str = "qwen2", **changes: Any) -> Model:
    """Make a tiny valid model. `changes` replace metadata of the architecture: `block_count=3`."""
    numbers: dict[str, Any] = {
        "context_length": 512,
        "embedding_length": 32,
        "block_count": 2,
        "feed_forward_length": 64,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "rope.freq_base": 10000.0,
        **EXTRA_NUMBERS[architecture],
    }
    words = vocabulary()
    metadata: dict[str, Any] = {"general.architecture": architecture, "general.name": "Tiny", "general.file_type": 0}
    metadata |= {f"{architecture}.{key}": value for key, value in {**numbers, **changes}.items()}
    n_vocab = len(words["tokenizer.ggml.tokens"])
    return Model(metadata | words, TENSORS[architecture](n_vocab), weights=random_weights)


EXTRA_NUMBERS: Mapping[str, dict[str, Any]] = {
    "qwen2": {},
    "qwen3": {"attention.key_length": 16, "attention.value_length": 16},
    "llama": {"rope.dimension_count": 8},
    "deepseek2": {
        "attention.head_count": 2,
        "attention.head_count_kv": 1,
        "attention.key_length": 20,
        "attention.value_length": 16,
        "attention.key_length_mla": 12,
        "attention.value_length_mla": 8,
        "attention.q_lora_rank": 24,
        "attention.kv_lora_rank": 16,
        "rope.dimension_count": 4,
        "leading_dense_block_count": 1,
        "expert_count": 4,
        "expert_used_count": 2,
        "expert_shared_count": 1,
        "expert_feed_forward_length": 16,
        "expert_weights_scale": 2.5,
        "expert_weights_norm": True,
        "expert_gating_func": 2,
    },
}

Tensors = list[tuple[str, tuple[int, ...], int]]


def _frame(n_vocab: int, layers: Sequence[Mapping[str, tuple[int, ...]]]) -> Tensors:
    tensors: Tensors = [("token_embd.weight", (32, n_vocab), 0), ("output_norm.weight", (32,), 0)]
    for number, layer in enumerate(layers):
        tensors += [(f"blk.{number}.{name}", dims, 0) for name, dims in layer.items()]
    return tensors


def _dense(head_dim: int, n_ff: int = 64) -> dict[str, tuple[int, ...]]:
    return {
        "attn_norm.weight": (32,),
        "attn_q.weight": (32, 4 * head_dim),
        "attn_k.weight": (32, 2 * head_dim),
        "attn_v.weight": (32, 2 * head_dim),
        "attn_output.weight": (4 * head_dim, 32),
        "ffn_norm.weight": (32,),
        "ffn_gate.weight": (32, n_ff),
        "ffn_down.weight": (n_ff, 32),
        "ffn_up.weight": (32, n_ff),
    }


def _qwen2(n_vocab: int) -> Tensors:
    layer = _dense(8) | {"attn_q.bias": (32,), "attn_k.bias": (16,), "attn_v.bias": (16,)}
    return [*_frame(n_vocab, [layer] * 2), ("output.weight", (32, n_vocab), 0)]


def _qwen3(n_vocab: int) -> Tensors:
    return _frame(n_vocab, [_dense(16) | {"attn_q_norm.weight": (16,), "attn_k_norm.weight": (16,)}] * 2)


def _llama(n_vocab: int) -> Tensors:
    return [*_frame(n_vocab, [_dense(8)] * 2), ("rope_freqs.weight", (4,), 0)]


def _deepseek2(n_vocab: int) -> Tensors:
    attention: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (32,),
        "attn_q_a_norm.weight": (24,),
        "attn_kv_a_norm.weight": (16,),
        "attn_q_a.weight": (32, 24),
        "attn_q_b.weight": (24, 24),
        "attn_kv_a_mqa.weight": (32, 20),
        "attn_k_b.weight": (8, 16, 2),
        "attn_v_b.weight": (16, 8, 2),
        "attn_output.weight": (16, 32),
        "ffn_norm.weight": (32,),
    }
    dense: dict[str, tuple[int, ...]] = {
        "ffn_gate.weight": (32, 64),
        "ffn_down.weight": (64, 32),
        "ffn_up.weight": (32, 64),
    }
    experts: dict[str, tuple[int, ...]] = {
        "ffn_gate_inp.weight": (32, 4),
        "exp_probs_b.bias": (4,),
        "ffn_down_exps.weight": (16, 32, 4),
        "ffn_gate_exps.weight": (32, 16, 4),
        "ffn_up_exps.weight": (32, 16, 4),
        "ffn_gate_shexp.weight": (32, 16),
        "ffn_down_shexp.weight": (16, 32),
        "ffn_up_shexp.weight": (32, 16),
    }
    return _frame(n_vocab, [attention | dense, attention | experts])


TENSORS: Mapping[str, Callable[[int], Tensors]] = {
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "llama": _llama,
    "deepseek2": _deepseek2,
}
