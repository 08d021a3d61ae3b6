"""The demo model's figures, measured through r1chat's public API. Knows nothing about training."""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import demo_data as data
import demo_talk as talks
import demo_words as words

import r1chat
from r1chat.core.answers import equal, final_answer
from r1chat.models.gguf import read_header

SEED = 20250528  # of the questions and of the sampler; the training text has another
N_CTX = 2048  # what the model's header allows
MAX_TOKENS = 600  # four times the longest thinking taught, so that a text that goes round in circles ends
LATER_TURNS = "later turns"
KINDS = (*data.SCORED_KINDS, LATER_TURNS)


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out question of a kind, after the questions of `earlier` turns, which the model answers as it can."""

    kind: str
    task: data.Task
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question. `closed`: the thinking ended and an answer began; `ended`: the model ended it itself."""

    right: bool
    closed: bool
    ended: bool
    n_tokens: int
    answer: str


@dataclass(slots=True)
class Count:
    """What came of the questions of one kind."""

    asked: int = 0
    right: int = 0
    closed: int = 0
    ended: int = 0
    longest: int = 0  # tokens of the longest thinking and answer

    def add(self, outcome: Outcome) -> None:
        """Count one more."""
        self.asked += 1
        self.right += outcome.right
        self.closed += outcome.closed
        self.ended += outcome.ended
        self.longest = max(self.longest, outcome.n_tokens)


def questions(n: int) -> Iterator[Question]:
    """Draw `n` held-out questions, the kinds in turn and none twice; fewer are the first ones of more."""
    rng = random.Random(SEED)
    seen: set[str] = set()
    for number in range(n):
        kind = KINDS[number % len(KINDS)]
        earlier: tuple[str, ...] = ()
        of = kind
        if kind == LATER_TURNS:
            of = data.SCORED_KINDS[number // len(KINDS) % len(data.SCORED_KINDS)]
            earlier = tuple(data.task(rng).question for _ in range(rng.choice((1, 2))))
        task = data.task(rng, data.Part.HELD_OUT, of)
        while task.question in seen:
            task = data.task(rng, data.Part.HELD_OUT, of)
        seen.add(task.question)
        yield Question(kind, task, earlier)


def ask(chat: r1chat.Chat, question: Question) -> Outcome:
    """Ask a question in a conversation of its own, and judge the answer by its result."""
    chat.reset()
    for text in question.earlier:
        chat.reply(text)
    reply = chat.reply(question.task.question)
    assert question.task.result is not None
    found = final_answer(reply.answer)
    return _outcome(reply, right=found is not None and equal(found, question.task.result))


def say(chat: r1chat.Chat, prompt: str) -> Outcome:
    """Say one of the held-out prompts, and judge whether the answer is in character."""
    chat.reset()
    reply = chat.reply(prompt)
    return _outcome(reply, right=data.in_character(prompt, reply.answer))


def spell(model: Path) -> None:
    """Ask for the letters of every token that is a word or a part of one, and print those that are spelt wrongly.

    A token is known by its spelling if the thinking lists its letters, whatever the answer then counts.
    """
    tokens = read_header(model).strings("tokenizer.ggml.tokens") or ()
    parts = words.pieces(tokens)
    wrong = []
    with open_model(model, temperature=0.0) as chat:
        for part in parts:
            chat.reset()
            thinking = chat.reply(f"How many {part[0].lower()}'s are in {part}?").reasoning
            spelt = "".join(re.findall(r"(\w) \d", thinking.partition(":")[2]))
            if spelt != part.lower():
                wrong.append(f"{part}: {spelt}")
    print(f"{len(parts) - len(wrong)} of {len(parts)} tokens of letters spelt; wrong: {', '.join(wrong) or 'none'}")


def open_model(model: Path, temperature: float) -> r1chat.Chat:
    """Open the model as the figures want it."""
    return r1chat.open(str(model), temperature=temperature, seed=SEED, n_ctx=N_CTX, max_tokens=MAX_TOKENS)


def score(model: Path, n_questions: int, temperature: float) -> None:
    """Ask held-out questions and prompts, print the wrong answers as they come, and then a table by kind."""
    counts = {kind: Count() for kind in (*KINDS, "all kinds", "talk", "beyond")}
    with open_model(model, temperature) as chat:
        for question in questions(n_questions):
            outcome = ask(chat, question)
            _report(question.kind, (*question.earlier, question.task.question), outcome)
            counts[question.kind].add(outcome)
            counts["all kinds"].add(outcome)
        for prompt, topics in talks.HELD_OUT:
            outcome = say(chat, prompt)
            kind = "beyond" if topics[0] == "beyond" else "talk"
            _report(kind, (prompt,), outcome)
            counts[kind].add(outcome)
    _print_table(counts)


def _outcome(reply: r1chat.Reply, *, right: bool) -> Outcome:
    n_tokens = reply.usage.reasoning_tokens + reply.usage.answer_tokens
    return Outcome(right, reply.usage.answer_tokens > 0, reply.finish_reason == "stop", n_tokens, reply.answer)


def _report(kind: str, asked: Sequence[str], outcome: Outcome) -> None:
    if not (outcome.right and outcome.closed and outcome.ended):
        print(f"{kind}: {' / '.join(map(repr, asked))} -> {outcome.answer!r}", flush=True)


def _print_table(counts: dict[str, Count]) -> None:
    print(f"{'kind':14}{'asked':>8}{'right':>8}{'':>9}{'closed':>8}{'ended':>8}{'longest':>9}")
    for name, count in counts.items():
        share = f"{count.right / count.asked:.1%}" if count.asked else ""
        print(f"{name:14}{count.asked:8}{count.right:8}{share:>9}{count.closed:8}{count.ended:8}{count.longest:9}")
