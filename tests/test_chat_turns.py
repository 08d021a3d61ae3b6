"""Turns that are gone on with, tried again and taken back; what is computed ahead; a context that is full."""

import os
from collections.abc import Iterable

import pytest

from r1chat.chat import Chat, Options, Overflow
from r1chat.core.events import Answer, Event, Finished, Notice, Reasoning, Started
from r1chat.core.memory import Plan
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import USER, Special, Text
from r1chat.core.sampling import Sampling
from r1chat.engine.base import AnswerNow, Cancel, Spent, Steer, ThinkBudget
from r1chat.engine.scripted import ScriptedEngine
from r1chat.engine.selfcheck import SelfCheck
from r1chat.engine.worker import WorkerEngine
from r1chat.errors import UsageError
from r1chat.models.library import demo_path
from tests.law import check_law, texts
from tests.processes import engine_of, wait_until_idle
from tests.test_chat import THOUGHT, chat, notices, prompt

LONG = ("I ", "add ", "both.", "\n</think>", "\n\n", "It ", "is ", "42.")


def cut(talk: Chat, n: int) -> list[Event]:
    """Ask, and cancel after so many pieces of text."""
    events = []
    for event in talk.ask("17 + 25?"):
        events.append(event)
        if isinstance(event, Reasoning | Answer) and sum(isinstance(e, Reasoning | Answer) for e in events) == n:
            talk.control(Cancel())
    return events


@pytest.mark.parametrize(("n", "ending", "inside"), [
    (2, "<think>\nI add ", True),
    (6, "<think>\nI add both.\n</think>\n\nIt ", False),
])  # fmt: skip
def test_a_cut_turn_goes_on_where_it_was(n: int, ending: str, inside: bool) -> None:
    """The prompt ends in what was said, the exchange grows in its place, and its events are the new part's."""
    talk, engine = chat(LONG, ("rest ", "of it.\n</think>\n\nSo 42.") if inside else ("is 42.",), THOUGHT)
    cut(talk, n)
    exchange = talk.path[-1]
    assert exchange.cut
    events = list(talk.resume())
    check_law(events)
    assert isinstance(events[0], Started)
    assert exchange.partial == events[0].resumed
    request = engine.requests[1]
    assert prompt(request).endswith(ending)
    assert inside == request.starts_inside
    assert Spent(exchange.finished.usage.reasoning_tokens) == request.spent
    whole = talk.path[-1]
    assert 1 == len(talk.exchanges)
    assert not whole.cut
    assert exchange.answer.reasoning + texts(events)[0] == whole.answer.reasoning
    assert exchange.answer.content + texts(events)[1] == whole.answer.content
    counts, parts = whole.finished.usage, [exchange.finished.usage, events[-1].usage]  # type: ignore[union-attr]
    assert counts.reasoning_tokens == sum(part.reasoning_tokens for part in parts)
    assert counts.answer_tokens == sum(part.answer_tokens for part in parts)
    assert counts.prompt_tokens == parts[0].prompt_tokens
    talk.reply("next")
    assert "42.<｜end▁of▁sentence｜>" in prompt(engine.requests[2])


def test_a_turn_can_be_cut_and_gone_on_with_many_times() -> None:
    """Each part adds to the same exchange."""
    talk, _ = chat(LONG, LONG[3:], LONG[6:], max_tokens=3)
    list(talk.ask("17 + 25?"))
    while talk.path[-1].cut:
        list(talk.resume())
    assert Message(Role.ASSISTANT, "\n\nIt is 42.", "I add both.\n") == talk.path[-1].answer


def test_a_turn_without_thinking_goes_on_without() -> None:
    """The empty thinking stays where it was."""
    talk, engine = chat(("It ", "is ", "42."), ("42.",))
    for event in talk.ask("17 + 25?", think=False):
        if isinstance(event, Answer):
            talk.control(Cancel())
    list(talk.resume())
    assert prompt(engine.requests[1]).endswith("<think>\n\n</think>\n\nIt ")
    assert "It 42." == talk.path[-1].answer.content


