"""The demo model's network, tokenizer and optimiser, in PyTorch. Knows nothing about arithmetic, files or llama.cpp.

The network is Qwen2's (the shape of DeepSeek-R1-Distill-Qwen, much smaller): grouped-query attention with biases on the
queries, keys and values, rotary positions, RMSNorm, SwiGLU, and one matrix for the embedding and the output.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

from r1chat.core.prompt import ASSISTANT, BOS, EOS, THINK_CLOSE, THINK_OPEN, USER

CONTROL_TOKENS = (BOS, EOS, USER, ASSISTANT)
SPECIAL_TOKENS = (*CONTROL_TOKENS, THINK_OPEN, THINK_CLOSE)

# Qwen2's pre-tokenizer, as llama.cpp applies it for tokenizer.ggml.pre = "deepseek-r1-qwen" (src/llama-vocab.cpp,
# LLAMA_VOCAB_PRE_TYPE_QWEN2). `\p{N}` alone, without a `+`, is what makes every digit a token of its own.
PRE_TOKENIZER = "deepseek-r1-qwen"
PRE_TOKENIZER_PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

IGNORE = -100  # the label of a token that is not learnt (cross_entropy's ignore_index)


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of the network. Every row length is a multiple of 32, the block of Q8_0."""

    n_vocab: int
    n_embd: int = 192
    n_layer: int = 4
    n_head: int = 6
    n_head_kv: int = 2
    n_ff: int = 512
    n_ctx: int = 2048
    rope_base: float = 10_000.0
    norm_eps: float = 1e-6

    @property
    def n_head_dim(self) -> int:
        """The width of one attention head."""
        return self.n_embd // self.n_head


class Block(nn.Module):
    """One layer: attention and SwiGLU, each behind an RMSNorm and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        n_kv = shape.n_head_kv * shape.n_head_dim
        self.attn_norm = nn.RMSNorm(shape.n_embd, eps=shape.norm_eps)
        self.attn_q = nn.Linear(shape.n_embd, shape.n_embd)
        self.attn_k = nn.Linear(shape.n_embd, n_kv)
        self.attn_v = nn.Linear(shape.n_embd, n_kv)
        self.attn_output = nn.Linear(shape.n_embd, shape.n_embd, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.n_embd, eps=shape.norm_eps)
        self.ffn_gate = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_up = nn.Linear(shape.n_embd, shape.n_ff, bias=False)
        self.ffn_down = nn.Linear(shape.n_ff, shape.n_embd, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Map the stream (batch, time, width) to the stream after this layer."""
        n_batch, n_time, n_embd = x.shape
        h = self.attn_norm(x)

        def heads(projected: Tensor) -> Tensor:
            return projected.view(n_batch, n_time, -1, self.shape.n_head_dim).transpose(1, 2)

        q, k, v = (
            rotate(heads(self.attn_q(h)), cos, sin),
            rotate(heads(self.attn_k(h)), cos, sin),
            heads(self.attn_v(h)),
        )
        n_group = self.shape.n_head // self.shape.n_head_kv
        k, v = k.repeat_interleave(n_group, dim=1), v.repeat_interleave(n_group, dim=1)
        with torch.autocast("cpu", enabled=False):  # PyTorch's bfloat16 backward for this is six times slower on a CPU
            attended = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=True)
        x = x + self.attn_output(attended.transpose(1, 2).reshape(n_batch, n_time, n_embd))
        h = self.ffn_norm(x)
        x = x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (i, i + half) of a head by its position's angle: the order llama.cpp calls neox, Qwen2's."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Network(nn.Module):
    """The whole decoder."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.n_vocab, shape.n_embd)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.n_layer))
        self.output_norm = nn.RMSNorm(shape.n_embd, eps=shape.norm_eps)
        frequencies = shape.rope_base ** (-torch.arange(0, shape.n_head_dim, 2) / shape.n_head_dim)
        angles = torch.arange(shape.n_ctx)[:, None] * frequencies
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Small normal weights; what writes to the stream starts smaller with depth (GPT-2 paper, section 2.3)."""
        for name, weight in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(weight)
            elif weight.ndim == 2:
                depth = (
                    math.sqrt(2 * self.shape.n_layer) if name.endswith(("attn_output.weight", "ffn_down.weight")) else 1
                )
                nn.init.normal_(weight, std=0.02 if "token_embd" in name else weight.shape[1] ** -0.5 / depth)

    def forward(self, ids: Tensor) -> Tensor:
        """The stream after the last norm for (batch, time) token ids."""
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        x: Tensor = self.token_embd(ids)
        for block in self.blk:
            x = block(x, cos, sin)
        x = self.output_norm(x)
        return x

    def logits(self, stream: Tensor) -> Tensor:
        """The score of every token of the vocabulary, from any part of the stream."""
        return F.linear(stream, self.token_embd.weight)


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix updates are made orthogonal (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

    Needs about half the examples of AdamW here. The Newton-Schulz coefficients are the paper's; the update is scaled to
    AdamW's usual size, 0.2 * sqrt(longer side) (Liu et al. 2025, "Muon is scalable for LLM training", section 2.2).
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.05
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the weights by their gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                average = self.state[weight].setdefault("momentum", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonal(weight.grad.lerp(average, group["momentum"]))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(weight.shape)))


