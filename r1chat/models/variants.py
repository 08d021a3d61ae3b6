"""Which quantizations a repository or a folder holds, told by the names of its GGUF files. Opens nothing.

How GGUF files are named (R1 and its distilled models, as seen on the Hub):

    DeepSeek-R1-Distill-Qwen-7B-Q4_K_M.gguf                         bartowski, unsloth, lmstudio-community
    DeepSeek-R1-Distill-Qwen-7B.i1-Q4_K_M.gguf                      mradermacher: i1 is how, not what
    DeepSeek-R1-Distill-Qwen-1.5B.Q2_K.gguf                         QuantFactory
    deepseek-r1-distill-qwen-7b-q4_k_m.gguf                         gguf-my-repo
    DeepSeek-R1-Q4_K_M/DeepSeek-R1-Q4_K_M-00001-of-00009.gguf       split, in a folder of its own
    UD-IQ1_S/DeepSeek-R1-0528-UD-IQ1_S-00001-of-00004.gguf          unsloth's dynamic mixtures are UD-
    DeepSeek-R1-Q8_0/DeepSeek-R1.Q8_0-00001-of-00015.gguf

So the quantization is what stands at the end of a name, before the number of the shard; else the last thing in the
name that looks like one; else what the folder's name ends in. Case doesn't matter, nor whether - or _ is written:
`canonical` gives the one spelling in use here. Not models at all, though they end in .gguf: vision projectors (mmproj),
importance matrices, vocabularies, and the small models that speed up another one (draft, MTP, EAGLE).
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.errors import NotFoundError

DEFAULT: Final = "Q4_K_M"  # what is taken where nobody names another, and it is there

# By bits for a weight, so by size and nearly by quality. A UD- mixture stands behind the plain one of its name.
# llama.h (llama_ftype) names the types; _L and _XL are bartowski's and unsloth's mixtures with better embeddings.
_ORDER: Final = (
    *("TQ1_0", "IQ1_S", "IQ1_M", "TQ2_0", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M"),
    *("Q2_K_S", "Q2_K_XS", "Q2_K", "Q2_K_L", "Q2_K_XL"),
    *("IQ3_XXS", "IQ3_XS", "Q3_K_XS", "Q3_K_S", "IQ3_S", "IQ3_M", "Q3_K", "Q3_K_M", "Q3_K_L", "Q3_K_XL"),
    *("IQ4_XS", "MXFP4", "MXFP4_MOE", "NVFP4", "IQ4_NL", "Q4_0", "Q4_K_S", "Q4_K", "Q4_K_M", "Q4_K_L", "Q4_K_XL"),
    *("Q4_1", "Q5_0", "Q5_K_S", "Q5_K", "Q5_K_M", "Q5_K_L", "Q5_K_XL", "Q5_1"),
    *("Q6_K", "Q6_K_L", "Q6_K_XL", "Q8_0", "Q8_K_XL", "BF16", "F16", "F32"),
)
_RANKS: Final = {name: 2 * rank for rank, name in enumerate(_ORDER)}
_WHOLE: Final = _RANKS["BF16"]  # from here on nothing is quantized

_WORD: Final = (
    r"(?:UD[-_])?(?:(?:I?Q|TQ)[1-8](?:[-_](?:[0-9]|K|XXS|XS|S|M|L|XL|NL|KSS|KS|KL|KT|R4|R8))+"
    r"|BF16|FP?16|FP?32|MXFP4(?:[-_]MOE)?|NVFP4)"
)
_QUANTIZATION: Final = re.compile(rf"(?:i1[-_])?(?P<word>{_WORD})", re.IGNORECASE)
_AT_END: Final = re.compile(rf"(?:^|[-._])(?P<word>{_WORD})$", re.IGNORECASE)
_WITHIN: Final = re.compile(rf"(?:^|[-._])(?P<word>{_WORD})(?=[-.])", re.IGNORECASE)
_SHARD: Final = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})", re.IGNORECASE)
_NO_MODEL: Final = re.compile(
    r"(?:.*[-._])?mmproj(?:[-._].*)?"  # anywhere in the name
    r"|(?:.*[-._])?(?:imatrix|vocab|vocab-only|mtp|draft|eagle3?|dflash)"  # at its end
    r"|(?:imatrix|ggml-vocab|vocab|mtp|draft|eagle3?|dflash)[-._].*",  # at its beginning
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RepoFile:
    """A file of a repository or a folder. `path` is inside it, with /; `sha256` is None where no hash is published."""

    path: str
    n_bytes: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """One model: a file, or all shards in order. `quantization` is in its canonical spelling, empty if unknown."""

    quantization: str
    files: tuple[RepoFile, ...]

    @property
    def n_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.n_bytes for file in self.files)

    @property
    def n_shards(self) -> int:
        """How many files the model consists of, as their names say."""
        match = _shard(self.files[0].path)
        return int(match["count"]) if match else 1

    @property
    def complete(self) -> bool:
        """Whether every shard is there."""
        matches = [_shard(file.path) for file in self.files]
        if None in matches:
            return len(self.files) == 1
        return [int(match["number"]) for match in matches if match] == [*range(1, self.n_shards + 1)]


def variants(files: Iterable[RepoFile]) -> tuple[Variant, ...]:
    """Sort a repository's files into its models, by size. What is no GGUF model is left out."""
    sets: dict[tuple[str, int], list[RepoFile]] = {}
    for file in files:
        if is_model(file.path):
            match = _shard(file.path)
            key = (match["stem"], int(match["count"])) if match else (file.path, 0)
            sets.setdefault(key, []).append(file)
    found = [
        Variant(quantization_of(stem), tuple(sorted(shards, key=lambda file: file.path.casefold())))
        for (stem, _), shards in sets.items()
    ]
    return tuple(sorted(found, key=lambda variant: (variant.n_bytes, variant.files[0].path)))


