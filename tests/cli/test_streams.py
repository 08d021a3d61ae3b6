"""`r1chat run` in pipes: what is on stdout and stderr, what is asked, and the exit code. Whole processes, real model.

What the demo model says is drawn and not looked at; what surrounds it is.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from r1chat.cli.run import STDIN, question
from r1chat.core.prompt import directive
from r1chat.core.sampling import Sampling
from r1chat.errors import NotFoundError, UsageError
from tests.conftest import Command, Done
from tests.gguf_writer import tiny

QUICK = ("--think-budget", "4", "--max-tokens", "24", "--seed", "1")
ASK = ("run", "demo", "What is 17 + 25?")


def parsed(done: Done) -> dict[str, Any]:
    """The one JSON object on stdout."""
    lines = done.out.decode().splitlines()
    assert 1 == len(lines)
    value = json.loads(lines[0])
    assert isinstance(value, dict)
    return value


def n_prompt_tokens(done: Done) -> int:
    """How long the prompt was."""
    count = parsed(done)["usage"]["prompt_tokens"]
    assert isinstance(count, int)
    return count


# The streams


def test_the_answer_is_all_there_is(r1chat: Command) -> None:
    """In a pipe, stdout has the answer with exactly one line end and no escape; stderr has nothing."""
    done = r1chat(*ASK, *QUICK)
    assert (b"", 0) == (done.err, done.code)
    assert done.out.strip()
    assert done.out.strip() + b"\n" == done.out
    assert b"\x1b" not in done.out


def test_the_demo_thinks_by_itself(r1chat: Command) -> None:
    """Without any option the bundled model thinks, closes its thinking and answers."""
    done = r1chat(*ASK, "--json")
    value = parsed(done)
    assert 0 == done.code
    assert "stop" == value["finish_reason"]
    assert value["reasoning"]
    assert value["answer"]


def test_thinking_goes_to_stderr_when_shown(r1chat: Command) -> None:
    """`--thinking show` in a pipe puts the thinking on stderr, and the answer stays alone on stdout."""
    plain, shown = (r1chat(*ASK, *QUICK, *more) for more in ((), ("--thinking", "show")))
    value = parsed(r1chat(*ASK, *QUICK, "--json"))
    assert (plain.out, 0) == (shown.out, shown.code)
    assert value["reasoning"] + "\n" == shown.err.decode()
    assert value["answer"] + "\n" == shown.out.decode()


@pytest.mark.parametrize("how", ["fold", "hide"])
def test_thinking_is_not_in_a_pipe_otherwise(r1chat: Command, how: str) -> None:
    """`--thinking fold` and `hide` leave stderr empty in a pipe."""
    assert b"" == r1chat(*ASK, *QUICK, "--thinking", how).err


def test_verbose_tells_on_stderr(r1chat: Command) -> None:
    """`--verbose` tells the plan, the counts and the engine's log on stderr and leaves stdout alone."""
    done = r1chat(*ASK, *QUICK, "--verbose")
    assert r1chat(*ASK, *QUICK).out == done.out
    told = done.err.decode()
    assert {"plan: ", "prompt: ", "answer: ", "engine: "} <= {line.split()[0] + " " for line in told.splitlines()}


# What is asked


@pytest.mark.parametrize(
    ("prompt", "files", "piped", "expected"),
    [
        ("q", [], "", ("q", [])),
        (None, [], "piped\n", ("piped", [])),
        (None, [], "piped\r\n", ("piped", [])),
        (None, [], "two\n\n", ("two\n", [])),
        ("q", [], "piped", ("piped\n\nq", [])),
        ("q", [], "piped\n", ("piped\n\nq", [])),
        ("q", [], "  indented\r\n", ("  indented\r\n\nq", [])),
        ("q", [], " \n", ("q", [])),
        ("q", ["a.txt", "b.md"], "", ("q", [("a.txt", "alpha\n"), ("b.md", "béta")])),
        ("q", ["a.txt"], "piped", ("piped\n\nq", [("a.txt", "alpha\n")])),
        (None, ["a.txt"], "", ("", [("a.txt", "alpha\n")])),
        ("q", ["-"], "piped\n", ("q", [("stdin", "piped\n")])),
        (None, ["a.txt", "-"], "piped", ("", [("a.txt", "alpha\n"), ("stdin", "piped")])),
    ],
)
def test_the_question_is_files_stdin_and_prompt(
    tmp_path: Path, prompt: str | None, files: list[str], piped: str, expected: tuple[str, list[tuple[str, str]]]
) -> None:
    """Files come in their own template; then stdin as it is, a blank line and the prompt."""
    (tmp_path / "a.txt").write_bytes(b"alpha\n")
    (tmp_path / "b.md").write_bytes("béta".encode())
    paths = [STDIN if name == "-" else tmp_path / name for name in files]
    assert expected == question(prompt, paths, piped)


