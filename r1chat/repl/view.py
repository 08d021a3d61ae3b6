"""Slash commands about what is on the screen: help, the thinking's display, figures, a clean start, the way out."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from r1chat.chat import Exchange
from r1chat.core.memory import ALL_LAYERS, Plan
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import render
from r1chat.core.sanitize import clean
from r1chat.terminal import progress
from r1chat.terminal.live import Thinking, plain_rows
from r1chat.terminal.meters import ASCII, UNICODE, meter
from r1chat.terminal.tables import facts
from r1chat.terminal.wrap import fit

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl


BAR_CELLS, LEAST_CELLS = 40, 8
KEYS = (
    'Alt-Enter begins a new line, as Enter does in an open ``` block or after """. @PATH attaches a text file.',
    "Enter during an answer lets the message wait, Up takes it back. Ctrl-R searches the history, Tab completes, "
    "Ctrl-X Ctrl-E opens your editor.",
    "Shift-Tab shows or folds the thinking; after a turn it prints the last one. F2 has the model answer now.",
    "Ctrl-C stops an answer and keeps it, Ctrl-D leaves.",
)


def help_(repl: "Repl", argument: str) -> None:
    """List the commands."""
    usages = [(command.usage, command.help) for command in repl.commands.values()]
    repl.terminal.print("\n".join(facts(usages, columns_wide=repl.terminal.columns)))
    repl.say(*KEYS)


def exit_(repl: "Repl", argument: str) -> None:
    """Leave."""
    repl.terminal.exit()


def clear(repl: "Repl", argument: str) -> None:
    """Begin a new conversation."""
    repl.chat.reset()
    if repl.keeper:
        repl.keeper.restart()
    repl.say("A new conversation begins: the model remembers nothing of the one above.")


def think(repl: "Repl", argument: str) -> None:
    """Set what becomes of the thinking."""
    if argument:
        try:
            repl.change("thinking", Thinking(argument.lower()))
        except ValueError:
            repl.say(f"{clean(argument)} is none of show, fold and hide.")
            return
    repl.say(f"The thinking is set to {repl.live.thinking}.")


def think_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete the ways to show the thinking."""
    return (way.value for way in Thinking if way.value.startswith(word.lower()))


def recall(repl: "Repl") -> None:
    """Print the thinking of the last turn."""
    path = [exchange for exchange in repl.chat.path if exchange.answer.reasoning.strip()]
    if not path:
        repl.say("There is no thinking yet.")
        return
    repl.terminal.print("\n".join(repl.live.recalled(path[-1].answer.reasoning)))
    repl.say(_thought(path[-1]))


def thoughts(repl: "Repl", argument: str) -> None:
    """Page the thinking of one turn; without a number, of the last one that has any."""
    path = repl.chat.path
    thinking = [number for number, exchange in enumerate(path, 1) if exchange.answer.reasoning.strip()]
    if not thinking:
        repl.say("There is no thinking yet.")
        return
    number = int(argument) if argument.isdecimal() else thinking[-1]
    if (argument and not argument.isdecimal()) or number not in thinking:
        known = ", ".join(map(str, thinking))
        repl.say(f"There is no thinking of a turn {clean(argument)}; these turns have one: {known}.")
        return
    exchange = path[number - 1]
    question = fit(" ".join(clean(exchange.question.content).split()), 60)
    title = f"Turn {number}: {question} ({_thought(exchange)})"
    repl.terminal.page(title, plain_rows(exchange.answer.reasoning, repl.terminal.columns))


def plan_in_short(plan: Plan) -> str:
    """Say where the layers are and of which type the KV cache is, in a few words."""
    if plan.n_gpu_layers == 0:
        layers = "CPU"
    elif plan.n_gpu_layers == ALL_LAYERS:
        layers = "GPU"
    else:
        layers = f"{plan.n_gpu_layers} layers on the GPU"
    kv = plan.type_k if plan.type_k == plan.type_v else f"{plan.type_k}/{plan.type_v}"
    return f"{layers}, KV {kv}"


def context(repl: "Repl", argument: str) -> None:
    """Tell what of the context the system prompt, the turns and the last turn take, and what is free."""
    engine, plan, messages = repl.launched.engine, repl.launched.plan, repl.chat.messages
    if engine.info is None:
        repl.say("The model is still loading.")
        return
    ends = (n_system(messages), len(messages) - 2 * bool(repl.chat.path and repl.chat.path[-1].answered), len(messages))
    counts = [engine.count(render(messages[:end], family=repl.launched.shape.family, think=None)) for end in ends]
    begin, before, total = counts
    glyphs = UNICODE if repl.screen.unicode else ASCII
    told = f"{total:,} of {plan.n_ctx:,} tokens"
    cells = min(BAR_CELLS, max(LEAST_CELLS, repl.terminal.columns - len(told) - 4))
    bar = meter([begin, before - begin, total - before], plan.n_ctx, cells, glyphs)
    parts = (
        (glyphs[0], "system prompt" if ends[0] else "template", begin),
        (glyphs[1], f"earlier turns ({(ends[1] - ends[0]) // 2})", before - begin),
        (glyphs[2], "last turn", total - before),
        (glyphs[3], "free", max(0, plan.n_ctx - total)),
    )
    rows = [f"  {sign} {what:<20} {n_tokens:>9,}" for sign, what, n_tokens in parts]
    repl.terminal.print("\n".join([f"  {bar}  {told}", *rows]))
    repl.say(f"{plan.reserve:,} of the free ones are kept for the answer. Earlier thinking takes no room.")


def n_system(messages: Sequence[Message]) -> int:
    """How many messages stand before the conversation: the system prompt, or none."""
    return sum(message.role is Role.SYSTEM for message in messages[:1])


def _thought(exchange: Exchange) -> str:
    end = exchange.finished
    return progress.thought(end.usage.reasoning_tokens, end.timings.reasoning_s)


def stats(repl: "Repl", argument: str) -> None:
    """Tell the plan, the engine, and the counts and times of the last turn."""
    told = [("plan", ", ".join(repl.launched.plan.reasons))]
    if info := repl.launched.engine.info:
        told.append(("engine", f"{info.description}, {info.library}, loaded in {info.load_s:.1f} s"))
    if end := repl.chat.last:
        usage, timings = end.usage, end.timings
        prompt = f"{progress.tokens(usage.prompt_tokens)}, {usage.cached_tokens:,} of them cached"
        told.append(("prompt", f"{prompt}, {timings.prompt_s:.2f} s"))
        told.append(("thinking", f"{progress.tokens(usage.reasoning_tokens)}, {timings.reasoning_s:.1f} s"))
        told.append(("answer", f"{progress.tokens(usage.answer_tokens)}, {timings.answer_s:.1f} s"))
        told.append(("together", progress.summary(end)))
    rows = facts(told, columns_wide=repl.terminal.columns)
    repl.terminal.print(repl.screen.plain("\n".join([*rows, ""])))
