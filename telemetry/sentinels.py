"""Strings planted in all that an application takes in, and looked for in all that it gives away.

A planted string is unique to its run and consists of letters and digits, so that nothing on the way has a reason to
change it. It is found in any case of its letters, percent-encoded, as base64 or hex.
"""

from __future__ import annotations

import base64
import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Sentinels", "secrets_of"]

_PREFIX = "sntl"
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|DSN|DATABASE_URL|REDIS_URL|AUTH|HEADERS", re.IGNORECASE)
_PASSWORD = re.compile(r"//[^/@\s:]*:([^/@\s]+)@")
_SHORTEST = 8
"""Characters below which a text is found everywhere."""


class Sentinels:
    """The strings of one run, by what they stand for."""

    def __init__(self, prefix: str = "") -> None:
        """Begin with none; each begins with `prefix`, which is drawn if not given."""
        self.prefix: str = prefix or f"{_PREFIX}{secrets.token_hex(6)}"
        self._texts: dict[str, str] = {}

    def plant(self, what: str) -> str:
        """Return the string for `what` ("the user's name"), to be put where that stands."""
        text = self.prefix + "".join(letter for letter in what.lower() if letter.isalnum())
        self._texts[what] = text
        return text

    def watch(self, what: str, text: str) -> None:
        """Look for a text that was not made here, such as a key; one of less than 8 characters is not looked for."""
        if len(text) >= _SHORTEST:
            self._texts[what] = text

    @property
    def planted(self) -> list[str]:
        """What is looked for."""
        return sorted(self._texts)

    def found_in(self, data: bytes) -> list[str]:
        """Return what of it stands in `data`, and `another one` for a string of this run that was planted elsewhere."""
        lower = data.lower()
        found = [what for what, text in self._texts.items() if _stands(text, data, lower)]
        if not found and _stands(self.prefix, data, lower):
            found = ["another one"]
        return sorted(found)


def _stands(text: str, data: bytes, lower: bytes) -> bool:
    raw = text.encode()
    forms = (raw.lower(), raw.hex().encode(), quote(text, safe="").lower().encode())
    return any(form in lower for form in forms) or any(form in data for form in _base64_forms(raw))


def _base64_forms(raw: bytes) -> list[bytes]:
    """Return what of a text is the same in base64 whatever stands before and after it, by its place within three."""
    forms = []
    for place in range(3):
        whole = base64.b64encode(b"\0" * place + raw)
        forms.append(whole[(0, 2, 3)[place] : len(whole) - 4])
    return forms


def secrets_of(environ: Mapping[str, str], but: Iterable[str] = ()) -> dict[str, str]:
    """Return what looks like a secret in an environment, by the variable's name: of an address, its password."""
    found = {}
    for name, value in environ.items():
        if _SECRET_NAME.search(name) and name not in but and not name.endswith("_FILE"):
            password = _PASSWORD.search(value)
            text = password[1] if password else value
            if len(text) >= _SHORTEST and ("//" not in text or password):
                found[name] = text
    return found
