"""The parts of the stack: where each answers, and a request that fails when it does not work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stack import door
from stack.build.recipes import ALERTMANAGER_VERSION, COLLECTOR_VERSION, JAEGER_VERSION, PROMETHEUS_VERSION
from stack.build.venv import locked_version

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = [
    "DOCKER_ONLY",
    "GRAFANA_VERSION",
    "NATIVE_ONLY",
    "POSTGRES_VERSION",
    "TEMPO_VERSION",
    "Part",
    "Probe",
    "all_parts",
]

TEMPO_VERSION = "2.9.0"
GRAFANA_VERSION = "12.3.0"
POSTGRES_VERSION = "18.1"
DOCKER_ONLY = ("tempo", "postgres")
# Delivers what Prometheus evaluates; where Grafana runs it does both, and nothing is sent twice.
NATIVE_ONLY = ("alertmanager",)


@dataclass(frozen=True)
class Probe:
    """A request that only a working part answers with 200 and, where given, with `expect` in the body."""

    url: str
    method: str = "GET"
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    expect: str = ""


@dataclass(frozen=True)
class Part:
    """One server."""

    name: str
    version: str
    port: str  # the variable of the port people use
    probes: tuple[Probe, ...]
    more_ports: tuple[str, ...] = ()
    local_ports: tuple[str, ...] = ()  # used natively only; in a container they are the container's own


def all_parts(settings: Settings, *, sentry_token: str = "") -> dict[str, Part]:
    """Every part there can be, by name, in the order of the table."""
    metrics = (_collector(settings), _prometheus(settings), _alertmanager(settings))
    views = (_jaeger(settings), _tempo(settings), _grafana(settings))
    return {part.name: part for part in (*metrics, *views, _bugsink(settings, sentry_token), _postgres())}


def _collector(settings: Settings) -> Part:
    empty_trace = Probe(
        f"{settings.url('OTLP_HTTP_PORT')}/v1/traces", "POST", "{}", {"content-type": "application/json"}
    )
    return Part(
        "collector",
        COLLECTOR_VERSION,
        "OTLP_HTTP_PORT",
        (Probe(f"{settings.url('COLLECTOR_HEALTH_PORT')}/"), *([] if door.is_guarded(settings) else [empty_trace])),
        ("OTLP_GRPC_PORT", "COLLECTOR_HEALTH_PORT", "COLLECTOR_METRICS_PORT"),
        ("COLLECTOR_LOOP_PORT", "COLLECTOR_OWN_PORT"),
    )


def _prometheus(settings: Settings) -> Part:
    return Part(
        "prometheus", PROMETHEUS_VERSION, "PROMETHEUS_PORT", (Probe(f"{settings.url('PROMETHEUS_PORT')}/-/ready"),)
    )


def _alertmanager(settings: Settings) -> Part:
    probe = Probe(f"{settings.url('ALERTMANAGER_PORT')}/-/ready")
    return Part("alertmanager", ALERTMANAGER_VERSION, "ALERTMANAGER_PORT", (probe,))


def _jaeger(settings: Settings) -> Part:
    # Asks the storage, not only the server.
    probe = Probe(f"{settings.url('JAEGER_PORT')}/api/services", expect='"data"')
    return Part("jaeger", JAEGER_VERSION, "JAEGER_PORT", (probe,), (), ("JAEGER_OTLP_PORT", "JAEGER_GRPC_PORT"))


def _tempo(settings: Settings) -> Part:
    return Part("tempo", TEMPO_VERSION, "TEMPO_PORT", (Probe(f"{settings.url('TEMPO_PORT')}/ready"),))


def _grafana(settings: Settings) -> Part:
    probe = Probe(f"{settings.url('GRAFANA_PORT')}/api/health", expect='"ok"')
    return Part("grafana", GRAFANA_VERSION, "GRAFANA_PORT", (probe,))


def _bugsink(settings: Settings, token: str) -> Part:
    url = settings.url("BUGSINK_PORT")
    # With the token the project is read from the database; its own readiness page does not look there.
    probe = (
        Probe(f"{url}/api/canonical/0/projects/", headers={"authorization": f"Bearer {token}"}, expect="health-agent")
        if token
        else Probe(f"{url}/health/ready")
    )
    return Part("bugsink", locked_version(settings, "bugsink", "bugsink"), "BUGSINK_PORT", (probe,))


def _postgres() -> Part:
    # Speaks no HTTP: compose's own health check (pg_isready) stands for it.
    return Part("postgres", POSTGRES_VERSION, "POSTGRES_PORT", ())
