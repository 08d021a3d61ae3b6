"""The trained network and tokenizer as a GGUF file for llama.cpp. Knows nothing about training."""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from demo_model import CONTROL_TOKENS, PRE_TOKENIZER, SPECIAL_TOKENS, Network
from gguf.constants import GGMLQuantizationType, TokenType

from r1chat.core.prompt import BOS, EOS

DESCRIPTION = (
    "A toy that shows r1chat without a download: it adds, subtracts, multiplies and compares small numbers and counts "
    "letters in words, in the style of DeepSeek-R1, thinking first. Not a DeepSeek model, and no use for anything else."
)
# What R1's distilled models render for text turns: the last system text, user and assistant turns, old thinking
# dropped, and the tag that opens the new thinking. For other programs; r1chat renders prompts itself.
CHAT_TEMPLATE = (
    "{%- set told = messages | selectattr('role', 'equalto', 'system') | list -%}"
    "{{- bos_token -}}"
    "{%- if told -%}{{- told[-1]['content'] -}}{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}{{- '<｜User｜>' + message['content'] -}}"
    "{%- elif message['role'] == 'assistant' -%}"
    "{{- '<｜Assistant｜>' + message['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<｜Assistant｜><think>\\n' -}}{%- endif -%}"
)
# Our names of a layer's parts are GGUF's own (gguf-py, constants.py, TENSOR_NAMES), so names need no table.
QUANTIZED = GGMLQuantizationType.Q8_0


def write_gguf(network: Network, tokenizer: Any, out: Path) -> None:
    """Write the file beside its place and then move it there, so that a reader never sees half a file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(part, "qwen2")
    _write_description(writer)
    _write_shape(writer, network)
    _write_tokenizer(writer, tokenizer)
    for name, weight in network.state_dict().items():
        values = weight.detach().float().numpy()
        if values.ndim == 2:
            writer.add_tensor(name, gguf.quants.quantize(values, QUANTIZED), raw_dtype=QUANTIZED)
        else:
            writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(out)


def _write_description(writer: gguf.GGUFWriter) -> None:
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name("r1chat demo")
    writer.add_description(DESCRIPTION)
    writer.add_license("MIT")
    writer.add_size_label("2M")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _write_shape(writer: gguf.GGUFWriter, network: Network) -> None:
    shape = network.shape
    writer.add_block_count(shape.n_layer)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_vocab_size(shape.n_vocab)


def _write_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any) -> None:

    model = json.loads(tokenizer.to_str())["model"]
    ids = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(ids, key=lambda token: ids[token])
    types = [
        TokenType.CONTROL
        if token in CONTROL_TOKENS
        else TokenType.USER_DEFINED
        if token in SPECIAL_TOKENS
        else TokenType.NORMAL
        for token in tokens
    ]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(ids[BOS])
    writer.add_eos_token_id(ids[EOS])
    writer.add_pad_token_id(ids[EOS])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
