"""All use of Sentry: start, the link to OpenTelemetry's spans, what is captured and what is not.

Errors carry the id of the OpenTelemetry trace, also when it was not sampled (`OTLPIntegration` gives Sentry the current
span's ids), and sampled traces become transactions through Sentry's span processor, which is deprecated upstream and
gone in 3.x: it stands here and nowhere else. No integration is enabled automatically, no header is sent to anybody, no
personal data is added by Sentry itself.

https://docs.sentry.io/platforms/python/tracing/instrumentation/opentelemetry/
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any

from telemetry import redaction
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry.sampling import sentry_keeps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.sdk.trace import SpanProcessor

    from telemetry.settings import Settings

__all__ = ["Sentry"]

_logger = logging.getLogger("telemetry")
_SERVER_ERROR = 500
_NOISY_LOGGERS = (
    "apscheduler.*", "httpcore.*", "httpx", "opentelemetry.*", "telegram.*", "telemetry", "telemetry.*", "urllib3.*",
    "uvicorn.*",
)  # fmt: skip
"""Loggers that repeat what is captured elsewhere, or would feed Sentry's own failures back into it."""

_handing_over = Guard("hand an error to Sentry")


class Sentry:
    """The link to Sentry; without a DSN, or switched off, every method does nothing."""

    def __init__(self) -> None:
        """Stay off until `start`."""
        self._sdk: Any = None

    @classmethod
    def start(cls, settings: Settings) -> Sentry:
        """Start the Sentry SDK as the settings ask; raises `MissingExtraError` when it is needed and not installed."""
        sentry = cls()
        if settings.enable_sentry and settings.sentry_dsn:
            sentry._sdk = require("sentry_sdk", feature="Sentry (SENTRY_DSN is set)", extra="sentry")
            sentry._sdk.init(**_options(settings))
            for name in _NOISY_LOGGERS:
                sentry._sdk.integrations.logging.ignore_logger(name)
        return sentry

    @property
    def enabled(self) -> bool:
        """Whether errors are sent."""
        return self._sdk is not None

    def span_processor(self) -> SpanProcessor:
        """Return what turns OpenTelemetry's spans into Sentry's transactions."""
        from telemetry._sentry_spans import LinkedSpanProcessor  # noqa: PLC0415 - imports the optional sentry-sdk

        return LinkedSpanProcessor()

    def scope(self) -> AbstractContextManager[object]:
        """Open a scope of its own for one request or update: its user, tags and breadcrumbs are seen by no other."""
        return contextlib.nullcontext() if self._sdk is None else self._sdk.isolation_scope()

    def capture(self, error: BaseException) -> str | None:
        """Send an error; returns the event's id, or None when nothing was sent (off, filtered, sent before)."""
        event_id: str | None = None
        if self._sdk is not None:
            with _handing_over:
                event_id = self._sdk.capture_exception(error)
        return event_id

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

    def close(self, timeout: float) -> None:
        """Send what is queued, for at most `timeout` seconds, and stop."""
        if self._sdk is not None:
            self._sdk.get_client().close(timeout=timeout)


def _options(settings: Settings) -> dict[str, Any]:
    from sentry_sdk.integrations.dedupe import DedupeIntegration  # noqa: PLC0415 - optional package
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.logging import LoggingIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.otlp import OTLPIntegration  # noqa: PLC0415
    from sentry_sdk.integrations.threading import ThreadingIntegration  # noqa: PLC0415

    return {
        "dsn": settings.sentry_dsn,
        "environment": settings.environment,
        "release": settings.release,
        "instrumenter": "otel",
        "traces_sampler": lambda context: _keeps(settings, context),
        "propagate_traces": False,
        "trace_propagation_targets": [],
        "default_integrations": False,
        "auto_enabling_integrations": False,
        "integrations": [
            DedupeIntegration(),
            ExcepthookIntegration(),
            LoggingIntegration(level=None, event_level=logging.ERROR),
            OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False),
            ThreadingIntegration(propagate_scope=True),
        ],
        "include_local_variables": False,
        "max_request_body_size": "never",
        "before_send": before_send,
        "before_send_transaction": lambda event, _hint: redaction.clean(event),
        "before_breadcrumb": lambda crumb, _hint: redaction.clean(crumb),
    }


def before_send(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
    """Drop what is no fault of the service (an `HTTPException` below 500), clean the rest."""
    error = (hint.get("exc_info") or (None, None, None))[1]
    status = getattr(error, "status_code", None)
    if type(error).__name__ == "HTTPException" and isinstance(status, int) and status < _SERVER_ERROR:
        return None
    return redaction.clean(event)  # type: ignore[no-any-return]


def _keeps(settings: Settings, context: Mapping[str, Any]) -> float:
    trace_id = (context.get("transaction_context") or {}).get("trace_id") or "0"
    return 1.0 if sentry_keeps(settings, int(trace_id, 16)) else 0.0