def orthogonal(matrix: Tensor, n_rounds: int = 5) -> Tensor:
    """The nearest matrix with singular values around 1, by a quintic Newton-Schulz iteration."""
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(n_rounds):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


def optimisers(network: Network) -> tuple[Muon, torch.optim.AdamW]:
    """Muon for the layers' matrices; AdamW for the embedding, the norms and the biases."""
    matrices = [w for name, w in network.named_parameters() if w.ndim == 2 and "token_embd" not in name]
    others = [w for name, w in network.named_parameters() if w.ndim != 2 or "token_embd" in name]
    return Muon(matrices, lr=PEAK_MUON), torch.optim.AdamW(others, lr=PEAK_ADAM, betas=(0.9, 0.98), weight_decay=0.01)


PEAK_MUON, PEAK_ADAM = 3e-3, 3e-3


def learning_rate(step: int, rounds: Sequence[tuple[int, float]]) -> float:
    """The share of the peak rate at a step. Each round goes up to its own peak, then in a line to zero."""
    n_warm = 60
    for n_steps, peak in rounds:
        if step < n_steps:
            return peak * min((step + 1) / n_warm, 1 - step / n_steps)
        step, n_warm = step - n_steps, 20
    return 0.0


def train_tokenizer(texts: Iterable[str], n_vocab: int) -> Tokenizer:
    """A byte-level BPE over the whole byte alphabet, so that any text has ids, with R1's special tokens first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRE_TOKENIZER_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab,
        min_frequency=4,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS],
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


@dataclass(frozen=True, slots=True)
class Tokens:
    """One example as ids; `learn` says which of them the network is to predict."""

    ids: Sequence[int]
    learn: Sequence[bool]


def batches(examples: Sequence[Tokens], n_tokens: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut examples, in their order, into padded batches (ids, labels) of at most `n_tokens` each."""
    batch: list[Tokens] = []
    longest = 0
    for example in examples:
        grown = max(longest, len(example.ids))
        if batch and grown * (len(batch) + 1) > n_tokens:
            yield _padded(batch)
            batch, grown = [], len(example.ids)
        batch.append(example)
        longest = grown
    if batch:
        yield _padded(batch)


def _padded(batch: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
    n_time = max(len(example.ids) for example in batch) - 1
    ids = torch.zeros(len(batch), n_time, dtype=torch.long)
    labels = torch.full((len(batch), n_time), IGNORE, dtype=torch.long)
    for row, example in enumerate(batch):
        n = len(example.ids) - 1
        ids[row, :n] = torch.tensor(example.ids[:-1])
        wanted = torch.tensor(example.ids[1:])
        labels[row, :n] = wanted.masked_fill(~torch.tensor(example.learn[1:]), IGNORE)
    return ids, labels


def loss_of(network: Network, ids: Tensor, labels: Tensor) -> Tensor:
    """Summed cross-entropy over the tokens to learn. Only their places go through the output matrix."""
    learnt = labels != IGNORE
    return F.cross_entropy(network.logits(network(ids)[learnt]).float(), labels[learnt], reduction="sum")


@torch.no_grad()
def exact(network: Network, ids: Tensor, labels: Tensor) -> Tensor:
    """For each example, whether greedy decoding would write it word for word (a bool per row)."""
    stream = network(ids)
    guesses = network.logits(stream).argmax(-1)
    return ((guesses == labels) | (labels == IGNORE)).all(dim=1)
