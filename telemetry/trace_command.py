"""Where is a trace, and what happened in it: the command `trace`."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

from telemetry import trace_tree
from telemetry._extras import require
from telemetry.backends import NOT_UNDERSTOOD, Jaeger, Tempo, trouble
from telemetry.settings import Settings
from telemetry.trace_tree import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.stored_traces import Trace

__all__ = ["TraceCommand", "trace_id_of"]

NOT_FOUND, MALFORMED = 1, 2
_ID = re.compile(r"(?:traceparent:\s*)?(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}(?:-[0-9a-f]{1,2})?)?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOBODY = (
    "Neither TELEMETRY_JAEGER_URL nor TELEMETRY_TEMPO_URL is set, so there is nobody to ask. With the stack of this "
    "project: `make trace ID=...`."
)
_COLUMNS = 80
_MANY = 1000
_LOOKBACK_SECONDS = 7 * 86_400.0
"""How old an error may be that is looked for by its id in Sentry."""


def trace_id_of(text: str) -> str:
    """Return the 32 digits in a trace id, a `traceparent` or an event's id; `ValueError` says what is accepted."""
    lower = text.strip().lower()
    if _UUID.fullmatch(lower):
        lower = lower.replace("-", "")
    found = _ID.fullmatch(lower)
    if found is None or not int(found[1], 16):
        shown = trace_tree.printable(text.strip()[:60])
        raise ValueError(
            f'A trace is named by 32 hexadecimal digits, not all zero (got "{shown}", {len(text.strip())} characters). '
            "Take them from a log line (otelTraceID), a traceparent, an error in Sentry, or Jaeger's address."
        )
    return found[1]


class TraceCommand:
    """One look for one trace."""

    def __init__(self, text: str, *, out: TextIO | None = None, err: TextIO | None = None) -> None:
        """Read the environment; `text` is what the user knows of the trace."""
        self._settings, _ = Settings.read()
        self._text = text
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._silent: list[str] = []

    def run(self, *, as_json: bool = False) -> int:
        """Print the trace; returns 0, 1 where no store has it, 2 where the id is none."""
        try:
            trace_id = trace_id_of(self._text)
        except ValueError as error:
            return self._fail(str(error), MALFORMED)
        if not (self._settings.jaeger_url or self._settings.tempo_url):
            return self._fail(_NOBODY, NOT_FOUND)
        for store, trace in self._answers(trace_id):
            view = View(store, self._event_url(), self._wants_colour())
            self._out.write((trace_tree.as_json if as_json else trace_tree.plain)(trace, view))
            return 0
        return self._fail(self._why_not(trace_id), NOT_FOUND)

    def _answers(self, trace_id: str) -> Iterator[tuple[str, Trace]]:
        """Yield the trace from each store that has it, under this id or as that of an error with this id."""
        httpx = require("httpx", feature="trace", extra="http-clients")
        for find in (self._by_id, self._by_event):
            for url, kind in ((self._settings.jaeger_url, Jaeger), (self._settings.tempo_url, Tempo)):
                if not url or url in self._silent:
                    continue
                try:
                    trace = find(kind(url), trace_id)
                except (httpx.HTTPError, *NOT_UNDERSTOOD) as error:
                    self._silent.append(url)
                    self._say(f"{kind.__name__} at {url} {trouble(error)}.")
                    continue
                if trace is not None:
                    yield f"{kind.__name__} at {url}", trace

    def _by_id(self, store: Jaeger | Tempo, trace_id: str) -> Trace | None:
        return store.trace(trace_id)

    def _by_event(self, store: Jaeger | Tempo, event_id: str) -> Trace | None:
        """Find the trace of an error by the event's id, which each failed span carries.

        The first of its kind is the one that Sentry shows; later ones, thousands in a storm, point to it.
        """
        if isinstance(store, Tempo):
            query = f'{{ span.sentry.event_id = "{event_id}" }}'
            found = store.search(query, limit=_MANY, lookback_seconds=_LOOKBACK_SECONDS)
            return store.trace(found[-1]) if found else None
        tags = {"sentry.event_id": event_id}
        return store.oldest(self._settings.service_name, tags=tags, lookback_seconds=_LOOKBACK_SECONDS)

    def _event_url(self) -> str:
        local = self._settings.sentry_url and f"{self._settings.sentry_url}/issues/event/"
        return os.environ.get("SENTRY_EVENT_URL", "").strip() or local

    def _wants_colour(self) -> bool:
        return self._out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def _why_not(self, trace_id: str) -> str:
        if self._silent:
            return f"{trace_id} was not found where an answer came. `make status` says what runs."
        return (
            f"{trace_id} is not stored, neither as a trace nor as an error's event. It may not have been sampled "
            f"({self._settings.sample_rate:.0%} are), be older than the store keeps, still be on its way (5 s), or be "
            "lost: `python -m telemetry losses`."
        )

    def _fail(self, text: str, code: int) -> int:
        self._say(text)
        return code

    def _say(self, text: str) -> None:
        """Print what is no answer, in 80 columns; part of it may be a server's own text."""
        shown = trace_tree.printable(" ".join(text.split()))
        self._err.write(f"{textwrap.fill(shown, _COLUMNS, break_on_hyphens=False, break_long_words=False)}\n")
