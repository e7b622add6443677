"""Passwords and keys that nobody chose: made once, kept in `.stack/secrets.env`, readable by this user only."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from stack import envfile

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["NAMES", "passwords"]

NAMES = ("GRAFANA_ADMIN_PASSWORD", "BUGSINK_ADMIN_PASSWORD", "BUGSINK_SECRET_KEY", "POSTGRES_PASSWORD")


def passwords(settings: Settings) -> dict[str, str]:
    """Each secret: what the environment or `.env` says, else the one made on an earlier run, else a new one."""
    path = settings.data / "secrets.env"
    kept = envfile.read(path)
    made = {name: kept.get(name) or secrets.token_urlsafe(48) for name in NAMES}
    if made != kept:
        envfile.write_private(path, made)
    return {name: settings.environ.get(name) or made[name] for name in NAMES}
