"""What another thread brings: generation speed by number of threads. The source of core/memory.py's ONE_CORE_BYTES."""

from argparse import Namespace

from benches import engine
from benches.report import Samples, table
from r1chat.core.memory import Wishes
from r1chat.engine import devices
from r1chat.launch import Launched

N_TOKENS = 200


def run(options: Namespace) -> None:
    """Measure every number of threads from 1 to that of the physical cores, and print."""
    rows = []
    for n_threads in range(1, max(2, devices.usable_cores()) + 1):
        with engine.launched(options.model, Wishes(n_threads=n_threads)) as found:
            rates = Samples(tuple(rate(found, number) for number in range(options.rounds)))
            rows.append((str(n_threads), f"{found.shape.weights_bytes / 2**20:,.1f}", rates.show(1)))
    table(f"Threads, {options.model}: tokens per second", ("threads", "weights, MiB", "generation"), rows)


def rate(found: Launched, number: int) -> float:
    """Generate once. An answer that ends by itself counts with the tokens it has."""
    return engine.finish(found, engine.question(f"{number} + 17 = ?", max_tokens=N_TOKENS)).timings.tokens_per_second
