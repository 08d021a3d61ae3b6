"""Generation and prompt speed through r1chat's engine against llama-bench of the same version, interleaved.

llama-bench decodes random tokens and samples nothing. Ours does all that a turn does: the closing tag is kept ready,
every token is sampled, spelled, split into thinking and answer, and sent to the parent process.
"""

import json
import subprocess
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benches import engine
from benches.report import Samples, compared, table
from r1chat.core.events import Reason
from r1chat.core.memory import Plan, Wishes
from r1chat.core.sampling import Sampling
from r1chat.launch import Launched

N_GENERATED = 128  # llama-bench's own default
N_PROMPT = 512  # the same; it is also one batch
REPETITIONS = 2  # of each measurement, per round and side
ATTEMPTS = 20  # seeds to try when random weights draw the end of the text early
SAMPLINGS = {"greedy": Sampling(temperature=0.0, seed=1), "default": Sampling(seed=1)}


@dataclass(slots=True)
class Rates:
    """Tokens per second, one value per round."""

    generation: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in SAMPLINGS})
    prompt: list[float] = field(default_factory=list)
    theirs_generation: list[float] = field(default_factory=list)
    theirs_prompt: list[float] = field(default_factory=list)
    n_repeated: int = 0


def run(options: Namespace) -> None:
    """Measure and print."""
    rates = Rates()
    repack = engine.verdict().extra_buffers
    with engine.launched(str(options.model), Wishes(n_threads=options.threads)) as found:
        command = llama_bench(options.llama_bin, options.model, found.plan, repack=repack)
        generation(found, SAMPLINGS["greedy"], 0, rates)  # not counted: pages the weights in
        prompt(found, 0)
        for number in range(1, options.rounds + 1):
            if number % 2:
                build = measure_theirs(command, rates)
            measure_ours(found, number, rates)
            if not number % 2:  # each side goes first in turn
                build = measure_theirs(command, rates)
        assert found.engine.info is not None
        print(f"r1chat: {found.engine.info.description}, {found.engine.info.library}, {found.plan}")
    print(f"llama-bench: {build['model_type']}, build {build['build_commit']}, on {build['cpu_info']}")
    allowed = "allowed" if repack else "off"
    print(f"self-check: repacked weights {allowed}; rounds: {options.rounds} of {REPETITIONS}, interleaved")
    print(f"answers that ended before {N_GENERATED} tokens and were repeated with another seed: {rates.n_repeated}")
    compared(command)
    show(rates)


def show(rates: Rates) -> None:
    """Print the table of ratios. That of the best rounds is the one which a passing load disturbs least."""
    theirs_generation, theirs_prompt = Samples(tuple(rates.theirs_generation)), Samples(tuple(rates.theirs_prompt))
    greedy, default = (Samples(tuple(values)) for values in rates.generation.values())
    lines = [
        (f"generation, {N_GENERATED} tokens, temperature 0", greedy, theirs_generation, "≥ 0.97"),
        (f"generation, {N_GENERATED} tokens, R1's sampling", default, theirs_generation, ""),
        (f"prompt, {N_PROMPT} tokens", Samples(tuple(rates.prompt)), theirs_prompt, "≥ 0.95"),
    ]
    rows = [
        (
            what,
            ours.show(2),
            theirs.show(2),
            f"{ours.median / theirs.median:.3f}",
            f"{ours.most / theirs.most:.3f}",
            target,
        )
        for what, ours, theirs, target in lines
    ]
    headings = ("", "r1chat", "llama-bench", "ratio", "of the best", "target")
    table("Speed, tokens per second: median (range)", headings, rows)


def llama_bench(folder: Path, model: Path, plan: Plan, *, repack: bool) -> list[str]:
    """Build the command that does what the plan does."""
    return [
        *(str(folder / "llama-bench"), "-m", str(model), "-p", str(N_PROMPT), "-n", str(N_GENERATED)),
        *("-r", str(REPETITIONS)),
        *("-t", str(plan.n_threads), "-b", str(plan.n_batch), "-ub", str(plan.n_ubatch)),
        *(
            "-ngl",
            str(plan.n_gpu_layers),
            "-ctk",
            plan.type_k,
            "-ctv",
            plan.type_v,
            "-fa",
            plan.flash_attention,
            "--repack",
            str(int(repack)),
        ),
        *("-o", "json"),
    ]


def measure_theirs(command: list[str], rates: Rates) -> dict[str, Any]:
    """Run llama-bench once; give what it says about itself."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    results: list[dict[str, Any]] = json.loads(done.stdout)
    for result in results:
        (rates.theirs_generation if result["n_gen"] else rates.theirs_prompt).extend(result["samples_ts"])
    return results[0]


def measure_ours(found: Launched, number: int, rates: Rates) -> None:
    """Do the same through our engine."""
    for n in range(REPETITIONS):
        for name, sampling in SAMPLINGS.items():
            rates.generation[name].append(generation(found, sampling, REPETITIONS * number + n, rates))
        rates.prompt.append(prompt(found, REPETITIONS * number + n))


def generation(found: Launched, sampling: Sampling, number: int, rates: Rates) -> float:
    """Generate behind a prompt of a few tokens, as near to an empty cache as llama-bench is."""
    for attempt in range(ATTEMPTS):
        text = f"{number} {attempt}"
        drawn = Sampling(sampling.temperature, sampling.top_p, seed=1000 * number + attempt)
        end = engine.finish(found, engine.question(text, max_tokens=N_GENERATED, sampling=drawn))
        if end.reason is Reason.LENGTH:
            return end.timings.tokens_per_second
        rates.n_repeated += 1
    raise RuntimeError(f"{ATTEMPTS} answers in a row ended before {N_GENERATED} tokens.")


def prompt(found: Launched, number: int) -> float:
    """Compute a prompt of which nothing but the first markers is in the cache.

    It ends where llama-bench's does, so that the attention spans as much; the rate counts what was computed.
    """
    text = engine.text_of(found, N_PROMPT, seed=number)
    end = engine.finish(found, engine.question(text, max_tokens=1))
    return (end.usage.prompt_tokens - end.usage.cached_tokens) / end.timings.prompt_s
