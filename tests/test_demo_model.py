"""The bundled demo model does what its card says, on a small fixed sample of the score that the card reports."""

import random
import re
from collections.abc import Iterator

import demo_data as data
import demo_score
import demo_talk as talks
import demo_words
import pytest

import r1chat
from r1chat.models.gguf import read_header
from r1chat.models.library import demo_path

N_QUESTIONS = 10 * len(demo_score.KINDS)


@pytest.fixture
def chat(checked: object) -> Iterator["r1chat.Chat"]:
    """The demo model, greedy."""
    with demo_score.open_model(demo_path(), temperature=0.0) as chat:
        yield chat


def test_held_out_questions_are_answered(chat: "r1chat.Chat") -> None:
    """Of sixty held-out questions, ten of each kind, at most two are wrong, and every answer ends by itself."""
    outcomes = [(question, demo_score.ask(chat, question)) for question in demo_score.questions(N_QUESTIONS)]
    assert [] == [question for question, outcome in outcomes if not (outcome.closed and outcome.ended)]
    wrong = [(question.task.question, outcome.answer) for question, outcome in outcomes if not outcome.right]
    assert len(wrong) <= 2, wrong


def test_other_prompts_are_answered_in_character(chat: "r1chat.Chat") -> None:
    """Of every fourth held-out greeting or prompt beyond the model, at most two answers are out of character."""
    prompts = [prompt for prompt, _ in talks.HELD_OUT[::4]]
    outcomes = [(prompt, demo_score.say(chat, prompt)) for prompt in prompts]
    assert [] == [prompt for prompt, outcome in outcomes if not (outcome.closed and outcome.ended)]
    wrong = [(prompt, outcome.answer) for prompt, outcome in outcomes if not outcome.right]
    assert len(wrong) <= 2, wrong


def test_the_question_of_everybody(chat: "r1chat.Chat") -> None:
    """The README's question, and the one that everybody asks."""
    assert r"\boxed{42}" in chat.reply("What is 17 + 25?").answer
    assert r"\boxed{3}" in chat.reply("How many r's are in strawberry?").answer


def test_nothing_held_out_is_trained() -> None:
    """In 24,000 training tasks there is no sum of a held-out pair, no held-out word and no held-out prompt."""
    rng = random.Random(1)
    tasks = [data.task(rng) for _ in range(20_000)]
    tasks += [example.task for example in data.chunk(1, 0, 4_000, ["Hello", "never", "think"])]
    prompts = {data.bare(prompt) for prompt, _ in talks.HELD_OUT}
    assert set() == prompts & {data.bare(task.question) for task in tasks if task.kind in ("talk", "beyond")}
    pairs = [
        re.findall(r"\d+", task.question) for task in tasks if task.kind in ("add", "subtract", "multiply", "compare")
    ]
    assert [] == [pair for pair in pairs if data.held_out(*map(int, pair))]
    words = [task.thinking.split()[1] for task in tasks if task.kind == "count"]
    assert [] == [word for word in words if demo_words.held_out(word)]
    assert len(pairs) > 10_000
    assert len(words) > 2_000


def test_the_file_says_what_it_is() -> None:
    """The file is small, and its metadata call it a toy and name its licence."""
    assert demo_path().stat().st_size <= 6_000_000
    header = read_header(demo_path())
    assert "r1chat demo" == header.text("general.name")
    assert "MIT" == header.text("general.license")
    assert "toy" in header.text("general.description")
