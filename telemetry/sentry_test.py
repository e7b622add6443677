"""Do errors of every kind arrive: the command `sentry-test`.

Each kind is made to happen in a span, with a user, a tag and a breadcrumb, and sent as the application would send it.
Where the server can be read (`TELEMETRY_SENTRY_URL`, `TELEMETRY_SENTRY_TOKEN`) each event is looked for there and
compared; elsewhere the server's answer counts.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any, TextIO
from urllib.request import getproxies

from opentelemetry import trace

from telemetry import backends, context, lifecycle
from telemetry._error_kinds import KINDS, USER
from telemetry._extras import MissingExtraError, require
from telemetry._parse import address
from telemetry._runtime import current
from telemetry.settings import Settings

if TYPE_CHECKING:
    from telemetry._error_kinds import ErrorKind

__all__ = ["SentryTest"]

OK = "ok"
_COLUMNS, _KIND_COLUMNS, _STATE_COLUMNS = 80, 24, 12
_FLUSH_SECONDS = 10.0
_CONNECT_SECONDS = 3.0
_POLL_SECONDS = 0.5
_TAG = "sentry_test"
_NOT_KNOWN = ("status_401", "status_403", "status_404")
_REMEDY = ": are key and project in SENTRY_DSN right?"


class SentryTest:
    """One run; prints a line a kind."""

    def __init__(self, *, wait_seconds: float = 20.0, out: TextIO | None = None) -> None:
        """Read the environment; look for what was sent for `wait_seconds` at most."""
        self._settings, self._errors = Settings.read()
        self._wait = wait_seconds
        self._out = out or sys.stdout
        self._sent: list[dict[str, Any]] = []
        self._refused: list[str] = []
        self._bad: list[str] = []

    def run(self) -> int:
        """Go through all kinds; returns 0 when each did what it should, else 1."""
        if problem := self._problem():
            self._say("", problem)
            return 1
        reads = bool(self._settings.sentry_url and self._settings.sentry_token)
        self._say("", f"environment {self._settings.environment}, release {self._settings.release or 'not set'}, "
                      f"link {self._settings.sentry_link}; events are "
                      + (f"looked for at {self._settings.sentry_url}" if reads else "taken as arrived when accepted: "
                         "TELEMETRY_SENTRY_URL and _TOKEN are not set"))  # fmt: skip
        os.environ.update(OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none")
        lifecycle.init()
        current().sentry.watch(self._sent.append, self._refused.append)
        for kind in KINDS:
            self._try(kind, reads=reads)
        lifecycle.shutdown()
        self._say("", f"not as it should be: {', '.join(self._bad)}" if self._bad else "every kind is as it should be")
        return 1 if self._bad else 0

    def _problem(self) -> str:
        """Say why nothing can be sent; empty when it can."""
        for error in self._errors:
            if error.variable == "SENTRY_DSN":
                return f"{error} Nothing can be sent."
        if not self._settings.sentry_dsn:
            return "SENTRY_DSN is not set: no error is sent anywhere; set it to https://KEY@HOST/PROJECT"
        if not self._settings.enable_sentry:
            return "Sentry is switched off by ENABLE_SENTRY; unset it"
        if getproxies():  # then it is theirs to find the server
            return ""
        try:
            socket.create_connection(address(self._settings.sentry_dsn), _CONNECT_SECONDS).close()
        except OSError as error:
            host, port = address(self._settings.sentry_dsn)
            return f"nothing answers at {host}:{port}, where SENTRY_DSN points ({error})"
        return ""

    def _try(self, kind: ErrorKind, *, reads: bool) -> None:
        self._sent.clear()
        self._refused.clear()
        try:
            trace_id = _trigger(kind)
        except MissingExtraError as error:
            self._say(_head(kind.name, "left out"), str(error))
            return
        current().sentry.flush(_FLUSH_SECONDS)
        state, detail = self._judge(kind, trace_id, reads=reads)
        if state != OK:
            self._bad.append(kind.name)
        self._say(_head(kind.name, state), detail)

    def _judge(self, kind: ErrorKind, trace_id: str, *, reads: bool) -> tuple[str, str]:
        if self._refused:
            return "REFUSED", f"{self._refused[-1]}{_REMEDY if self._refused[-1] in _NOT_KNOWN else ''}"
        if len(self._sent) != kind.events:
            return "MISSING" if len(self._sent) < kind.events else "TOO MANY", f"{len(self._sent)} events were sent"
        if not self._sent:
            return OK, "no event, as it should be"
        event_id: str = self._sent[0]["event_id"]
        event = self._look_for(event_id) if reads else backends.Event(event_id, "", self._sent[0])
        if event is None:
            return "MISSING", f"event {event_id} was accepted and is not there"
        if wrong := [name for name, found, wanted in _parts(event, kind, trace_id) if found != wanted]:
            return "INCOMPLETE", f"event {event_id} has not the right {', '.join(wrong)}"
        return OK, f"event {event_id}"

    def _look_for(self, event_id: str) -> backends.Event | None:
        httpx = require("httpx", feature="reading errors back", extra="http-clients")
        deadline = time.monotonic() + self._wait
        server = backends.Sentry(self._settings.sentry_url, self._settings.sentry_token)
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError, *backends.NOT_UNDERSTOOD):
                if found := server.find(event_id):
                    return found
            time.sleep(_POLL_SECONDS)
        return None

    def _say(self, head: str, text: str) -> None:
        wrap = textwrap.TextWrapper(_COLUMNS, initial_indent=head, subsequent_indent=" " * len(head))
        print(wrap.fill(text), file=self._out, flush=True)


def _head(kind: str, state: str) -> str:
    return f"{kind:<{_KIND_COLUMNS}}{state:<{_STATE_COLUMNS}}"


def _trigger(kind: ErrorKind) -> str:
    """Let it happen in a span of its own; returns the trace's id."""
    with (
        current().sentry.scope(),
        current().tracer.start_as_current_span("sentry-test") as span,
        contextlib.redirect_stderr(io.StringIO()),  # where Python writes what nobody handles
    ):
        context.set_user_context(USER)
        context.set_tag(_TAG, kind.name)
        context.add_breadcrumb("sentry-test", kind.name)
        kind.trigger()
    return trace.format_trace_id(span.get_span_context().trace_id)


def _parts(event: backends.Event, kind: ErrorKind, trace_id: str) -> list[tuple[str, object, object]]:
    """Return what an event consists of: the part, what was found, what should be there."""
    traced = int(trace_id, 16) != 0
    return [
        ("trace", event.trace_id if traced else trace_id, trace_id),
        ("user", event.user_id, current().pseudonyms.user(kind.user)),
        ("tag", event.tags.get(_TAG), kind.name),
        ("breadcrumb", [crumb.get("message") for crumb in event.breadcrumbs], [kind.name]),
    ]
