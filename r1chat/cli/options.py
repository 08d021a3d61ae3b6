"""The option types that commands share. Nothing but declarations and the reading of single words."""

import os
from pathlib import Path
from typing import Annotated

import typer

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
NoThink = Annotated[bool, typer.Option("--no-think", help="Answer without thinking.")]
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
    int | None, typer.Option("--ctx", metavar="N", help="Context in tokens. Default: what the model knows, up to 8192.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="CPU threads. Default: the physical cores.")
]
GpuLayers = Annotated[
    int | None,
    typer.Option("--gpu-layers", metavar="N", min=-1, help="Layers to offload to the GPU; -1 is all. Default: 0."),
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


def think_budget(word: str | None, *, no_think: bool) -> ThinkBudget:
    """Read N or Ns. Raises UsageError."""
    if word is None:
        return ThinkBudget()
    if no_think:
        raise UsageError("--no-think and --think-budget exclude each other.", hint="Give one of them.")
    number = word.strip().lower()
    try:
        if number.endswith("s") and 0 <= (seconds := float(number[:-1])) < 1e9:
            return ThinkBudget(seconds=seconds)
        if number.isdecimal():
            return ThinkBudget(n_tokens=int(number))
    except ValueError:
        pass
    raise UsageError(f"{word!r} is no budget for the thinking.", hint="Give tokens (500) or seconds (30s).")
