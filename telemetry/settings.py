"""The environment, read once: every variable of ours and of Sentry's, with its default and what it accepts.

The standard `OTEL_*` variables that the OpenTelemetry SDK reads itself (batch sizes, limits, headers, certificates,
time-outs, resource attributes) keep their meaning and are left to it; only those that decide something here stand
in the table below. A wrong value never stops the application: it is named, with what is accepted, and the default
holds.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from telemetry import _parse
from telemetry.redaction import clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telemetry._parse import Network

__all__ = ["SettingError", "Settings", "Variable", "shown"]

DEVELOPMENT = "development"
_FILE = "_FILE"
HTTP_ENDPOINT, GRPC_ENDPOINT = "http://localhost:4318", "http://localhost:4317"
DEFAULT_SERVICES = {
    "api.openai.com": "openai",
    "api.anthropic.com": "anthropic",
    "api.nal.usda.gov": "usda",
}
"""Hosts of the external APIs that the plan names."""


@dataclass(frozen=True)
class Variable:
    """One environment variable: its names in order of precedence, how it is read, and what it means."""

    names: tuple[str, ...]
    parse: Callable[[str], Any]
    accepts: str
    meaning: str
    secret: bool = False

    def name_in(self, environ: Mapping[str, str]) -> str | None:
        """Return the first of the names that is set; an empty value counts as unset (the specification's rule)."""
        return next((name for name in self.names if environ.get(name, "").strip()), None)

    def text_of(self, name: str, environ: Mapping[str, str]) -> str:
        """Return the value under one of the names, a secret's from the file; `ValueError` if that cannot be read."""
        text = environ[name].strip()
        return _parse.content(text) if self.secret and name.endswith(_FILE) else text


class SettingError(ValueError):
    """A variable holds a value that is not accepted."""

    def __init__(self, variable: str, got: str, accepts: str, using: object) -> None:
        """Say what was got, what is accepted and what is used instead; `got` is masked for secrets."""
        self.variable = variable
        self.got = got
        self.accepts = accepts
        self.using = using
        instead = "it counts as not set" if using in (None, "") else f"using {using!r}"
        super().__init__(f"{variable} must be {accepts} (got {got}); {instead}.")


_USER = re.compile(r"(?<=//)[^/@]*@")


def shown(text: str, *, secret: bool = False) -> str:
    """Return a value as it may stand in an error: quoted, without what could be a password, or not at all."""
    return "a value that is not printed" if secret else f'"{clean_text(_USER.sub("", text))}"'


def _variable(*names: str, default: object, parse: Callable[[str], Any], accepts: str, meaning: str) -> Any:  # noqa: ANN401 - as dataclasses.field
    secret = parse in (_parse.dsn, _parse.key, _parse.secret)
    if secret:  # or in a file, which no process list shows
        names = (*names, f"{names[0]}{_FILE}")
    found = Variable(names, parse, accepts, meaning, secret)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata={"variable": found})
    return field(default=default, metadata={"variable": found}, repr=not found.secret)


_SWITCH = "true or false"


