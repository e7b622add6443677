"""All use of Sentry: start, the link to OpenTelemetry's spans, what is captured and what is not.

Errors carry the id of the OpenTelemetry trace, also when it was not sampled (`OTLPIntegration` gives Sentry the current
span's ids). Sampled traces become transactions when they have ended (`_sentry_transactions.py`), or by Sentry's own
processor of spans (`TELEMETRY_SENTRY_LINK=processor`, `_sentry_spans.py`), deprecated upstream and gone in 3.x;
`otlp` does without. No integration is enabled automatically, no header is sent to anybody, no personal data is added by
Sentry itself.

https://docs.sentry.io/platforms/python/tracing/instrumentation/opentelemetry/
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from telemetry import _error_marks
from telemetry._error_marks import Captured
from telemetry._error_window import ErrorWindow, kind_of
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._own_texts import log_text
from telemetry._sentry_events import before_breadcrumb, before_send, is_fault, link_to_explore
from telemetry.accounting import Accounts
from telemetry.sampling import sentry_keeps
from telemetry.settings import Settings
from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.sdk.trace import SpanProcessor

    from telemetry._sentry_transactions import Transactions
    from telemetry.instrumentation._handle import Handle

__all__ = ["Sentry", "fields_of"]

LEAN, PROCESSOR, OTLP = "lean", "processor", "otlp"
_handing_over = Guard("hand an error to Sentry")

_NOTHING = contextlib.nullcontext()


class Sentry:
    """The link to Sentry; without a DSN, or switched off, every method does nothing."""

    def __init__(
        self, settings: Settings | None = None, switches: Switches | None = None, accounts: Accounts | None = None
    ) -> None:
        """Stay off until `start`; do nothing while `switches` say so; account for what is sent."""
        settings = self._settings = settings or Settings()
        self._switches = switches or Switches()
        self._sdk: Any = None
        self._link = settings.sentry_link
        self._window = ErrorWindow(settings.error_window_seconds)
        self._hooks: Handle | None = None
        self._accounts = accounts or Accounts()
        self._transactions: Transactions | None = None
        self._inherited: list[object] = []
        self._new_scope: Callable[[], AbstractContextManager[object]] = lambda: _NOTHING

    @classmethod
    def start(cls, settings: Settings, switches: Switches | None = None, accounts: Accounts | None = None) -> Sentry:
        """Start the Sentry SDK as the settings ask; raises `MissingExtraError` when it is needed and not installed."""
        sentry = cls(settings, switches, accounts)
        if settings.enable_sentry and settings.sentry_dsn:
            sentry._sdk = require("sentry_sdk", feature="Sentry (SENTRY_DSN is set)", extra="sentry")
            sentry._sdk.init(**_options(settings, sentry._switches))
            sentry._sdk.get_client().transport.account = sentry._accounts.errors
            from telemetry._sentry_scope import RequestScope  # noqa: PLC0415 - imports the optional sentry-sdk

            sentry._new_scope = RequestScope
        return sentry

    def watch_unhandled(
        self, report: Callable[[BaseException], object], log: Callable[[logging.LogRecord], object]
    ) -> None:
        """Give errors that nobody handles to `report`, and log records of level ERROR and above to `log`."""
        if self._sdk is not None:
            from telemetry import _sentry_hooks  # noqa: PLC0415 - imports the optional sentry-sdk

            self._hooks = _sentry_hooks.install(report, log)

    def span_processors(self) -> list[SpanProcessor]:
        """Return what turns OpenTelemetry's spans into Sentry's transactions, where that is wanted."""
        if self._sdk is None or self._link == OTLP:
            return []
        if self._link == PROCESSOR or _needs_proxy(self._settings.sentry_dsn):
            from telemetry._sentry_spans import LinkedSpanProcessor  # noqa: PLC0415 - imports the optional sentry-sdk

            return [LinkedSpanProcessor()]
        from telemetry._sentry_transactions import Transactions  # noqa: PLC0415 - imports the optional sentry-sdk

        self._transactions = Transactions(self._settings, self._switches, self._accounts.transactions)
        return [self._transactions.processor]

    @property
    def is_on(self) -> bool:
        """Whether errors go to Sentry now."""
        return self._sdk is not None and self._switches.sentry

    def scope(self) -> AbstractContextManager[object]:
        """Open a scope of its own for one request or update: its user, tags and breadcrumbs are seen by no other."""
        return self._new_scope()

    def report(
        self, error: BaseException, *, handled: bool = True, record: Mapping[str, Any] | None = None
    ) -> Captured | None:
        """Send an error as `capture` does, unless that was decided before for this very exception."""
        if not _error_marks.is_captured(error):
            event = self.capture(error, handled=handled, record=record)
            _error_marks.set_captured(error, event)
            return event
        return _error_marks.captured(error)

    def capture(
        self, error: BaseException, *, handled: bool = True, record: Mapping[str, Any] | None = None
    ) -> Captured | None:
        """Send an error, or count it where one of its kind was sent in the same window.

        Returns the event that shows it, None where none does: Sentry is off, or the error is no fault of the service.
        `record` holds an event's fields from the log.
        """
        if not self.is_on:
            return None
        with _handing_over:
            if not is_fault(error):
                return None

            def build() -> tuple[dict[str, Any], dict[str, Any]]:
                from sentry_sdk.utils import event_from_exception  # noqa: PLC0415 - optional package

                options = self._sdk.get_client().options
                mechanism = {"type": "telemetry", "handled": handled}
                event, hint = event_from_exception(error, client_options=options, mechanism=mechanism)
                return {**event, **(record or {})}, hint

            return self._send(kind_of(error), build)
        return None

    def log(self, record: logging.LogRecord) -> Captured | None:
        """Send an error that the application logged, as `capture` does; an exception in it is sent once."""
        if self._sdk is None or not self._switches.sentry:
            return None
        with _handing_over:
            fields = fields_of(record)
            error = record.exc_info[1] if record.exc_info else None
            if error is not None:
                return self.report(error, record=fields)
            return self._send((record.name, record.pathname, record.lineno), lambda: (fields, {}))
        return None

    def _send(self, kind: Hashable, build: Callable[[], tuple[dict[str, Any], dict[str, Any]]]) -> Captured:
        admitted = self._window.admit(kind)
        if admitted.full:
            event, hint = build()
            event["event_id"] = admitted.event_id
            if admitted.suppressed:
                event["tags"] = {"suppressed": str(admitted.suppressed)}
            self._sdk.capture_event(event, hint)
        return Captured(admitted.event_id, suppressed=not admitted.full)

    def linked(self) -> AbstractContextManager[object]:
        """Make the span current in which this thread was started, where the thread has none of its own."""
        if self._sdk is None:
            return _NOTHING
        from telemetry._sentry_hooks import linked  # noqa: PLC0415 - imports the optional sentry-sdk

        return linked()

    def set_user(self, user: Mapping[str, str]) -> None:
        """Attach a user to the errors of the current scope."""
        if self._sdk is not None:
            self._sdk.get_isolation_scope().set_user(dict(user))

    def set_tag(self, key: str, value: str) -> None:
        """Attach a tag to the errors of the current scope."""
        if self._sdk is not None:
            self._sdk.get_isolation_scope().set_tag(key, value)

    def add_breadcrumb(self, category: str, message: str, data: Mapping[str, object] | None) -> None:
        """Remember a step for the errors of the current scope."""
        if self._sdk is not None:
            self._sdk.add_breadcrumb(category=category, message=message, data=dict(data or {}), level="info")

    def watch(self, sent: Callable[[dict[str, Any]], None], refused: Callable[[str], None]) -> None:
        """Show each error event that is sent to `sent`, and to `refused` why one did not get through."""
        if self._sdk is None:
            return
        transport = self._sdk.get_client().transport
        send, lost = transport.capture_envelope, transport.on_dropped_event

        def show_and_account(reason: str) -> None:
            refused(reason)
            lost(reason)

        def show_and_send(envelope: Any) -> None:  # noqa: ANN401 - of the optional package
            if (event := envelope.get_event()) is not None:
                sent(event)
            send(envelope)

        transport.capture_envelope, transport.on_dropped_event = show_and_send, show_and_account

    def begin_again(self) -> None:
        """Have, in a forked child, queues and connections of its own, and show its first error of each kind."""
        self._window = ErrorWindow(self._window.seconds)
        if self._sdk is not None:
            from telemetry._sentry_transport import ErrorsApart  # noqa: PLC0415 - imports the optional sentry-sdk

            client = self._sdk.get_client()
            self._inherited.append(client.transport)
            client.transport = ErrorsApart(client.options)
            client.transport.account = self._accounts.errors
        if self._transactions is not None:
            self._transactions.begin_again()

    def flush(self, timeout: float) -> None:
        """Wait until all is sent, for at most `timeout` seconds."""
        if self._sdk is not None:
            end = time.monotonic() + timeout
            self._sdk.flush(timeout)
            if self._transactions is not None:
                self._transactions.flush(max(0.0, end - time.monotonic()))

    def close(self, timeout: float) -> None:
        """Send what is queued, for at most `timeout` seconds, and stop."""
        if self._hooks is not None:
            self._hooks.close()
        if self._sdk is not None:
            end = time.monotonic() + timeout
            self._sdk.get_client().close(timeout=timeout)
            if self._transactions is not None:
                self._transactions.close(max(0.0, end - time.monotonic()))


def _needs_proxy(dsn: str) -> bool:
    """Tell whether Sentry is reached through a proxy, which its own transport knows about."""
    parts = urlsplit(dsn)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return an event's fields from a log record, while it is being logged."""
    return {
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "logentry": {"message": log_text(record)},
    }


