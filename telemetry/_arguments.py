"""What the command line's commands have in common: how one is added, and which numbers are accepted."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - what add_subparsers returns

__all__ = ["COUNT", "SECONDS", "SHARE", "add", "duration", "whole"]

_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")


def add(
    commands: Commands, name: str, what: str, *, as_json: bool = False, wait: bool = False
) -> argparse.ArgumentParser:
    """Add a command, with the options that several have."""
    command = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    if as_json:
        command.add_argument("--json", action="store_true", help="for programs")
    if wait:
        command.add_argument("--wait", type=SECONDS, default=20.0, metavar="SECONDS", help="how long to look (20)")
    return command


def duration(text: str) -> str:
    """Return a duration as Prometheus writes it; another text is refused."""
    if not (_DURATION.fullmatch(text) and re.search(r"[1-9]", text)):
        raise argparse.ArgumentTypeError(f"must be a duration such as 90s, 30m, 2h or 7d (got {text})")
    return text


def _number(what: str, accepts: Callable[[float], bool]) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and accepts(value)):
            raise argparse.ArgumentTypeError(f"must be {what} (got {text})")
        return value

    return read


COUNT = _number("a number of at least 0", lambda value: value >= 0)
SHARE = _number("a number between 0 and 1", lambda value: 0 <= value <= 1)
SECONDS = _number("a number of seconds above 0", lambda value: value > 0)


_WHOLE = _number("a whole number of at least 1", lambda value: value >= 1 and value.is_integer())


def whole(text: str) -> int:
    """Return a whole number of at least 1; another text is refused."""
    return int(_WHOLE(text))
