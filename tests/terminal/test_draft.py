"""What is typed, read as a message."""

from pathlib import Path

import pytest

from r1chat.errors import NotFoundError
from r1chat.terminal import completion
from r1chat.terminal.draft import is_open, mention, mentions, open_mention, unquoted
from r1chat.terminal.pastes import FOLD_LINES, Pastes
from r1chat.terminal.prompt import read_entry

THERE = {"notes.txt", "my notes.txt", "src/a.py", "README", "odd.", "a,b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("hello", False),
        ("```", True),
        ("look:\n```python\nx = 1", True),
        ("look:\n```python\nx = 1\n```", False),
        ("````\n```", True),
        ("~~~\n```\n~~~", False),
        ("`code` and ```inline```", False),
        ("    ```", False),
        ('"""', True),
        ('"""one\ntwo', True),
        ('"""one\ntwo"""', False),
        ('what does """ do?', False),
        ("```\nx\n\n", True),
        ("```\nx\n\n\n", False),
    ],
)
def test_a_message_is_open_while_something_in_it_is(text: str, expected: bool) -> None:
    """Fences and quotes that have no end make Enter go on; three empty lines send all the same."""
    assert expected == is_open(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""one"""', ("one", True)),
        ('"""\none\ntwo\n"""', ("one\ntwo", True)),
        ('say """one"""', ('say """one"""', False)),
        ('"""a""" and """b"""', ('"""a""" and """b"""', False)),
        ("plain", ("plain", False)),
    ],
)
def test_quotes_around_all_of_a_message_come_off(text: str, expected: tuple[str, bool]) -> None:
    """What stands in them is the message."""
    assert expected == unquoted(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@notes.txt", ["notes.txt"]),
        ("compare @notes.txt and (@src/a.py), please", ["notes.txt", "src/a.py"]),
        ("what is in @notes.txt?", ["notes.txt"]),
        ("see @odd.", ["odd."]),
        ("see @a,b,", ["a,b"]),
        ("@\"my notes.txt\" @'my notes.txt' @my\\ notes.txt", ["my notes.txt"] * 3),
        ("write to me@notes.txt", []),
        ("@nobody @dataclass @media @angular/core", []),
        ("`@notes.txt` and ``@notes.txt``", []),
        ("```\n@notes.txt\n```\n@README", ["README"]),
        ("~~~\n@notes.txt", []),
        ("@./gone @/gone @~/gone @C:\\gone", ["./gone", "/gone", "~/gone", "C:\\gone"]),
        ('@"gone"', ["gone"]),
        ("@", []),
        ("@ notes.txt", []),
    ],
)
def test_files_are_named_at_the_beginning_of_a_word(text: str, expected: list[str]) -> None:
    """An address, code, and a name that is no file's are text; a path that can be nothing else is a path."""
    found = list(mentions(text, THERE.__contains__))
    assert expected == [mention.path for mention in found]
    assert [] == [mention for mention in found if text[mention.start] != "@"]


def test_nothing_is_looked_for_in_a_paste() -> None:
    """Text that somebody else wrote attaches no file."""
    text = "mine: @notes.txt\ntheirs: @src/a.py\nmore\ntheirs: @src/a.py\nmore"
    found = mentions(text, THERE.__contains__, ("theirs: @src/a.py\nmore",))
    assert ["notes.txt"] == [mention.path for mention in found]


@pytest.mark.parametrize("path", ["notes.txt", "my notes.txt", 'a "quoted" name', "it's", "back\\slash", "dir/a b/c"])
def test_a_path_is_written_so_that_it_is_read_again(path: str) -> None:
    """Whatever is in it."""
    assert [path] == [found.path for found in mentions(f"see {mention(path)} now", lambda name: name == path)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@", ("", 1)),
        ("see @no", ("no", 3)),
        ("see @a\\ b", ("a b", 5)),
        ('see @"a b', ("a b", 5)),
        ('see @"a b"', None),
        ("me@no", None),
        ("see @a b", None),
    ],
)
def test_the_path_that_is_being_typed(text: str, expected: tuple[str, int] | None) -> None:
    """It ends where the text ends."""
    assert expected == open_mention(text)


def test_an_entry_names_its_files_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path goes out of the text, as the template of attached files has only the name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub folder").mkdir()
    (tmp_path / "sub folder" / "a.txt").write_text("x")
    entry = read_entry('compare @"sub folder/a.txt" with it')
    assert ("compare a.txt with it", ["a.txt"]) == (entry.text, [path.name for path in entry.files])
    assert 'compare @"sub folder/a.txt" with it' == entry.draft
    with pytest.raises(NotFoundError, match=r"There is no file ./b.txt"):
        read_entry("@./b.txt")
    command = read_entry("/file @./b.txt")
    assert (True, ()) == (command.commands, command.files)
    assert not read_entry('"""/exit"""').commands


def test_files_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that go on as typed, folders with a slash, hidden ones only when asked for, none that drives a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in ("Notes.txt", "notes two.txt", ".hidden", "other", "not\x1bthis"):
        (tmp_path / name).touch()
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "inner").touch()
    assert ["Notes.txt", "node/", "notes two.txt"] == completion.files("no")
    assert ["node/inner"] == completion.files("node/")
    assert [".hidden"] == completion.files(".h")
    assert [] == completion.files("gone/") == completion.files("a\0")


def test_long_pastes_are_folded_to_one_character() -> None:
    """It is shown as what it stands for, comes back whole, and no text of the user's is taken for one."""
    pastes = Pastes()
    short, long, wide = "a\nb", "line\n" * 10_000, "x" * 5_000
    assert short == pastes.fold(short)
    draft = f"<{pastes.fold(long)}|{pastes.fold(wide)}|{pastes.fold(long)}>"
    assert (7, f"<{long}|{wide}|{long}>") == (len(draft), pastes.expand(draft))
    assert "<[10,000 lines]|[5,000 characters]|[10,000 lines]>" == pastes.labelled(draft)
    private = pastes.fold(f"a {draft[1]} of my own")
    assert f"a {draft[1]} of my own" == pastes.expand(private)
    assert "\U000f0005" == pastes.expand("\U000f0005") == pastes.labelled("\U000f0005")
    assert 1 == len(pastes.fold("\n" * FOLD_LINES)) != len(pastes.fold("\n" * (FOLD_LINES - 1)))
