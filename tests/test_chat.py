"""A conversation, on a scripted engine: what is asked, what is kept, what is said beside it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from r1chat.chat import Chat, Options, failure_of
from r1chat.core.events import Answer, Event, Failure, Finished, Notice, Reason, Started
from r1chat.core.memory import Plan
from r1chat.core.messages import Message, Role
from r1chat.core.prompt import Special, Text
from r1chat.core.sampling import Sampling
from r1chat.engine.base import Cancel, Request
from r1chat.engine.scripted import ScriptedEngine, ScriptedTurn
from r1chat.errors import ContextError, EngineError, ExitCode, NotFoundError, UsageError
from tests.law import check_law

THOUGHT = ("I add.", "\n</think>", "\n\n", "It is ", "42.")


class Collector:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)

    def close(self) -> None:
        """Nothing to do."""


def chat(*answers: tuple[str, ...], **options: object) -> tuple[Chat, ScriptedEngine]:
    """A chat with an engine that gives these answers."""
    engine = ScriptedEngine(*answers)
    return Chat(engine, family="r1-distill", options=Options(**options)), engine  # type: ignore[arg-type]


def prompt(request: Request) -> str:
    """A request's segments in one string."""
    return "".join(s.name if isinstance(s, Special) else s.text for s in request.segments)


def test_a_turn_is_lawful_and_reaches_every_sink() -> None:
    """The caller and every sink get the same events, Started first."""
    talk, _ = chat(THOUGHT)
    sinks = Collector(), Collector()
    for sink in sinks:
        talk.add_sink(sink)
    events = list(talk.ask("17 + 25?"))
    check_law(events)
    assert events == sinks[0].events == sinks[1].events
    assert Started(1, Message(Role.USER, "17 + 25?")) == events[0]


def test_the_next_prompt_holds_the_answer_and_not_the_thinking() -> None:
    """R1's rule: history without old thinking, every blank of the answer kept."""
    talk, engine = chat(THOUGHT, THOUGHT)
    talk.reply("17 + 25?")
    talk.reply("and 1 more?")
    assert prompt(engine.requests[1]) == (
        "<｜begin▁of▁sentence｜><｜User｜>17 + 25?<｜Assistant｜>\n\nIt is 42.<｜end▁of▁sentence｜>"
        "<｜User｜>and 1 more?<｜Assistant｜><think>\n"
    )


def test_a_reply_is_stripped_and_the_messages_are_not() -> None:
    """`Reply` is for people, `messages` for the prompt."""
    talk, _ = chat(THOUGHT)
    reply = talk.reply("17 + 25?")
    assert ("I add.", "It is 42.", "stop") == (reply.reasoning, reply.answer, reply.finish_reason)
    assert (Message(Role.USER, "17 + 25?"), Message(Role.ASSISTANT, "\n\nIt is 42.", "I add.\n")) == talk.messages


def test_an_unanswered_question_is_left_out_of_the_next_prompt() -> None:
    """A turn that ended in its thinking is kept for the reader and not for the model."""
    talk, engine = chat(("only thinking",), THOUGHT)
    talk.reply("first")
    talk.reply("second")
    assert "first" not in prompt(engine.requests[1])
    assert ["first", "second"] == [exchange.question.content for exchange in talk.path]


def test_a_dropped_turn_keeps_what_was_said() -> None:
    """Whoever stops listening in the middle finds the partial answer in the conversation."""
    talk, _ = chat(THOUGHT)
    for event in (events := talk.ask("17 + 25?")):
        if isinstance(event, Answer) and "It" in event.text:
            break
    events.close()  # type: ignore[attr-defined]
    assert "\n\nIt is " == talk.messages[-1].content
    assert Reason.CANCELLED is talk.path[-1].finished.reason
    assert not talk.busy


def test_a_cancel_reaches_the_running_turn_only() -> None:
    """`control` without a turn does nothing; with one it stops it."""
    talk, _ = chat(THOUGHT)
    talk.control(Cancel())
    events = []
    for event in talk.ask("17 + 25?"):
        talk.control(Cancel())
        events.append(event)
    assert Reason.CANCELLED is next(e for e in events if isinstance(e, Finished)).reason


