"""Whether the application has asked for silence: OpenTelemetry's `suppress_instrumentation`, and exporters at work."""

from __future__ import annotations

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY

from telemetry._current_span import get_current

__all__ = ["is_suppressed"]

_PLAIN_KEY = "suppress_instrumentation"
"""What instrumentations set before there was the other key, and still do."""


def is_suppressed() -> bool:
    """Tell whether nothing that runs now is to be recorded.

    As the field's `is_instrumentation_enabled()`, which asks twice for the context, and is asked for each query.

    https://github.com/open-telemetry/opentelemetry-python-contrib/blob/main/opentelemetry-instrumentation/src/opentelemetry/instrumentation/utils.py
    """
    found = get_current()
    return bool(found.get(_SUPPRESS_INSTRUMENTATION_KEY) or found.get(_PLAIN_KEY))
