#!/usr/bin/env python3
"""Make the bundled demo model from nothing: train it, export it as a GGUF file, score it through r1chat.

    scripts/train_demo.py                     train (or go on training) and export
    scripts/train_demo.py --export            export the newest checkpoint as it is
    scripts/train_demo.py --score             ask the exported file 1,000 held-out questions, and print the table
    scripts/train_demo.py --spelling          ask it to spell each of its tokens

Needs the extra: pip install '.[train]'. Training takes about an hour on two CPU cores. It may be killed at any
moment: the same command goes on from the last checkpoint.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import demo_data as data
import demo_words as words

from r1chat.core.prompt import EOS, THINK_CLOSE, Special, render

ROOT = Path(__file__).resolve().parent.parent
SEED = 20250120  # the day DeepSeek-R1 appeared
# Three rounds of steps, each with its share of the peak rate: everything; then guesses too (see `encode`); then the
# spelling of every token of letters, many of which are too rare in questions to be learnt in the first round.
ROUNDS = ((5600, 1.0), (400, 0.2), (1200, 0.3))
GUESS_STEP, SPELLING_STEP, N_STEPS = 5600, 6000, 7200  # where they begin and end
N_BATCH_TOKENS = 1536
N_BATCHES = 3  # per step; of different lengths, because one length is mostly one kind, and that makes for rough steps
N_VOCAB = 768
CHUNK_EXAMPLES = 4096  # drawn, sorted by length and cut into batches at a time
CHECKPOINT_SECONDS = 180
REPORT_STEPS = 25
CHECK_STEPS = 500


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and do what it asks. Return the exit code."""
    parser = argparse.ArgumentParser(description="Train, export and score r1chat's demo model.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "r1chat" / "data" / "demo.gguf", help="the GGUF file to write"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "training", help="the folder of the checkpoints")
    parser.add_argument("--steps", type=int, default=N_STEPS, help=f"stop after so many of the {N_STEPS} steps")
    parser.add_argument("--export", action="store_true", help="only export the newest checkpoint")
    parser.add_argument(
        "--score", type=int, nargs="?", const=1000, metavar="N", help="only score the exported file on N questions"
    )
    parser.add_argument("--spelling", action="store_true", help="only ask the exported file to spell its own tokens")
    parser.add_argument("--temp", type=float, default=0.0, help="temperature for --score (default 0: greedy)")
    arguments = parser.parse_args(argv)
    if arguments.score is not None:
        from demo_score import score

        score(arguments.out, arguments.score, arguments.temp)
        return 0
    if arguments.spelling:
        from demo_score import spell

        spell(arguments.out)
        return 0
    if not arguments.export:
        train(arguments.work, arguments.steps)
    export(arguments.work, arguments.out)
    return 0


def train(work: Path, n_steps: int) -> None:
    """Train from the newest checkpoint, or from nothing, up to `n_steps`."""
    import torch
    from demo_model import IGNORE, PEAK_ADAM, PEAK_MUON, Network, Shape, learning_rate, loss_of, optimisers

    torch.manual_seed(SEED)
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(work)
    network = Network(Shape(tokenizer.get_vocab_size()))
    muon, adam = optimisers(network)
    step, spent = 0, 0.0
    saved = _load(work)
    if saved:
        network.load_state_dict(saved["network"])
        muon.load_state_dict(saved["muon"])
        adam.load_state_dict(saved["adam"])
        step, spent = saved["step"], saved["seconds"]
        print(f"going on from step {step}", flush=True)
    else:
        print(
            f"{sum(w.numel() for w in network.parameters()):,} parameters, {tokenizer.get_vocab_size()} tokens",
            flush=True,
        )

    started = last_saved = last_report = time.monotonic()
    n_tokens = 0
    for batches in _batches_from(tokenizer, step):
        if step >= n_steps:
            break
        share = learning_rate(step, ROUNDS)
        muon.param_groups[0]["lr"], adam.param_groups[0]["lr"] = PEAK_MUON * share, PEAK_ADAM * share
        n_learnt = sum(int((labels != IGNORE).sum()) for _, labels in batches)
        mean_loss = 0.0
        for ids, labels in batches:
            with fast_arithmetic():
                loss = loss_of(network, ids, labels) / n_learnt
            loss.backward()  # type: ignore[no-untyped-call]
            mean_loss += loss.item()
            n_tokens += ids.numel()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimiser in (muon, adam):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        step += 1
        now = time.monotonic()
        if step % REPORT_STEPS == 0:
            print(
                f"step {step:5d}/{n_steps}  loss {mean_loss:.4f}  {n_tokens / (now - last_report):6.0f} tokens/s"
                f"  {spent + now - started:6.0f} s",
                flush=True,
            )
            last_report, n_tokens = now, 0
        if step % CHECK_STEPS == 0:
            _check(network, tokenizer)
        if now - last_saved >= CHECKPOINT_SECONDS or step == n_steps:
            state = {"network": network.state_dict(), "muon": muon.state_dict(), "adam": adam.state_dict()}
            _save(work, {**state, "step": step, "seconds": spent + now - started})
            last_saved = now


def fast_arithmetic() -> AbstractContextManager[Any]:
    """bfloat16 for the matrix products where the processor has it, which is twice as fast; else plain float32."""
    import torch

    if torch.backends.cpu.get_cpu_capability().startswith("AVX512") and torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", torch.bfloat16)
    return nullcontext()


def encode(tokenizer: Any, example: data.Example, learn_guesses: bool = False) -> Any:
    """One example as ids. Learnt is what the model itself is to write: never the prompt, nor what r1chat puts in.

    Without all its steps a result is a guess, and its digits are noise to learn from. They are left out until the sums
    are known, and then learnt, so that an answer without thinking has the right form at least.
    """
    from demo_model import Tokens

    ids: list[int] = []
    learn: list[bool] = []

    def special(name: str, learnt: bool) -> None:
        ids.append(tokenizer.token_to_id(name))
        learn.append(learnt)

    def text(text: str, learnt: bool, share: float = 1.0, but: tuple[int, int] = (0, 0)) -> None:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        n = round(len(encoded.ids) * share)
        ids.extend(encoded.ids[:n])
        learn.extend(learnt and not but[0] <= begin < but[1] for begin, _ in encoded.offsets[:n])

    for segment in render(example.messages, think=example.mode is not data.Mode.SKIP):
        if isinstance(segment, Special):
            special(segment.name, learnt=False)
        else:
            text(segment.text, learnt=False)
    thinking, answer = example.task.thinking, example.task.answer
    if example.mode is data.Mode.THINK:
        text(thinking, learnt=True)
        special(THINK_CLOSE, learnt=True)
        text("\n\n", learnt=True)
        text(answer, learnt=True)
    else:
        if example.mode is data.Mode.CUT:  # the engine closes a thinking with these tokens
            text(thinking, learnt=True, share=example.cut)
            text("\n", learnt=False)
            special(THINK_CLOSE, learnt=False)
            text("\n\n", learnt=False)
        text(answer, learnt=True, but=(0, 0) if learn_guesses else data.box(answer))
    special(EOS, learnt=True)
    return Tokens(ids, learn)


def _batches_from(tokenizer: Any, step: int) -> Iterator[Sequence[tuple[Any, Any]]]:
    """The batches of each step, from a step on. They depend on the seed only: a resumed run sees what it would have.

    A round begins with the first chunk that begins at or after its step.
    """
    from demo_model import batches

    pieces = words.pieces(tokenizer.get_vocab())
    n_chunk, n_passed = 0, 0
    while True:
        chunk = data.chunk(SEED, n_chunk, CHUNK_EXAMPLES, pieces if n_passed >= SPELLING_STEP else ())
        examples = [encode(tokenizer, example, n_passed >= GUESS_STEP) for example in chunk]
        cut = list(batches(sorted(examples, key=lambda example: len(example.ids)), N_BATCH_TOKENS))
        random.Random(f"{SEED}/{n_chunk}/order").shuffle(cut)
        steps = [cut[at : at + N_BATCHES] for at in range(0, len(cut) - N_BATCHES + 1, N_BATCHES)]
        yield from steps[max(0, step - n_passed) :]
        n_passed += len(steps)
        n_chunk += 1


def _tokenizer(work: Path) -> Any:
    """The trained tokenizer, made on the first call and kept beside the checkpoints."""
    from demo_model import train_tokenizer
    from tokenizers import Tokenizer

    path = work / "tokenizer.json"
    if not path.exists():
        examples = data.chunk(SEED, -1, 20_000)
        parts = [(*(m.content for m in e.messages), "\n\n", "\n", e.task.thinking, e.task.answer) for e in examples]
        tokenizer = train_tokenizer((text for part in parts for text in part), N_VOCAB)
        tokenizer.save(str(path.with_suffix(".part")))
        path.with_suffix(".part").replace(path)
    return Tokenizer.from_file(str(path))


def _check(network: Any, tokenizer: Any) -> None:
    """Print how many held-out questions of each kind greedy decoding would answer word for word as taught."""
    import torch
    from demo_model import batches, exact

    report = []
    with torch.no_grad():
        for kind in data.SCORED_KINDS:
            rng = random.Random(f"check/{kind}")
            tasks = [data.task(rng, data.Part.HELD_OUT, kind) for _ in range(100)]
            examples = [data.Example(data.conversation(rng, task, i % 4 == 3), task) for i, task in enumerate(tasks)]
            right = sum(
                exact(network, *batch).sum().item()
                for batch in batches([encode(tokenizer, e) for e in examples], N_BATCH_TOKENS)
            )
            report.append(f"{kind} {right}")
    print("  word for word, of 100 held-out:", ", ".join(report), flush=True)


def _save(work: Path, state: dict[str, Any]) -> None:
    import torch

    part = work / "checkpoint.part"
    torch.save(state, part)
    part.replace(work / "checkpoint.pt")


def _load(work: Path) -> dict[str, Any] | None:
    import torch

    path = work / "checkpoint.pt"
    return torch.load(path, weights_only=True) if path.exists() else None


def export(work: Path, out: Path) -> None:
    """Write the newest checkpoint as a GGUF file."""
    from demo_export import write_gguf
    from demo_model import Network, Shape

    saved = _load(work)
    if saved is None:
        sys.exit(f"There is no checkpoint in {work}: train first.")
    tokenizer = _tokenizer(work)
    network = Network(Shape(tokenizer.get_vocab_size()))
    network.load_state_dict(saved["network"])
    write_gguf(network, tokenizer, out)
    print(f"wrote {out}: {out.stat().st_size:,} bytes, step {saved['step']}")


if __name__ == "__main__":
    raise SystemExit(main())
