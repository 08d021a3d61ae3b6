"""Generation and prompt speed through r1chat's engine against llama-bench of the same version, in pairs.

llama-bench decodes random tokens and samples nothing. Ours does all that a turn does: every token is sampled, spelled,
split into thinking and answer, and sent to the parent process. What is compared runs back to back, each side first in
turn, and the ratio is the median of the pairs' ratios: so a machine whose speed drifts does less harm.
"""

import json
import subprocess
from argparse import Namespace
from collections.abc import Callable
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
ATTEMPTS = 20  # seeds to try when random weights draw the end of the text early


@dataclass(slots=True)
class Pairs:
    """One thing measured on both sides, in tokens per second, pair by pair."""

    what: str
    target: str
    ours: Callable[[int], float]
    theirs: list[str]
    rates: list[tuple[float, float]] = field(default_factory=list)

    def measure(self, number: int) -> dict[str, Any]:
        """Add a pair; give what llama-bench says about itself."""
        if number % 2:
            result = run_llama_bench(self.theirs)
            ours = self.ours(number)
        else:
            ours = self.ours(number)
            result = run_llama_bench(self.theirs)
        self.rates.append((ours, result["avg_ts"]))
        return result

    def row(self) -> tuple[str, ...]:
        """Write the row of the table."""
        ours, theirs = (Samples(side) for side in zip(*self.rates, strict=True))
        ratio = Samples(tuple(mine / other for mine, other in self.rates))
        return self.what, ours.show(2), theirs.show(2), ratio.show(3), self.target


def run(options: Namespace) -> None:
    """Measure and print."""
    repack = engine.verdict().extra_buffers
    with engine.launched(str(options.model), Wishes(n_threads=options.threads)) as found:
        command = llama_bench(options.llama_bin, options.model, found.plan, repack=repack)
        generate = [*command, "-p", "0", "-n", str(N_GENERATED)]
        read = [*command, "-p", str(N_PROMPT), "-n", "0"]
        greedy, default = Sampling(temperature=0.0), Sampling()
        measures = [
            Pairs("generation, temperature 0", "≥ 0.97", lambda n: generation(found, greedy, n), generate),
            Pairs("generation, R1's sampling", "", lambda n: generation(found, default, n), generate),
            Pairs("prompt", "≥ 0.95", lambda n: prompt(found, n), read),
        ]
        for measure in measures:
            measure.ours(0)  # not counted: brings the weights in
        for number in range(1, options.rounds + 1):
            for measure in measures:
                build = measure.measure(number)
        assert found.engine.info is not None
        print(f"r1chat: {found.engine.info.description}, {found.engine.info.library}, {found.plan}")
    print(f"llama-bench: {build['model_type']}, build {build['build_commit']}, on {build['cpu_info']}")
    print(f"self-check: repacked weights {'allowed' if repack else 'off'}")
    compared(generate, read)
    title = (
        f"Speed over {options.rounds} pairs, {N_GENERATED} tokens generated and {N_PROMPT} read, in tokens per second"
    )
    headings = ("median (range)", "r1chat", "llama-bench", "ratio", "target")
    table(title, headings, [measure.row() for measure in measures])


def llama_bench(folder: Path, model: Path, plan: Plan, *, repack: bool) -> list[str]:
    """Build the command that does what the plan does."""
    values = {
        "-m": model,
        "-t": plan.n_threads,
        "-b": plan.n_batch,
        "-ub": plan.n_ubatch,
        "-ngl": plan.n_gpu_layers,
        "-ctk": plan.type_k,
        "-ctv": plan.type_v,
        "-fa": plan.flash_attention,
        "--repack": int(repack),
        "-r": 1,
        "-o": "json",
    }
    return [str(folder / "llama-bench"), *(str(word) for pair in values.items() for word in pair)]


def run_llama_bench(command: list[str]) -> dict[str, Any]:
    """Run llama-bench once; give its one result."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    (result,) = json.loads(done.stdout)
    return dict(result)


def generation(found: Launched, sampling: Sampling, number: int) -> float:
    """Generate behind a prompt of a few tokens, as near to an empty cache as llama-bench is.

    An answer that ended early is made again with another seed and said so. Raises RuntimeError when all of them do.
    """
    for attempt in range(ATTEMPTS):
        drawn = Sampling(sampling.temperature, sampling.top_p, seed=1000 * number + attempt)
        request = engine.question(f"{number} {attempt}", max_tokens=N_GENERATED, sampling=drawn)
        end = engine.finish(found, request)
        if end.reason is Reason.LENGTH:
            return end.timings.tokens_per_second
        print(f"An answer ended before {N_GENERATED} tokens and was made again.", flush=True)
    raise RuntimeError(f"{ATTEMPTS} answers in a row ended before {N_GENERATED} tokens.")


def prompt(found: Launched, number: int) -> float:
    """Compute a prompt of which nothing but the first markers is in the cache.

    It ends where llama-bench's does, so that the attention spans as much; the rate counts what was computed.
    """
    text = engine.text_of(found, N_PROMPT, seed=number)
    end = engine.finish(found, engine.question(text, max_tokens=1))
    return (end.usage.prompt_tokens - end.usage.cached_tokens) / end.timings.prompt_s
