"""The header that a model of the catalogue has, built from its figures: for one whose file is not here.

Exact for the mixtures of mixture.py, without a vocabulary's words. Reads nothing.
"""

import dataclasses
import struct
from collections.abc import Mapping

from r1chat.core.shape import FamilyName, Parts, Shape
from r1chat.models.architectures import expected_tensors
from r1chat.models.figures import FIGURES, Figures
from r1chat.models.header import FORMATS, Field, Header, Tensor, ValueType
from r1chat.models.mixture import MIXTURES, Model, tensor_type
from r1chat.models.shape import shape_of

ALIGNMENT = 32  # GGUF_DEFAULT_ALIGNMENT, gguf.h


def blueprint(figures: Figures, quantization: str) -> Header:
    """Give the header of a model in one of the MIXTURES. Its vocabulary has a length, and no words."""
    metadata = {"general.architecture": _text(figures.architecture), **_numbers(figures)}
    metadata["tokenizer.ggml.tokens"] = Field(ValueType.STRING, figures.n_vocab, b"", 0)
    bare = Header("figures", 3, metadata, (), ALIGNMENT, 0, 0, 0)
    n_layers = int(figures.numbers["block_count"])
    n_heads, n_heads_kv = (int(figures.numbers[f"attention.head_count{kv}"]) for kv in ("", "_kv"))
    model = Model(n_layers, n_heads // n_heads_kv, is_70b=(figures.architecture, n_layers) == ("llama", 80))
    tensors, offset = [], 0
    for each in expected_tensors(bare):
        # Of what is optional, R1's models have the output, qwen2's biases, llama's frequencies and R1's routing bias.
        if each.optional and each.name.endswith(".bias") and figures.architecture not in ("qwen2", "deepseek2"):
            continue
        tensor = Tensor(each.name, each.dims, tensor_type(each.name, each.dims, quantization, model), offset)
        tensors.append(tensor)
        offset += -(-tensor.n_bytes // ALIGNMENT) * ALIGNMENT
    return dataclasses.replace(bare, tensors=tuple(tensors), data_end=offset, file_size=offset)


def estimated_shape(id: str, quantization: str, n_bytes: int | None, family: FamilyName | None) -> Shape | None:
    """Describe a model of the catalogue; None for one without figures, or without a size where no rule gives it.

    A mixture without a rule is taken as Q4_K_M with every part made larger or smaller alike, to `n_bytes` in all.
    """
    figures = FIGURES.get(id)
    if figures is None or (quantization not in MIXTURES and not n_bytes):
        return None
    shape = shape_of(blueprint(figures, quantization if quantization in MIXTURES else "Q4_K_M"), family)
    shape = dataclasses.replace(shape, name=id, quantization=quantization, digest="")
    return shape if quantization in MIXTURES or not n_bytes else scaled(shape, n_bytes)


def scaled(shape: Shape, n_bytes: int) -> Shape:
    """Give the same model with `n_bytes` of weights."""
    parts, share = shape.parts, n_bytes / shape.weights_bytes
    assert parts is not None
    layers = tuple(int(each * share) for each in parts.layers)
    experts = tuple(int(each * share) for each in parts.experts)
    output = int(parts.output * share)
    rest = n_bytes - sum(layers) - sum(experts) - output
    return dataclasses.replace(shape, weights_bytes=n_bytes, parts=Parts(rest, output, layers, experts))


def _numbers(figures: Figures) -> Mapping[str, Field]:
    return {f"{figures.architecture}.{name}": _number(value) for name, value in figures.numbers.items()}


def _number(value: float | bool) -> Field:
    kind = (
        ValueType.BOOL if isinstance(value, bool) else ValueType.UINT32 if isinstance(value, int) else ValueType.FLOAT32
    )
    return Field(kind, None, FORMATS[kind].pack(value), 0)


def _text(text: str) -> Field:
    data = text.encode()
    return Field(ValueType.STRING, None, struct.pack("<Q", len(data)) + data, 0)