@pytest.mark.parametrize(("prompt", "piped"), [(None, ""), (None, " \n\t"), ("", ""), ("  ", "\n")])
def test_nothing_is_no_question(prompt: str | None, piped: str) -> None:
    """Without a prompt, a file or piped text there is nothing to ask."""
    with pytest.raises(UsageError, match="no question"):
        question(prompt, [], piped)


def test_every_way_in_asks_the_same(r1chat: Command, tmp_path: Path) -> None:
    """A prompt, piped text, and both of them cut in two give the same prompt, to the token."""
    text = "What is 17 + 25?\n\nSay it shortly."
    end = ("--max-tokens", "1", "--json")
    whole = n_prompt_tokens(r1chat("run", "demo", text, *end))
    assert whole == n_prompt_tokens(r1chat("run", "demo", *end, input=text.encode() + b"\n"))
    assert whole == n_prompt_tokens(r1chat("run", "demo", "Say it shortly.", *end, input=b"What is 17 + 25?\n"))
    attached = "[file name]: stdin\n[file content begin]\n1\n\n[file content end]\n2"
    asked = n_prompt_tokens(r1chat("run", "demo", attached, *end))
    assert asked == n_prompt_tokens(r1chat("run", "demo", "2", "-f", "-", *end, input=b"1\n"))


def test_files_are_attached(r1chat: Command, tmp_path: Path) -> None:
    """`--file` may be given several times; each is sent whole in R1's template, whatever its encoding."""
    (tmp_path / "one.txt").write_bytes(b"1 + 1")
    (tmp_path / "two.txt").write_bytes("\ufeff2 + 2".encode("utf-16-le"))
    files = ("-f", str(tmp_path / "one.txt"), "--file", str(tmp_path / "two.txt"))
    blocks = [
        f"[file name]: {n}\n[file content begin]\n{c}\n[file content end]\n"
        for n, c in (("one.txt", "1 + 1"), ("two.txt", "2 + 2"))
    ]
    end = ("--max-tokens", "1", "--json")
    by_hand = n_prompt_tokens(r1chat("run", "demo", "".join(blocks) + "Which is more?", *end))
    assert by_hand == n_prompt_tokens(r1chat("run", "demo", "Which is more?", *files, *end))


def _unreadable_files(folder: Path) -> dict[str, Path]:
    (folder / "binary").write_bytes(b"\x7fELF\x00\x00\x01")
    (folder / "loop").symlink_to(folder / "loop")
    return {
        "There is no file": folder / "nothing.txt",
        "is a folder": folder,
        "can't be read": folder / "loop",
        "not a text file": folder / "binary",
    }


@pytest.mark.parametrize("said", ["There is no file", "is a folder", "can't be read", "not a text file"])
def test_a_file_that_cannot_be_attached(r1chat: Command, tmp_path: Path, said: str) -> None:
    """A missing, unreadable or binary attachment is told in one sentence with a way out, and nothing is asked."""
    path = _unreadable_files(tmp_path)[said]
    done = r1chat(*ASK, "-f", str(path))
    sentence, hint = done.err.decode().splitlines()
    assert sentence.startswith("r1chat: ")
    assert said in sentence
    assert hint.startswith("  ")
    assert (b"", 2 if said == "not a text file" else 3) == (done.out, done.code)


def test_files_are_read_by_what_they_are(tmp_path: Path) -> None:
    """A name that no file can have is a missing file, not a crash."""
    with pytest.raises(NotFoundError, match="no file"):
        question("q", [tmp_path / "nul\0name"], "")


# Options that change the answer


def test_a_seed_makes_it_repeatable(r1chat: Command) -> None:
    """The same seed gives the same answer, and the seed that was drawn is told so that it can be used again."""
    drawn = parsed(r1chat(*ASK, "--max-tokens", "30", "--json"))
    seed = drawn["sampling"]["seed"]
    again = parsed(r1chat(*ASK, "--max-tokens", "30", "--json", "--seed", str(seed)))
    assert (drawn["reasoning"], drawn["answer"]) == (again["reasoning"], again["answer"])


