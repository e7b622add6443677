"""What was sent, looked for where it should end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry._extras import require
from telemetry.backends import NOT_UNDERSTOOD, trouble
from telemetry.doctor.findings import BROKEN, OFF, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Place", "look"]

httpx: Any = require("httpx", feature="doctor", extra="http-clients")

_POLL_SECONDS = 0.5
_REFUSED = (401, 403)
_HERE = "see `make status`, `make logs`"


@dataclass(frozen=True)
class Place:
    """Where something is looked for, the variable that tells, and the variable of its token."""

    hop: str
    url: str
    variable: str
    token_variable: str = ""


def look(place: Place, ask: Callable[[], object], wait_seconds: float) -> Finding:
    """Ask until it is there, for `wait_seconds` at most."""
    if not place.url:
        return Finding(place.hop, OFF, f"not looked for: {place.variable} is not set")
    start = time.monotonic()
    while True:
        problem = Finding(place.hop, BROKEN, "it was sent and is not there",
                          f"`make losses` counts hop by hop; {_HERE}; or correct {place.variable}")  # fmt: skip
        try:
            if ask():
                return Finding(place.hop, OK, f"after {time.monotonic() - start:.1f} s at {place.url}")
        except httpx.HTTPStatusError as error:
            problem = _of_status(place, error.response.status_code)
        except (httpx.HTTPError, *NOT_UNDERSTOOD) as error:
            problem = _of_silence(place, error)
        if time.monotonic() - start >= wait_seconds:
            return problem
        time.sleep(_POLL_SECONDS)


def _of_status(place: Place, status: int) -> Finding:
    if status in _REFUSED:
        remedy = f"correct {place.token_variable}" if place.token_variable else "ask who runs it for access"
        return Finding(place.hop, BROKEN, f"{place.url} refuses the token ({status})", remedy)
    return Finding(place.hop, BROKEN, f"{place.url} answers {status}", f"correct {place.variable}, or {_HERE}")


def _of_silence(place: Place, error: Exception) -> Finding:
    if isinstance(error, httpx.HTTPError):
        return Finding(place.hop, BROKEN, f"no answer from {place.url} ({error})",
                       f"start it, or correct {place.variable}; {_HERE}")  # fmt: skip
    return Finding(place.hop, BROKEN, f"{place.url} {trouble(error)}", f"correct {place.variable}")
