"""`r1chat run`: one question, or the REPL. Parses, wires, prints."""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from r1chat import paths
from r1chat.chat import Chat, Exchange, Options, failure_of
from r1chat.cli import keeping
from r1chat.cli import options as opt
from r1chat.core.events import Failure, Notice, Sink
from r1chat.core.memory import Plan
from r1chat.core.placement import HOST
from r1chat.core.prompt import directive
from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.core.transcript import Transcript
from r1chat.engine.buffers import by_device, read_buffers
from r1chat.errors import ExitCode, NotFoundError, R1ChatError, UsageError
from r1chat.files import read_text
from r1chat.interrupts import Interrupts
from r1chat.launch import DEMO, Launched, Target, find, idle_notice, last_used, launch, names_of, not_here, remember
from r1chat.models.resolve import Wish
from r1chat.sessions import exchanges_of, kept_settings
from r1chat.settings import debug, uses
from r1chat.settings.layers import Settings
from r1chat.terminal import progress
from r1chat.terminal.live import Live, Thinking
from r1chat.terminal.paint import TerminalSink
from r1chat.terminal.plain import JsonLinesSink, JsonSink, PlainSink
from r1chat.terminal.screen import Screen, Theme, read_input

STDIN = Path("-")


def run(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="demo, a name (7b, 7b:Q8_0), or a path.", show_default=False)
    ] = None,
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="The question. Without one: a chat.", show_default=False)
    ] = None,
    files: opt.Files = None,
    continued: opt.Continue = False,
    resume: opt.Resume = None,
    profile: opt.Profile = None,
    system: opt.System = None,
    math: opt.Math = None,
    raw: opt.Raw = False,
    thinking: opt.Thinking = None,
    latex: opt.Latex = None,
    history: opt.History = None,
    theme: opt.Theme = None,
    json: opt.Json = False,
    jsonl: opt.JsonLines = False,
    verbose: opt.Verbose = False,
    max_tokens: opt.MaxTokens = None,
    think_budget: opt.Budget = None,
    think_min: opt.ThinkMin = None,
    think: opt.Think = None,
    overflow: opt.Overflow = None,
    temperature: opt.Temperature = None,
    top_p: opt.TopP = None,
    top_k: opt.TopK = None,
    min_p: opt.MinP = None,
    repeat_penalty: opt.RepeatPenalty = None,
    seed: opt.Seed = None,
    stop: opt.Stop = None,
    ctx: opt.Ctx = None,
    threads: opt.Threads = None,
    gpu_layers: opt.GpuLayers = None,
    kv: opt.Kv = None,
    cpu_moe: opt.CpuMoe = None,
    vram: opt.Vram = None,
    ram: opt.Ram = None,
    margin: opt.Margin = None,
    yes: opt.Yes = False,
    pace: opt.Pace = None,
) -> None:
    """Ask a model once, or chat with it.

    With a prompt, a file or something piped in, it answers once: on a terminal with its thinking, in a pipe the answer
    alone. Without any of them it opens a chat. Chats on a terminal are kept: -c goes on with the last one, as does
    `-c QUESTION`. Each option with a default can also be set in config.toml (see `r1chat config`) and in the
    environment.
    """
    form = "json" if json else "jsonl" if jsonl else "text"
    if json and jsonl:
        raise UsageError("--json and --jsonl exclude each other.", hint="Give one of them.")
    try:
        if raw and (system or math or think is False or files):
            hint = "Leave out --system, --math, --no-think and --file."
            raise UsageError("--raw takes the prompt as it is.", hint=hint)
        for option, given in (("--think-budget", think_budget), ("--think-min", think_min)):
            if think is False and given is not None:
                raise UsageError(f"--no-think and {option} exclude each other.", hint="Give one of them.")
        settings = opt.settings(context)
        resumed = keeping.taken(settings, continued=continued, resume=resume, raw=raw)
    except R1ChatError as error:
        if debug():
            raise
        raise typer.Exit(_refuse(model or last_used(paths.find()) or DEMO, form, error)) from error
    screen = Screen.detect(os.environ, sys.stdin, sys.stdout, sys.stderr, Theme(settings["theme"]))
    if resumed:
        settings = settings.keep(kept_settings(resumed))
        model, prompt = keeping.model_and_prompt(model, prompt)
    kept = resumed.session.model if resumed else None
    word = model if model is not None else kept or settings["model"] or last_used(paths.find()) or DEMO
    job = Job(word, model is not None, settings, raw=raw, verbose=verbose, form=form, yes=yes, resumed=resumed)
    if prompt is None and not files and screen.converses and not (json or jsonl or raw):
        raise typer.Exit(_converse(job, screen))
    raise typer.Exit(_ask_once(job, None if prompt is None else opt.text(prompt), files or [], screen))