def test_temperature_zero_is_advised_against(r1chat: Command) -> None:
    """Greedy decoding works and gives a notice."""
    value = parsed(r1chat(*ASK, "--temp", "0", "--max-tokens", "5", "--json"))
    assert ["greedy"] == [notice["code"] for notice in value["notices"]]
    assert 0.0 == value["sampling"]["temperature"]


def test_the_sampling_is_what_was_asked(r1chat: Command) -> None:
    """Every sampling option reaches the engine as it was given; without one it is DeepSeek's recommendation."""
    words = [
        "--temp",
        "0.7",
        "--top-p",
        "0.8",
        "--top-k",
        "40",
        "--min-p",
        "0.1",
        "--repeat-penalty",
        "1.1",
        "--seed",
        "3",
    ]
    given = parsed(r1chat(*ASK, *words, "--max-tokens", "2", "--json"))["sampling"]
    assert Sampling(0.7, 0.8, 40, 0.1, 1.1, 3) == Sampling(**given)


def test_the_sampling_is_what_deepseek_recommends(r1chat: Command) -> None:
    """Without an option it is DeepSeek's: temperature 0.6, top-p 0.95 and nothing else."""
    used = parsed(r1chat(*ASK, "--max-tokens", "2", "--json", "--seed", "3"))["sampling"]
    assert Sampling(0.6, 0.95, 0, 0.0, 1.0, 3) == Sampling(**used)


def test_max_tokens_is_a_cut_that_was_asked_for(r1chat: Command) -> None:
    """A cut at the user's own limit says `length` and is no failure, even with no answer yet."""
    done = r1chat(*ASK, "--max-tokens", "3", "--json")
    value = parsed(done)
    assert (0, b"", "length") == (done.code, done.err, value["finish_reason"])
    assert 3 == value["usage"]["reasoning_tokens"] + value["usage"]["answer_tokens"]
    assert "error" not in value


def test_nothing_is_printed_for_no_answer(r1chat: Command) -> None:
    """Where the cut left only thinking, stdout is empty."""
    assert Done(b"", b"", 0) == r1chat(*ASK, "--max-tokens", "2")


@pytest.mark.parametrize("budget", ["5", "0", "0s"])
def test_the_thinking_has_a_budget(r1chat: Command, budget: str) -> None:
    """`--think-budget` ends the thinking after so many tokens or seconds, says so, and the answer comes."""
    value = parsed(r1chat(*ASK, "--think-budget", budget, "--max-tokens", "40", "--json"))
    assert ["think-budget"] == [notice["code"] for notice in value["notices"]]
    assert value["answer"]
    n_closing = 4  # a line end, the tag and an empty line, at most
    assert value["usage"]["reasoning_tokens"] <= (int(budget) if budget.isdecimal() else 0) + n_closing


def test_a_budget_in_seconds_lets_the_model_think(r1chat: Command) -> None:
    """A budget that is not reached changes nothing and says nothing."""
    value = parsed(r1chat(*ASK, "--think-budget", "1000s", "--max-tokens", "5", "--json"))
    assert ([], "length") == (value["notices"], value["finish_reason"])


def test_no_think_answers_at_once(r1chat: Command) -> None:
    """`--no-think` gives an answer without thinking and without a notice."""
    value = parsed(r1chat(*ASK, "--no-think", "--max-tokens", "12", "--json"))
    assert (0, "", []) == (value["usage"]["reasoning_tokens"], value["reasoning"], value["notices"])
    assert value["answer"]


