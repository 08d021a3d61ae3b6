"""What can be set, once and for all or for a session: one table (table.py), and the values with their origins.

words.py reads single words; lines.py finds the lines of a TOML file; config.py reads config.toml; layers.py puts the
file, the environment, the options and /set over the defaults; uses.py hands the values to the chat and the plan.
"""

import os
from collections.abc import Mapping


def debug(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether R1CHAT_DEBUG asks for tracebacks instead of sentences."""
    return environ.get("R1CHAT_DEBUG", "") not in ("", "0")
