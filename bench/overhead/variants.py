"""How each variant observes the application: none, ours, and the alternatives as their documentation says.

Each gets the address of a Collector (or of a sink that takes its own protocol) by the environment, and the share of
traces it is to record by `RATE`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VARIANTS", "Variant"]

Create = "Callable[[], Any]"


@dataclass(frozen=True)
class Variant:
    """`start` runs before the application is made, `attach` after; `environ` is what the process is started with."""

    name: str
    environ: dict[str, str]
    start: Callable[[], object] = lambda: None
    attach: Callable[[Any, Any, Any], Any] = lambda app, _pool, _bot: app

    def instrument(self, create: Callable[[], Any], pool: object, bot: object) -> Any:
        """Make the application and return what is to be served."""
        self.start()
        return self.attach(create(), pool, bot)


def _rate() -> float:
    return float(os.environ.get("RATE", "1"))


def _ours(app: Any, pool: Any, bot: Any) -> Any:
    import telemetry

    telemetry.instrument_fastapi(app)
    telemetry.instrument_pool(pool)
    telemetry.instrument_telegram(bot.application)
    telemetry.instrument_pydantic_ai()
    return app


def _start_ours() -> None:
    import telemetry

    telemetry.init()


def _start_otel(*, metrics: bool = True) -> None:
    """Set up traces, and metrics, by OTLP over HTTP, as OpenTelemetry's documentation does."""
    from opentelemetry import metrics as metrics_api
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource.create({"service.name": "bench"})
    tracing = TracerProvider(sampler=ParentBased(TraceIdRatioBased(_rate())), resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
    if metrics:
        metrics_api.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource))


def _stock(app: Any, _pool: Any, _bot: Any, **options: Any) -> Any:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(app, **options)
    return app


def _start_stock() -> None:
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    _start_otel()
    PsycopgInstrumentor().instrument()
    _start_agents()


def _start_sentry(**options: Any) -> None:
    import sentry_sdk

    sentry_sdk.init(os.environ["SENTRY_DSN"], traces_sample_rate=_rate(), **options)


def _start_logfire() -> None:
    import logfire
    from logfire.sampling import SamplingOptions

    logfire.configure(
        send_to_logfire=False, console=False, sampling=SamplingOptions(head=_rate()), service_name="bench",
        inspect_arguments=False,
    )  # fmt: skip
    logfire.instrument_psycopg()
    logfire.instrument_pydantic_ai()


def _logfire(app: Any, _pool: Any, _bot: Any) -> Any:
    import logfire

    logfire.instrument_fastapi(app)
    return app


def _start_ddtrace() -> None:
    import ddtrace.auto  # noqa: F401 - which patches what it knows


def _elastic(app: Any, _pool: Any, _bot: Any) -> Any:
    from elasticapm.contrib.starlette import ElasticAPM, make_apm_client

    client = make_apm_client({"SERVICE_NAME": "bench", "TRANSACTION_SAMPLE_RATE": _rate()})
    app.add_middleware(ElasticAPM, client=client)
    return app


def _plan(app: Any, pool: Any, bot: Any) -> Any:
    from bench.overhead.plan import instrument

    return instrument(_stock(app, pool, bot))


def _start_plan() -> None:
    _start_sentry()
    _start_stock_traces()


def _start_stock_traces() -> None:
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor

    _start_otel(metrics=False)
    PsycopgInstrumentor().instrument()
    _start_agents()


def _start_agents() -> None:
    """Nobody has an instrumentation of python-telegram-bot; agents have their own."""
    from pydantic_ai import Agent

    Agent.instrument_all()


_NO_SENTRY = {"SENTRY_DSN": ""}


def _ours_at(rate: str, **environ: str) -> Variant:
    """Record `rate` of the traces, of which Sentry gets a tenth of all, as the plan's production does."""
    name = f"ours {float(rate):.0%}" + "".join(f", {key}" for key in environ.pop("SAY", "").split(",") if key)
    sampler = {
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": rate,
        "SENTRY_TRACES_SAMPLE_RATE": "0.1",
    }
    return Variant(name, sampler | environ, _start_ours, _ours)


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("bare", {}),
        _ours_at("1.0"),
        _ours_at("0.1"),
        _ours_at("0.01"),
        _ours_at("0.1", SAY="no Sentry", **_NO_SENTRY),
        _ours_at("0.01", SAY="no Sentry", **_NO_SENTRY),
        _ours_at("0.01", SAY="no Sentry,no metrics", ENABLE_METRICS="false", **_NO_SENTRY),
        _ours_at("0.01", SAY="no metrics", ENABLE_METRICS="false"),
        _ours_at("1.0", SAY="no Sentry", **_NO_SENTRY),
        _ours_at("1.0", SAY="no tracing", ENABLE_TRACING="false"),
        _ours_at("1.0", SAY="no metrics", ENABLE_METRICS="false"),
        _ours_at("1.0", SAY="all off", ENABLE_TRACING="false", ENABLE_METRICS="false", ENABLE_SENTRY="false"),
        Variant("OTel 100%", {"RATE": "1"}, _start_stock, _stock),
        Variant("OTel 10%", {"RATE": "0.1"}, _start_stock, _stock),
        Variant("OTel tuned 100%", {"RATE": "1"}, _start_stock,
                lambda app, pool, bot: _stock(app, pool, bot, exclude_spans=["send", "receive"])),
        Variant("OTel tuned 10%", {"RATE": "0.1"}, _start_stock,
                lambda app, pool, bot: _stock(app, pool, bot, exclude_spans=["send", "receive"])),
        Variant("the plan's code 100%", {"RATE": "0.1", "OTEL_TRACES_SAMPLER_ARG": "1"}, _start_plan, _plan),
        Variant("logfire 100%", {"RATE": "1"}, _start_logfire, _logfire),
        Variant("logfire 10%", {"RATE": "0.1"}, _start_logfire, _logfire),
        Variant("Sentry 100%", {"RATE": "1"}, _start_sentry),
        Variant("Sentry 10%", {"RATE": "0.1"}, _start_sentry),
        Variant("elastic-apm 100%", {"RATE": "1"}, attach=_elastic),
        Variant("elastic-apm 10%", {"RATE": "0.1"}, attach=_elastic),
        Variant("ddtrace 100%", {"DD_TRACE_SAMPLE_RATE": "1"}, _start_ddtrace),
        Variant("ddtrace 10%", {"DD_TRACE_SAMPLING_RULES": '[{"sample_rate": 0.1}]'}, _start_ddtrace),
    )
}  # fmt: skip
