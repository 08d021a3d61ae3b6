"""Which of DeepSeek's chat templates a file holds, told by its fingerprint. Renders nothing (core/prompt.py does)."""

import hashlib
from collections.abc import Mapping
from typing import Final

# sha256 of the template without white space (converters format it differently). The templates are those of
# tokenizer_config.json on the Hub: deepseek-ai/DeepSeek-R1 and DeepSeek-R1-Distill-* (the six share theirs), as
# released and as changed in February 2025 (since then they force the thinking), and DeepSeek-R1-0528.
_KNOWN: Final[Mapping[str, str]] = {
    "206f6cdde130922478d2486180bbb388984225c9c151c9a9ce90762b3c928cb5": "DeepSeek-R1 of January 2025",
    "cc93edec73199ba6a6ef84d90f2a577bd942a444cf316627f75e1bd1a37bb14f": "DeepSeek-R1 of February 2025",
    "80bd351793de273a27a0438233a00aec27a200a537a29bd2e062f33d37d5d32a": "R1's distilled models of January 2025",
    "4d23ddf0dee2ad3acce1a05d9ecece2f6991ab24a3c19063c12828a86215f085": "R1's distilled models of February 2025",
    "5f8b90c3cab82a7277a66edb4090fd9dfb3f10c61b2622046ad6e21902d2da86": "DeepSeek-R1-0528",
}
_MARKERS: Final = ("<｜User｜>", "<｜Assistant｜>")


def template_name(template: str) -> str:
    """Name the template, if it is one of R1's; empty for every other."""
    return _KNOWN.get(hashlib.sha256("".join(template.split()).encode("utf-8", "replace")).hexdigest(), "")


def uses_markers(template: str) -> bool:
    """Whether a template sets R1's markers, as every variation of R1's does."""
    return all(marker in template for marker in _MARKERS)
