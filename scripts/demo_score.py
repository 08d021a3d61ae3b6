"""The demo model's figures, measured through r1chat's public API. Knows nothing about training."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import demo_data as data

import r1chat
from r1chat.core.answers import equal, final_answer

SEED = 20250528  # of the questions and of the sampler; the training text has another
N_CTX = 2048
MAX_TOKENS = 400  # four times the longest thinking taught, so that a text that goes round in circles ends


@dataclass(slots=True)
class Count:
    """What came of the questions of one kind."""

    asked: int = 0
    right: int = 0
    closed: int = 0  # the thinking was closed and an answer begun
    ended: int = 0  # the model ended its answer by itself

    def __add__(self, other: "Count") -> "Count":
        return Count(
            self.asked + other.asked, self.right + other.right, self.closed + other.closed, self.ended + other.ended
        )


def score(model: Path, n_questions: int, temperature: float) -> None:
    """Ask held-out questions, print the wrong answers as they come, and then a table by kind.

    Every fifth question is the second turn of a chat. Small talk and texts beyond the model have no held-out part and
    count as right when the answer is the taught one, to the letter; they are asked beside the `n_questions`.
    """
    counts = {kind: Count() for kind in data.KINDS}
    follow_ups = Count()
    with r1chat.open(str(model), temperature=temperature, seed=SEED, n_ctx=N_CTX, max_tokens=MAX_TOKENS) as chat:
        for number, task in enumerate(_tasks(n_questions)):
            chat.reset()
            is_follow_up = number % 5 == 4
            if is_follow_up:
                chat.reply(data.task(random.Random(f"{SEED}/{number}/first"), data.Part.HELD_OUT, "add").question)
            count = _judge(task, chat.reply(task.question))
            counts[task.kind] += count
            if is_follow_up:
                follow_ups += count
    _print_table(counts, follow_ups)


def _tasks(n_questions: int) -> Iterator[data.Task]:
    """The scored kinds in turn, each question a held-out one, and then a few of the others."""
    rng = random.Random(SEED)
    for number in range(n_questions):
        yield data.task(rng, data.Part.HELD_OUT, data.SCORED_KINDS[number % len(data.SCORED_KINDS)])
    for kind in data.KINDS:
        if kind not in data.SCORED_KINDS:
            for _ in range(n_questions // 10):
                yield data.task(rng, data.Part.TRAIN, kind)


def _judge(task: data.Task, reply: r1chat.Reply) -> Count:
    if task.result is None:
        right = reply.answer == task.answer
    else:
        found = final_answer(reply.answer)
        right = found is not None and equal(found, task.result)
    if not right:
        print(f"{task.kind}: {task.question!r} -> {reply.answer!r} after {reply.reasoning!r}", flush=True)
    return Count(1, int(right), int(reply.usage.answer_tokens > 0), int(reply.finish_reason == "stop"))


def _print_table(counts: dict[str, Count], follow_ups: Count) -> None:
    rows = {
        **counts,
        "all sums": sum((counts[kind] for kind in data.SCORED_KINDS), Count()),
        "second turns": follow_ups,
    }
    print(f"{'kind':14}{'asked':>8}{'right':>8}{'':>9}{'closed':>8}{'ended':>8}")
    for name, count in rows.items():
        share = f"{count.right / count.asked:.1%}" if count.asked else ""
        print(f"{name:14}{count.asked:8}{count.right:8}{share:>9}{count.closed:8}{count.ended:8}")
