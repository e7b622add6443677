"""Trace and span id on every log record, for the application's own handlers and formats; no handler is added.

Each record made by `logging` gets the fields that OpenTelemetry's own logging instrumentation gives it: `otelTraceID`,
`otelSpanID` (hex, `0` outside a trace), `otelTraceSampled`, `otelServiceName`. A format such as
`%(levelname)s %(message)s trace=%(otelTraceID)s` leads from a log line to its trace.

https://opentelemetry-python-contrib.readthedocs.io/en/latest/instrumentation/logging/logging.html
"""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry import trace

from telemetry.instrumentation._handle import Handle

__all__ = ["correlate_logs"]

_OUTSIDE = "0"


def correlate_logs(service_name: str) -> Handle:
    """Let every record made from now on carry the current trace; closing the handle undoes it.

    Where somebody has put a record factory of theirs on top since, ours stays below it.
    """
    make_before = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - as logging's own
        record = make_before(*args, **kwargs)
        context = trace.get_current_span().get_span_context()
        record.otelServiceName = service_name
        record.otelTraceID = trace.format_trace_id(context.trace_id) if context.is_valid else _OUTSIDE
        record.otelSpanID = trace.format_span_id(context.span_id) if context.is_valid else _OUTSIDE
        record.otelTraceSampled = context.trace_flags.sampled
        return record

    logging.setLogRecordFactory(make)

    def undo() -> None:
        if logging.getLogRecordFactory() is make:
            logging.setLogRecordFactory(make_before)

    return Handle(undo)
