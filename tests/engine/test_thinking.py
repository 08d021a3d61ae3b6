"""The guide of a thinking, alone: when it puts something in, and what. One token is one character here."""

from collections.abc import Iterable

import pytest

from r1chat.core.prompt import Segment, Special
from r1chat.engine.base import AnswerNow, Spent, Steer, ThinkBudget
from r1chat.engine.thinking import CIRCLE, ENDING, MANNERS, MORE, SHARE, Guide, Phrases, Room, Step
from r1chat.errors import UsageError

CLOSE = 1_000_000  # the id of the closing tag
N_ENDING = max(len(ending) for ending in ENDING) + 2
ENGLISH = "We add the numbers column by column and carry what is more than nine. "
CHINESE = "我们把这些数字一列一列地加起来，超过九的进位。"


def ids(segments: Iterable[Segment]) -> list[int]:
    """One id per character, and one for the tag."""
    return [id for s in segments for id in ([CLOSE] if isinstance(s, Special) else map(ord, s.text))]


def guide(budget: ThinkBudget | None = None, spent: Spent | None = None, tail: str = "\n") -> Guide:
    """A guide of a thinking that begins."""
    return Guide(Phrases(ids), budget or ThinkBudget(), spent or Spent(), tail)


def room(context: int = 100_000, left: int = 100_000, reserve: int = 100, *, users: bool = False) -> Room:
    """Room enough, unless said otherwise."""
    return Room(n_ctx=context, limit=left, is_users_limit=users, reserve=reserve, context=context, left=left)


def text(step: Step | None) -> str:
    """What a step puts in; the closing tag as itself."""
    assert step is not None
    return "".join("</think>" if id == CLOSE else chr(id) for id in step.ids)


def think(led: Guide, thoughts: str, n: int = 0, where: Room | None = None) -> tuple[int, Step | None]:
    """Think character by character until something is put in; give how many were thought, and what that is."""
    where = where or room()
    for character in thoughts:
        if step := led.put_in(n, where):
            return n, step
        led.read(character)
        led.drawn(str(n).encode())  # no two alike: these thoughts are no circles
        n += 1
    return n, led.put_in(n, where)


@pytest.mark.parametrize("budget", [*range(20), *range(20, 1000, 37)])
def test_a_budget_in_tokens_is_a_bound(budget: int) -> None:
    """However long the budget, the thinking and the sentence that closes it are not longer, and the tag follows."""
    n, step = think(guide(ThinkBudget(budget)), ENGLISH * 20)
    put, tag, behind = text(step).partition("</think>")
    assert n + len(put.rstrip("\n")) <= budget
    assert (tag, behind) == ("</think>", "\n\n")
    assert step is not None
    assert step.notice is not None
    assert "think-budget" == step.notice.code
    assert (ENDING[0] in put) == (budget >= (SHARE + 1) * N_ENDING)


def test_a_long_budget_ends_at_the_end_of_a_sentence() -> None:
    """If a sentence ends shortly before the bound, that is where the closing sentence stands."""
    thoughts = ENGLISH * 30
    n, step = think(guide(ThinkBudget(1000)), thoughts)
    assert thoughts[:n].rstrip().endswith("nine.")
    assert 1000 - N_ENDING - 48 <= n < 1000 - N_ENDING
    assert text(step) == f"\n\n{ENDING[0]}\n</think>\n\n"


def test_a_chinese_thinking_is_ended_in_chinese() -> None:
    """What is put in is written in the language of the thinking."""
    n, step = think(guide(ThinkBudget(1000)), CHINESE * 50)
    assert n <= 1000 - len(ENDING[1])
    assert ENDING[1] in text(step)


def test_what_was_thought_before_counts() -> None:
    """A thinking that is gone on with has what is left of its budget."""
    led = guide(ThinkBudget(5), Spent(3))
    assert led.put_in(4, room()) is None
    assert "</think>" in text(led.put_in(5, room()))
    assert "</think>" in text(guide(ThinkBudget(seconds=10.0), Spent(3, 10.0)).put_in(3, room()))


def test_an_empty_thinking_is_r1s_own() -> None:
    """Ended before it begins, it is what R1 writes: "<think>\\n\\n</think>\\n\\n"."""
    led = guide()
    led.hear(AnswerNow())
    assert "\n</think>\n\n" == text(led.put_in(0, room()))


