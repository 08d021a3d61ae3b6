"""The types that llama.cpp expects of the metadata it reads for R1's architectures. Data only.

From src/llama-model.cpp (`load_hparams`), src/models/*.cpp (`load_arch_hparams`) and src/llama-vocab.cpp (`load`) of
llama.cpp (in llama-cpp-python 0.3.36); the spelling of the keys is in src/llama-arch.cpp (LLM_KV_NAMES).
"""

from collections.abc import Mapping
from typing import Final

from r1chat.models.header import ValueType

_INTEGERS: Final = (
    "context_length",
    "embedding_length",
    "embedding_length_out",
    "block_count",
    "nextn_predict_layers",
    "feed_forward_length",
    "vocab_size",
    "pooling_type",
    "classifier.pooling_type",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.key_length_swa",
    "attention.value_length_swa",
    "attention.key_length_mla",
    "attention.value_length_mla",
    "attention.q_lora_rank",
    "attention.kv_lora_rank",
    "attention.temperature_length",
    "rope.dimension_count",
    "rope.dimension_count_swa",
    "rope.scaling.original_context_length",
    "leading_dense_block_count",
    "expert_count",
    "expert_used_count",
    "expert_shared_count",
    "expert_feed_forward_length",
    "expert_group_count",
    "expert_group_used_count",
    "expert_gating_func",
)
_FLOATS: Final = (
    "attention.layer_norm_rms_epsilon",
    "attention.temperature_scale",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.alpha",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_log_multiplier",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "expert_weights_scale",
)
_FLAGS: Final = ("attention.causal", "rope.scaling.finetuned", "expert_weights_norm")
TOKEN_IDS: Final = tuple(
    f"tokenizer.ggml.{name}_token_id"
    for name in (
        *("bos", "eos", "eot", "eom", "unknown", "seperator", "padding", "cls", "mask"),
        *("fim_pre", "fim_suf", "fim_mid", "fim_pad", "fim_rep", "fim_sep", "prefix", "suffix", "middle"),
    )
)
GENERAL: Final[Mapping[str, ValueType]] = {
    "general.type": ValueType.STRING,
    "general.name": ValueType.STRING,
    "general.file_type": ValueType.UINT32,
    "tokenizer.ggml.model": ValueType.STRING,
    "tokenizer.ggml.pre": ValueType.STRING,
    "tokenizer.ggml.token_type_count": ValueType.UINT32,
    "tokenizer.ggml.add_bos_token": ValueType.BOOL,
    "tokenizer.ggml.add_eos_token": ValueType.BOOL,
    "tokenizer.ggml.add_sep_token": ValueType.BOOL,
    "tokenizer.ggml.add_space_prefix": ValueType.BOOL,
    "tokenizer.ggml.remove_extra_whitespaces": ValueType.BOOL,
    "tokenizer.ggml.normalizer.lowercase": ValueType.BOOL,
    "tokenizer.ggml.normalizer.strip_accents": ValueType.BOOL,
    "tokenizer.chat_template": ValueType.STRING,
    "split.no": ValueType.UINT16,
    "split.count": ValueType.UINT16,
    "split.tensors.count": ValueType.INT32,
    **dict.fromkeys(TOKEN_IDS, ValueType.UINT32),
}
OF_THE_ARCHITECTURE: Final[Mapping[str, ValueType]] = {
    **dict.fromkeys(_INTEGERS, ValueType.UINT32),
    **dict.fromkeys(_FLOATS, ValueType.FLOAT32),
    **dict.fromkeys(_FLAGS, ValueType.BOOL),
    "rope.scaling.type": ValueType.STRING,
}
