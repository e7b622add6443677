"""Names that stand for people: `user.id` and the conversation's id are keyed hashes of what the application knows.

The key is `TELEMETRY_USER_KEY`, or what the file `TELEMETRY_USER_KEY_FILE` holds: the same in every process of the
service, else one person has a name in each. Without a key, development shows ids as they are; anywhere else the process
draws a key of its own, so that nobody is ever named because a variable was forgotten.

https://datatracker.ietf.org/doc/html/rfc2104
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.settings import Settings

__all__ = ["Pseudonyms", "chat_key"]

_DIGITS = 32
"""Of SHA-256's 64: two people of a billion share a name with a chance of 1 to 10^20."""
_RANDOM_BYTES = 32
_logger = logging.getLogger("telemetry")


class Pseudonyms:
    """Gives the same name for the same id under the same key."""

    def __init__(self, key: str = "", *, plain: bool = True) -> None:
        """Name by `key`; without one, show ids as they are if `plain`, else name by a key of this process."""
        found = key.encode() or (b"" if plain else secrets.token_bytes(_RANDOM_BYTES))
        self._key = found

        # Drawing a name takes 2 us, and a request asks for one several times.
        self._drawn = lru_cache(maxsize=1024)(lambda text: _drawn(found, text))

    @classmethod
    def of(cls, settings: Settings) -> Pseudonyms:
        """Name as the settings ask; where the key is missing outside development, say so."""
        if not (settings.user_key or settings.is_development):
            _logger.warning(
                "TELEMETRY_USER_KEY is not set in the environment %s: users and conversations get other names in each "
                "process and after each start. Set it to 16 characters or more, the same for all processes.",
                settings.environment,
            )
        return cls(settings.user_key, plain=settings.is_development)

    def user(self, user_id: str) -> str:
        """Return the name of a user."""
        return self._drawn(f"user:{user_id}") if self._key else user_id

    def conversation(self, key: str) -> str:
        """Return the name of a conversation; without a key a hash, since ids of chats are not for reading anyway."""
        if self._key:
            return self._drawn(f"conversation:{key}")[:16]
        return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return f"Pseudonyms({'with' if self._key else 'without'} a key)"


def chat_key(chat_id: object) -> str:
    """Return the key of the conversation that a Telegram chat is."""
    return f"telegram:{chat_id}"


def _drawn(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:_DIGITS]
