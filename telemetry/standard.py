"""OpenTelemetry's own variables that are left to its SDK, and those that have no effect here, each with the reason.

The SDK stops the application at some wrong values, prints a header's secret at others, and takes an empty value of a
limit for no limit. So every value is read here first: a wrong one is named once and the SDK does not get to see it, nor
an empty one, which counts as unset.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry import _parse
from telemetry.redaction import TEXT_LENGTH
from telemetry.settings import SettingError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["IGNORED", "STANDARD", "Ignored", "Standard", "ignored", "only_right", "wrong"]


@dataclass(frozen=True)
class Standard:
    """A variable of the SDK's: how it is read, its default, what it means."""

    name: str
    parse: Callable[[str], Any]
    accepts: str
    default: str
    meaning: str
    secret: bool = False


@dataclass(frozen=True)
class Ignored:
    """A variable without effect here, and why; the values in `harmless` ask for what happens anyway."""

    name: str
    reason: str
    harmless: frozenset[str] = frozenset()


def _limit(what: str, default: str = "128") -> tuple[Callable[[str], Any], str, str, str]:
    return _parse.count, "a whole number from 0", default, what


def _millis(what: str, default: str) -> tuple[Callable[[str], Any], str, str, str]:
    return _parse.positive, "a number of milliseconds above 0", default, what


_size = (_parse.size, "a whole number above 0")
_file = (_parse.file, "a file that can be read", "")


def _of_exporters() -> Iterator[Standard]:
    """One variable for all signals, and one for each."""
    for signal, of in (("", ""), ("TRACES_", " of spans"), ("METRICS_", " of metrics")):
        name = f"OTEL_EXPORTER_OTLP_{signal}"
        yield Standard(f"{name}HEADERS", _parse.headers, "NAME=VALUE pairs separated by commas", "",
                       f"Headers of each export{of}.", secret=True)  # fmt: skip
        yield Standard(f"{name}TIMEOUT", _parse.positive, "a number of seconds above 0", "10",
                       f"How long an export{of} may take.")  # fmt: skip
        yield Standard(f"{name}COMPRESSION", _parse.one_of("gzip", "deflate", "none"),
                       "gzip, deflate (not with grpc) or none", "none", f"Compression of exports{of}.")  # fmt: skip
        yield Standard(f"{name}CERTIFICATE", *_file, f"Whom to trust in TLS for exports{of}.")
        yield Standard(f"{name}CLIENT_CERTIFICATE", *_file, f"Our own certificate in TLS for exports{of}.")
        yield Standard(f"{name}CLIENT_KEY", *_file, f"Its key for exports{of}.")
        yield Standard(f"{name}INSECURE", _parse.boolean_word, "true or false", "",
                       f"grpc: no TLS for exports{of}, where the address has no scheme.")  # fmt: skip
        for protocol in ("HTTP", "GRPC"):
            yield Standard(f"OTEL_PYTHON_EXPORTER_OTLP_{protocol}_{signal}CREDENTIAL_PROVIDER",
                           _parse.entry_point("opentelemetry_otlp_credential_provider"),
                           "the name of an installed credential provider", "",
                           f"Makes the credentials for exports{of}.")  # fmt: skip


