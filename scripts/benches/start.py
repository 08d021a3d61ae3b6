"""Whole-process times: one shot against llama-completion, the help, and the REPL's prompt."""

from argparse import Namespace

from benches import engine, program
from benches.report import Samples, compared, table
from r1chat.core.memory import Plan, Wishes

N_TOKENS = 32

N_CTX = 8192  # the same for both programs, whatever the plan would choose


def run(options: Namespace) -> None:
    """Measure and print."""
    repack = engine.verdict().extra_buffers
    with engine.launched(str(options.model), Wishes(n_ctx=N_CTX, n_threads=options.threads)) as found:
        plan = found.plan
    ours = one_shot(options, plan)
    theirs = completion(options, plan, repack=repack)
    commands = {"ours": ours, "theirs": theirs, "theirs cold": [*theirs, "--no-warmup"]}
    compared(*commands.values())
    for command in commands.values():
        program.seconds(command)  # not counted: reads the files into the page cache
    times: dict[str, list[float]] = {name: [] for name in commands}
    helps, prompts, demo_prompts = [], [], []
    for _ in range(options.rounds):
        for name, command in commands.items():
            times[name].append(program.seconds(command))
        helps.append(program.seconds([*program.r1chat(), "--help"]))
        prompts.append(program.seconds_to_prompt(str(options.model)))
        demo_prompts.append(program.seconds_to_prompt("demo"))
    show({name: Samples(tuple(values)) for name, values in times.items()})
    rows = [
        ("r1chat --help", Samples(tuple(helps)).show(3), "≤ 0.3"),
        (f"REPL's prompt, {options.model.name}", Samples(tuple(prompts)).show(3), "≤ 0.5"),
        ("REPL's prompt, demo", Samples(tuple(demo_prompts)).show(3), "≤ 0.5"),
    ]
    table("Start, seconds: median (range)", ("", "seconds", "target"), rows)


def show(times: dict[str, Samples]) -> None:
    """Print the table of ratios."""
    ours = times["ours"]
    rows = [
        (what, ours.show(3), theirs.show(3), f"{ours.median / theirs.median:.3f}", target)
        for what, theirs, target in (
            ("llama-completion as it is", times["theirs"], "≤ 1.25"),
            ("llama-completion --no-warmup", times["theirs cold"], ""),
        )
    ]
    table("One shot, wall-clock seconds: median (range)", ("against", "r1chat", "theirs", "ratio", "target"), rows)


def one_shot(options: Namespace, plan: Plan) -> list[str]:
    """Build our command."""
    return [
        *(*program.r1chat(), "run", str(options.model), "Hi", "--max-tokens", str(N_TOKENS), "--temp", "0"),
        *("--ctx", str(plan.n_ctx), "--threads", str(plan.n_threads)),
    ]


def completion(options: Namespace, plan: Plan, *, repack: bool) -> list[str]:
    """Build llama-completion's command with the same threads, context and batches, and plain text as we give it."""
    return [
        *(str(options.llama_bin / "llama-completion"), "-m", str(options.model), "-p", "Hi", "-n", str(N_TOKENS)),
        *("--temp", "0", "-no-cnv", "-c", str(plan.n_ctx), "-t", str(plan.n_threads)),
        *("-b", str(plan.n_batch), "-ub", str(plan.n_ubatch), "-fa", plan.flash_attention),
        *([] if repack else ["--no-repack"]),
    ]
