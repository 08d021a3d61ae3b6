"""From a header to what the rest of the program needs to know: the model's shape and its prompt family.

Knows the metadata keys of the R1 architectures; reads no files and judges nothing (judge.py does, before).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from r1chat.core.shape import FamilyName, Parts, Shape
from r1chat.models.header import Header

# general.file_type: enum llama_ftype, include/llama.h of llama.cpp
_FILE_TYPES: Final[Mapping[int, str]] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4",
}

# Only the template of R1-0528 closes the user's turn with the assistant's marker (R1's and the distills' open the
# assistant's turn at the end of the template instead). Formatted copies differ in blanks, hence their removal.
_USER_TURN_OF_0528: Final = "{{'<｜User｜>'+content+'<｜Assistant｜>'}}"

_OF_A_LAYER: Final = re.compile(r"blk\.(\d+)\.(.*)")
_OF_EXPERTS: Final = re.compile(r"ffn_(gate|up|down|gate_up)_exps\.")  # LLM_FFN_EXPS_REGEX, common/common.h


def shape_of(header: Header, family: FamilyName | None = None) -> Shape:
    """Describe a judged header. `family` is the catalogue's, which wins over what the header suggests."""
    n_heads = header.integer(header.key("attention.head_count"))
    n_embd = header.integer(header.key("embedding_length"))
    head_dim = n_embd // n_heads if n_heads else 0
    is_mla = header.integer(header.key("attention.key_length_mla")) > 0
    tokens = header.strings("tokenizer.ggml.tokens")
    return Shape(
        architecture=header.architecture,
        name=header.text("general.name"),
        n_layers=header.integer(header.key("block_count")) - header.integer(header.key("nextn_predict_layers")),
        n_embd=n_embd,
        n_heads=n_heads,
        n_heads_kv=header.integer(header.key("attention.head_count_kv"), n_heads),
        head_dim_k=header.integer(header.key("attention.key_length"), head_dim),
        head_dim_v=0 if is_mla else header.integer(header.key("attention.value_length"), head_dim),
        n_ctx_train=header.integer(header.key("context_length")),
        n_vocab=len(tokens) if tokens is not None else 0,
        weights_bytes=header.weights_bytes,
        quantization=quantization_of(header),
        family=family_of(header, family),
        n_ff=header.integer(header.key("feed_forward_length")),
        parts=parts_of(header),
        digest=digest_of(header),
    )


def parts_of(header: Header) -> Parts:
    """Sort the tensors by where llama.cpp puts them: with the input, a layer, its experts or the output.

    What belongs to no layer goes with the input, which stays in the host's memory (src/llama-model.cpp,
    `load_tensors`), but for the output and its norm (src/llama-arch.cpp, LLM_TENSOR_INFOS).
    """
    n_blocks = header.integer(header.key("block_count"))
    layers, experts = [0] * n_blocks, [0] * n_blocks
    rest: Counter[str] = Counter()
    for tensor in header.tensors:
        match = _OF_A_LAYER.match(tensor.name)
        if match is None or int(match[1]) >= n_blocks:
            rest[tensor.name] += tensor.n_bytes
        elif _OF_EXPERTS.match(match[2]):
            experts[int(match[1])] += tensor.n_bytes
        else:
            layers[int(match[1])] += tensor.n_bytes
    output = sum(n_bytes for name, n_bytes in rest.items() if name.startswith("output"))
    tied = 0 if "output.weight" in rest else rest["token_embd.weight"]
    return Parts(rest.total() - output, output, tuple(layers), tuple(experts), tied)


def digest_of(header: Header) -> str:
    """Hash what the engine's memory depends on: the tensors and every single value, not the vocabulary's words."""
    digest = hashlib.sha256()
    for tensor in header.tensors:
        digest.update(f"{tensor.name} {tensor.dims} {tensor.type.name}\n".encode())
    for key, field in header.metadata.items():
        digest.update(f"{key} {field.count if field.is_array else field.value!r}\n".encode())
    return digest.hexdigest()[:32]


def family_of(header: Header, catalogue_family: FamilyName | None = None) -> FamilyName:
    """Tell the prompt family: the catalogue's if it has one, else by the template and the architecture."""
    if catalogue_family is not None:
        return catalogue_family
    template = header.text("tokenizer.chat_template").replace(" ", "")
    if _USER_TURN_OF_0528 in template:
        return "r1-0528"
    return "r1" if header.architecture == "deepseek2" else "r1-distill"


def quantization_of(header: Header) -> str:
    """Name the quantization: what the file says, else the type of most of its bytes."""
    name = _FILE_TYPES.get(header.integer("general.file_type", -1))
    if name is not None:
        return name
    n_bytes: Counter[str] = Counter()
    for tensor in header.tensors:
        n_bytes[tensor.type.name] += tensor.n_bytes
    return n_bytes.most_common(1)[0][0] if n_bytes else "unknown"
