"""Settings as the values that the chat and the plan take. Adds nothing to them."""

from dataclasses import replace

from r1chat.core.memory import Wishes
from r1chat.core.sampling import Sampling
from r1chat.engine.base import ThinkBudget
from r1chat.options import Options, Overflow
from r1chat.settings.layers import Settings


def options(settings: Settings) -> Options:
    """How turns are answered. Raises UsageError for values that exclude each other."""
    sampling = Sampling(
        settings["temperature"],
        settings["top_p"],
        settings["top_k"],
        settings["min_p"],
        settings["repeat_penalty"],
        settings["seed"],
    )
    return Options(
        sampling=sampling,
        max_tokens=settings["max_tokens"],
        think_budget=replace(settings["think_budget"] or ThinkBudget(), least=settings["think_min"]),
        think=settings["think"],
        stop=settings["stop"] or (),
        pace=settings["pace"],
        overflow=Overflow(settings["overflow"]),
    )


def wishes(settings: Settings) -> Wishes:
    """What is asked of the plan."""
    return Wishes(
        settings["ctx"],
        settings["threads"],
        settings["gpu_layers"],
        kv=settings["kv"],
        vram=settings["vram"] or (),
        ram=settings["ram"],
        margin=settings["margin"],
        n_cpu_moe=settings["cpu_moe"],
    )