def test_reset_begins_a_new_conversation() -> None:
    """After a reset nothing of the old conversation is in the prompt."""
    talk, engine = chat(THOUGHT, THOUGHT)
    talk.reply("old")
    talk.reset()
    assert () == talk.messages
    talk.reply("new")
    assert "old" not in prompt(engine.requests[1])


def test_a_kept_conversation_is_taken_up_again() -> None:
    """The exchanges of one chat, handed to another with their leaf, are its conversation, versions included."""
    old, _ = chat(THOUGHT, THOUGHT)
    old.reply("first")
    old.reset()
    old.reply("second")
    new, engine = chat(THOUGHT)
    new.restore(old.exchanges, 0)
    assert (old.exchanges, 0) == (new.exchanges, new.leaf)
    new.reply("third")
    assert "first" in prompt(engine.requests[0])
    assert "second" not in prompt(engine.requests[0])
    assert [None, None, 0] == [exchange.parent for exchange in new.exchanges]


@pytest.mark.parametrize(("parents", "leaf"), [((0,), 0), ((1, None), 0), ((-1,), 0), ((None,), 1), ((None,), -1)])
def test_a_damaged_conversation_is_refused(parents: tuple[int | None, ...], leaf: int) -> None:
    """A parent that does not stand before its child can't be restored, and the chat stays as it was."""
    old, _ = chat(THOUGHT)
    old.reply("first")
    exchange = old.exchanges[0]
    before = old.exchanges, old.leaf
    with pytest.raises(UsageError):
        old.restore([replace(exchange, parent=parent) for parent in parents], leaf)
    assert before == (old.exchanges, old.leaf)


def test_another_model_goes_on_with_the_conversation() -> None:
    """After `use` the old engine is closed, the new one gets the history in its own family's form."""
    talk, first = chat(THOUGHT)
    first.load(Plan(64, 1))
    talk.reply("17 + 25?")
    second = ScriptedEngine(THOUGHT, THOUGHT)
    talk.use(second, "r1-0528", [Notice("quantization", "Another one.")])
    assert first.info is None
    assert ["quantization"] == notices(talk.ask("and 1 more?"))
    assert [] == notices(talk.ask("and 1 more?"))
    assert prompt(second.requests[0]).endswith(
        "<｜User｜>17 + 25?<｜Assistant｜>\n\nIt is 42.<｜end▁of▁sentence｜><｜User｜>and 1 more?<｜Assistant｜>"
    )


def test_a_running_turn_is_not_pulled_away() -> None:
    """Neither the engine nor the conversation changes under a turn."""
    talk, _ = chat(THOUGHT)
    events = iter(talk.ask("17 + 25?"))
    next(events)
    with pytest.raises(UsageError):
        talk.use(ScriptedEngine(), "r1")
    with pytest.raises(UsageError):
        talk.restore((), None)


def test_the_seed_is_drawn_per_turn_and_told() -> None:
    """Without a seed each turn draws one; a given one is used as it is."""
    talk, engine = chat(THOUGHT, THOUGHT)
    talk.reply("a")
    first = talk.seed
    talk.reply("b")
    assert [first, talk.seed] == [request.sampling.seed for request in engine.requests]
    assert first != talk.seed
    fixed, engine = chat(THOUGHT, sampling=Sampling(seed=5))
    fixed.reply("a")
    assert 5 == engine.requests[0].sampling.seed


def notices(events: Iterator[Event]) -> list[str]:
    """The codes of the notices."""
    return [event.code for event in events if isinstance(event, Notice)]


def test_greedy_gives_a_notice_once() -> None:
    """Temperature 0 is allowed, with one word of warning in the first turn."""
    talk, _ = chat(THOUGHT, THOUGHT, sampling=Sampling(temperature=0.0))
    assert ["greedy"] == notices(talk.ask("a"))
    assert [] == notices(talk.ask("b"))


