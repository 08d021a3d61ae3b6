"""What a header says, put together: from a file, from parts, and from streams that can be read only so far."""

import io
from pathlib import Path
from typing import BinaryIO

import pytest

from r1chat.errors import GGUFError
from r1chat.models.card import MAX_ITEMS, card_of, card_of_streams, plain, summary
from r1chat.models.gguf import read_header
from r1chat.models.library import demo_path
from r1chat.models.templates import template_name, uses_markers
from tests.gguf_writer import Model, Typed, tiny, u16


def part(model: Model, number: int, count: int, n_tensors: int) -> bytes:
    """Build one shard of a model cut into `count` runs of tensors."""
    length = -(-n_tensors // count)
    tensors = model.tensors[number * length : (number + 1) * length]
    split = {"split.no": u16(number), "split.count": u16(count), "split.tensors.count": Typed(5, n_tensors)}
    metadata = {**(model.metadata if number == 0 else {}), **split}
    return Model(metadata, tensors, weights=model.weights).build()


@pytest.fixture
def parts() -> list[bytes]:
    """A model in three parts."""
    model = tiny()
    return [part(model, number, 3, len(model.tensors)) for number in range(3)]


def test_the_card_of_the_demo() -> None:
    """The bundled model's name, description, licence, context and type come from its own metadata."""
    card = card_of(demo_path())
    assert ("r1chat demo", "MIT", 2048, "Q8_0") == (card.title, card.licence, card.n_ctx_train, card.quantization)
    assert "toy" in card.description
    assert "" == card.problem
    assert demo_path().stat().st_size == card.header.file_size


def test_tensors_are_counted_by_type() -> None:
    """Counts and bytes by type add up to all tensors, the largest type first."""
    card = card_of(demo_path())
    assert len(card.header.tensors) == sum(group.count for group in card.tensors)
    assert card.header.weights_bytes == sum(group.n_bytes for group in card.tensors)
    sizes = [group.n_bytes for group in card.tensors]
    assert sorted(sizes, reverse=True) == sizes


def test_a_model_that_can_not_be_run_says_why() -> None:
    """The judge's sentence is in the card."""
    other = tiny()
    other.metadata["general.architecture"] = "mamba"
    card = card_of_streams(iter([io.BytesIO(other.build())]), 1)
    assert "mamba" in card.problem


def test_parts_are_one_model(parts: list[bytes], tmp_path: Path) -> None:
    """From files or from streams, the parts of a model give the card of the whole."""
    for number, content in enumerate(parts, 1):
        (tmp_path / f"x-{number:05d}-of-00003.gguf").write_bytes(content)
    whole = card_of_streams(iter([io.BytesIO(tiny().build())]), 1)
    for card in (
        card_of(tmp_path / "x-00001-of-00003.gguf"),
        card_of_streams(iter(map(io.BytesIO, parts)), 3),
    ):
        assert (whole.parameters, whole.tensors, "") == (card.parameters, card.tensors, card.problem)
        assert (3, 3) == (card.n_parts, card.of_parts)


def test_parts_that_are_not_read(parts: list[bytes]) -> None:
    """When the later streams give nothing, the card is of the parts that were read, and says so."""
    streams: list[BinaryIO] = [io.BytesIO(parts[0]), io.BytesIO(b"")]
    card = card_of_streams(iter(streams), 3)
    assert ("qwen2", 1, 3, "") == (card.architecture, card.n_parts, card.of_parts, card.problem)


def test_a_first_part_that_is_no_model() -> None:
    """A page instead of a model is the reader's own error."""
    with pytest.raises(GGUFError):
        card_of_streams(iter([io.BytesIO(b"<html>" * 100)]), 1)


class Counting(io.BytesIO):
    """Counts what is read."""

    n_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.n_read += len(data)
        return data


def test_only_headers_are_read(parts: list[bytes]) -> None:
    """Of files with gigabytes of weights behind, a little is read of each part, however many there are."""
    streams = [Counting(content + bytes(2**20)) for content in parts]
    card_of_streams(iter(streams), 3)
    assert all(stream.n_read <= 2**16 for stream in streams)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("r1_full_2025_01", "DeepSeek-R1 of January 2025"),
        ("r1_full_2025_02", "DeepSeek-R1 of February 2025"),
        ("r1_distill_2025_01", "R1's distilled models of January 2025"),
        ("r1_distill_2025_02", "R1's distilled models of February 2025"),
        ("r1_0528", "DeepSeek-R1-0528"),
    ],
)
def test_deepseeks_templates_are_known(file: str, name: str) -> None:
    """Each of R1's five templates is told by name, formatted or not; changed by a word it is none of them."""
    template = (Path(__file__).parents[1] / "data" / "templates" / f"{file}.jinja").read_text("utf-8")
    assert name == template_name(template)
    assert name == template_name(template.replace("{%", "\n  {%"))
    assert "" == template_name(template.replace("message", "massage"))
    assert uses_markers(template)


def test_a_template_that_is_not_deepseeks_has_no_name() -> None:
    """Another one is unknown; that of the demo is at least one with R1's markers."""
    assert "" == template_name("{{ bos_token }}")
    assert ("", True) == (card_of(demo_path()).known, card_of(demo_path()).like_r1)


def test_values_are_bounded_in_an_overview() -> None:
    """A long array shows its first items and its count; JSON has no infinities; a whole one is on demand."""
    model = tiny()
    model.extra = {"a.list": [*range(1000)], "a.inf": float("inf"), "a.flag": True, "a.text": "x" * 10_000}
    metadata = read_header(io.BytesIO(model.build())).metadata
    assert "1,000: 0, 1, 2, 3, 4, 5, 6, 7, …" == summary(metadata["a.list"])
    assert {"count": 1000, "first": [*range(MAX_ITEMS)]} == plain(metadata["a.list"])
    assert [*range(1000)] == plain(metadata["a.list"], whole=True)
    assert ("inf", "true", 4096) == (
        plain(metadata["a.inf"]),
        summary(metadata["a.flag"]),
        len(summary(metadata["a.text"])),
    )


def test_all_headers_together_are_bounded() -> None:
    """Of a model in very many parts, as many headers are read as fit into 16 MiB, and the card says how many."""
    model = tiny()
    model.extra = {"a.text": "x" * 100_000}
    parts = [part(model, 0, 400, 400), *(part(tiny(), number, 400, 400) + bytes(2**20) for number in range(1, 400))]
    streams = [Counting(content) for content in parts]
    card = card_of_streams(iter(streams), 400)
    assert sum(stream.n_read for stream in streams) <= 16 * 2**20
    assert 100 < card.n_parts < 400
