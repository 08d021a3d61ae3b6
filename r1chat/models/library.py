"""What is on this machine. Knows where the bundled demo model lies; opens nothing."""

from pathlib import Path


def demo_path() -> Path:
    """Return where the bundled demo model is: a GGUF file inside the package."""
    return Path(__file__).parent.parent / "data" / "demo.gguf"
