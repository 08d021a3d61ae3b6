"""The option types that commands share. Nothing but declarations and the reading of single words."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from r1chat.chat import Overflow
from r1chat.core.kv import BLOCKS
from r1chat.core.memory import ALL_LAYERS, Wishes
from r1chat.engine.base import ThinkBudget
from r1chat.errors import UsageError
from r1chat.terminal.live import Thinking

SAMPLING = "Sampling"
ENGINE = "Engine"
OUTPUT = "Output"

Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Attach a text file, or - for stdin. May be given several times."
    ),
]
System = Annotated[
    str, typer.Option("--system", metavar="TEXT", help="A system prompt. DeepSeek recommends none for R1.")
]
Math = Annotated[bool, typer.Option("--math", help="Add DeepSeek's directive for mathematics.")]
Raw = Annotated[bool, typer.Option("--raw", help="The prompt is token text as it is: no template is added.")]
ThinkingOption = Annotated[
    Thinking | None,
    typer.Option("--thinking", help="What becomes of the thinking. Default: show on a terminal, else hide."),
]
NoLatex = Annotated[bool, typer.Option("--no-latex", help="Show mathematics as its LaTeX source.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per event, as they happen.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Tell the plan, the counts and the engine's log on stderr.")]
MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", metavar="N", min=1, help="Generate at most so many tokens, thinking included."),
]
Budget = Annotated[
    str | None,
    typer.Option("--think-budget", metavar="N|Ns", help="End the thinking after N tokens, or after N seconds (30s)."),
]
Least = Annotated[int, typer.Option("--think-min", metavar="N", min=0, help="Think for at least N tokens.")]
NoThink = Annotated[bool, typer.Option("--no-think", help="Answer without thinking.")]
OverflowOption = Annotated[
    Overflow,
    typer.Option("--overflow", help="What a chat does when the context is full: stop, or leave out the oldest."),
]
Temperature = Annotated[
    float, typer.Option("--temp", metavar="X", help="Temperature; 0 always takes the likeliest token.")
]
TopP = Annotated[float, typer.Option("--top-p", metavar="X", help="Nucleus sampling.")]
TopK = Annotated[int, typer.Option("--top-k", metavar="K", help="Only the K most likely tokens; 0 is off.")]
MinP = Annotated[
    float,
    typer.Option("--min-p", metavar="X", help="Only tokens at least X times as likely as the likeliest; 0 is off."),
]
RepeatPenalty = Annotated[
    float, typer.Option("--repeat-penalty", metavar="X", help="Make repetition less likely; 1 is off.")
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="Make the answer repeatable.")]
Stop = Annotated[
    list[str] | None, typer.Option("--stop", metavar="TEXT", help="End the answer before this text. Repeatable.")
]
Ctx = Annotated[
    int | None, typer.Option("--ctx", metavar="N", help="Context in tokens. Default: what fits, up to 32768.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="CPU threads. Default: the physical cores.")
]
GpuLayers = Annotated[
    str, typer.Option("--gpu-layers", metavar="auto|all|N", help="Layers on the GPUs, the output counted.")
]
Kv = Annotated[
    str, typer.Option("--kv", metavar="auto|f16|q8_0|q4_0", help="Type of the KV cache. Auto: f16, or else q8_0.")
]
CpuMoe = Annotated[
    str, typer.Option("--cpu-moe", metavar="auto|N", help="Keep the experts of the first N layers off the GPUs.")
]
Vram = Annotated[
    str | None, typer.Option("--vram", metavar="SIZE[,…]", help="Free memory of each GPU to plan with, as 24G (GiB).")
]
Ram = Annotated[str | None, typer.Option("--ram", metavar="SIZE", help="Free memory of the host to plan with, as 64G.")]
Margin = Annotated[
    str | None,
    typer.Option("--margin", metavar="SIZE", help="Leave so much free everywhere. Default: 1G, 512M of RAM."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Pull a model that is not here, without asking.")]
Pace = Annotated[float, typer.Option("--pace", metavar="N", min=0.0, help="At most N tokens a second; 0 is no bound.")]


def text(argument: str) -> str:
    """Give an argument as it was typed: in a locale without an encoding, Python leaves UTF-8 as lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument).decode("utf-8", "replace")
    return argument


def wishes(
    n_ctx: int | None,
    n_threads: int | None,
    gpu_layers: str,
    kv: str,
    cpu_moe: str,
    vram: str | None,
    ram: str | None,
    margin: str | None,
) -> Wishes:
    """Put together what the options ask of the plan. Raises UsageError."""
    if kv != "auto" and kv not in BLOCKS:
        raise UsageError(f"There is no KV cache of type {kv!r}.", hint=f"Use auto, {', '.join(BLOCKS)}.")
    layers = ALL_LAYERS if gpu_layers in ("all", "-1") else whole("--gpu-layers", gpu_layers)
    return Wishes(
        n_ctx,
        n_threads,
        layers,
        kv=None if kv == "auto" else kv,
        vram=tuple(n_bytes("--vram", word) for word in vram.split(",")) if vram is not None else (),
        ram=None if ram is None else n_bytes("--ram", ram),
        margin=None if margin is None else n_bytes("--margin", margin),
        n_cpu_moe=whole("--cpu-moe", cpu_moe),
    )


def whole(option: str, word: str) -> int | None:
    """Read a number of layers; None for auto. Raises UsageError."""
    if word == "auto":
        return None
    if not re.fullmatch(r"[0-9]{1,6}", word):
        raise UsageError(f"{word!r} is no number of layers.", hint=f"Give {option} auto, or a number from 0 up.")
    return int(word)


def n_bytes(option: str, word: str) -> int:
    """Read a size of memory, which is sold in powers of two: 24G are GiB, 24GB are 10^9 bytes. Raises UsageError."""
    match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,3})?)\s*([KMGT]?)(i?B?)\s*", word, re.IGNORECASE)
    if match is None:
        raise UsageError(f"{word!r} is no size.", hint=f"Give {option} a size like 24G or 512M.")
    base = 1000 if match[3].upper() == "B" and match[2] else 1024
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))


def think_budget(word: str | None, least: int, *, no_think: bool) -> ThinkBudget:
    """Put together what the options ask of the thinking. Raises UsageError."""
    for option, given in (("--think-budget", word is not None), ("--think-min", least > 0)):
        if given and no_think:
            raise UsageError(f"--no-think and {option} exclude each other.", hint="Give one of them.")
    return ThinkBudget.parse(word, least) if word is not None else ThinkBudget(least=least)
