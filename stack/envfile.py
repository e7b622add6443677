"""Files of KEY=VALUE lines: `.env`, which people write, and `.stack/app.env`, which `up` writes."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["parse", "read", "write_private", "write_text"]

_LINE = re.compile(r"(?:export\s+)?(?P<key>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)")


def parse(text: str, *, name: str = ".env") -> dict[str, str]:
    """Read the lines as Docker Compose does: `#` starts a comment, quotes are taken off, nothing is expanded."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        if match is None:
            # The line itself may hold a secret, so only its place is told.
            raise StackError(f"{name}, line {number}: not of the form KEY=VALUE.", todo="Mend or delete that line.")
        values[match["key"]] = _unquote(match["value"])
    return values


def _unquote(value: str) -> str:
    for quote in ("'", '"'):
        end = value.find(quote, 1)
        if value.startswith(quote) and end > 0:
            return value[1:end]
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()


def read(path: Path) -> dict[str, str]:
    """The values of a file, none if it does not exist."""
    if not path.is_file():
        return {}
    return parse(path.read_text(encoding="utf-8"), name=path.name)


def write_private(path: Path, values: Mapping[str, str]) -> None:
    """Write the values so that only this user can read them, whole or not at all."""
    write_text(path, "".join(f"{key}={value}\n" for key, value in values.items()))


def write_text(path: Path, text: str) -> None:
    """Write a text so that only this user can read it, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
