"""Which type each tensor has in a quantization such as Q4_K_M: llama.cpp's own rule. Knows names, no files.

Follows `llama_tensor_get_type_impl` and `tensor_type_fallback` in src/llama-quant.cpp of llama.cpp (in llama-cpp-python
0.3.36), for the mixtures that need no importance matrix; Q4_0 is as it becomes with one, which all that are published
were made with. Mixtures made by hand (UD-…) follow no rule that is published.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from r1chat.models.header import TENSOR_TYPES, TensorType

TYPES: Final[Mapping[str, TensorType]] = {each.name: each for each in TENSOR_TYPES.values()}
# The type that most tensors get. (Models of eight experts have exceptions of their own; R1 has 256.)
MIXTURES: Final[Mapping[str, str]] = {
    "F16": "F16",
    "BF16": "BF16",
    "Q8_0": "Q8_0",
    "Q6_K": "Q6_K",
    "Q5_K_M": "Q5_K",
    "Q5_K_S": "Q5_K",
    "Q4_K_M": "Q4_K",
    "Q4_K_S": "Q4_K",
    "Q4_0": "Q4_0",
    "Q3_K_L": "Q3_K",
    "Q3_K_M": "Q3_K",
    "Q3_K_S": "Q3_K",
    "Q2_K": "Q2_K",
}
_NARROWER: Final[Mapping[str, str]] = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
_LAYER: Final = re.compile(r"blk\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Model:
    """What the rule asks of a model. `shared_heads` is how many query heads use one key."""

    n_layers: int
    shared_heads: int
    is_70b: bool


def tensor_type(name: str, dims: tuple[int, ...], quantization: str, model: Model) -> TensorType:
    """Give the type of one tensor. Raises KeyError for a mixture without a rule."""
    base = MIXTURES[quantization]
    if len(dims) == 1 or name.endswith(("_norm.weight", ".bias", "ffn_gate_inp.weight")):
        return TYPES["F32"]
    chosen = TYPES[base if base in ("F16", "BF16") else _wanted(name, dims, quantization, base, model)]
    return chosen if dims[0] % chosen.block == 0 else TYPES[_NARROWER[chosen.name]]


def _wanted(name: str, dims: tuple[int, ...], quantization: str, base: str, model: Model) -> str:
    if name == "output.weight":
        return "Q8_0" if base == "Q8_0" or dims[0] % TYPES[base].block else "Q6_K"
    match = _LAYER.match(name)
    number, n = int(match[1]) if match else 0, model.n_layers
    if ".attn_v.weight" in name or ".attn_kv_b.weight" in name:
        return _values(number, n, quantization, base, model)
    if ".ffn_down" in name:
        return _down(number, n, quantization, base)
    if ".attn_output.weight" in name:
        return {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"}.get(quantization, base)
    return base


def _values(number: int, n: int, quantization: str, base: str, model: Model) -> str:
    """The values of attention are few and matter much."""
    chosen = base
    if quantization == "Q2_K":
        chosen = "Q4_K" if model.shared_heads >= 4 else "Q3_K"
    elif quantization == "Q3_K_M":
        chosen = "Q5_K" if number < 2 else "Q4_K"
    elif quantization == "Q3_K_L" or (quantization == "Q4_K_S" and number < 4):
        chosen = "Q5_K"
    elif quantization in ("Q4_K_M", "Q5_K_M") and _more_bits(number, n):
        chosen = "Q6_K"
    return "Q5_K" if model.is_70b and chosen in ("Q3_K", "Q4_K") else chosen


def _down(number: int, n: int, quantization: str, base: str) -> str:
    match quantization:
        case "Q2_K":
            return "Q3_K"
        case "Q3_K_M":
            return "Q5_K" if number < n // 16 else "Q4_K"
        case "Q3_K_L":
            return "Q5_K"
        case "Q4_K_M" | "Q5_K_M" if _more_bits(number, n):
            return "Q6_K"
        case "Q4_K_S" if number < n // 8:
            return "Q5_K"
        case "Q4_0" if number < n // 8:
            return "Q4_1"
    return base


def _more_bits(number: int, n: int) -> bool:
    return number < n // 8 or number >= 7 * n // 8 or (number - n // 8) % 3 == 2
