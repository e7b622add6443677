"""The stages in which telemetry is switched on, from a developer's machine to all of production.

Each is a set of variables: `python -m telemetry rollout STAGE --env` prints them as the profile of that environment.
What differs between deployments, addresses and secrets, stays as it is where it is set; else there is an example.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from telemetry.settings import Settings
from telemetry.standard import STANDARD

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OVERRULING", "PLACEHOLDER", "SECRETS", "STAGES", "Stage", "current", "following", "is_given"]

PLACEHOLDER = "REPLACE_ME"
OVERRULING = ("OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_TRACES_EXPORTER")
"""Variables that would decide otherwise than a stage's own."""
SECRETS = {name for f in fields(Settings) if f.metadata["variable"].secret for name in f.metadata["variable"].names} | {
    name for name, variable in STANDARD.items() if variable.secret
}

_SWITCHES_FILE = {"TELEMETRY_SWITCHES_FILE": "/run/health-agent/switches"}
_SENTRY = {
    "SENTRY_DSN": f"https://{PLACEHOLDER}@o0.ingest.sentry.io/0",
    "TELEMETRY_USER_KEY": f"{PLACEHOLDER}_16_OR_MORE",
}
_STAGING = _SENTRY | _SWITCHES_FILE | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
_CLOUD = _SENTRY | _SWITCHES_FILE | {
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://otlp-gateway-{PLACEHOLDER}.grafana.net/otlp",
    "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Basic%20{PLACEHOLDER}",
}  # fmt: skip


@dataclass(frozen=True)
class Stage:
    """One stage: what it sends, for how long it is watched, and what shows that it goes well."""

    name: str
    what: str
    days: int
    """How long to stay before the next one."""
    well_if: str
    environment: str
    signals: frozenset[str]
    ratio: float
    examples: Mapping[str, str] = field(default_factory=dict)
    """Variables that each deployment may have its own value of; one with a placeholder it must have."""

    @property
    def values(self) -> dict[str, str]:
        """The variables that make the stage what it is."""
        return {
            "SENTRY_ENVIRONMENT": self.environment,
            "ENABLE_SENTRY": _word("sentry" in self.signals),
            "ENABLE_METRICS": _word("metrics" in self.signals),
            "ENABLE_TRACING": _word("tracing" in self.signals),
            "SENTRY_TRACES_SAMPLE_RATE": f"{self.ratio:g}",
        }

    def given(self, environ: Mapping[str, str]) -> list[str]:
        """Return the variables of the deployment's own that it has set."""
        return [name for name in self.examples if is_given(name, environ)]

    def suggested(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the examples that are good as they are, of what the deployment has not set."""
        return {name: example for name, example in self.examples.items()
                if PLACEHOLDER not in example and not is_given(name, environ)}  # fmt: skip

    def lacking(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that the deployment must set, each with an example."""
        left = {name: example for name, example in self.examples.items()
                if PLACEHOLDER in example and not is_given(name, environ)}  # fmt: skip
        if environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").startswith("http://"):
            left.pop("OTEL_EXPORTER_OTLP_HEADERS", None)  # a Collector of one's own; no token goes out in the clear
        return left


def _word(on: bool) -> str:
    return "true" if on else "false"


_ALL = frozenset({"sentry", "metrics", "tracing"})
_PRODUCTION = "production"
_CANARY_SENTRY = Stage(
    "canary-sentry", "errors of a few processes of production", 2,
    "errors arrive with release and user, nothing else does; latency is as before",
    _PRODUCTION, frozenset({"sentry"}), 0.01, _SENTRY | _SWITCHES_FILE,
)  # fmt: skip
_CANARY_METRICS = Stage(
    "canary-metrics", "their metrics too", 2,
    "`telemetry losses` says 0 unaccounted, telemetry_label_overflow_total stays 0, series are as `cost` estimates",
    _PRODUCTION, frozenset({"sentry", "metrics"}), 0.01, _CLOUD,
)  # fmt: skip
STAGES = (
    Stage("development", "everything of a developer's machine, to the local stack", 7,
          "`make demo` and `make load` end with nothing lost", "development", _ALL, 1.0,
          {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}),
    Stage("staging", "all of staging, sampled as production will be: what is watched is what ships", 3,
          "latency and CPU are as before, each alert has been seen to fire and to end", "staging", _ALL, 0.1, _STAGING),
    _CANARY_SENTRY,
    _CANARY_METRICS,
    Stage("canary-traces", "and 1% of their traces", 2,
          "an error in Sentry opens its trace; CPU a request is within 5% of before", _PRODUCTION, _ALL, 0.01, _CLOUD),
    Stage("production", "all of production, a tenth of its traces; dashboards and alerts in use", 0,
          "the budget of `telemetry cost` holds", _PRODUCTION, _ALL, 0.1, _CLOUD),
)  # fmt: skip
"""In their order. https://sre.google/workbook/canarying-releases/"""


def is_given(name: str, environ: Mapping[str, str]) -> bool:
    """Tell whether a variable has a value of the deployment's own, or names the file that has it."""
    found = environ.get(name, "").strip() or environ.get(f"{name}_FILE", "").strip()
    return bool(found) and PLACEHOLDER not in found


def current(environ: Mapping[str, str]) -> Stage | None:
    """Return the stage that the environment is in; None where it is in none."""
    settings, _ = Settings.read(environ)
    if any(environ.get(name, "").strip() for name in OVERRULING):
        return None
    state = _state(settings)
    return next((stage for stage in STAGES if _state(Settings.read(stage.values)[0]) == state), None)


def _state(settings: Settings) -> tuple[str | bool | float, ...]:
    ratio = settings.sample_rate if settings.enable_tracing else 0.0
    return (settings.environment, settings.enable_sentry, settings.enable_metrics, settings.enable_tracing, ratio)


def following(stage: Stage) -> Stage | None:
    """Return the stage after this one; None after the last."""
    place = STAGES.index(stage) + 1
    return STAGES[place] if place < len(STAGES) else None