def test_without_a_cut_there_is_nothing_to_go_on_with() -> None:
    """A whole answer and an empty conversation are refused in words, at once."""
    talk, _ = chat(THOUGHT)
    with pytest.raises(UsageError):
        talk.resume()
    talk.reply("a")
    with pytest.raises(UsageError):
        talk.resume()


def test_another_version_stands_beside_the_old_one() -> None:
    """Asked again, the same question has the same parent and history; the old answer is kept and not seen."""
    talk, engine = chat(THOUGHT, THOUGHT, ("x\n</think>\n\n", "Forty-two."), THOUGHT)
    talk.reply("first")
    talk.reply("second")
    list(talk.retry(7))
    assert [None, 0, 0] == [exchange.parent for exchange in talk.exchanges]
    assert prompt(engine.requests[1]) == prompt(engine.requests[2])
    assert 7 == talk.seed == engine.requests[2].sampling.seed
    talk.reply("third")
    assert "Forty-two." in prompt(engine.requests[3])
    assert 1 == prompt(engine.requests[3]).count("second")
    with pytest.raises(UsageError):
        talk.retry(-1)


def test_nothing_was_asked_so_there_is_nothing_to_ask_again() -> None:
    """An empty conversation has no question."""
    talk, _ = chat()
    with pytest.raises(UsageError):
        talk.retry()
    assert talk.undo() is None


def test_an_exchange_is_taken_back() -> None:
    """The one before is the current one again; nothing is asked of the engine."""
    talk, engine = chat(THOUGHT, THOUGHT, THOUGHT)
    talk.reply("first")
    talk.reply("second")
    warmed = len(engine.warmed)
    taken = talk.undo()
    assert taken is not None
    assert "second" == taken.question.content
    assert warmed == len(engine.warmed)
    talk.reply("third")
    assert "second" not in prompt(engine.requests[2])
    assert "first" in prompt(engine.requests[2])
    assert 3 == len(talk.exchanges)


def test_one_question_without_thinking() -> None:
    """`think` is for one turn, whatever the options say."""
    talk, engine = chat(("42.",), THOUGHT)
    list(talk.ask("a", think=False))
    list(talk.ask("b"))
    assert [False, True] == [request.starts_inside for request in engine.requests]
    assert [False, True] == [exchange.think for exchange in talk.exchanges]


def test_controls_reach_the_thinking() -> None:
    """A hint is put in and an early end is heeded, between Started and Finished; afterwards there is no thinking."""
    talk, _ = chat(LONG)
    assert not talk.thinking
    events = []
    for event in talk.ask("17 + 25?"):
        events.append(event)
        if isinstance(event, Reasoning) and event.text == "I ":
            assert talk.thinking
            talk.control(Steer("(carry) "))
            talk.control(AnswerNow())
    check_law(events)
    assert ("I (carry) \n", "\n\nIt is 42.") == texts(events)
    assert not talk.thinking


def test_a_scripted_budget_ends_the_thinking() -> None:
    """The fake keeps a budget as the real one does."""
    talk, _ = chat(LONG, think_budget=ThinkBudget(2))
    events = list(talk.ask("17 + 25?"))
    check_law(events)
    assert ["think-budget"] == notices(iter(events))
    assert ("I add \n", "\n\nIt is 42.") == texts(events)


# What is computed ahead


def test_the_next_prompts_beginning_is_computed_after_a_whole_answer() -> None:
    """It holds the answer without its thinking, and ends where the user's next question will stand."""
    talk, engine = chat(THOUGHT, THOUGHT)
    talk.reply("17 + 25?")
    (warmed,) = engine.warmed
    assert Special(USER) == warmed.segments[-1]
    talk.reply("and 1 more?")
    assert prompt(engine.requests[1]).startswith(prompt(warmed))


@pytest.mark.parametrize("options", [{"max_tokens": 6}, {"max_tokens": 1}])
def test_a_cut_turns_cache_is_left_alone(options: dict[str, object]) -> None:
    """It may be gone on with."""
    talk, engine = chat(LONG, **options)
    list(talk.ask("17 + 25?"))
    assert [] == engine.warmed


