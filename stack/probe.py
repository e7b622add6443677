"""Ask the parts whether they work, once or until they all do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stack.parts import Part, Probe

__all__ = ["client", "failure", "wait_until_up"]

_OK = 200


def client() -> httpx.Client:
    """An HTTP client for loopback: a proxy in the environment is not asked."""
    return httpx.Client(trust_env=False, timeout=httpx.Timeout(3.0, connect=1.0))


def failure(http: httpx.Client, part: Part) -> str:
    """Why the part does not work; empty if it does."""
    return next((why for probe in part.probes if (why := _probe_failure(http, probe))), "")


def _probe_failure(http: httpx.Client, probe: Probe) -> str:
    try:
        answer = http.request(probe.method, probe.url, content=probe.body, headers=probe.headers)
    except httpx.HTTPError as error:
        return f"{probe.url}: {str(error) or type(error).__name__}"
    if answer.status_code != _OK:
        return f"{probe.url}: HTTP {answer.status_code}"
    if probe.expect not in answer.text:
        return f"{probe.url}: {probe.expect} is not in the answer"
    return ""


def wait_until_up(parts: Iterable[Part], *, seconds: float, gave_up: Callable[[], str] = str) -> None:
    """Return when every part answers; StackError after `seconds`, or as soon as `gave_up` tells of one that ended."""
    pending = {part.name: part for part in parts}
    deadline = time.monotonic() + seconds
    with client() as http:
        while True:
            failures = {name: why for name, part in pending.items() if (why := failure(http, part))}
            pending = {name: pending[name] for name in failures}
            if not pending:
                return
            if ended := gave_up():
                raise StackError("A part of the stack keeps ending.", detail=ended, todo="See `make logs PART=...`.")
            if time.monotonic() > deadline:
                detail = "\n".join(f"  {name}: {why}" for name, why in failures.items())
                raise StackError(
                    f"Not every part answers after {seconds:g} s.",
                    detail=detail,
                    todo="See `make logs PART=...`; STACK_START_TIMEOUT gives them longer.",
                )
            time.sleep(0.1)
