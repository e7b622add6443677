"""Is a port free, and if not, who has it."""

from __future__ import annotations

import random
import socket
from typing import TYPE_CHECKING

import psutil

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["check_free", "free_ports", "holder", "is_free"]

_FOR_SERVERS = range(14_000, 32_000)
"""Below the kernel's 32,768 to 60,999, above what servers usually have."""
_given: set[int] = set()


def free_ports(names: Iterable[str]) -> dict[str, str]:
    """A free port for each name, outside of the range that connections are given their own ports from.

    A client that tries to reach a server that is down may be given the server's port for itself, and keep it. Nor does
    this process give a port twice: the server that it was for may be down for a while.
    """
    candidates = random.sample(_FOR_SERVERS, len(_FOR_SERVERS))
    found = {}
    for name in names:
        port = next(port for port in iter(candidates.pop, None) if port not in _given and is_free(port))
        _given.add(port)
        found[name] = str(port)
    return found


def is_free(port: int) -> bool:
    """True if a server could listen there on loopback now."""
    with socket.socket() as server:
        # As the servers themselves do; without it a connection in TIME_WAIT would look like an owner.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The process that listens on the port, as far as this user may see it."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.pid]
        pids = {c.pid for c in listening if c.laddr and c.laddr.port == port}
        names = [f"{psutil.Process(pid).name()} (pid {pid})" for pid in pids if pid]
    except psutil.Error:
        names = []
    return ", ".join(names) or "a process of another user"


def check_free(ports: Mapping[str, int]) -> None:
    """StackError that names each port in use, its variable and its holder."""
    busy = {name: port for name, port in ports.items() if not is_free(port)}
    if not busy:
        return
    name, port = next(iter(busy.items()))
    raise StackError(
        "Nothing was started: the stack needs a port that is in use.",
        detail="\n".join(f"  {port} ({name}) is held by {holder(port)}" for name, port in busy.items()),
        todo=f"End that process, or move the part: a line such as {name}={port + 10000} in .env.",
    )