def test_who_asks_once_has_nothing_computed_ahead() -> None:
    """A command that ends after its answer does not make the machine work on."""
    engine = ScriptedEngine(THOUGHT)
    Chat(engine, family="r1-distill", ahead=False).reply("a")
    assert [] == engine.warmed


def test_a_question_that_is_being_written_is_computed_ahead() -> None:
    """A draft and files are the beginning of the prompt that will come; not while a turn runs."""
    talk, engine = chat(THOUGHT, THOUGHT)
    talk.reply("a")
    talk.anticipate("Summarise this", files=[("a.txt", "content")])
    draft = engine.warmed[-1]
    for _ in talk.ask("Summarise this, please.", files=[("a.txt", "content")]):
        talk.anticipate("no")
    assert prompt(engine.requests[1]).startswith(prompt(draft))
    assert isinstance(draft.segments[-1], Text)
    assert 3 == len(engine.warmed)  # after each answer, and the draft


@pytest.mark.parametrize("family", ["r1", "r1-distill", "r1-0528"])
def test_each_familys_next_prompt_begins_as_foreseen(family: str) -> None:
    """Whatever the template, what is computed ahead is a beginning of what is asked then."""
    engine = ScriptedEngine(THOUGHT, THOUGHT)
    talk = Chat(engine, family=family, system="Be brief.")
    talk.reply("a")
    talk.reply("b")
    assert prompt(engine.requests[1]).startswith(prompt(engine.warmed[0]))


def new_tokens(engine: WorkerEngine, question: str) -> int:
    """How many tokens a question adds to a prompt, the markers around it included."""
    return engine.count([Special(USER), Text(question), Special("<｜Assistant｜>"), Special("<think>"), Text("\n")])


def ask(talk: Chat, engine: WorkerEngine, question: str) -> Finished:
    """Ask, and wait until the engine has nothing to do any more."""
    for event in talk.ask(question):
        if isinstance(event, Finished):
            end = event
    wait_until_idle(engine_of(os.getpid()))
    return end


def test_no_turn_computes_more_than_its_question(engine: WorkerEngine) -> None:
    """Between Enter and the first token only the new tokens are computed, and 8 more at most, on every turn."""
    talk = Chat(engine, family="r1-distill", options=Options(sampling=Sampling(seed=1)))
    questions = ["What is 17 + 25?", "Which is larger, 9 or 11?", "How many r's are in strawberry?", "What is 7 * 8?"]
    for number, question in enumerate(questions):
        usage = ask(talk, engine, question).usage
        if number:
            assert usage.prompt_tokens - usage.cached_tokens <= new_tokens(engine, question) + 8
    talk.undo()
    usage = ask(talk, engine, "What is 6 * 7?").usage  # what stays is not computed again
    assert usage.prompt_tokens - usage.cached_tokens <= new_tokens(engine, "What is 6 * 7?") + 8
    talk.anticipate("What is 1 + 2? " * 20)
    ask(Chat(ScriptedEngine(THOUGHT), family="r1-distill"), engine, "")  # the engine works meanwhile
    usage = ask(talk, engine, "What is 1 + 2? " * 20 + "And 3?").usage
    assert usage.prompt_tokens - usage.cached_tokens <= 20


def test_answers_do_not_depend_on_what_was_computed_ahead(engine: WorkerEngine) -> None:
    """With and without, the same conversation at temperature 0 has the same answers."""
    questions = ["What is 17 + 25?", "Which is larger, 9 or 11?", "What is 7 * 8?"]
    said = []
    for ahead in (True, False):
        options = Options(sampling=Sampling(temperature=0.0))
        talk = Chat(engine, family="r1-distill", options=options, ahead=ahead)
        for question in questions:
            ask(talk, engine, question)
        said.append(talk.messages)
    assert said[0] == said[1]


# A full context


@pytest.fixture
def small(check: SelfCheck) -> Iterable[WorkerEngine]:
    """The demo with room for two or three exchanges."""
    engine = WorkerEngine(str(demo_path()), check)
    engine.load(Plan(n_ctx=256, n_threads=1))
    yield engine
    engine.close()


