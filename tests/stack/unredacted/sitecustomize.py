"""On the path of a process, it lets telemetry leave uncleaned: so that a test can see what would be found then."""

from __future__ import annotations

import logging
from typing import Any

from pydantic_ai.models.instrumented import InstrumentationSettings

from telemetry import _clean_events, _runtime, _sentry_events, _sentry_spans, providers, sentry, span_queue
from telemetry.instrumentation import _calls, pydantic_ai


def as_it_is(value: Any, *_: object) -> Any:
    return value


def formatted(record: logging.LogRecord) -> str:
    return record.getMessage()


def with_content() -> InstrumentationSettings:
    return InstrumentationSettings(tracer_provider=_runtime.current().tracer_provider, include_content=True)


PATCHES: list[tuple[Any, str, Any]] = [
    (span_queue, "clean_spans", list),
    (_sentry_spans, "clean_spans", list),
    (_clean_events, "clean_event", as_it_is),
    (_clean_events, "clean_breadcrumb", as_it_is),
    (providers, "clean_resource", as_it_is),
    (_calls, "clean_url", as_it_is),
    (_sentry_events, "messages_of", as_it_is),
    (sentry, "log_text", formatted),
    (pydantic_ai, "_content_free", with_content),
]
for module, name, replacement in PATCHES:
    assert hasattr(module, name)
    setattr(module, name, replacement)
