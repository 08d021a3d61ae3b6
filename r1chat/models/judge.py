"""Can r1chat run this file? Decided from the header alone, before anything native is started.

Knows what llama.cpp (in llama-cpp-python 0.3.36) refuses or, worse, aborts on, for GGML_ASSERT kills the process, and
what an R1 model must have. Opens no files. Each check says in one sentence what is wrong and, in the hint, what to do.
"""

import math
from collections.abc import Mapping
from typing import Final

from r1chat.errors import GGUFError
from r1chat.models.architectures import ARCHITECTURES, expected_tensors
from r1chat.models.gguf import BROKEN_HINT, quote
from r1chat.models.header import Header, Strings, ValueType
from r1chat.models.keys import GENERAL, OF_THE_ARCHITECTURE, TOKEN_IDS

MAX_LAYERS: Final = 512  # LLAMA_MAX_LAYERS, src/llama-hparams.h
MAX_EXPERTS: Final = 1024  # LLAMA_MAX_EXPERTS, src/llama-hparams.h
MAX_VOCABULARY: Final = 3 * 2**16  # R1's largest has 152,064 tokens; bounds the memory of the search for duplicates
MIN_ALIGNMENT: Final = 32  # TENSOR_ALIGNMENT, ggml/src/ggml-backend.cpp: a mapped buffer must start on it

GET_R1: Final = "Use a GGUF file of DeepSeek-R1 or of one of its distilled models."

BOS: Final = "<｜begin▁of▁sentence｜>"
_R1_TOKENS: Final = ("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", BOS)
# The pre-tokenizers of R1's conversions and the names others give them: src/llama-vocab.cpp, `llama_vocab::impl::load`.
_PRE_TOKENIZERS: Final = frozenset(
    {"deepseek-r1-qwen", "qwen2", "llama-bpe", "llama3", "llama-v3", "deepseek-v3", "deepseek-llm", "default", "gpt-2"}
)
_UNDEFINED, _BYTE = 0, 6  # enum llama_token_type; a BYTE token's text is parsed as <0xNN>, which no R1 vocabulary has

# general.type as the converters write it (gguf-py, class GGUFType)
_NO_MODELS: Final[Mapping[str, str]] = {
    "adapter": "a LoRA adapter, not a whole model",
    "mmproj": "an image projector (mmproj), not a language model",
    "imatrix": "an importance matrix for quantizing, not a model",
    "vocab": "a vocabulary only, without weights",
}

_ROPE_SCALINGS: Final = ("none", "linear", "yarn", "longrope")  # LLAMA_ROPE_SCALING_TYPES, src/llama-model.cpp

# Weights of these types can be multiplied; Q8_1 and Q8_K are for intermediate results, I8 to I64 and F64 for tables.
_NO_WEIGHTS: Final = frozenset({"Q8_1", "Q8_K", "I8", "I16", "I32", "I64", "F64"})


def judge(header: Header) -> None:
    """Return if r1chat can run the model, else raise GGUFError. A split model needs its joined header (shards.py)."""
    _kind(header)
    _complete(header)
    _types(header)
    _vocabulary(header)
    _layers(header)
    _attention(header)
    _rope(header)
    _experts(header)
    _extras(header)
    _tensors(header)


def _broken(header: Header, what: str) -> GGUFError:
    return GGUFError(f"{header.source} can't be run: {what}.", hint=BROKEN_HINT)


def _kind(header: Header) -> None:
    """Is it a language model, and of an architecture r1chat knows?"""
    what = _NO_MODELS.get(header.text("general.type").lower())
    if what is None and header.architecture == "clip":  # projectors from before general.type
        what = _NO_MODELS["mmproj"]
    if what is None and not header.tensors and "tokenizer.ggml.tokens" in header.metadata:
        what = _NO_MODELS["vocab"]
    if what is not None:
        raise GGUFError(f"{header.source} is {what}.", hint=GET_R1)
    if not header.architecture:
        raise GGUFError(f"{header.source} does not say what architecture it has.", hint=GET_R1)
    if header.architecture not in ARCHITECTURES:
        raise GGUFError(
            f"{header.source} has the architecture {quote(header.architecture)}, which r1chat does not run.",
            hint=f"R1 models have one of these: {', '.join(ARCHITECTURES)}. {GET_R1}",
        )


