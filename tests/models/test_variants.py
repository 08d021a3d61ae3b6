"""Which models a repository holds, told by its files' names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from r1chat.errors import NotFoundError
from r1chat.models.variants import (
    RepoFile,
    Variant,
    canonical,
    choose,
    default_of,
    is_model,
    nearest,
    quantization_of,
    variants,
)

# Every name of R1.md, section C: as the files' pages on the Hub showed them.
NAMES = {
    "DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf": "Q4_K_M",
    "DeepSeek-R1-Distill-Qwen-32B-Q8_0.gguf": "Q8_0",
    "deepseek-r1-distill-qwen-32b-q8_0.gguf": "Q8_0",
    "deepseek-ai_DeepSeek-R1-0528-Qwen3-8B-Q4_K_M.gguf": "Q4_K_M",
    "DeepSeek-R1-0528-Qwen3-8B-Q4_K_M.gguf": "Q4_K_M",
    "DeepSeek-R1-Distill-Qwen-1.5B-UD-Q4_K_XL.gguf": "UD-Q4_K_XL",
    "DeepSeek-R1-Distill-Qwen-7B.i1-Q4_K_M.gguf": "Q4_K_M",
    "DeepSeek-R1-Distill-Qwen-1.5B.Q2_K.gguf": "Q2_K",
    "deepseek-r1-distill-qwen-7b-q4_k_m.gguf": "Q4_K_M",
    "DeepSeek-R1-Distill-Qwen-32B-F16/DeepSeek-R1-Distill-Qwen-32B-F16-00001-of-00002.gguf": "F16",
    "DeepSeek-R1-Distill-Llama-70B-Q6_K/DeepSeek-R1-Distill-Llama-70B-Q6_K-00001-of-00002.gguf": "Q6_K",
    "DeepSeek-R1-Distill-Llama-70B-Q8_0/DeepSeek-R1-Distill-Llama-70B-Q8_0-00002-of-00002.gguf": "Q8_0",
    "DeepSeek-R1-Distill-Llama-70B-F16/DeepSeek-R1-Distill-Llama-70B-F16-00003-of-00003.gguf": "F16",
    "DeepSeek-R1-UD-IQ1_S/DeepSeek-R1-UD-IQ1_S-00001-of-00003.gguf": "UD-IQ1_S",
    "DeepSeek-R1-UD-IQ1_M/DeepSeek-R1-UD-IQ1_M-00001-of-00004.gguf": "UD-IQ1_M",
    "DeepSeek-R1-UD-IQ2_XXS/DeepSeek-R1-UD-IQ2_XXS-00003-of-00004.gguf": "UD-IQ2_XXS",
    "DeepSeek-R1-UD-Q2_K_XL/DeepSeek-R1-UD-Q2_K_XL-00005-of-00005.gguf": "UD-Q2_K_XL",
    "DeepSeek-R1-Q2_K/DeepSeek-R1-Q2_K-00001-of-00005.gguf": "Q2_K",
    "DeepSeek-R1-Q2_K_L/DeepSeek-R1-Q2_K_L-00001-of-00005.gguf": "Q2_K_L",
    "DeepSeek-R1-Q2_K_XS/DeepSeek-R1-Q2_K_XS-00001-of-00005.gguf": "Q2_K_XS",
    "DeepSeek-R1-Q3_K_M/DeepSeek-R1-Q3_K_M-00007-of-00007.gguf": "Q3_K_M",
    "DeepSeek-R1-Q4_K_M/DeepSeek-R1-Q4_K_M-00001-of-00009.gguf": "Q4_K_M",
    "DeepSeek-R1-Q5_K_M/DeepSeek-R1-Q5_K_M-00010-of-00010.gguf": "Q5_K_M",
    "DeepSeek-R1-Q8_0/DeepSeek-R1.Q8_0-00001-of-00015.gguf": "Q8_0",
    "DeepSeek-R1-Q8_0/DeepSeek-R1-BF16-256x20B-Q8_0-00001-of-00016.gguf": "Q8_0",
    "DeepSeek-R1-BF16/DeepSeek-R1.BF16-00001-of-00030.gguf": "BF16",
    "DeepSeek-R1-IQ4_XS/DeepSeek-R1-IQ4_XS-00010-of-00010.gguf": "IQ4_XS",
    "DeepSeek-R1-Zero-Q2_K_XS/DeepSeek-R1-Zero-Q2_K_XS-00001-of-00005.gguf": "Q2_K_XS",
    "DeepSeek-R1-Zero-Q8_0/DeepSeek-R1-Zero-BF16-256x20B-Q8_0-00016-of-00016.gguf": "Q8_0",
    "DeepSeek-R1-0528-UD-TQ1_0.gguf": "UD-TQ1_0",
    "UD-IQ1_S/DeepSeek-R1-0528-UD-IQ1_S-00001-of-00004.gguf": "UD-IQ1_S",
    "UD-IQ2_XXS/DeepSeek-R1-0528-UD-IQ2_XXS-00005-of-00005.gguf": "UD-IQ2_XXS",
    "UD-Q3_K_XL/DeepSeek-R1-0528-UD-Q3_K_XL-00007-of-00007.gguf": "UD-Q3_K_XL",
    "IQ4_NL/DeepSeek-R1-0528-IQ4_NL-00001-of-00008.gguf": "IQ4_NL",
    "Q4_1/DeepSeek-R1-0528-Q4_1-00001-of-00009.gguf": "Q4_1",
    "BF16/DeepSeek-R1-0528-BF16-00030-of-00030.gguf": "BF16",
    **{
        f"DeepSeek-R1-Distill-Llama-8B-{quantization}.gguf": quantization.upper()
        for quantization in (
            *(
                "IQ2_M",
                "IQ3_M",
                "IQ3_XS",
                "IQ4_NL",
                "IQ4_XS",
                "Q2_K",
                "Q2_K_L",
                "Q3_K_S",
                "Q3_K_M",
                "Q3_K_L",
                "Q3_K_XL",
            ),
            *("Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "Q4_K_L", "Q5_K_S", "Q5_K_M", "Q5_K_L", "Q6_K", "Q6_K_L", "Q8_0"),
            *("f16", "f32"),
        )
    },
}
OTHERS = {
    "model.gguf": "",
    "Q4_K_M.gguf": "Q4_K_M",
    "Q4_K_M/model.gguf": "Q4_K_M",
    "model-Q4_K_M-imat.gguf": "Q4_K_M",
    "model-Q5_K_M.Q4_K_M.gguf": "Q4_K_M",
    "model-MXFP4_MOE.gguf": "MXFP4_MOE",
    "model.fp16.gguf": "F16",
    "model-IQ1_S_R4.gguf": "IQ1_S_R4",
    "UD_Q4_K_XL/model-ud_q4_k_xl.gguf": "UD-Q4_K_XL",
    "Qwen2.5-Q-model.gguf": "",
    "seq4_k_m.gguf": "",
}


@pytest.mark.parametrize(("path", "quantization"), [*NAMES.items(), *OTHERS.items()])
def test_the_quantization_is_read_off_the_name(path: str, quantization: str) -> None:
    """Each way of naming files on the Hub tells its quantization, in one spelling; what tells none gives none."""
    assert is_model(path)
    assert quantization == quantization_of(path)


@pytest.mark.parametrize("path", NAMES)
def test_every_name_is_grouped_with_its_shards(path: str) -> None:
    """A single file is a whole model, and a shard one only with all its others, in whatever order they come."""
    shards = [path]
    if "-of-" in path:
        stem, _, count = path.removesuffix(".gguf").rpartition("-of-")
        shards = [f"{stem[:-5]}{number:05d}-of-{count}.gguf" for number in range(int(count), 0, -1)]
        assert not variants([RepoFile(path, 1)])[0].complete
    (found,) = variants([RepoFile(each, 10) for each in shards])
    assert (NAMES[path], True, 10 * len(shards)) == (found.quantization, found.complete, found.n_bytes)
    assert sorted(shards) == [file.path for file in found.files]
    assert len(shards) == found.n_shards


@pytest.mark.parametrize(
    "path",
    [
        *("mmproj-model-f16.gguf", "model-mmproj-F16.gguf", "imatrix.gguf", "imatrix_unsloth.gguf", "m-imatrix.gguf"),
        *("imatrix.dat", "ggml-vocab-deepseek-r1-qwen.gguf", "R1-vocab.gguf", "mtp-DeepSeek-R1-Q8_0.gguf"),
        *("draft/draft-Q4_0.gguf", "R1-mtp.gguf", "README.md", "config.json", "x.gguf.part", "DeepSeek-R1.safetensors"),
    ],
)
def test_what_is_no_model_is_left_out(path: str) -> None:
    """Projectors, matrices, vocabularies, drafts and other files are no models."""
    assert () == variants([RepoFile(path, 1)])


def test_an_imatrix_quantization_is_a_model() -> None:
    """A name that only tells how a model was made stays one."""
    assert is_model("R1-imatrix-Q4_K_M.gguf")


def test_sets_are_kept_apart() -> None:
    """Two split sets and a file of one repository are three models, by size; one that lacks a part is not complete."""
    files = [
        *(RepoFile(f"a/R1-Q8_0-0000{n}-of-00003.gguf", 90, f"{n}" * 64) for n in (1, 2, 3)),
        *(RepoFile(f"b/R1-Q4_K_M-0000{n}-of-00003.gguf", 50) for n in (1, 3)),
        RepoFile("R1-Q2_K.gguf", 30),
    ]
    found = variants(files)
    assert [("Q2_K", True, 1), ("Q4_K_M", False, 3), ("Q8_0", True, 3)] == [
        (variant.quantization, variant.complete, variant.n_shards) for variant in found
    ]
    assert tuple(files[:3]) == found[2].files


def test_a_shard_that_is_there_twice_makes_no_whole() -> None:
    """Names that differ in case only are two files, and a set with a part twice is not complete."""
    names = ("R1-Q4_0-00001-of-00002.gguf", "R1-Q4_0-00002-of-00002.gguf", "R1-Q4_0-00002-OF-00002.gguf")
    (found,) = variants([RepoFile(name, 1) for name in names])
    assert not found.complete


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("q8_0", "Q8_0"),
        ("Q8-0", "Q8_0"),
        ("ud_iq1-s", "UD-IQ1_S"),
        ("UD-Q2_K_XL", "UD-Q2_K_XL"),
        ("i1-Q4_K_M", "Q4_K_M"),
        ("bf16", "BF16"),
        ("fp16", "F16"),
        (" q4_k_m ", "Q4_K_M"),
        ("latest", "LATEST"),
    ],
)
def test_one_spelling(text: str, expected: str) -> None:
    """Case and - or _ make no difference, and mradermacher's i1 none either."""
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ("Q2_K Q4_K_M Q8_0", "Q4_K_M"),
        ("Q2_K Q5_K_M Q8_0", "Q5_K_M"),
        ("Q2_K UD-Q4_K_XL Q8_0", "UD-Q4_K_XL"),
        ("Q2_K Q4_0 BF16", "Q4_0"),
        ("F32 BF16", "BF16"),
        ("IQ1_S_R4", "IQ1_S_R4"),
        ("X Q4_K_M", "Q4_K_M"),
        ("X Y", None),
        ("", None),
    ],
)
def test_the_default(there: str, expected: str | None) -> None:
    """Q4_K_M, else the next above up to 8 bits, else the next below, else 16 bits; one alone; never a guess."""
    assert expected == default_of(there.split())


