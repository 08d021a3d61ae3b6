"""The options that commands share, made from the table of settings where they set one. Nothing but declarations."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from r1chat import paths
from r1chat.settings import layers
from r1chat.settings.layers import Settings
from r1chat.settings.table import SETTINGS


def option(name: str) -> Any:
    """Make the option of a setting. Its word is read by the setting itself; None is not given."""
    setting = SETTINGS[name]
    switch = isinstance(setting.default, bool)
    flag = f"{setting.flag}/{setting.flag.replace('--', '--no-', 1)}" if switch else setting.flag
    help = f"{setting.help} Default: {setting.default_text}."
    return typer.Option(flag, metavar=None if switch else setting.metavar, help=help, show_default=False)


Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="Attach a text file, or - for stdin. May be given several times."
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="The prompt is token text as it is: no template is added.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print one JSON object per event, as they happen.")]
Verbose = Annotated[bool, typer.Option("--verbose", help="Tell the plan, the counts and the engine's log on stderr.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Pull a model that is not here, without asking.")]
Continue = Annotated[
    bool, typer.Option("--continue", "-c", help="Go on with the session used last; a model or a question may follow.")
]
Resume = Annotated[
    str | None,
    typer.Option("--resume", metavar="ID", help="Go on with this session: its ID, or its title."),
]

Profile = Annotated[str | None, option("profile")]
Temperature = Annotated[str | None, option("temperature")]
TopP = Annotated[str | None, option("top_p")]
TopK = Annotated[str | None, option("top_k")]
MinP = Annotated[str | None, option("min_p")]
RepeatPenalty = Annotated[str | None, option("repeat_penalty")]
Seed = Annotated[str | None, option("seed")]
Stop = Annotated[list[str] | None, option("stop")]
MaxTokens = Annotated[str | None, option("max_tokens")]
Budget = Annotated[str | None, option("think_budget")]
ThinkMin = Annotated[str | None, option("think_min")]
Think = Annotated[bool | None, option("think")]
Overflow = Annotated[str | None, option("overflow")]
System = Annotated[str | None, option("system")]
Math = Annotated[bool | None, option("math")]
Pace = Annotated[str | None, option("pace")]
Thinking = Annotated[str | None, option("thinking")]
Theme = Annotated[str | None, option("theme")]
Latex = Annotated[bool | None, option("latex")]
History = Annotated[bool | None, option("history")]
Ctx = Annotated[str | None, option("ctx")]
Threads = Annotated[str | None, option("threads")]
GpuLayers = Annotated[str | None, option("gpu_layers")]
Kv = Annotated[str | None, option("kv")]
CpuMoe = Annotated[str | None, option("cpu_moe")]
Vram = Annotated[str | None, option("vram")]
Ram = Annotated[str | None, option("ram")]
Margin = Annotated[str | None, option("margin")]


def settings(context: typer.Context) -> Settings:
    """Read the settings of this process; a command's parameters with the names of settings are its options.

    Raises UsageError.
    """
    ours = {name: value for name, value in context.params.items() if name in SETTINGS}
    given = {name: _as_typed(value) for name, value in ours.items() if value is not None and value != ()}
    return layers.load(os.environ, paths.find().settings, given)


def text(argument: str) -> str:
    """Give an argument as it was typed: in a locale without an encoding, Python leaves UTF-8 as lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return os.fsencode(argument).decode("utf-8", "replace")
    return argument


def _as_typed(value: object) -> object:
    match value:
        case str():
            return text(value)
        case list() | tuple():
            return [text(str(each)) for each in value]
    return value