def filled(talk: Chat, n: int) -> list[list[Event]]:
    """Ask a question of many tokens n times."""
    return [list(talk.ask(f"{number}. What is 17 + 25? {'1 ' * 20}", think=False)) for number in range(n)]


def test_a_full_context_stops_the_conversation_and_says_what_can_be_done(small: WorkerEngine) -> None:
    """Before it is full, what is left is told once; then the question is refused, and what was said stays."""
    talk = Chat(small, family="r1-distill", options=Options(sampling=Sampling(temperature=0.0)))
    turns = filled(talk, 5)
    for events in turns:
        check_law(events)
    ends = [events[-1] for events in turns]
    refused = next(index for index, end in enumerate(ends) if isinstance(end, Finished) and end.failure)
    assert refused >= 2
    failure = ends[refused].failure  # type: ignore[union-attr]
    assert failure is not None
    assert "256" in failure.message
    assert "/clear" in failure.hint
    assert "/overflow oldest" in failure.hint
    told = [event for events in turns for event in events if isinstance(event, Notice)]
    assert ["greedy", "context-left"] == [notice.code for notice in told]
    assert "of the context's 256 tokens are left" in told[1].text
    seen = talk.messages
    assert not any(message.content.startswith(f"{refused}.") for message in seen)


def test_the_oldest_exchanges_are_left_out_and_listed(small: WorkerEngine) -> None:
    """Under the other policy every question is answered; whole exchanges go, by name, and stay gone."""
    options = Options(sampling=Sampling(temperature=0.0), overflow=Overflow.OLDEST)
    talk = Chat(small, family="r1-distill", options=options)
    turns = filled(talk, 7)
    assert all(events[-1].failure is None for events in turns)  # type: ignore[union-attr]
    for events in turns:
        check_law(events)
    told = [
        event.text for events in turns for event in events if isinstance(event, Notice) and event.code == "overflow"
    ]
    assert len(told) >= 2
    gone = [line for text in told for line in text.split("\n")[1:]]
    assert [f"{n}." for n in range(len(gone))] == [line.split()[0] for line in gone]
    asked = [message.content.split()[0] for message in talk.messages if message.role is Role.USER]
    assert [f"{n}." for n in range(len(gone), 7)] == asked
    assert 7 == len(talk.path)  # the reader still has them
    usage = talk.path[-1].finished.usage
    assert usage.prompt_tokens <= 256


def test_a_question_that_can_not_fit_drops_nothing(small: WorkerEngine) -> None:
    """The history is not thrown away for a question that is too long on its own."""
    options = Options(sampling=Sampling(temperature=0.0), overflow=Overflow.OLDEST)
    talk = Chat(small, family="r1-distill", options=options)
    filled(talk, 2)
    before = talk.messages
    end = ask(talk, small, "1 " * 400)
    assert end.failure is not None
    assert "--ctx" in end.failure.hint
    assert before == talk.messages


def test_a_long_question_alone_takes_the_whole_context(small: WorkerEngine) -> None:
    """A question that needs nearly all of it makes everything else go, and is answered."""
    options = Options(sampling=Sampling(temperature=0.0), overflow=Overflow.OLDEST, max_tokens=2, think=False)
    talk = Chat(small, family="r1-distill", options=options)
    filled(talk, 2)
    end = ask(talk, small, "1 " * 115)
    assert end.failure is None
    assert 1 == len([message for message in talk.messages if message.role is Role.USER])


def test_a_request_carries_what_its_chat_wants(engine: WorkerEngine) -> None:
    """Only a conversation that may lose its oldest exchanges asks for room; a first question never does."""
    fake = ScriptedEngine(THOUGHT, THOUGHT)
    talk = Chat(fake, family="r1-distill", options=Options(overflow=Overflow.OLDEST))
    talk.reply("a")
    talk.reply("b")
    assert [0.0, 0.125] == [request.free for request in fake.requests]
