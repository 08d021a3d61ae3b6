"""Which process writes to a session, and whether it still lives. Knows no database."""

import os
from functools import cache

import psutil

_SECONDS = 2.0  # by which two readings of one process's start may differ


@cache
def this_process() -> str:
    """Name this process so that no other one, now or after a restart of the machine, has the name.

    The machine is not in it: laptops change their names with the network, and SQLite's WAL works on one machine only.
    """
    return f"{os.getpid()}/{psutil.Process().create_time():.0f}"


def lives(owner: str | None) -> bool:
    """Whether the process of that name runs."""
    try:
        pid, begun = (owner or "").split("/")
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(begun)) < _SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE  # killed, and its parent has not looked yet
    except (ValueError, psutil.Error):
        return False
