"""How the next token is drawn: the parameters, R1's recommended values, and what is allowed. Knows no engine."""

import math
from dataclasses import dataclass

from r1chat.errors import UsageError

N_SEEDS = 2**32 - 1  # the number above them means "draw one" to llama.cpp (llama.h, LLAMA_DEFAULT_SEED)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Parameters of the sampler chain. The defaults are DeepSeek's own for R1 and switch everything else off.

    Temperature 0.6 and top-p 0.95: generation_config.json of DeepSeek-R1, R1-Zero and the distilled models, and
    "Usage Recommendations" in the README of deepseek-ai/DeepSeek-R1. `top_k` 0, `min_p` 0 and `repeat_penalty` 1 mean
    off. `seed` None draws one; the engine reports the seed it used.
    """

    temperature: float = 0.6
    top_p: float = 0.95
    top_k: int = 0
    min_p: float = 0.0
    repeat_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that no sampler can use. Raises UsageError."""
        _between("temperature", self.temperature, 0.0, 5.0)
        _between("top-p", self.top_p, 0.0, 1.0)
        _between("min-p", self.min_p, 0.0, 1.0)
        _between("repeat-penalty", self.repeat_penalty, 0.01, 10.0)
        if self.top_k < 0:
            raise UsageError(f"top-k is {self.top_k}, but can't be negative.", hint="Use 0 to switch it off.")
        if self.seed is not None and not 0 <= self.seed < N_SEEDS:
            hint = f"Use a whole number from 0 to {N_SEEDS - 1}."
            raise UsageError(f"The seed {self.seed} is out of range.", hint=hint)

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always taken. R1 then tends to run in circles (its model card)."""
        return self.temperature == 0.0


def _between(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{name} is {value:g}, but must lie between {low:g} and {high:g}.")