def _complete(header: Header) -> None:
    if header.missing_bytes:
        raise GGUFError(
            f"{header.source} is incomplete: {header.missing_bytes:,} of {header.data_end:,} bytes are missing.",
            hint="The download was cut off: get the file again.",
        )
    if header.tensors and header.alignment < MIN_ALIGNMENT:
        raise _broken(header, f"its alignment is {header.alignment} bytes, less than {MIN_ALIGNMENT}")


def _types(header: Header) -> None:
    """llama.cpp throws on a key of another type than it expects, in the middle of loading."""
    wanted = dict(GENERAL) | {header.key(name): kind for name, kind in OF_THE_ARCHITECTURE.items()}
    for key, kind in wanted.items():
        field = header.metadata.get(key)
        if field is not None and (field.is_array or field.type is not kind):
            has = "an array" if field.is_array else field.type.name
            raise _broken(header, f"its key {quote(key)} is {has}, not {kind.name}")
        # A float that is no number turns up as an assertion or as nonsense much later.
        if field is not None and kind is ValueType.FLOAT32 and not math.isfinite(_number(header, key)):
            raise _broken(header, f"its key {quote(key)} is not a finite number")


def _number(header: Header, key: str) -> float:
    field = header.metadata.get(key)
    value = 0.0 if field is None else field.value
    return float(value) if isinstance(value, int | float) else 0.0


def _between(header: Header, name: str, low: int, high: int, *, default: int | None = None) -> int:
    """Return a number of the architecture that must lie in a range. Without a default it must be there."""
    key = header.key(name)
    if key not in header.metadata:
        if default is None:
            raise _broken(header, f"its key {quote(key)} is missing")
        return default
    value = header.integer(key)
    if not low <= value <= high:
        raise _broken(header, f"its key {quote(key)} is {value:,}, not between {low:,} and {high:,}")
    return value


def _vocabulary(header: Header) -> None:
    """Is there a tokenizer, a sound one, and R1's?"""
    tokens = header.strings("tokenizer.ggml.tokens")
    model = header.text("tokenizer.ggml.model")
    if tokens is None or not model or model in ("none", "no_vocab"):
        raise GGUFError(f"{header.source} has no tokenizer, so it can't read or write text.", hint=GET_R1)
    texts = _distinct(header, tokens)
    missing = [token for token in _R1_TOKENS if token.encode() not in texts]
    if missing:
        raise GGUFError(
            f"{header.source} is no DeepSeek-R1 model: its vocabulary lacks {', '.join(missing)}.", hint=GET_R1
        )
    if model != "gpt2":
        raise _broken(header, f"its tokenizer is of the kind {quote(model)}, but R1's are 'gpt2'")
    pre = header.text("tokenizer.ggml.pre")
    if pre and pre not in _PRE_TOKENIZERS:
        raise GGUFError(
            f"{header.source} splits text by the unknown rule {quote(pre)}.",
            hint="Get a conversion made with a current llama.cpp.",
        )
    if header.strings("tokenizer.ggml.merges") is None:
        raise _broken(header, "its tokenizer has no merges")
    _token_tables(header, len(tokens))


def _distinct(header: Header, tokens: Strings) -> set[bytes]:
    """The tokens as a set. llama.cpp asserts that no two are equal (up to a NUL), and throws on invalid UTF-8."""
    if len(tokens) > MAX_VOCABULARY:
        raise _broken(header, f"its vocabulary has {len(tokens):,} tokens, more than {MAX_VOCABULARY:,}")
    # All at once, because a loop over 152k tokens takes a tenth of a second that the prompt would wait for. Between
    # ASCII separators, the whole is valid UTF-8 if and only if every part is.
    items = [text or f"[EMPTY_{number}]".encode() for number, text in enumerate(tokens.raw())]  # llama.cpp's own name
    joined = b"\n".join(items)
    if b"\0" in joined:
        raise _broken(header, "a token of its vocabulary contains a NUL")
    if not _is_utf8(joined):
        raise _broken(header, "a token of its vocabulary is not valid UTF-8")
    texts = set(items)
    if len(texts) != len(tokens):
        raise _broken(header, "its vocabulary has the same token twice")
    return texts


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _token_tables(header: Header, n_tokens: int) -> None:
    types = header.metadata.get("tokenizer.ggml.token_type")
    if types is None:
        raise _broken(header, "its tokenizer does not say which tokens are special")
    if types.type is not ValueType.INT32 or types.count != n_tokens:
        raise _broken(header, f"its {n_tokens:,} tokens have {types.count or 0:,} token types")
    values = types.value
    assert isinstance(values, tuple)
    if not all(_UNDEFINED <= kind < _BYTE for kind in set(values)):
        raise _broken(header, "its tokenizer has an unknown token type")
    scores = header.metadata.get("tokenizer.ggml.scores")
    if scores is not None and (scores.type not in (ValueType.FLOAT32, ValueType.INT32) or scores.count != n_tokens):
        raise _broken(header, f"its {n_tokens:,} tokens have {scores.count or 0:,} scores")
    suppressed = header.metadata.get("tokenizer.ggml.suppress_tokens")
    if suppressed is not None and (not suppressed.is_array or suppressed.type is not ValueType.INT32):
        raise _broken(header, "its list of suppressed tokens is not a list of ids")
    for key in TOKEN_IDS:
        token = header.integer(key)
        if token >= n_tokens:
            raise _broken(header, f"its key {quote(key)} is {token:,}, but there are {n_tokens:,} tokens")