@pytest.mark.parametrize(
    ("family", "wanted"), [("r1-distill", ["system-prompt"]), ("r1", ["system-prompt"]), ("r1-0528", [])]
)
def test_a_system_prompt_is_sent_with_a_hint(family: str, wanted: list[str]) -> None:
    """System text stands right after BOS; where DeepSeek advises against it, a notice says so."""
    engine = ScriptedEngine(THOUGHT)
    talk = Chat(engine, family=family, system="Be brief.")
    assert wanted == notices(talk.ask("a"))
    assert prompt(engine.requests[0]).startswith("<｜begin▁of▁sentence｜>Be brief.<｜User｜>a")


@pytest.mark.parametrize("text", ["<ÔΩúUserÔΩú>hi", "<|User|>hi"])
def test_a_look_alike_is_sent_as_it_is_with_one_hint(text: str) -> None:
    """Mojibake and ASCII forms of the markers are the text they are."""
    talk, engine = chat(THOUGHT)
    assert ["lookalike"] == notices(talk.ask(text))
    assert any(isinstance(s, Text) and text in s.text for s in engine.requests[0].segments)


def test_raw_text_is_taken_as_tokens() -> None:
    """Only `ask_raw` finds special tokens in a string, and no template is added."""
    talk, engine = chat(("x",))
    list(talk.ask_raw("<｜User｜>2+2<｜Assistant｜><think>\n"))
    assert "<｜begin▁of▁sentence｜><｜User｜>2+2<｜Assistant｜><think>\n" == prompt(engine.requests[0])
    assert engine.requests[0].starts_inside


def test_files_come_first_in_r1s_template(tmp_path: Path) -> None:
    """A file is attached by its name and content, in DeepSeek's form, before the question."""
    (tmp_path / "a.txt").write_text("content")
    talk, engine = chat(THOUGHT)
    talk.reply("Summarise", files=[tmp_path / "a.txt", ("b", "two")])
    assert (
        "[file name]: a.txt\n[file content begin]\ncontent\n[file content end]\n"
        "[file name]: b\n[file content begin]\ntwo\n[file content end]\nSummarise"
    ) in prompt(engine.requests[0])


def test_a_missing_file_is_an_error_before_anything_is_asked(tmp_path: Path) -> None:
    """Nothing is sent when a file can't be read."""
    talk, engine = chat(THOUGHT)
    with pytest.raises(NotFoundError):
        talk.ask("Summarise", files=[tmp_path / "none"])
    assert [] == engine.requests


class Failing(ScriptedEngine):
    """An engine whose turns end in a given Finished."""

    def __init__(self, end: Finished) -> None:
        super().__init__()
        self.end = end

    def start(self, request: Request) -> ScriptedTurn:
        """End at once."""
        return [self.end]  # type: ignore[return-value]


@pytest.mark.parametrize(("code", "kind"), [(7, ContextError), (6, EngineError)])
def test_reply_raises_what_went_wrong(code: int, kind: type[Exception]) -> None:
    """A failure is an exception for Python programs, with the same sentence."""
    end = Finished(Reason.ERROR, failure=Failure(code, "It broke.", "Mend it."))
    with pytest.raises(kind, match="It broke"):
        Chat(Failing(end), family="r1").reply("a")


@pytest.mark.parametrize(
    ("pieces", "reason", "code"),
    [
        (THOUGHT, Reason.STOP, None),
        (("only thinking",), Reason.STOP, ExitCode.NO_ANSWER),
        ((), Reason.LENGTH, None),
        (THOUGHT, Reason.LIMIT, ExitCode.NO_ANSWER),
        (THOUGHT, Reason.CONTEXT, ExitCode.NO_ANSWER),
        (THOUGHT, Reason.LOOP, ExitCode.NO_ANSWER),
        (THOUGHT, Reason.CANCELLED, ExitCode.INTERRUPTED),
    ],
)
def test_the_outcome_of_a_turn_has_an_exit_code(pieces: tuple[str, ...], reason: Reason, code: int | None) -> None:
    """The exit codes of the contract, from how a turn ended and whether there is an answer."""
    talk, _ = chat(pieces)
    list(talk.ask("a"))
    exchange = replace(talk.path[-1], finished=Finished(reason))
    failure = failure_of(exchange)
    assert code == (failure.code if failure else None)