def test_the_nearest() -> None:
    """A known quantization is near to the next in bits, a mistyped one to the most alike."""
    there = ["Q3_K_M", "Q4_K_M", "Q8_0"]
    assert ["Q4_K_M", "Q8_0", "Q4_K_M", None] == [nearest(q, there) for q in ("Q4_K_L", "F16", "Q4KM", "%")]
    assert nearest("Q4_K_M", []) is None


def a_model(quantization: str, n_bytes: int = 4_683_073_504) -> Variant:
    """A model in one file."""
    return Variant(quantization, (RepoFile(f"R1-{quantization}.gguf", n_bytes),))


def test_a_missing_quantization_is_never_replaced() -> None:
    """What is not there is refused, with everything that is there, its sizes and the nearest name."""
    there = [a_model("Q3_K_M", 3_808_391_136), a_model("Q4_K_M"), a_model("Q8_0", 8_098_525_152)]
    with pytest.raises(NotFoundError) as error:
        choose(there, "q5_k_m", where="user/R1-GGUF")
    assert "user/R1-GGUF has no q5_k_m." == error.value.message
    assert "It has Q3_K_M (3.8 GB), Q4_K_M (4.7 GB), Q8_0 (8.1 GB). The nearest is Q4_K_M." == error.value.hint


@given(
    st.lists(st.sampled_from(["Q2_K", "Q4_0", "Q4_K_M", "UD-Q4_K_XL", "Q8_0", "BF16", ""]), unique=True),
    st.sampled_from(["Q2_K", "q4-0", "Q4_K_M", "ud-q4_k_xl", "Q9", "\x1b[2J"]),
)
def test_what_is_chosen_is_what_was_asked_for(there: list[str], asked: str) -> None:
    """Whatever a repository holds, the chosen model has the quantization that was asked for, or there is an error."""
    found = [a_model(quantization) for quantization in there]
    if canonical(asked) in there:
        assert canonical(asked) == choose(found, asked, where="here").quantization
    else:
        with pytest.raises(NotFoundError) as error:
            choose(found, asked, where="here")
        assert "\x1b" not in error.value.message + error.value.hint