def _layers(header: Header) -> None:
    n_layers = _between(header, "block_count", 1, MAX_LAYERS)
    # Of R1's architectures only the full model's is loaded without its layers for multi-token prediction.
    most = n_layers - 1 if header.architecture == "deepseek2" else 0
    _between(header, "nextn_predict_layers", 0, most, default=0)
    _between(header, "context_length", 1, 2**31 - 1)
    n_embd = _between(header, "embedding_length", 1, 2**20)
    _between(header, "embedding_length_out", n_embd, n_embd, default=n_embd)
    _between(header, "feed_forward_length", 1, 2**24)
    epsilon = header.key("attention.layer_norm_rms_epsilon")
    if epsilon not in header.metadata:
        raise _broken(header, f"its key {quote(epsilon)} is missing")
    if _number(header, epsilon) < 0:
        raise _broken(header, f"its key {quote(epsilon)} is negative")
    causal = header.metadata.get(header.key("attention.causal"))
    pools = header.integer(header.key("pooling_type")) or header.integer(header.key("classifier.pooling_type"))
    if pools or (causal is not None and not causal.value) or header.key("classifier.output_labels") in header.metadata:
        raise GGUFError(f"{header.source} is a model for embeddings or ranking: it can't chat.", hint=GET_R1)


def _attention(header: Header) -> None:
    """The graph builders assert how heads, their sizes and the width fit together."""
    n_embd = header.integer(header.key("embedding_length"))
    n_heads = _between(header, "attention.head_count", 1, 2**12)
    n_heads_kv = _between(header, "attention.head_count_kv", 1, n_heads, default=n_heads)
    if n_heads % n_heads_kv:
        raise _broken(header, f"its {n_heads} attention heads can't share {n_heads_kv} key heads")
    if header.architecture == "deepseek2":
        return _latent_attention(header, n_heads, n_heads_kv)
    key_length = _between(header, "attention.key_length", 1, 2**16, default=n_embd // n_heads)
    value_length = _between(header, "attention.value_length", 1, 2**16, default=n_embd // n_heads)
    n_rot = _between(header, "rope.dimension_count", 1, 2**16, default=key_length)
    if not key_length == value_length == n_rot or key_length % 2:
        raise _broken(header, f"its head sizes {key_length}, {value_length} and {n_rot} don't fit together")
    # llama.cpp builds qwen2's query with the model's width, whatever the heads say (src/models/qwen2.cpp).
    if header.architecture == "qwen2" and key_length * n_heads != n_embd:
        raise _broken(header, f"its {n_heads} heads of {key_length} don't make a width of {n_embd}")
    return None


def _latent_attention(header: Header, n_heads: int, n_heads_kv: int) -> None:
    _between(header, "attention.q_lora_rank", 1, 2**16)
    rank = _between(header, "attention.kv_lora_rank", 1, 2**16)
    key_length = _between(header, "attention.key_length", 1, 2**16)
    value_length = _between(header, "attention.value_length", 1, 2**16)
    n_rot = _between(header, "rope.dimension_count", 2, 2**16)
    key_mla = _between(header, "attention.key_length_mla", 1, 2**16, default=0)
    value_mla = _between(header, "attention.value_length_mla", 1, 2**16, default=0)
    if bool(key_mla) != bool(value_mla):
        raise _broken(header, "it gives only one of the two sizes of its latent attention")
    if key_mla:
        sound = n_heads_kv == 1 and key_length == rank + n_rot and value_length == rank
    else:
        sound = n_heads_kv == n_heads
    if not sound or n_rot % 2 or n_rot >= (key_mla or key_length):
        raise _broken(header, "the sizes of its latent attention don't fit together")
    # Another family's (src/llama-graph.cpp asserts a floor that this architecture never reads).
    if _number(header, header.key("attention.temperature_scale")):
        raise _broken(header, "it scales its attention by temperature, which no R1 model does")


def _rope(header: Header) -> None:
    scaling = header.text(header.key("rope.scaling.type"))
    if header.key("rope.scaling.type") in header.metadata and scaling not in _ROPE_SCALINGS:
        raise _broken(header, f"its context scaling {quote(scaling)} is unknown")
    _between(header, "rope.scaling.original_context_length", 1, 2**31 - 1, default=1)
    for name, least in (("rope.freq_base", 1.0), ("rope.scaling.factor", 0.0), ("rope.scale_linear", 0.0)):
        key = header.key(name)
        if key in header.metadata and _number(header, key) < least:
            raise _broken(header, f"its key {quote(key)} is less than {least:g}")


def _extras(header: Header) -> None:
    """Tables about single tensors (`llama_prec_policy::load`, src/llama-model.cpp), and the place among shards."""
    names = header.metadata.get("general.tensor_extra.name")
    flags = header.metadata.get("general.tensor_extra.prec_a4")
    if names is not None and (
        names.type is not ValueType.STRING
        or flags is None
        or flags.type is not ValueType.BOOL
        or flags.count is None
        or names.count != flags.count
    ):
        raise _broken(header, "its list of tensors with another precision is wrong")
    if header.integer("split.count", 1) > 1 and header.integer("split.no", -1) != 0:
        raise _broken(header, "it is a part of a model, and not the first")


def _experts(header: Header) -> None:
    if header.architecture != "deepseek2":  # R1's distilled models are dense
        for name in ("expert_count", "expert_used_count", "expert_group_count"):
            _between(header, name, 0, 0, default=0)
        return
    n_layers = header.integer(header.key("block_count"))
    n_experts = _between(header, "expert_count", 2, MAX_EXPERTS)
    _between(header, "expert_used_count", 1, n_experts)
    _between(header, "expert_shared_count", 1, n_experts)
    _between(header, "expert_feed_forward_length", 1, 2**20)
    _between(header, "leading_dense_block_count", 0, n_layers, default=0)
    _between(header, "expert_gating_func", 1, 2, default=1)  # softmax, sigmoid
    n_groups = _between(header, "expert_group_count", 0, n_experts - 1, default=0)
    if n_groups > 1:
        _between(header, "expert_group_used_count", 1, n_groups - 1)
        if n_experts % n_groups:
            raise _broken(header, f"its {n_experts} experts don't divide into {n_groups} groups")


def _tensors(header: Header) -> None:
    """Every tensor of the architecture must be there, with the promised dimensions, in a type that can be computed."""
    tensors = {tensor.name: tensor for tensor in header.tensors}
    known = set()
    for expected in expected_tensors(header):
        known.add(expected.name)
        tensor = tensors.get(expected.name)
        if tensor is None:
            if expected.optional:
                continue
            raise _broken(header, f"its tensor {quote(expected.name)} is missing")
        # A dimension of one may be left out at the end: ggml fills up with ones.
        if _trimmed(tensor.dims) != _trimmed(expected.dims):
            have, want = (" x ".join(map(str, dims)) for dims in (tensor.dims, expected.dims))
            raise _broken(header, f"its tensor {quote(tensor.name)} is {have}, not {want}")
        plain = len(expected.dims) == 1  # norms, biases and rope factors: ggml computes with them as F32 only
        if tensor.type.name in _NO_WEIGHTS or (plain and tensor.type.name != "F32"):
            raise _broken(header, f"its tensor {quote(tensor.name)} is of the type {tensor.type.name}")
    # llama.cpp loads only a model all of whose tensors it uses.
    for name in tensors.keys() - known:
        if not name.endswith((".scale", ".input_scale")) and not _for_prediction(header, name):
            raise _broken(header, f"its tensor {quote(name)} belongs to another architecture")


def _for_prediction(header: Header, name: str) -> bool:
    """Whether a tensor is of the trailing layers for multi-token prediction, which are kept but not used."""
    n_layers = header.integer(header.key("block_count"))
    n_prediction = header.integer(header.key("nextn_predict_layers"))
    return name.startswith(tuple(f"blk.{number}." for number in range(n_layers - n_prediction, n_layers)))


def _trimmed(dims: tuple[int, ...]) -> tuple[int, ...]:
    end = len(dims)
    while end > 1 and dims[end - 1] == 1:
        end -= 1
    return dims[:end]