def _options(settings: Settings, switches: Switches) -> dict[str, Any]:
    from sentry_sdk.integrations.otlp import OTLPIntegration  # noqa: PLC0415 - optional package

    from telemetry._sentry_transport import ErrorsApart  # noqa: PLC0415

    def prepare(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        found = before_send(event, hint)
        return None if found is None else link_to_explore(found, settings)

    return {
        "dsn": settings.sentry_dsn,
        "transport": ErrorsApart,
        "environment": settings.environment,
        "release": settings.release,
        "server_name": settings.service_name,  # a laptop's own name is often its owner's
        "propagate_traces": False,
        "trace_propagation_targets": [],
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "integrations": [OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)],
        "include_local_variables": False,
        "max_request_body_size": "never",
        "before_send": prepare,
        "before_breadcrumb": before_breadcrumb,
    } | (_transactions(settings, switches) if settings.sentry_link == PROCESSOR else {})


def _transactions(settings: Settings, switches: Switches) -> dict[str, Any]:
    from telemetry._sentry_spans import before_send_transaction  # noqa: PLC0415 - optional package

    keeps = sentry_keeps(settings)
    return {
        "instrumenter": "otel",
        "traces_sampler": lambda context: _keeps(keeps, context) if switches.sentry else 0.0,
        "before_send_transaction": before_send_transaction,
    }


def _keeps(keeps: Callable[[int], bool], context: Mapping[str, Any]) -> float:
    trace_id = (context.get("transaction_context") or {}).get("trace_id") or "0"
    return float(keeps(int(trace_id, 16)))