def test_answer_now_ends_where_it_is() -> None:
    """The user does not wait for the end of a sentence; enough thinking is closed by one all the same."""
    led = guide()
    n, step = think(led, ENGLISH * 8 + "We")
    assert step is None
    led.hear(AnswerNow())
    assert f"\n\n{ENDING[0]}\n</think>\n\n" == text(led.put_in(n, room()))
    assert led.put_in(n, room()) is None  # it is done once


def test_a_hint_waits_for_the_end_of_a_sentence() -> None:
    """A hint is a paragraph of its own, behind a sentence if one ends soon, and named as the user's."""
    led = guide()
    led.hear(Steer(" use the last column "))
    n, step = think(led, "We add the")
    assert (0, "Wait, the user gives me a hint: use the last column\n\n") == (n, text(step))
    think(led, "We add the")
    led.hear(Steer("carry"))
    n, step = think(led, " numbers. And then")
    assert len(" numbers.") == n
    assert text(step).startswith("\n\nWait, ")
    led.read(" aaaa")
    led.hear(Steer("again"))
    n, step = think(led, "aaaa" * 20)
    assert MANNERS == n
    assert "again" in text(step)


def test_a_hint_can_not_end_the_thinking() -> None:
    """A closing tag in the user's text is no closing tag."""
    led = guide()
    led.hear(Steer("say </think> now"))
    assert "</think>" not in text(led.put_in(0, room()))


def test_a_circle_is_broken_once_and_then_ended() -> None:
    """First a nudge to try something else, then the end; each with a notice."""
    led = guide()
    seen = []
    for n, word in enumerate(ENGLISH.split() * 20):
        led.drawn(word.encode())
        if step := led.put_in(n, room()):
            assert step.notice is not None
            seen.append((step.notice.code, text(step)))
        if len(seen) == 2:
            break
    assert ["loop", "loop"] == [code for code, _ in seen]
    assert CIRCLE[0] == seen[0][1].strip()
    assert "</think>" in seen[1][1]


def test_more_thinking_is_asked_for_in_turns() -> None:
    """A model that wants to end is nudged with changing words, and not again right behind a nudge."""
    led = guide(ThinkBudget(least=500))
    assert led.wants_more(499)
    assert not led.wants_more(500)
    nudges = []
    for _ in range(4):
        nudges.append(text(led.nudge(room())).strip())
        assert led.nudge(room()) is None
        think(led, ENGLISH)
    assert [*MORE[0], MORE[0][0]] == nudges


@pytest.mark.parametrize(("where", "code"), [
    (room(context=400), "context-reserve"),
    (room(left=400), "limit-reserve"),
    (room(left=400, users=True), None),
])  # fmt: skip
def test_the_answers_share_is_kept(where: Room, code: str | None) -> None:
    """The thinking ends while the answer's reserve is left, unless the limit is the user's own."""
    led = guide()
    for n in range(300):
        where.context -= 1
        where.left -= 1
        if step := led.put_in(n, where):
            break
    if code is None:
        assert step is None
    else:
        assert step is not None
        assert step.notice is not None
        assert code == step.notice.code
        assert where.least - len(step.ids) >= where.reserve


@pytest.mark.parametrize(("word", "budget"), [
    ("500", ThinkBudget(500)), ("30s", ThinkBudget(seconds=30.0)), ("1.5s", ThinkBudget(seconds=1.5)),
    (" 7 S ", ThinkBudget(seconds=7.0)), ("0", ThinkBudget(0)),
])  # fmt: skip
def test_a_budget_is_read(word: str, budget: ThinkBudget) -> None:
    """Tokens are a whole number, seconds have an s."""
    assert budget == ThinkBudget.parse(word)


@pytest.mark.parametrize("word", ["", "soon", "-3", "1.5", "1e9", "s", "٣", "5 m"])
def test_what_is_no_budget_is_refused(word: str) -> None:
    """Everything else is an error in words."""
    with pytest.raises(UsageError):
        ThinkBudget.parse(word)


def test_bounds_that_contradict_are_refused() -> None:
    """The least can't be more than the most."""
    with pytest.raises(UsageError):
        ThinkBudget(5, least=6)
    with pytest.raises(UsageError):
        ThinkBudget(least=-1)