@dataclass(frozen=True, slots=True)
class Job:
    """What the command line asks for, read and checked.

    `named`: whether the user named the model; `form`: text, json or jsonl; `yes`: pull it without asking; `resumed`: a
    session to go on with.
    """

    model: str
    named: bool
    settings: Settings
    raw: bool
    verbose: bool
    form: str
    yes: bool
    resumed: Transcript | None = None

    @property
    def options(self) -> Options:
        """How the turns are answered."""
        return uses.options(self.settings)

    @property
    def thinking(self) -> Thinking | None:
        """What becomes of the thinking; None leaves it to the kind of output."""
        way = self.settings["thinking"]
        return Thinking(way) if way else None

    def of(self, target: Target) -> "Job":
        """Let the settings for the model that it came to hold."""
        return replace(self, settings=self.settings.for_model(names_of(target)))


def question(prompt: str | None, files: Sequence[Path], piped: str) -> tuple[str, list[tuple[str, str]]]:
    """Put together what is asked: the text, and before it the attached files as (name, content).

    The text is stdin as it is, a blank line, and the prompt. Piped text that stands alone loses the line end that
    `echo` and editors put at its end: no template has it there. Raises UsageError for no question at all, and what
    read_text raises.
    """
    attached = [("stdin", piped) if path == STDIN else read_text(path) for path in files]
    if STDIN in files or not piped.strip():
        piped = ""
    if prompt is None:
        text = piped.removesuffix("\n").removesuffix("\r")
    elif piped:
        text = piped + ("\n" if piped.endswith("\n") else "\n\n") + prompt
    else:
        text = prompt
    if not text.strip() and not attached:
        raise UsageError("There is no question.", hint="Give a prompt, pipe text in, or attach a file with --file.")
    return text, attached


def _refuse(model: str, form: str, error: R1ChatError) -> int:
    """Tell of a command line that can't be followed, in the form that was asked for, and give the exit code."""
    failure = Failure(error.exit_code, error.message, error.hint)
    if form != "text":
        sink = JsonSink(sys.stdout, lambda: {"model": model}) if form == "json" else JsonLinesSink(sys.stdout)
        sink.fail(failure)
        sink.close()
    return _told(failure)


def _ask_once(job: Job, prompt: str | None, files: Sequence[Path], screen: Screen) -> int:
    """Launch, ask, show, and give the exit code."""
    details: dict[str, Any] = {"model": job.model, "sampling": asdict(job.options.sampling)}
    sink = _sink(job, screen, details)
    launched: Launched | None = None
    exchange: Exchange | None = None
    failure: Failure | None = None
    try:
        target = _at_hand(job, screen, asks=prompt is not None)  # a misspelled name is told before anything is read
        job = job.of(target)
        piped = read_input(sys.stdin) if STDIN in files or not screen.stdin_tty else ""
        text, attached = question(prompt, files, piped)
        launched = launch(target, uses.wishes(job.settings), paths.find())
        details.update(model=launched.target.name)
        exchange = _ask(job, launched, text, attached, sink, details, kept=keeping.keeps(job, screen))
        failure = failure_of(exchange)
    except R1ChatError as error:
        failure = Failure(error.exit_code, error.message, error.hint)
    finally:  # also what should not happen leaves what there is
        if launched:
            details.update(plan=asdict(launched.plan))
        _fail(sink, failure)
        sink.close()
    if failure is None and job.settings["history"]:
        remember(job.model, paths.find())
    if job.verbose and launched:
        _tell_verbose(launched, exchange)
    return _told(failure)


def _at_hand(job: Job, screen: Screen, *, asks: bool) -> Target:
    """Find the model's file, or say how a session goes on without it; `asks`: a question is on the command line.

    Raises NotFoundError, and what a pull raises.
    """
    try:
        return _pulled(job, screen)
    except NotFoundError as error:
        if job.resumed is None:
            raise
        raise NotFoundError(error.message, hint=keeping.way_on(job, error.hint, asks=asks)) from error


def _pulled(job: Job, screen: Screen) -> Target:
    """Find the model's file; one that is only on the Hub is pulled first, where the user can be asked, or has said so.

    Raises NotFoundError, and what a pull raises.
    """
    found = find(job.model, paths.find())
    if isinstance(found, Wish):
        asks = screen.stdin_tty and screen.stderr_tty and job.form == "text"
        if not (asks or job.yes):
            raise not_here(found)
        from r1chat.cli.pull import fitted, offer

        (found,) = fitted([found])
        if not offer(found, screen, yes=job.yes):
            raise not_here(found)
        found = find(job.model, paths.find())
        if isinstance(found, Wish):
            raise not_here(found)
    return found


def _opening(launched: Launched, *, is_heard: bool = True) -> tuple[Notice, ...]:
    """What is to be said in the first turn about how it came to this model; what is said once waits to be heard."""
    notices = {"quantization": launched.target.notice}
    if is_heard:
        notices["idle-gpu"] = idle_notice(launched.devices, paths.find())
    return tuple(Notice(code, text) for code, text in notices.items() if text)


def _fail(sink: Sink, failure: Failure | None) -> None:
    """Let the forms that can say so hold the failure."""
    if failure and isinstance(sink, JsonSink | JsonLinesSink):
        sink.fail(failure)


