"""The shape of a model: the numbers that memory and prompts depend on. Knows nothing about files or engines."""

from dataclasses import dataclass
from typing import Literal

FamilyName = Literal["r1", "r1-distill", "r1-0528"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The weights by where they can go, in bytes: the embedding, each layer, each layer's experts, the output.

    `layers` are without their `experts`, which may lie elsewhere; a dense layer has 0 of those. `tied` is the size of
    an embedding that is the output matrix as well (else 0): on a device that has the output it is there once more.
    """

    input: int
    output: int
    layers: tuple[int, ...]
    experts: tuple[int, ...]
    tied: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's header says about its size.

    The KV cache holds `n_heads_kv * (head_dim_k + head_dim_v)` numbers per token and layer. Models with multi-head
    latent attention cache one compressed key and no values: there `n_heads_kv` is 1 and `head_dim_v` is 0
    (llama.cpp's src/llama-kv-cache.cpp). `weights_bytes` is the sum of all tensors, `quantization` llama.cpp's name of
    the mixture ("Q4_K_M") and `family` the prompt family. `n_ff` is the widest inner layer, `parts` the weights by
    layer (None where no tensor list is known) and `digest` names the header that all this comes from.
    """

    architecture: str
    name: str
    n_layers: int
    n_embd: int
    n_heads: int
    n_heads_kv: int
    head_dim_k: int
    head_dim_v: int
    n_ctx_train: int
    n_vocab: int
    weights_bytes: int
    quantization: str
    family: FamilyName
    n_ff: int = 0
    parts: Parts | None = None
    digest: str = ""
