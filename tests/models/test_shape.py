"""From headers to shapes and prompt families."""

import dataclasses
import io
from typing import Any

import pytest

from r1chat.core.shape import FamilyName, Parts, Shape
from r1chat.models.gguf import read_header
from r1chat.models.header import Header
from r1chat.models.shape import family_of, quantization_of, shape_of
from tests.gguf_writer import Model, tiny

# The user's branch of the official template of DeepSeek-R1-0528, and of the distilled models'.
TEMPLATE_0528 = "{%- if message['role'] == 'user' %}{{'<｜User｜>' + content + '<｜Assistant｜>'}}{%- endif %}"
TEMPLATE_DISTILL = "{%- if message['role'] == 'user' %}{{'<｜User｜>' + message['content']}}{%- endif %}"


def header(architecture: str = "qwen2", **metadata: Any) -> Header:
    """Make a tiny header with other metadata; None removes."""
    model = tiny(architecture)
    model.metadata |= {name.replace("__", "."): value for name, value in metadata.items()}
    model.metadata = {key: value for key, value in model.metadata.items() if value is not None}
    return read_header(io.BytesIO(model.build()))


def test_the_shape_of_a_dense_model() -> None:
    """Every number of a qwen2 header is found; head sizes follow from the width."""
    tensors = tiny().tensors
    expected = Shape(
        architecture="qwen2",
        name="Tiny",
        n_layers=2,
        n_embd=32,
        n_heads=4,
        n_heads_kv=2,
        head_dim_k=8,
        head_dim_v=8,
        n_ctx_train=512,
        n_vocab=264,
        weights_bytes=sum(4 * dims[0] * (dims[1] if len(dims) > 1 else 1) for _, dims, _ in tensors),
        quantization="F32",
        family="r1-distill",
        n_ff=64,
        parts=Parts(33792, 33920, (37376, 37376), (0, 0)),
    )
    assert expected == dataclasses.replace(shape_of(header()), digest="")


def test_the_weights_are_sorted_by_where_they_go() -> None:
    """Experts are counted apart, an output that is the embedding is noted, and all parts sum up to the weights."""
    for architecture in ("qwen2", "qwen3", "llama", "deepseek2"):
        shape = shape_of(header(architecture))
        parts = shape.parts
        assert parts is not None
        assert shape.weights_bytes == parts.input + parts.output + sum(parts.layers) + sum(parts.experts)
    assert (0, 4 * 3 * 32 * 16 * 4) == parts.experts
    assert 4 * 32 * 264 == parts.tied


def test_the_digest_names_what_memory_depends_on() -> None:
    """Other tensors and other numbers make another digest; another order of reading does not."""
    digests = {shape_of(header(name)).digest for name in ("qwen2", "qwen3", "llama", "deepseek2")}
    digests.add(shape_of(header(qwen2__context_length=1024)).digest)
    assert 5 == len(digests)
    assert shape_of(header()).digest == shape_of(header()).digest


def test_explicit_head_sizes_win() -> None:
    """Qwen3's heads are wider than its width suggests."""
    shape = shape_of(header("qwen3"))
    assert (16, 16) == (shape.head_dim_k, shape.head_dim_v)


def test_key_heads_default_to_all_heads() -> None:
    """Without a number of key heads every head has its own."""
    assert 4 == shape_of(header(qwen2__attention__head_count_kv=None)).n_heads_kv


def test_latent_attention_caches_one_key_and_no_value() -> None:
    """The full R1's cache holds the compressed key alone."""
    shape = shape_of(header("deepseek2"))
    assert (1, 20, 0, "r1") == (shape.n_heads_kv, shape.head_dim_k, shape.head_dim_v, shape.family)


def test_prediction_layers_do_not_count() -> None:
    """Trailing layers for multi-token prediction are not run."""
    assert 1 == shape_of(header("deepseek2", deepseek2__nextn_predict_layers=1)).n_layers


@pytest.mark.parametrize(
    ("architecture", "template", "catalogue", "expected"),
    [
        ("qwen2", TEMPLATE_DISTILL, None, "r1-distill"),
        ("llama", None, None, "r1-distill"),
        ("qwen3", TEMPLATE_0528, None, "r1-0528"),
        ("qwen3", TEMPLATE_0528.replace(" ", ""), None, "r1-0528"),
        ("deepseek2", TEMPLATE_0528, None, "r1-0528"),
        ("deepseek2", TEMPLATE_DISTILL, None, "r1"),
        ("qwen2", TEMPLATE_0528, "r1-distill", "r1-distill"),
    ],
)
def test_the_family(
    architecture: str, template: str | None, catalogue: FamilyName | None, expected: FamilyName
) -> None:
    """The catalogue's word wins, then the template of 0528, then the architecture."""
    assert expected == family_of(header(architecture, tokenizer__chat_template=template), catalogue)


def test_the_quantization() -> None:
    """The file's own word, else the type of most of its bytes, else unknown."""
    mixed = Model({}, [("a", (64, 64), 8), ("b", (64,), 0)])
    assert ["Q4_K_M", "F32", "Q8_0", "unknown"] == [
        quantization_of(header(general__file_type=15)),
        quantization_of(header(general__file_type=999)),
        quantization_of(read_header(io.BytesIO(mixed.build()))),
        quantization_of(read_header(io.BytesIO(Model({}, []).build()))),
    ]