def is_model(path: str) -> bool:
    """Tell by the name whether a file holds a model, or a part of one."""
    name = path.rsplit("/", 1)[-1]
    return name.lower().endswith(".gguf") and not _NO_MODEL.fullmatch(_stem(name))


def quantization_of(path: str) -> str:
    """Read the quantization off a path, in its canonical spelling; empty if none is named."""
    *folders, name = path.split("/")
    name = _stem(name)
    if match := _SHARD.fullmatch(name):
        name = match["stem"]
    for found in (_AT_END.search(name), *reversed([*_WITHIN.finditer(name)]), *map(_AT_END.search, folders[-1:])):
        if found:
            return canonical(found["word"])
    return ""


def canonical(quantization: str) -> str:
    """Spell a quantization the usual way: q8-0 is Q8_0, ud_iq1_s is UD-IQ1_S. Leaves other words alone but for case."""
    word = quantization.strip()
    if match := _QUANTIZATION.fullmatch(word):
        word = match["word"]
    word = word.upper().replace("-", "_")
    word = {"FP16": "F16", "FP32": "F32"}.get(word, word)
    return f"UD-{word[3:]}" if word.startswith("UD_") else word


def looks_like_one(text: str) -> bool:
    """Whether a text is a quantization by its form."""
    return _QUANTIZATION.fullmatch(text.strip()) is not None


def rank(quantization: str) -> int | None:
    """Place a quantization in the order of bits for a weight; None for one that is not known here."""
    plain = _RANKS.get(quantization.removeprefix("UD-"))
    return None if plain is None else plain + quantization.startswith("UD-")


def default_of(quantizations: Iterable[str]) -> str | None:
    """Choose what to take when none is named, or None if that can't be told.

    Q4_K_M; else the next better one up to 8 bits; else the next worse one; else 16 bits, then 32. One alone is taken.
    """
    names = tuple(dict.fromkeys(quantizations))
    if len(names) == 1:
        return names[0]
    best = _RANKS[DEFAULT]
    ranked = sorted((place, name) for name in names if (place := rank(name)) is not None)
    above = [name for place, name in ranked if best <= place < _WHOLE]
    below = [name for place, name in reversed(ranked) if place < best]
    whole = [name for place, name in ranked if place >= _WHOLE]
    return next(iter((*above, *below, *whole)), None)


def nearest(quantization: str, quantizations: Sequence[str]) -> str | None:
    """Find what was meant, or comes next to it: the nearest in bits for a known one, else the most alike in letters."""
    asked = canonical(quantization)
    place = rank(asked)
    places = {name: other for name in quantizations if (other := rank(name)) is not None}
    if place is not None and places:
        bits = _bits(asked)
        return min(places, key=lambda name: (abs(_bits(name) - bits), abs(places[name] - place), -places[name]))
    close = difflib.get_close_matches(asked, quantizations, n=1, cutoff=0.5)
    return close[0] if close else None


def choose(found: Sequence[Variant], quantization: str | None, *, where: str) -> Variant:
    """Pick the variant of that quantization, or the default one. Never another one than asked for.

    Raises NotFoundError that tells what there is, with sizes, and what comes next to what was asked for. `where` names
    the repository or folder in it.
    """
    where = clean(where)
    if not found:
        raise NotFoundError(f"{where} holds no GGUF model.", hint="Look for a repository whose name ends in -GGUF.")
    whole = [variant for variant in found if variant.complete]
    if quantization is None:
        names = [variant.quantization for variant in whole]
        picked = default_of(names)
        if picked is None or names.count(picked) > 1:
            raise NotFoundError(f"{where} holds {len(found)} models.", hint=f"Name one of {listed(found)}.")
        return next(variant for variant in whole if variant.quantization == picked)
    asked = canonical(quantization)
    fitting = [variant for variant in found if variant.quantization == asked]
    usable = [variant for variant in fitting if variant.complete]
    if len(usable) == 1:
        return usable[0]
    if usable:
        paths = " or ".join(clean(variant.files[0].path) for variant in usable[:4])
        raise NotFoundError(f"{where} holds {len(usable)} models in {asked}.", hint=f"Name the file: {paths}.")
    if fitting:
        n_missing = fitting[0].n_shards - len(fitting[0].files)
        raise NotFoundError(
            f"{where} lacks {n_missing} of the {fitting[0].n_shards} parts of {asked}.",
            hint=f"Take another: {listed(whole)}." if whole else "Look for another repository.",
        )
    near = nearest(asked, [variant.quantization for variant in whole if variant.quantization])
    raise NotFoundError(
        f"{where} has no {clean(quantization.strip())}.",
        hint=f"It has {listed(whole or found)}." + (f" The nearest is {near}." if near else ""),
    )


def listed(found: Sequence[Variant]) -> str:
    """Name variants with their sizes: Q4_K_M (4.7 GB), Q8_0 (8.1 GB)."""
    return ", ".join(
        f"{variant.quantization or clean(variant.files[0].path)} ({size_text(variant.n_bytes)})" for variant in found
    )


def _bits(quantization: str) -> int:
    """Tell the bits for a weight that a known quantization has in its name."""
    digits = re.search(r"\d+", quantization)
    return int(digits[0]) if digits else 0


def _stem(name: str) -> str:
    return name[: -len(".gguf")] if name.lower().endswith(".gguf") else name


def _shard(path: str) -> re.Match[str] | None:
    return _SHARD.fullmatch(_stem(path))
