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

# Sizes of the published files in bytes, of bartowski's repositories and for 0528-Qwen3-8B of unsloth's, and the headers
# in them. Those of the largest two are computed.
HEADERS = {
    "deepseek-r1-distill-qwen-1.5b": 5_950_496,
    "deepseek-r1-distill-qwen-7b": 5_953_504,
    "deepseek-r1-distill-llama-8b": 7_838_304,
    "deepseek-r1-0528-qwen3-8b": 5_958_144,
    "deepseek-r1-distill-qwen-14b": 5_967_264,
    "deepseek-r1-distill-qwen-32b": 5_978_272,
    "deepseek-r1-distill-llama-70b": 7_863_000,
}
FILES = {
    "Q2_K": (752_880_160, 3_015_940_064, 3_179_133_792, 3_281_734_144, 5_770_497_440, 12_313_098_400, 26_375_109_592),
    "Q3_K_S": (861_221_920, 3_492_368_352, 3_664_501_600, 3_769_612_800, 6_659_595_680, 14_392_330_400, 30_912_052_184),
    "Q3_K_M": (924_455_968, 3_808_391_136, 4_018_920_288, 4_124_162_560, 7_339_204_000, 15_935_047_840, 34_267_495_384),
    "Q3_K_L": (980_440_096, 4_088_459_232, 4_321_958_752, 4_431_395_328, 7_924_768_160, 17_247_078_560, 37_140_593_624),
    "Q4_0": (1_068_807_712, 4_444_121_056, 4_675_894_112, 4_787_333_632, 8_544_267_680, 18_711_009_440, 40_116_534_232),
    "Q4_K_S": (
        1_071_584_800,
        4_457_768_928,
        4_692_671_328,
        4_802_013_696,
        8_573_431_200,
        18_784_409_760,
        40_347_220_952,
    ),
    "Q4_K_M": (
        1_117_320_736,
        4_683_073_504,
        4_920_736_608,
        5_027_785_216,
        8_988_110_240,
        19_851_335_840,
        42_520_394_712,
    ),
    "Q5_K_S": (
        1_259_173_408,
        5_315_176_416,
        5_599_296_352,
        5_720_762_880,
        10_266_553_760,
        22_638_254_240,
        48_657_447_896,
    ),
    "Q5_K_M": (
        1_285_494_304,
        5_444_831_200,
        5_732_989_792,
        5_851_113_984,
        10_508_873_120,
        23_262_156_960,
        49_949_817_816,
    ),
    "Q6_K": (
        1_464_178_720,
        6_254_198_752,
        6_596_008_800,
        6_725_900_800,
        12_124_683_680,
        26_886_154_400,
        57_888_144_344,
    ),
    "Q8_0": (
        1_894_532_128,
        8_098_525_152,
        8_540_773_216,
        8_709_519_872,
        15_701_597_600,
        34_820_884_640,
        74_975_050_712,
    ),
    "F16": (
        3_560_416_288,
        15_237_853_152,
        16_068_893_536,
        16_388_045_312,
        29_547_716_000,
        65_535_969_440,
        141_117_914_072,
    ),
}


@pytest.mark.parametrize("quantization", FILES)
def test_the_weights_are_as_large_as_the_published_ones(quantization: str) -> None:
    """The mixture rule gives the size of every published file to the byte."""
    ours = [blueprint(FIGURES[id], quantization).weights_bytes + header for id, header in HEADERS.items()]
    assert list(FILES[quantization]) == ours


@pytest.mark.parametrize("id", ["deepseek-r1", "deepseek-r1-zero", "deepseek-r1-0528"])
def test_the_full_model_is_as_large_as_its_parts(id: str) -> None:
    """Its files come in many parts, whose published sizes have three digits: 404.3 GB of Q4_K_M, for one."""
    sizes = {"Q2_K": 244.13, "Q3_K_M": 319.3, "Q4_K_M": 404.49, "Q5_K_M": 475.4, "Q6_K": 550.8, "Q8_0": 713.28}
    ours = {name: blueprint(FIGURES[id], name).weights_bytes / 1e9 for name in sizes}
    assert sizes == pytest.approx(ours, rel=5e-4)


@pytest.mark.parametrize(
    ("id", "quantization", "n_bytes"),
    [
        ("deepseek-r1", "Q4_K_M", 404_488_847_360),
        ("deepseek-r1", "Q8_0", 713_281_210_368),
        ("deepseek-r1", "Q5_K_S", 461_841_653_760),
        ("deepseek-r1", "BF16", 1_342_267_742_208),
    ],
)
def test_the_full_model_has_so_many_bytes(id: str, quantization: str, n_bytes: int) -> None:
    """To the byte as llama.cpp counts them."""
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
