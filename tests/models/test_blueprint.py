"""Headers built from figures, against the sizes that were published."""

from pathlib import Path

import pytest

from r1chat.models.blueprint import blueprint, estimated_shape
from r1chat.models.catalog import default_path, load
from r1chat.models.figures import FIGURES, FULL_UNPACKED
from r1chat.models.gguf import read_header
from r1chat.models.judge import judge
from r1chat.models.shape import shape_of
from tests.shapes import SHAPES, write_shape

# Bytes of tensors in Q4_K_M and Q8_0. With the headers of bartowski's files, which have 5,950,496 bytes for 1.5B,
# 5,953,504 for 7B, 5,967,264 for 14B and 7,838,304 for Llama-8B (unsloth's 0528-Qwen3-8B: 5,958,144), those in Q4_K_M
# are the published files: 1,117,320,736; 4,683,073,504; 8,988,110,240; 4,920,736,608; 5,027,785,216.
SIZES = {
    "deepseek-r1-distill-qwen-1.5b": (1_111_370_240, 1_888_581_632),
    "deepseek-r1-distill-qwen-7b": (4_677_120_000, 8_092_571_648),
    "deepseek-r1-distill-llama-8b": (4_912_898_304, 8_532_934_912),
    "deepseek-r1-0528-qwen3-8b": (5_021_827_072, 8_703_561_728),
    "deepseek-r1-distill-qwen-14b": (8_982_142_976, 15_695_630_336),
    "deepseek-r1-distill-qwen-32b": (19_845_357_568, 34_814_906_368),
    "deepseek-r1-distill-llama-70b": (42_512_531_712, 74_967_187_712),
    "deepseek-r1": (404_488_847_360, 713_281_210_368),
    "deepseek-r1-zero": (404_488_847_360, 713_281_210_368),
    "deepseek-r1-0528": (404_488_847_360, 713_281_210_368),
}


@pytest.mark.parametrize("id", FIGURES)
def test_the_weights_are_as_large_as_the_published_ones(id: str) -> None:
    """The mixture rule gives the size of every published file to the byte."""
    assert SIZES[id] == tuple(blueprint(FIGURES[id], name).weights_bytes for name in ("Q4_K_M", "Q8_0"))


@pytest.mark.parametrize(
    ("id", "quantization", "n_bytes"),
    [
        ("deepseek-r1-distill-qwen-7b", "Q2_K", 3_009_986_560),
        ("deepseek-r1-distill-qwen-7b", "Q3_K_S", 3_486_414_848),
        ("deepseek-r1-distill-llama-70b", "Q3_K_M", 34_259_632_384),
        ("deepseek-r1-distill-llama-70b", "Q3_K_L", 37_132_730_624),
        ("deepseek-r1-distill-qwen-14b", "Q4_K_S", 8_567_463_936),
        ("deepseek-r1-distill-qwen-32b", "Q5_K_M", 23_256_178_688),
        ("deepseek-r1-0528-qwen3-8b", "Q6_K", 6_719_942_656),
        ("deepseek-r1", "Q5_K_S", 461_841_653_760),
        ("deepseek-r1", "BF16", 1_342_267_742_208),
    ],
)
def test_other_mixtures_follow_their_rules(id: str, quantization: str, n_bytes: int) -> None:
    """Each mixture has exceptions of its own, by layer and by model."""
    assert n_bytes == blueprint(FIGURES[id], quantization).weights_bytes


def test_every_model_of_the_catalogue_has_figures() -> None:
    """What has a name here can be planned for before it is here, within a hundredth of its size."""
    for entry in load(default_path()).entries:
        shape = estimated_shape(entry.id, entry.default, entry.download.n_bytes, entry.family)
        assert shape is not None
        assert entry.context == shape.n_ctx_train
        assert shape.weights_bytes == pytest.approx(entry.download.n_bytes or 0, rel=0.01)


def test_a_mixture_without_a_rule_is_scaled() -> None:
    """Unsloth's dynamic mixtures have the size of their files, and the layers of Q4_K_M in proportion."""
    shape = estimated_shape("deepseek-r1", "UD-IQ1_S", 140_200_000_000, "r1")
    assert shape is not None
    assert shape.parts is not None
    parts = shape.parts
    assert 140_200_000_000 == shape.weights_bytes
    assert 140_200_000_000 == parts.input + parts.output + sum(parts.layers) + sum(parts.experts)
    assert 0.95 < sum(parts.experts) / shape.weights_bytes < 1
    assert estimated_shape("deepseek-r1", "UD-IQ1_S", None, "r1") is None
    assert estimated_shape("mine", "Q4_K_M", 1, None) is None


@pytest.mark.parametrize("id", SHAPES)
def test_a_sparse_file_is_a_whole_model(id: str, tmp_path: Path) -> None:
    """What scripts/shapes writes is accepted as a runnable model, and its shape is the blueprint's."""
    file = tmp_path / "model.gguf"
    write_shape(file, SHAPES[id], "Q4_K_M")
    header = read_header(file)
    judge(header)
    made = shape_of(blueprint(SHAPES[id], "Q4_K_M"))
    assert (made.parts, made.weights_bytes, made.n_vocab) == (
        (shape := shape_of(header)).parts,
        shape.weights_bytes,
        shape.n_vocab,
    )


def test_the_older_form_of_r1_keeps_its_heads() -> None:
    """Files from before April 2025 have as many keys as heads, of 192 and 128 numbers."""
    shape = shape_of(blueprint(FULL_UNPACKED, "Q4_K_M"))
    assert (128, 192, 128) == (shape.n_heads_kv, shape.head_dim_k, shape.head_dim_v)