def test_a_stop_string_ends_the_answer(r1chat: Command) -> None:
    """The answer ends before the first of the `--stop` strings, which are not looked for in the thinking."""
    whole = parsed(r1chat(*ASK, *QUICK, "--json"))
    answer = whole["answer"]
    stop = answer[len(answer) // 2]
    cut = parsed(r1chat(*ASK, *QUICK, "--json", "--stop", "never in it", "--stop", stop))
    assert (answer.split(stop)[0].strip(), "stop") == (cut["answer"], cut["finish_reason"])
    assert whole["reasoning"] == cut["reasoning"]


def test_a_system_prompt_is_sent_and_advised_against(r1chat: Command) -> None:
    """`--system` makes the prompt longer and gives the notice that DeepSeek recommends none."""
    end = ("--max-tokens", "1", "--json")
    without, with_system = (parsed(r1chat(*ASK, *end, *more)) for more in ((), ("--system", "Be brief.")))
    assert without["usage"]["prompt_tokens"] < with_system["usage"]["prompt_tokens"]
    assert ["system-prompt"] == [notice["code"] for notice in with_system["notices"]]


@pytest.mark.parametrize("prompt", ["What is 17 + 25?", "17 加 25 等于多少?"])
def test_math_adds_the_directive(r1chat: Command, prompt: str) -> None:
    """`--math` adds DeepSeek's directive on a line of its own, in the language of the prompt."""
    end = ("--max-tokens", "1", "--json")
    by_hand = n_prompt_tokens(r1chat("run", "demo", f"{prompt}\n{directive(prompt)}", *end))
    assert by_hand == n_prompt_tokens(r1chat("run", "demo", prompt, "--math", *end))


def test_raw_sends_token_text(r1chat: Command) -> None:
    """`--raw` reads special tokens in the prompt, adds no template, and there is one BOS, whether given or not."""
    bos, user, assistant = "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"
    end = ("--max-tokens", "1", "--json")
    text = f"{user}1{assistant}<think>\n"
    rendered = n_prompt_tokens(r1chat("run", "demo", "1", *end))
    assert rendered == n_prompt_tokens(r1chat("run", "demo", text, "--raw", *end))
    assert rendered == n_prompt_tokens(r1chat("run", "demo", bos + text, "--raw", *end))
    twice = r1chat("run", "demo", bos + bos + text, "--raw", *end)
    assert (2, 2) == (twice.code, parsed(twice)["error"]["code"])


def test_markers_in_a_question_are_text(r1chat: Command) -> None:
    """Without `--raw`, the spelling of a special token is only text, which takes more than one token."""
    end = ("--max-tokens", "1", "--json")
    plain, marked = (n_prompt_tokens(r1chat("run", "demo", text, *end)) for text in ("1", "1</think>"))
    assert plain + 1 < marked


def test_a_look_alike_marker_gives_a_hint(r1chat: Command) -> None:
    """A marker in ASCII look-alikes is sent as text, with a notice."""
    value = parsed(r1chat("run", "demo", "<|User|> 1", "--max-tokens", "1", "--json"))
    assert ["lookalike"] == [notice["code"] for notice in value["notices"]]


# The context


def test_a_prompt_that_does_not_fit(r1chat: Command) -> None:
    """A prompt longer than the context is refused with both numbers and exit code 7; nothing is cut silently."""
    done = r1chat("run", "demo", "1 + " * 200, "--ctx", "128", "--json")
    value = parsed(done)
    n = value["usage"]["prompt_tokens"]
    assert 7 == done.code
    assert n > 128
    assert "error" == value["finish_reason"]
    assert 7 == value["error"]["code"]
    assert f"The prompt has {n:,} tokens, but the context of 128 has room for 124." == value["error"]["message"]
    assert "--ctx" in value["error"]["hint"]
    assert value["error"]["message"] in done.err.decode()


def test_thinking_leaves_room_for_the_answer(r1chat: Command) -> None:
    """When the window is nearly full the thinking is closed early, a notice says so, and an answer still comes."""
    n_ctx, n_other = 80, 6  # BOS, two markers, the opening tag and what little else the template has
    question = "1" * (n_ctx - n_ctx // 4 - n_other)  # a digit is a token
    value = parsed(r1chat("run", "demo", question, "--ctx", str(n_ctx), "--seed", "1", "--json"))
    assert ["context-reserve"] == [notice["code"] for notice in value["notices"]]
    assert "nearly full" in value["notices"][0]["text"]
    assert 0 < value["usage"]["answer_tokens"] <= n_ctx // 4


def test_an_answer_cut_by_the_context_is_told(r1chat: Command, tmp_path: Path) -> None:
    """An answer that the full context cuts ends with `context`, a sentence and exit code 7; what there is, is out."""
    model = tmp_path / "random.gguf"
    model.write_bytes(tiny().build())  # has no idea when to stop
    done = r1chat("run", str(model), "1", "--no-think", "--ctx", "32", "--seed", "1", "--json")
    value = parsed(done)
    assert (7, 7, "context") == (done.code, value["error"]["code"], value["finish_reason"])
    assert 32 == value["usage"]["prompt_tokens"] + value["usage"]["answer_tokens"]
    assert value["answer"]
    assert "The answer was cut: the context window is full." in done.err.decode()


@pytest.mark.parametrize("ctx", ["8", "0", "-1", "1000000"])
def test_a_context_that_cannot_be(r1chat: Command, ctx: str) -> None:
    """A context that is too small, or more than the model was trained for, is refused before anything is started."""
    done = r1chat(*ASK, "--ctx", ctx)
    sentence, hint = done.err.decode().splitlines()
    assert (b"", 2) == (done.out, done.code)
    assert "context" in sentence
    assert "Use" in hint
