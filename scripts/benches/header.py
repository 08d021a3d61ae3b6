"""How long reading and judging a model's header takes, before anything native starts."""

from argparse import Namespace
from pathlib import Path
from time import perf_counter

from benches.report import Samples, table
from r1chat import paths
from r1chat.launch import at_hand
from r1chat.models.gguf import read_header
from r1chat.models.judge import judge


def run(options: Namespace) -> None:
    """Measure and print."""
    path = at_hand(options.model, paths.find()).path
    header = read_header(path)
    n_tokens = len(header.strings("tokenizer.ggml.tokens") or ())
    read = Samples(tuple(seconds_to_read(path) for _ in range(options.rounds)))
    judged = Samples(tuple(seconds_to_judge(path) for _ in range(options.rounds)))
    rows = [("read_header", read.show(1, 1e3), "≤ 100"), ("judge", judged.show(1, 1e3), "")]
    table(f"Header of {path.name}, {n_tokens:,} tokens, in milliseconds", ("", "median (range)", "target"), rows)


def seconds_to_read(path: Path) -> float:
    """Read the header once."""
    begun = perf_counter()
    read_header(path)
    return perf_counter() - begun


def seconds_to_judge(path: Path) -> float:
    """Judge a header that was just read, so that nothing of it is remembered."""
    header = read_header(path)
    begun = perf_counter()
    judge(header)
    return perf_counter() - begun