def test_the_default_is_chosen_from_whole_models() -> None:
    """Without a quantization, a set that lacks parts is passed over."""
    broken = variants([RepoFile("R1-Q4_K_M-00001-of-00002.gguf", 5)])
    assert "Q5_K_M" == choose([*broken, a_model("Q5_K_M"), a_model("F16")], None, where="x").quantization


@pytest.mark.parametrize(
    ("there", "asked", "words"),
    [
        ((), None, "holds no GGUF model"),
        (("R1-Q4_K_M-00001-of-00009.gguf",), "Q4_K_M", "lacks 8 of the 9 parts"),
        (("a/R1-Q4_K_M.gguf", "b/Zero-Q4_K_M.gguf"), "Q4_K_M", "2 models in Q4_K_M"),
        (("a/R1-Q4_K_M.gguf", "b/Zero-Q4_K_M.gguf"), None, "2 models"),
        (("one.gguf", "two.gguf"), None, "2 models"),
    ],
)
def test_what_can_not_be_chosen(there: tuple[str, ...], asked: str | None, words: str) -> None:
    """Nothing, a part of a set, and two of a kind are each refused with what to do."""
    with pytest.raises(NotFoundError, match=words) as error:
        choose(variants(RepoFile(path, 1) for path in there), asked, where="x")
    assert error.value.hint


def test_one_model_without_a_quantization_is_taken() -> None:
    """A repository with one file needs no name for it."""
    assert "" == choose(variants([RepoFile("model.gguf", 1)]), None, where="x").quantization


@given(st.text(max_size=80))
def test_no_name_is_too_strange(name: str) -> None:
    """Any text is the name of some file."""
    for variant in variants([RepoFile(f"{name}.gguf", 1), RepoFile(name, 1)]):
        assert variant.n_shards >= 0
        assert canonical(variant.quantization) == variant.quantization