STANDARD: dict[str, Standard] = {
    entry.name: entry
    for entry in (
        Standard("OTEL_RESOURCE_ATTRIBUTES", _parse.pairs, "NAME=VALUE pairs separated by commas", "",
                 "More attributes of every span and series; they win over ours."),
        Standard("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", _parse.entry_points("opentelemetry_resource_detector", "*"),
                 "names of installed resource detectors separated by commas", "",
                 "What else finds attributes of the resource."),
        Standard("OTEL_PYTHON_CONTEXT", _parse.entry_point("opentelemetry_context"),
                 "the name of an installed context implementation", "contextvars_context",
                 "Where the current span is kept; read when OpenTelemetry is imported."),
        Standard("OTEL_ATTRIBUTE_COUNT_LIMIT", *_limit("Attributes a span, an event or a link may have.")),
        Standard("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", *_limit(
            "Characters of an attribute's text; more are cut off.", str(TEXT_LENGTH))),
        Standard("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", *_limit("Attributes a span may have.")),
        Standard("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", *_limit(
            "The same for a span's own attributes only.", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")),
        Standard("OTEL_SPAN_EVENT_COUNT_LIMIT", *_limit("Events a span may have.")),
        Standard("OTEL_SPAN_LINK_COUNT_LIMIT", *_limit("Links a span may have.")),
        Standard("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", *_limit("Attributes an event of a span may have.")),
        Standard("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", *_limit("Attributes a link of a span may have.")),
        Standard("OTEL_BSP_SCHEDULE_DELAY", _parse.size, "a whole number of milliseconds above 0", "5000",
                 "How long spans wait for a batch."),
        Standard("OTEL_BSP_MAX_QUEUE_SIZE", _size[0],
                 "a whole number above 0, no less than OTEL_BSP_MAX_EXPORT_BATCH_SIZE (512)", "2048",
                 "Spans that may wait; more are dropped."),
        Standard("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", _size[0],
                 "a whole number above 0, no more than OTEL_BSP_MAX_QUEUE_SIZE (2048)", "512",
                 "Spans in one batch."),
        Standard("OTEL_METRIC_EXPORT_INTERVAL", *_millis("How often metrics are sent.", "60000")),
        Standard("OTEL_METRIC_EXPORT_TIMEOUT", *_millis("How long an export of metrics may take.", "30000")),
        Standard("OTEL_METRICS_EXEMPLAR_FILTER", _parse.one_of("trace_based", "always_on", "always_off"),
                 "trace_based, always_on or always_off", "trace_based", "Which measurements may become exemplars."),
        Standard("OTEL_SEMCONV_STABILITY_OPT_IN", _parse.name, "names separated by commas", "http,database",
                 "Which conventions the field's own packages follow."),
        Standard("OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES", _parse.grpc_codes,
                 "gRPC status names separated by commas", "", "grpc: after which errors an export is tried again."),
        *_of_exporters(),
    )
}  # fmt: skip
"""By name, what the SDK reads itself."""

_NO_LOGS = "log records are not sent; they carry the ids of their trace (docs/DEVELOPMENT_OBSERVABILITY.md)"
_OWN = "init makes the providers itself"
_CUMULATIVE = "Prometheus knows cumulative metrics only"


def _logs() -> Iterator[Ignored]:
    yield Ignored("OTEL_LOGS_EXPORTER", _NO_LOGS, frozenset({"none"}))
    exporter = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY", "COMPRESSION", "ENDPOINT", "HEADERS", "INSECURE")
    processor = ("EXPORT_TIMEOUT", "MAX_EXPORT_BATCH_SIZE", "MAX_QUEUE_SIZE", "SCHEDULE_DELAY")
    for last in (*exporter, "PROTOCOL", "TIMEOUT"):
        yield Ignored(f"OTEL_EXPORTER_OTLP_LOGS_{last}", _NO_LOGS)
    for last in processor:
        yield Ignored(f"OTEL_BLRP_{last}", _NO_LOGS)
    for last in ("ATTRIBUTE_COUNT_LIMIT", "ATTRIBUTE_VALUE_LENGTH_LIMIT"):
        yield Ignored(f"OTEL_LOGRECORD_{last}", _NO_LOGS)
    for last in ("EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER", "EXPORTER_OTLP_GRPC_LOGS_CREDENTIAL_PROVIDER",
                 "LOGGING_AUTO_INSTRUMENTATION_ENABLED", "LOGGER_CONFIGURATOR", "LOGGER_PROVIDER"):  # fmt: skip
        yield Ignored(f"OTEL_PYTHON_{last}", _NO_LOGS)


IGNORED: dict[str, Ignored] = {
    entry.name: entry
    for entry in (
        *_logs(),
        Ignored("OTEL_PROPAGATORS", "W3C trace context goes to the hosts in TELEMETRY_PROPAGATE_TO and to no other",
                frozenset({"tracecontext", "tracecontext,baggage", "baggage,tracecontext"})),
        Ignored("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", _CUMULATIVE, frozenset({"cumulative"})),
        Ignored("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "the catalog holds each metric's buckets",
                frozenset({"explicit_bucket_histogram"})),
        Ignored("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "the catalog has no such metrics", frozenset({"false"})),
        Ignored("OTEL_BSP_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT says how long an export may take",
                frozenset({"30000"})),
        Ignored("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "spans are sent by OTLP"),
        Ignored("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "spans are sent by OTLP"),
        Ignored("OTEL_LOG_LEVEL", "the SDK for Python does not read it; set the level of the logger opentelemetry"),
        Ignored("OTEL_CONFIG_FILE", _OWN),
        Ignored("OTEL_PYTHON_ID_GENERATOR", _OWN),
        Ignored("OTEL_PYTHON_TRACER_CONFIGURATOR", _OWN),
        Ignored("OTEL_PYTHON_METER_CONFIGURATOR", _OWN),
        Ignored("OTEL_PYTHON_TRACER_PROVIDER", _OWN, frozenset({"sdk_tracer_provider"})),
        Ignored("OTEL_PYTHON_METER_PROVIDER", _OWN, frozenset({"sdk_meter_provider"})),
    )
}  # fmt: skip
"""By name, what has no effect."""

_PROTOCOLS = tuple(f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL" for signal in ("", "TRACES_", "METRICS_"))
_COMPRESSIONS = tuple(f"OTEL_EXPORTER_OTLP_{signal}COMPRESSION" for signal in ("", "TRACES_", "METRICS_"))
_QUEUE, _BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"


def wrong(environ: Mapping[str, str]) -> list[SettingError]:
    """Return what is wrong in the SDK's variables."""
    set_here = [(entry, environ[name].strip()) for name, entry in STANDARD.items() if environ.get(name, "").strip()]
    found = {entry.name: _error(entry, text) for entry, text in set_here if not _accepted(entry, text)}
    if any(environ.get(name, "").strip() == "grpc" for name in _PROTOCOLS):
        unknown = [entry for entry, text in set_here if entry.name.endswith("COMPRESSION") and text == "deflate"]
        found |= {entry.name: _error(entry, "deflate") for entry in unknown}
    right = {entry.name: int(text) for entry, text in set_here if entry.name in {_QUEUE, _BATCH} - set(found)}
    for name in (_BATCH, _QUEUE):
        if name in right and right.get(_BATCH, 512) > right.get(_QUEUE, 2048):
            found[name] = _error(STANDARD[name], str(right.pop(name)))
    return list(found.values())


def _accepted(entry: Standard, text: str) -> bool:
    try:
        entry.parse(text)
    except ValueError:
        return False
    return True


def _error(entry: Standard, text: str) -> SettingError:
    return SettingError(entry.name, shown(text, secret=entry.secret), entry.accepts, entry.default)


def ignored(environ: Mapping[str, str]) -> list[str]:
    """Return a line for each variable that is set and has no effect."""
    return [
        f"{entry.name} is not supported and has no effect: {entry.reason}."
        for entry in IGNORED.values()
        if (text := environ.get(entry.name, "").strip()) and text.lower() not in entry.harmless
    ]


@contextmanager
def only_right() -> Iterator[None]:
    """Let the SDK see, while it is put together, no value that is wrong, empty, or a default that it does not know."""
    unfit = {error.variable for error in wrong(os.environ)} | set(IGNORED)
    unfit |= {name for name in STANDARD if not os.environ.get(name, "x").strip()}
    right = {name: text for name, text in os.environ.items() if name not in unfit}
    kept = {name: os.environ.pop(name) for name in unfit | set(_COMPRESSIONS) if name in os.environ}
    # gRPC's exporters do not know the word none, so each signal gets a word of its own, or no word.
    common, *signals = _COMPRESSIONS
    chosen = {name: right.get(name) or right.get(common, "none") for name in signals}
    os.environ.update({name: text for name, text in chosen.items() if text != "none"})
    try:
        yield
    finally:
        for name in signals:
            os.environ.pop(name, None)
        os.environ.update(kept)