@dataclass(frozen=True)
class Settings:
    """What the environment asks for. `Settings()` holds the defaults, `Settings.read()` the environment's values."""

    service_name: str = _variable(
        "OTEL_SERVICE_NAME",
        default="health-agent",
        parse=_parse.name,
        accepts="a name",
        meaning="Service name on every span and series.",
    )
    enable_sentry: bool = _variable(
        "ENABLE_SENTRY",
        default=True,
        parse=_parse.boolean,
        accepts=_SWITCH,
        meaning="Off: nothing is sent to Sentry.",
    )
    enable_metrics: bool = _variable(
        "ENABLE_METRICS",
        default=True,
        parse=_parse.boolean,
        accepts=_SWITCH,
        meaning="Off: no metric is recorded or exported.",
    )
    enable_tracing: bool = _variable(
        "ENABLE_TRACING",
        default=True,
        parse=_parse.boolean,
        accepts=_SWITCH,
        meaning="Off: no span is recorded or exported.",
    )
    switches_file: str = _variable(
        "TELEMETRY_SWITCHES_FILE", default="", parse=_parse.name, accepts="a path",
        meaning="A file with lines such as ENABLE_TRACING=false, followed while the application runs.",
    )  # fmt: skip
    sdk_disabled: bool = _variable(
        "OTEL_SDK_DISABLED",
        default=False,
        parse=_parse.boolean,
        accepts=_SWITCH,
        meaning="On: traces and metrics are off, as the specification says.",
    )
    otlp_endpoint: str = _variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        default=HTTP_ENDPOINT,
        parse=_parse.endpoint,
        accepts="an address such as http://localhost:4318, without a path like /v1/traces",
        meaning="The Collector; unset with protocol grpc: http://localhost:4317.",
    )
    otlp_protocol: str = _variable(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        default="http/protobuf",
        parse=_parse.one_of("http/protobuf", "grpc"),
        accepts="http/protobuf or grpc",
        meaning="How spans and metrics are sent.",
    )
    traces_endpoint: str | None = _variable(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", default=None, parse=_parse.signal_endpoint,
        accepts="an address such as http://localhost:4318/v1/traces, used as it stands",
        meaning="Where spans go instead.",
    )  # fmt: skip
    metrics_endpoint: str | None = _variable(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", default=None, parse=_parse.signal_endpoint,
        accepts="an address such as http://localhost:4318/v1/metrics, used as it stands",
        meaning="Where metrics go instead.",
    )  # fmt: skip
    traces_protocol: str | None = _variable(
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", default=None, parse=_parse.one_of("http/protobuf", "grpc"),
        accepts="http/protobuf or grpc", meaning="How spans are sent instead.",
    )  # fmt: skip
    metrics_protocol: str | None = _variable(
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", default=None, parse=_parse.one_of("http/protobuf", "grpc"),
        accepts="http/protobuf or grpc", meaning="How metrics are sent instead.",
    )  # fmt: skip
    traces_exporter: str = _variable(
        "OTEL_TRACES_EXPORTER",
        default="otlp",
        parse=_parse.one_of("otlp", "none"),
        accepts="otlp or none",
        meaning="none: spans are recorded for Sentry only.",
    )
    metrics_exporter: str = _variable(
        "OTEL_METRICS_EXPORTER",
        default="otlp",
        parse=_parse.some_of("otlp", "prometheus"),
        accepts="otlp, prometheus, both with a comma, or none",
        meaning="prometheus: served at /metrics; none: metrics stay in the process.",
    )
    prometheus_host: str = _variable(
        "OTEL_EXPORTER_PROMETHEUS_HOST",
        default="localhost",
        parse=_parse.name,
        accepts="a host or an address of this machine",
        meaning="Where the port of OTEL_EXPORTER_PROMETHEUS_PORT is opened.",
    )
    prometheus_port: int | None = _variable(
        "OTEL_EXPORTER_PROMETHEUS_PORT",
        default=None,
        parse=_parse.port,
        accepts="a port number",
        meaning="A port of its own for /metrics, or the next free one; unset: on the FastAPI application.",
    )
    traces_sampler: str | None = _variable(
        "OTEL_TRACES_SAMPLER", default=None,
        parse=_parse.one_of(
            "always_on", "always_off", "traceidratio",
            "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio",
        ),
        accepts="a sampler of the OpenTelemetry specification, such as parentbased_traceidratio",
        meaning="When set, decides which traces are recorded instead of SENTRY_TRACES_SAMPLE_RATE.",
    )  # fmt: skip
    traces_sampler_arg: float = _variable(
        "OTEL_TRACES_SAMPLER_ARG",
        default=1.0,
        parse=_parse.ratio,
        accepts="a number between 0 and 1",
        meaning="Share of traces recorded by a ratio sampler.",
    )
    excluded_urls: tuple[str, ...] = _variable(
        "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS",
        default=("/health$", "/metrics$"), parse=_parse.patterns,
        accepts="regular expressions separated by commas", meaning="Requests that leave no span and no metric.",
    )  # fmt: skip
    sentry_dsn: str = _variable(
        "SENTRY_DSN",
        default="",
        parse=_parse.dsn,
        accepts="a DSN of the form https://KEY@HOST/PROJECT",
        meaning="Where errors go; empty: Sentry is off.",
    )
    environment: str = _variable(
        "SENTRY_ENVIRONMENT",
        default=DEVELOPMENT,
        parse=_parse.name,
        accepts="a name",
        meaning="development, staging or production; on every span, series and error.",
    )
    release: str | None = _variable(
        "SENTRY_RELEASE",
        "GIT_SHA",
        "SOURCE_COMMIT",
        default=None,
        parse=_parse.name,
        accepts="a version or a commit",
        meaning="The release on errors and in service.version.",
    )
    sentry_sample_rate: float | None = _variable(
        "SENTRY_TRACES_SAMPLE_RATE",
        default=None,
        parse=_parse.ratio,
        accepts="a number between 0 and 1",
        meaning="Share of traces recorded; unset: 1.0 in development, 0.1 elsewhere.",
    )
    sentry_link: str = _variable(
        "TELEMETRY_SENTRY_LINK",
        default="lean",
        parse=_parse.one_of("lean", "processor", "otlp"),
        accepts="lean, processor or otlp",
        meaning="How a trace becomes Sentry's transaction: when it has ended; by Sentry's span processor; not at all.",
    )
    error_window_seconds: float = _variable(
        "TELEMETRY_ERROR_WINDOW",
        default=60.0,
        parse=_parse.positive,
        accepts="a number of seconds above 0",
        meaning="Sentry gets the first error of each kind in this time in full, and how many more there were.",
    )
    external_services: dict[str, str] = _variable(
        "TELEMETRY_EXTERNAL_SERVICES",
        default=DEFAULT_SERVICES,
        parse=_parse.host_table,
        accepts="HOST=SERVICE pairs separated by commas",
        meaning="Adds to the table that names an external API by its host.",
    )
    propagate_to: frozenset[str] = _variable(
        "TELEMETRY_PROPAGATE_TO",
        default=frozenset(),
        parse=_parse.hosts,
        accepts="hosts separated by commas",
        meaning="The only hosts that trace headers are sent to.",
    )
    trusted_callers: tuple[Network, ...] = _variable(
        "TELEMETRY_TRUSTED_CALLERS",
        default=(),
        parse=_parse.networks,
        accepts="IP addresses or networks separated by commas",
        meaning="The only callers whose trace goes on here, sampled as they say; others begin a trace of their own.",
    )
    slow_request_seconds: float = _variable(
        "TELEMETRY_SLOW_REQUEST",
        default=3.0,
        parse=_parse.positive,
        accepts="a number of seconds above 0",
        meaning="A request that takes longer leaves its root span, though its trace is not sampled.",
    )
    slow_update_seconds: float = _variable(
        "TELEMETRY_SLOW_UPDATE",
        default=30.0,
        parse=_parse.positive,
        accepts="a number of seconds above 0",
        meaning="An update or a job that takes longer leaves its root span, though its trace is not sampled.",
    )
    url_query_keys: frozenset[str] = _variable(
        "TELEMETRY_URL_QUERY_KEYS", default=frozenset(), parse=_parse.words,
        accepts="names separated by commas", meaning="Keys of a query string that are kept in recorded addresses.",
    )  # fmt: skip
    user_key: str = _variable(
        "TELEMETRY_USER_KEY", default="", parse=_parse.key,
        accepts="16 characters or more", meaning="The key by which users get their names in telemetry: user.id and "
        "conversations are keyed hashes.",
    )  # fmt: skip
    usernames: bool = _variable(
        "TELEMETRY_USERNAMES", default=False, parse=_parse.boolean, accepts=_SWITCH,
        meaning="On: errors carry the name a user has chosen, beside the id.",
    )  # fmt: skip
    allowed_attributes: frozenset[str] = _variable(
        "TELEMETRY_ALLOWED_ATTRIBUTES", default=frozenset(), parse=_parse.words,
        accepts="names separated by commas", meaning="Attributes of the application's own that may leave the process.",
    )  # fmt: skip
    exception_messages: bool = _variable(
        "TELEMETRY_EXCEPTION_MESSAGES", default=False, parse=_parse.boolean, accepts=_SWITCH,
        meaning="On, in development only: what exceptions say leaves too, and not just what stands in the code.",
    )  # fmt: skip
    slow_query_seconds: float = _variable(
        "TELEMETRY_SLOW_QUERY",
        default=0.1,
        parse=_parse.positive,
        accepts="a number of seconds above 0",
        meaning="A query that takes longer counts as slow.",
    )
    start_record_after_seconds: float = _variable(
        "TELEMETRY_START_RECORD_AFTER",
        default=5.0,
        parse=_parse.positive,
        accepts="a number of seconds above 0",
        meaning="Work that runs longer leaves a record in its trace before it ends.",
    )
    polling_patience_seconds: float = _variable(
        "TELEMETRY_POLLING_PATIENCE",
        default=120.0,
        parse=_parse.positive,
        accepts="a number of seconds above 0",
        meaning="Fetching updates must have failed this long before it is reported as an error.",
    )
    engagement_window_seconds: float = _variable(
        "TELEMETRY_ENGAGEMENT_WINDOW", default=3600.0, parse=_parse.positive,
        accepts="a number of seconds above 0", meaning="The time within which the messages of each user are counted.",
    )  # fmt: skip
    runtime_interval_seconds: float = _variable(
        "TELEMETRY_RUNTIME_INTERVAL", default=60.0, parse=_parse.positive,
        accepts="a number of seconds above 0", meaning="How often active users and database size are read.",
    )  # fmt: skip

    prometheus_url: str = _variable(
        "TELEMETRY_PROMETHEUS_URL", default="", parse=_parse.endpoint,
        accepts="an address", meaning="Where doctor and the demo read metrics.",
    )  # fmt: skip
    jaeger_url: str = _variable(
        "TELEMETRY_JAEGER_URL", default="", parse=_parse.endpoint,
        accepts="an address", meaning="Where doctor and the demo read traces.",
    )  # fmt: skip
    tempo_url: str = _variable(
        "TELEMETRY_TEMPO_URL", default="", parse=_parse.endpoint,
        accepts="an address", meaning="Where doctor reads traces, where Tempo runs.",
    )  # fmt: skip
    grafana_url: str = _variable(
        "TELEMETRY_GRAFANA_URL", default="", parse=_parse.endpoint,
        accepts="an address", meaning="Grafana, for the link into Explore on each error.",
    )  # fmt: skip
    sentry_url: str = _variable(
        "TELEMETRY_SENTRY_URL", default="", parse=_parse.endpoint,
        accepts="an address", meaning="Where doctor and the demo read errors.",
    )  # fmt: skip
    sentry_token: str = _variable(
        "TELEMETRY_SENTRY_TOKEN", default="", parse=_parse.secret,
        accepts="a token", meaning="For reading errors from the local Sentry.",
    )  # fmt: skip

    @property
    def sample_rate(self) -> float:
        """The share of traces recorded where no OpenTelemetry sampler is named."""
        if self.sentry_sample_rate is not None:
            return self.sentry_sample_rate
        return 1.0 if self.is_development else 0.1

    @property
    def is_development(self) -> bool:
        """Whether this is a developer's own machine, by the environment's name."""
        return self.environment == DEVELOPMENT

    @property
    def exception_messages_leave(self) -> bool:
        """Whether the texts of all exceptions leave: never outside development."""
        return self.exception_messages and self.is_development

    def protocol(self, signal: str) -> str:
        """Return how `traces` or `metrics` are sent: the signal's own variable wins over the common one."""
        return getattr(self, f"{signal}_protocol") or self.otlp_protocol

    def endpoint(self, signal: str) -> str:
        """Return where `traces` or `metrics` go, the path included with HTTP; gRPC has a default port of its own."""
        own: str | None = getattr(self, f"{signal}_endpoint")
        if own is not None:
            return own
        if self.protocol(signal) != "grpc":
            return f"{self.otlp_endpoint}/v1/{signal}"
        return GRPC_ENDPOINT if self.otlp_endpoint == HTTP_ENDPOINT else self.otlp_endpoint

    def exports_metrics_to(self, exporter: str) -> bool:
        """Tell whether metrics go out by `otlp` or `prometheus`."""
        return exporter in self.metrics_exporter.split(",")

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> tuple[Settings, list[SettingError]]:
        """Read the environment (the process's own when none is given); return the settings and what was wrong in it."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        errors: list[SettingError] = []
        for attribute in fields(cls):
            variable: Variable = attribute.metadata["variable"]
            name = variable.name_in(environ)
            if name is None:
                continue
            try:
                values[attribute.name] = variable.parse(variable.text_of(name, environ))
            except ValueError:
                got = shown(environ[name].strip(), secret=variable.secret and not name.endswith(_FILE))
                errors.append(SettingError(name, got, variable.accepts, getattr(cls(), attribute.name)))
        values["external_services"] = DEFAULT_SERVICES | values.get("external_services", {})
        return cls(**values), errors