def _told(failure: Failure | None) -> int:
    """Say on stderr what went wrong, unless the user did it, and give the exit code."""
    if failure and failure.code != ExitCode.INTERRUPTED:
        _tell(f"r1chat: {failure.message}", *([f"  {failure.hint}"] if failure.hint else []))
    return failure.code if failure else ExitCode.OK


def _ask(
    job: Job,
    launched: Launched,
    text: str,
    attached: Sequence[tuple[str, str]],
    sink: Sink,
    details: dict[str, Any],
    *,
    kept: bool,
) -> Exchange:
    """Run the one turn, with Ctrl-C in its hands. `kept`: it goes into a session."""
    family = launched.shape.family
    opening = _opening(launched, is_heard=not isinstance(sink, PlainSink) or sink.shows_notices)
    chat = Chat(
        launched.engine,
        family=family,
        options=job.options,
        system=job.settings["system"],
        opening=opening,
        sinks=(sink,),
        ahead=False,
    )
    if job.resumed:
        chat.restore(exchanges_of(job.resumed), job.resumed.session.leaf)
    keeper = keeping.keeping(chat, launched, job, _tell) if kept else nullcontext()
    with chat, Interrupts(chat), _drawn(sink), keeper:
        if job.raw:
            events = chat.ask_raw(text)
        else:
            events = chat.ask(f"{text}\n{directive(text)}" if job.settings["math"] else text, files=attached)
        details["sampling"] = asdict(replace(job.options.sampling, seed=chat.seed))
        for _ in events:
            pass
        return chat.path[-1]


def _drawn(sink: Sink) -> AbstractContextManager[object]:
    """What must surround a turn for its sink's sake: on a terminal, Ctrl-Z and `fg` redraw."""
    return sink if isinstance(sink, TerminalSink) else nullcontext()


def _sink(job: Job, screen: Screen, details: dict[str, Any]) -> Sink:
    """Choose where the events of one shot go."""
    if job.form == "json":
        return JsonSink(sys.stdout, lambda: details)
    if job.form == "jsonl":
        return JsonLinesSink(sys.stdout)
    if screen.paints:
        live = Live(screen, thinking=job.thinking or Thinking.SHOW, formulas=job.settings["latex"])
        return TerminalSink(sys.stdout, screen, live)
    show = job.thinking is Thinking.SHOW
    return PlainSink(sys.stdout, sys.stderr, screen, thinking=show, verbose=job.verbose)


def _tell_verbose(launched: Launched, exchange: Exchange | None) -> None:
    """Tell on stderr what was planned, counted and logged."""
    lines = [f"plan: {', '.join(launched.plan.reasons)}", *memory_lines(launched.plan, launched.engine.log())]
    if exchange:
        usage, timings = exchange.finished.usage, exchange.finished.timings
        lines.append(
            f"prompt: {usage.prompt_tokens} tokens, {usage.cached_tokens} of them cached, {timings.prompt_s:.2f} s"
        )
        lines.append(f"answer: {progress.summary(exchange.finished)}")
    _tell(*lines, *(f"engine: {line}" for line in launched.engine.log()))


def memory_lines(plan: Plan, log: Sequence[str]) -> list[str]:
    """Put what was planned on each device beside what the engine's log says it took."""
    uses, taken = plan.uses, read_buffers(log)
    gpus = [use.device for use in uses[:-1]]
    real = zip(*(by_device(buffers, gpus) for buffers in (taken.weights, taken.kv, taken.compute)), strict=True)
    lines = []
    for use, numbers in zip(uses, real, strict=True):
        planned = (use.weights_bytes, use.kv_bytes, use.compute_bytes)
        pairs = zip(("weights", "KV cache", "buffers"), planned, numbers, strict=True)
        told = [f"{what} {size_text(a)} planned, {size_text(b)} taken" for what, a, b in pairs]
        if use is uses[-1] and taken.mapped_bytes:
            told[0] += f" ({size_text(taken.mapped_bytes)} as the mapped file)"
        name = use.description if use.device == HOST else f"{use.device} ({use.description})"
        lines.append(f"{name}: {'; '.join(told)}")
    return lines


def _tell(*lines: str) -> None:
    typer.echo(clean("\n".join(lines)), err=True)


def _converse(job: Job, screen: Screen) -> int:
    """Open the REPL."""
    target = _at_hand(job, screen, asks=False)
    job = job.of(target)
    launched = launch(target, uses.wishes(job.settings), paths.find())
    from r1chat.repl.loop import (
        Repl,
        greeting,
    )  # after the launch: it takes the room that a large header has given back

    family, opening = launched.shape.family, _opening(launched)
    chat = Chat(launched.engine, family=family, options=job.options, system=job.settings["system"], opening=opening)
    with chat:
        repl = Repl(chat, launched, screen, job.settings, job.model, paths.find(), resumed=job.resumed)
        repl.run(*greeting(launched, named=job.named))
    return ExitCode.OK
