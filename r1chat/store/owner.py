"""Which process writes to a session, and whether it still lives. Knows no database."""

import os
import socket
from functools import cache

import psutil

_SECONDS = 2.0  # by which two readings of one process's start may differ


@cache
def this_process() -> str:
    """Name this process so that no other one, now or after a restart of the machine, has the name."""
    return f"{socket.gethostname()}/{os.getpid()}/{psutil.Process().create_time():.0f}"


def lives(owner: str | None) -> bool:
    """Whether the process of that name runs. One of another machine (a shared folder) can't be asked, and counts."""
    try:
        host, pid, begun = (owner or "").rsplit("/", 2)
        if host != socket.gethostname():
            return True
        process = psutil.Process(int(pid))
        same = abs(process.create_time() - float(begun)) < _SECONDS
        return same and process.status() != psutil.STATUS_ZOMBIE  # killed, and its parent has not looked yet
    except (ValueError, psutil.Error):
        return False
