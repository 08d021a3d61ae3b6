"""What a plan takes: its time for a file on disk, without and with the engine's dry run, and the traffic of one afar.

Without --model, files of true shapes without weights stand for the smallest and the largest model.
"""

import os
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

from benches import program
from benches.report import Samples, table
from r1chat.core.memory import Plan, Wishes, plan
from r1chat.core.shape import Shape
from r1chat.engine import devices
from r1chat.engine.dryrun import DryRuns
from r1chat.launch import measured_plan
from r1chat.models.figures import FIGURES
from r1chat.models.judge import judge
from r1chat.models.shape import shape_of
from r1chat.models.shards import read_model
from tests.hub import Hub, OnDisk
from tests.shapes import write_shape

SHAPES = {"1.5B": ("deepseek-r1-distill-qwen-1.5b", 1), "70B": ("deepseek-r1-distill-llama-70b", 1)}
SHAPES |= {"R1 in 9 parts": ("deepseek-r1", 9)}
WISHES = Wishes(ram=1 << 42)  # memory for all of them


def run(options: Namespace) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="r1chat-bench-fit-") as folder:
        models = {options.model.name: [options.model]} if options.model else written(Path(folder))
        rows = []
        for title, paths in models.items():
            for how, make, target in WAYS:
                times = seconds(partial(make, paths[0]), options.rounds)
                rows.append((title, how, times.show(0, 1e3), target))
            whole = fitted(str(paths[0]), options.rounds)
            rows.append((title, "r1chat fit, the whole command", whole.show(0, 1e3), ""))
        table("A plan for a file on disk, in milliseconds", ("model", "", "median (range)", "target"), rows)
        afar(models)


def written(folder: Path) -> dict[str, list[Path]]:
    """Write files with holes in the place of the weights."""
    return {
        title: write_shape(folder / f"{id}-Q4_K_M.gguf", FIGURES[id], "Q4_K_M", n_parts)
        for title, (id, n_parts) in SHAPES.items()
    }


def known(path: Path) -> Shape:
    """Read and judge a file."""
    header = read_model(path).header
    judge(header)
    return shape_of(header)


def planned(path: Path) -> Plan:
    """Plan with the formula: from the file to the plan."""
    return plan(known(path), devices.survey(), WISHES)


def measured(path: Path) -> Plan:
    """Plan with a dry run that nobody has made before."""
    shape, machine = known(path), devices.survey()
    return measured_plan(lambda buffers: plan(shape, machine, WISHES, buffers), shape, machine, path, DryRuns(None))


WAYS = (("without the dry run", planned, "≤ 150"), ("with it, uncached", measured, "≤ 700"))


def seconds(action: Callable[[], object], rounds: int) -> Samples:
    """Time an action, after one that is not counted."""
    times = []
    for _ in range(rounds + 1):
        begun = perf_counter()
        action()
        times.append(perf_counter() - begun)
    return Samples(tuple(times[1:]))


def fitted(model: str, rounds: int) -> Samples:
    """Time the command, whose dry run is cached after the first time."""
    command = [*program.r1chat(), "fit", model, "--ram", "4T"]
    program.seconds(command)
    return Samples(tuple(program.seconds(command) for _ in range(rounds)))


def afar(models: dict[str, list[Path]]) -> None:
    """Let the command plan for models on a Hub on loopback, and count the bytes that it sends."""
    rows = []
    for title, paths in models.items():
        with Hub() as hub, tempfile.TemporaryDirectory() as home:
            parts = {f"model-Q4_K_M{path.stem[-15:] if len(paths) > 1 else ''}.gguf": OnDisk(path) for path in paths}
            hub.put("user/model-GGUF", parts)
            environ = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": home, "R1CHAT_HOME": home}
            environ["HF_HUB_OFFLINE"] = "0"
            command = [*program.r1chat(), "fit", "hf.co/user/model-GGUF:Q4_K_M", "--ram", "4T"]
            done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
            how = "measured" if "measured by" in done.stdout else "estimated"
            rows.append((title, how, f"{sum(seen.n_sent for seen in hub.seen) / 1e6:.1f}", "≤ 16"))
    table("A plan for a model on the Hub, in MB of traffic", ("model", "buffers", "MB", "target"), rows)
