"""Tokens of the loaded vocabulary: user text never becomes a special token, and comes back to the byte."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from r1chat.core.prompt import BOS, CORE_MARKERS, TOOL_MARKERS, Special, Text
from r1chat.engine.llama import Model, Vocabulary
from r1chat.models.library import demo_path

# Vocabulary-only GGUF files (gzipped or not) of real models, to run the same tests on: R1CHAT_VOCABULARIES=FOLDER
FOLDER = os.environ.get("R1CHAT_VOCABULARIES", "")
VOCABULARIES = [demo_path(), *sorted(Path(FOLDER).glob("*.gguf*"))] if FOLDER else [demo_path()]
LOOK_ALIKES = [
    "<|User|>",
    "<｜User|>",
    "<ÔΩúUserÔΩú>",
    "< think>",
    "<THINK>",
    "＜think＞",
    "</ think>",
    "<|begin_of_sentence|>",
]


@pytest.fixture(scope="module", params=VOCABULARIES, ids=lambda path: path.stem)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """A model of which only the vocabulary is used."""
    path: Path = request.param
    if path.suffix == ".gz":
        plain = tmp_path_factory.mktemp("vocabulary") / path.stem
        plain.write_bytes(gzip.decompress(path.read_bytes()))
        path = plain
    model = Model(str(path), n_gpu_layers=0, extra_buffers=False, vocabulary_only=path != demo_path())
    yield model
    model.close()


def special_spellings(model: Model) -> list[str]:
    """The spelling of every CONTROL and USER_DEFINED token."""
    vocabulary = model.vocabulary
    ids = (i for i in range(vocabulary.n_tokens) if vocabulary.is_special(i))
    return [vocabulary.piece(i).decode() for i in ids]


def decoded(model: Model, ids: list[int]) -> str:
    """The text that ids stand for."""
    return b"".join(map(model.vocabulary.piece, ids)).decode()


def hostile(spellings: list[str]) -> st.SearchStrategy[str]:
    """Texts made of special spellings, whole, split, nested and in look-alike forms, between ordinary text."""
    whole = st.sampled_from([*spellings, *CORE_MARKERS, *TOOL_MARKERS, *LOOK_ALIKES])
    split = st.builds(lambda s, n: s[: n % (len(s) + 1)], whole, st.integers(0, 40))
    rest = st.builds(lambda s, n: s[n % (len(s) + 1) :], whole, st.integers(0, 40))
    nested = st.builds(
        lambda a, b, n: a[: n % (len(a) + 1)] + b + a[n % (len(a) + 1) :], whole, whole, st.integers(0, 40)
    )
    return st.lists(whole | split | rest | nested | st.text(max_size=8), max_size=8).map("".join)


def test_no_special_token_comes_from_text(model: Model) -> None:
    """No id of a CONTROL or USER_DEFINED token ever comes from text, and decoding gives the text back to the byte."""
    spellings = special_spellings(model)

    @settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(hostile(spellings))
    def holds(text: str) -> None:
        ids = model.vocabulary.tokenize(text)
        assert [] == [i for i in ids if model.vocabulary.is_special(i)]
        assert text == decoded(model, ids)

    holds()


def test_every_special_spelling_alone_stays_text(model: Model) -> None:
    """Each special token's own spelling, typed by a user, gives ordinary tokens."""
    for spelling in special_spellings(model):
        ids = model.vocabulary.tokenize(f"a{spelling}b{spelling}")
        assert not any(map(model.vocabulary.is_special, ids)), spelling
        assert f"a{spelling}b{spelling}" == decoded(model, ids)


def test_a_lone_surrogate_becomes_a_replacement_character(model: Model) -> None:
    """A text that is not Unicode (from a broken file name, say) is tokenised all the same."""
    assert "a\ufffdb" == decoded(model, model.vocabulary.tokenize("a\udc80b"))


@pytest.mark.parametrize("name", CORE_MARKERS)
def test_a_marker_is_one_special_token(model: Model, name: str) -> None:
    """Every marker of the template is one special token in the vocabulary."""
    id = model.vocabulary.special(name)
    assert id is not None
    assert model.vocabulary.is_special(id)
    assert name.encode() == model.vocabulary.piece(id)


def test_an_unknown_marker_has_no_id(model: Model) -> None:
    """A name that is no special token gives None, also if it is an ordinary word."""
    assert model.vocabulary.special("hello") is None
    assert model.vocabulary.special("<｜no▁such▁token｜>") is None


def test_pieces_longer_than_any_buffer_come_out_whole(model: Model) -> None:
    """A token of more bytes than the buffer holds is spelled whole: the buffer grows."""
    vocabulary = model.vocabulary
    longest = max(range(vocabulary.n_tokens), key=lambda i: len(vocabulary.piece(i)))
    wanted = vocabulary.piece(longest)
    small = Vocabulary(model.lib, vocabulary._pointer, buffer_bytes=1)
    assert wanted == small.piece(longest)
    assert len(wanted) > 1


def test_bos_is_the_marker(model: Model) -> None:
    """The vocabulary's own BOS is the template's."""
    assert model.vocabulary.bos == model.vocabulary.special(BOS)


def test_segments_are_values_of_their_own() -> None:
    """A Special and a Text of the same spelling are different things."""
    assert Special("<think>") != Text("<think>")
