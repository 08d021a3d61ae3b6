"""Sizes in bytes as people read them."""

_UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3))


def size_text(n_bytes: int) -> str:
    """Write a size as the Hub does, in powers of ten with one digit: 4.7 GB, 93.2 MB, 999 B."""
    for unit, scale in _UNITS:
        if n_bytes >= scale:
            return f"{n_bytes / scale:,.1f} {unit}"
    return f"{n_bytes} B"
