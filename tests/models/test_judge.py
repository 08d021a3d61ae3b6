"""What r1chat refuses to run, and why: every rule broken once in an otherwise valid model, and the valid ones pass."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from r1chat.errors import ExitCode, GGUFError
from r1chat.models.gguf import read_header
from r1chat.models.judge import judge
from r1chat.models.library import demo_path
from tests.gguf_writer import BOS, TENSORS, Model, Typed, tiny, u16

TOKENS, TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"


def ruling(data: bytes) -> None:
    """Read and judge."""
    judge(read_header(io.BytesIO(data)))


def with_keys(architecture: str = "qwen2", **keys: Any) -> Model:
    """Make a tiny model with other metadata: general__name="x" sets general.name, None removes."""
    model = tiny(architecture)
    model.metadata |= {name.replace("__", "."): value for name, value in keys.items()}
    model.metadata = {key: value for key, value in model.metadata.items() if value is not None}
    return model


def with_numbers(architecture: str = "qwen2", **numbers: Any) -> Model:
    """Make a tiny model with other numbers of its architecture: attention__head_count=3."""
    return with_keys(architecture, **{f"{architecture}__{name}": value for name, value in numbers.items()})


def with_tokens(change: Callable[[list[Any]], list[Any]], **keys: Any) -> Model:
    """Make a tiny model whose token list went through a function, with as many types."""
    tokens = change(list(tiny().metadata[TOKENS]))
    return with_keys(**{TOKENS.replace(".", "__"): tokens, TYPES.replace(".", "__"): [1] * len(tokens), **keys})


def with_tensor(name: str, dims: tuple[int, ...] | None, kind: int = 0, architecture: str = "qwen2") -> Model:
    """Make a tiny model with one tensor added, replaced or (dims None) left out."""
    model = tiny(architecture)
    kept = [tensor for tensor in model.tensors if tensor[0] != name]
    model.tensors = kept if dims is None else [*kept, (name, dims, kind)]
    return model


REFUSED: dict[str, tuple[Callable[[], Model], str]] = {
    "LoRA adapter": (lambda: with_keys(general__type="adapter"), "is a LoRA adapter"),
    "projector": (lambda: with_keys(general__type="mmproj"), "an image projector (mmproj)"),
    "old projector": (lambda: with_keys(general__architecture="clip"), "an image projector (mmproj)"),
    "importance matrix": (lambda: with_keys(general__type="imatrix"), "an importance matrix"),
    "vocabulary": (lambda: Model(tiny().metadata, []), "a vocabulary only"),
    "no architecture": (lambda: with_keys(general__architecture=None), "does not say what architecture"),
    "architecture": (lambda: with_keys(general__architecture="phi3"), "architecture 'phi3', which r1chat does not run"),
    "alignment": (lambda: aligned(16), "alignment is 16 bytes"),
    "no tokenizer": (lambda: with_keys(tokenizer__ggml__tokens=None), "has no tokenizer"),
    "no tokenizer's name": (lambda: with_keys(tokenizer__ggml__model=None), "has no tokenizer"),
    "tokenizer none": (lambda: with_keys(tokenizer__ggml__model="none"), "has no tokenizer"),
    "tokenizer kind": (lambda: with_keys(tokenizer__ggml__model="llama"), "of the kind 'llama'"),
    "another family": (
        lambda: with_tokens(lambda tokens: [token for token in tokens if token not in ("<think>", BOS)]),
        "no DeepSeek-R1 model: its vocabulary lacks <think>, <｜begin▁of▁sentence｜>",
    ),
    "rule": (lambda: with_keys(tokenizer__ggml__pre="gpt-9"), "unknown rule 'gpt-9'"),
    "no merges": (lambda: with_keys(tokenizer__ggml__merges=None), "has no merges"),
    "merges of numbers": (lambda: with_keys(tokenizer__ggml__merges=[1, 2]), "has no merges"),
    "token twice": (lambda: with_tokens(lambda tokens: [*tokens, "the"]), "the same token twice"),
    "name of an empty token": (lambda: with_tokens(lambda tokens: ["", "[EMPTY_0]", *tokens]), "the same token twice"),
    "token not utf-8": (lambda: with_tokens(lambda tokens: [*tokens, b"\xff"]), "is not valid UTF-8"),
    "token with a NUL": (lambda: with_tokens(lambda tokens: [*tokens, "a\0b"]), "contains a NUL"),
    "too many tokens": (lambda: with_tokens(lambda tokens: [*tokens, *map(str, range(2**18))]), "more than 196,608"),
    "no types": (lambda: with_keys(tokenizer__ggml__token_type=None), "which tokens are special"),
    "too few types": (lambda: with_keys(tokenizer__ggml__token_type=[1] * 5), "have 5 token types"),
    "floating types": (lambda: with_keys(tokenizer__ggml__token_type=[1.0] * 264), "token types"),
    "byte token": (lambda: with_keys(tokenizer__ggml__token_type=[6] * 264), "unknown token type"),
    "negative type": (lambda: with_keys(tokenizer__ggml__token_type=[-1] * 264), "unknown token type"),
    "scores": (lambda: with_keys(tokenizer__ggml__scores=[0.0] * 3), "have 3 scores"),
    "suppressed": (lambda: with_keys(tokenizer__ggml__suppress_tokens=["a"]), "not a list of ids"),
    "special id": (lambda: with_keys(tokenizer__ggml__eos_token_id=264), "is 264, but there are 264 tokens"),
    "type of an id": (lambda: with_keys(tokenizer__ggml__bos_token_id="x"), "is STRING, not UINT32"),
    "type of a flag": (lambda: with_keys(tokenizer__ggml__add_bos_token=1), "is UINT32, not BOOL"),
    "type of the name": (lambda: with_keys(general__name=["x"]), "'general.name' is an array, not STRING"),
    "type of a number": (lambda: with_numbers(block_count=Typed(10, 2)), "is UINT64, not UINT32"),
    "no layers": (lambda: with_numbers(block_count=0), "is 0, not between 1 and 512"),
    "too many layers": (lambda: with_numbers(block_count=513), "is 513, not between 1 and 512"),
    "layers missing": (lambda: with_numbers(block_count=None), "'qwen2.block_count' is missing"),
    "fewer layers": (lambda: with_numbers(block_count=1), "belongs to another architecture"),
    "more layers": (lambda: with_numbers(block_count=3), "'blk.2.attn_norm.weight' is missing"),
    "prediction layers": (lambda: with_numbers("deepseek2", nextn_predict_layers=2), "is 2, not between 0 and 1"),
    "prediction in a dense model": (lambda: with_numbers(nextn_predict_layers=1), "is 1, not between 0 and 0"),
    "tempered attention": (lambda: with_numbers("deepseek2", attention__temperature_scale=0.1), "by temperature"),
    "extras without flags": (lambda: with_keys(general__tensor_extra__name=["a"]), "with another precision"),
    "extras of numbers": (
        lambda: with_keys(general__tensor_extra__name=[1], general__tensor_extra__prec_a4=[True]),
        "with another precision",
    ),
    "a later part": (lambda: with_keys(split__count=u16(2), split__no=u16(1)), "a part of a model, and not the first"),
    "a part without number": (lambda: with_keys(split__count=u16(2)), "a part of a model, and not the first"),
    "context": (lambda: with_numbers(context_length=0), "context_length' is 0"),
    "context missing": (lambda: with_numbers(context_length=None), "context_length' is missing"),
    "width": (lambda: with_numbers(embedding_length=64), "don't make a width of 64|32 x 264, not 64 x 264"),
    "width missing": (lambda: with_numbers(embedding_length=None), "embedding_length' is missing"),
    "output width": (lambda: with_numbers(embedding_length_out=16), "is 16, not between 32 and 32"),
    "feed forward": (lambda: with_numbers(feed_forward_length=96), "32 x 64, not 32 x 96"),
    "feed forward missing": (lambda: with_numbers(feed_forward_length=None), "feed_forward_length' is missing"),
    "epsilon missing": (lambda: with_numbers(attention__layer_norm_rms_epsilon=None), "rms_epsilon' is missing"),
    "epsilon negative": (lambda: with_numbers(attention__layer_norm_rms_epsilon=-1e-6), "is negative"),
    "epsilon infinite": (lambda: with_numbers(attention__layer_norm_rms_epsilon=float("inf")), "not a finite number"),
    "epsilon NaN": (lambda: with_numbers(attention__layer_norm_rms_epsilon=float("nan")), "not a finite number"),
    "embeddings": (lambda: with_numbers(pooling_type=1), "for embeddings or ranking"),
    "not causal": (lambda: with_numbers(attention__causal=False), "for embeddings or ranking"),
    "classifier": (lambda: with_numbers(classifier__output_labels=["a"]), "for embeddings or ranking"),
    "no heads": (lambda: with_numbers(attention__head_count=0), "head_count' is 0"),
    "heads missing": (lambda: with_numbers(attention__head_count=None), "head_count' is missing"),
    "heads per layer": (lambda: with_numbers(attention__head_count=[4, 4]), "is an array, not UINT32"),
    "no key heads": (lambda: with_numbers(attention__head_count_kv=0), "head_count_kv' is 0"),
    "odd key heads": (lambda: with_numbers(attention__head_count_kv=3), "4 attention heads can't share 3"),
    "more key heads": (lambda: with_numbers(attention__head_count_kv=8), "is 8, not between 1 and 4"),
    "heads and width": (lambda: with_numbers(attention__head_count=6, attention__head_count_kv=6), "width|head sizes"),
    "head sizes": (lambda: with_numbers(attention__value_length=16), "don't fit together"),
    "rotation": (lambda: with_numbers(rope__dimension_count=4), "don't fit together"),
    "key length": (
        lambda: with_numbers("qwen3", attention__key_length=15, attention__value_length=15),
        "head sizes 15",
    ),
    "rope base": (lambda: with_numbers(rope__freq_base=0.0), "is less than 1"),
    "rope factor": (lambda: with_numbers(rope__scaling__factor=-2.0), "is less than 0"),
    "rope scaling": (lambda: with_numbers(rope__scaling__type="magic"), "context scaling 'magic' is unknown"),
    "original context": (lambda: with_numbers(rope__scaling__original_context_length=0), "context_length' is 0"),
    "experts": (lambda: with_numbers(expert_count=4), "expert_count' is 4"),
    "no experts": (lambda: with_numbers("deepseek2", expert_count=0), "expert_count' is 0"),
    "experts missing": (lambda: with_numbers("deepseek2", expert_count=None), "expert_count' is missing"),
    "experts used": (lambda: with_numbers("deepseek2", expert_used_count=5), "is 5, not between 1 and 4"),
    "expert groups": (lambda: with_numbers("deepseek2", expert_group_count=4), "is 4, not between 0 and 3"),
    "odd groups": (
        lambda: with_numbers("deepseek2", expert_group_count=3, expert_group_used_count=1),
        "4 experts don't divide into 3 groups",
    ),
    "groups used": (lambda: with_numbers("deepseek2", expert_group_count=2), "group_used_count' is missing"),
    "gating": (lambda: with_numbers("deepseek2", expert_gating_func=9), "expert_gating_func' is 9"),
    "rank": (lambda: with_numbers("deepseek2", attention__kv_lora_rank=8), "latent attention don't fit"),
    "rank missing": (lambda: with_numbers("deepseek2", attention__q_lora_rank=None), "q_lora_rank' is missing"),
    "half latent": (lambda: with_numbers("deepseek2", attention__value_length_mla=None), "only one of the two sizes"),
    "latent rotation": (
        lambda: with_numbers("deepseek2", rope__dimension_count=12, attention__key_length=28),
        "latent attention don't fit",
    ),
    "tensor missing": (lambda: with_tensor("output_norm.weight", None), "'output_norm.weight' is missing"),
    "tensor turned": (lambda: with_tensor("blk.0.ffn_up.weight", (64, 32)), "is 64 x 32, not 32 x 64"),
    "vocabulary and embedding": (lambda: with_tensor("token_embd.weight", (32, 100)), "is 32 x 100, not 32 x 264"),
    "half precision norm": (lambda: with_tensor("output_norm.weight", (32,), 1), "of the type F16"),
    "bias in half precision": (lambda: with_tensor("blk.0.attn_q.bias", (32,), 1), "of the type F16"),
    "tensor of another": (lambda: with_tensor("blk.0.ssm_a", (4,)), "belongs to another architecture"),
    "split type": (lambda: with_keys(split__count=1), "is UINT32, not UINT16"),
}


def aligned(alignment: int) -> Model:
    """Make a tiny model with another alignment."""
    model = with_keys(general__alignment=alignment)
    model.alignment = alignment
    return model


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_one_thing_wrong_is_refused_and_named(make: Callable[[], Model], words: str) -> None:
    """Each rule broken once gives its own sentence, a hint and exit code 6."""
    with pytest.raises(GGUFError) as caught:
        ruling(make().build())
    assert any(choice in caught.value.message for choice in words.split("|"))
    assert caught.value.message.startswith("The file ")
    assert caught.value.message.endswith(".")
    assert caught.value.hint
    assert ExitCode.UNUSABLE == caught.value.exit_code


ACCEPTED: dict[str, Callable[[], Model]] = {
    **{architecture: lambda architecture=architecture: tiny(architecture) for architecture in TENSORS},
    "tied embedding": lambda: with_tensor("output.weight", None),
    "no biases": lambda: with_tensor("blk.0.attn_q.bias", None),
    "trailing dimension of one": lambda: with_tensor("output_norm.weight", (32, 1)),
    "half precision matrix": lambda: with_tensor("blk.0.ffn_up.weight", (32, 64), 1),
    "extras": lambda: with_keys(general__tensor_extra__name=["a"], general__tensor_extra__prec_a4=[True]),
    "scale": lambda: with_tensor("blk.0.attn_q.scale", (1,)),
    "wider alignment": lambda: aligned(128),
    "plain model": lambda: with_keys(general__type="model", split__count=u16(1)),
    "no name": lambda: with_keys(general__name=None, tokenizer__ggml__pre=None, tokenizer__chat_template=None),
    "all heads have keys": lambda: with_keys("llama", llama__attention__head_count_kv=2),
    "yarn": lambda: with_numbers(
        rope__scaling__type="yarn", rope__scaling__factor=4.0, rope__scaling__original_context_length=128
    ),
    "expert groups": lambda: with_numbers("deepseek2", expert_group_count=2, expert_group_used_count=1),
    "prediction layer": lambda: with_prediction_layer(),
    "whole key and value matrix": lambda: with_whole_attention(),
}


def with_prediction_layer() -> Model:
    """Make a deepseek2 model whose last layer is for multi-token prediction."""
    model = with_numbers("deepseek2", block_count=3, nextn_predict_layers=1)
    model.tensors.append(("blk.2.nextn.enorm.weight", (32,), 0))
    return model


def with_whole_attention() -> Model:
    """Make a deepseek2 model as converted before April 2025: attn_kv_b in one piece."""
    model = with_numbers(
        "deepseek2",
        attention__head_count_kv=2,
        attention__key_length=12,
        attention__value_length=8,
        attention__key_length_mla=None,
        attention__value_length_mla=None,
    )
    kept = [tensor for tensor in model.tensors if not tensor[0].endswith(("attn_k_b.weight", "attn_v_b.weight"))]
    model.tensors = [*kept, *((f"blk.{number}.attn_kv_b.weight", (16, 2 * (8 + 8)), 0) for number in range(2))]
    return model


@pytest.mark.parametrize("make", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_model_passes(make: Callable[[], Model]) -> None:
    """Valid models of every architecture pass, with everything that real files may leave out or add."""
    ruling(make().build())


def test_the_bundled_demo_passes() -> None:
    """The model that everybody has is one that r1chat runs."""
    judge(read_header(demo_path()))


def test_a_truncated_file_says_how_many_bytes_are_missing() -> None:
    """Of a download that was cut off the sentence gives the missing and the whole number of bytes."""
    data = tiny().build()
    with pytest.raises(GGUFError, match=f"incomplete: 1,234 of {len(data):,} bytes are missing"):
        ruling(data[:-1234])


def test_texts_from_the_file_are_escaped_and_shortened() -> None:
    """A file can't drive the terminal through a message about it, nor fill the screen."""
    with pytest.raises(GGUFError) as caught:
        ruling(with_keys(general__architecture="\x1b[2J\u202e" + "x" * 5000).build())
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200
