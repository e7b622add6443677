"""`.stack/app.env`: where applications and tools find the running stack."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from stack import door, envfile
from stack.passwords import passwords

if TYPE_CHECKING:
    from collections.abc import Collection

    from stack.sentry import Access
    from stack.settings import Settings

__all__ = ["application_environment", "write"]


def write(settings: Settings, parts: Collection[str], access: Access | None) -> None:
    """Write the file for the parts that run; only this user can read it, for it holds a token."""
    values = {
        **door.application_variables(settings),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "15000",  # the timeInterval of Grafana's Prometheus data source
        "TELEMETRY_PROMETHEUS_URL": settings.url("PROMETHEUS_PORT"),
        "TELEMETRY_JAEGER_URL": settings.url("JAEGER_PORT"),
        "API_PORT": str(settings.ports["API_PORT"]),
    }
    if access:
        values["SENTRY_DSN"] = access.dsn
        values["TELEMETRY_SENTRY_URL"] = settings.url("BUGSINK_PORT")
        values["TELEMETRY_SENTRY_TOKEN"] = access.token
    if "postgres" in parts:
        password = passwords(settings)["POSTGRES_PASSWORD"]
        address = f"127.0.0.1:{settings.ports['POSTGRES_PORT']}"
        values["DATABASE_URL"] = f"postgresql://health_agent:{quote(password, safe='')}@{address}/health_agent"
    for name in ("tempo", "grafana"):
        if name in parts:
            values[f"TELEMETRY_{name.upper()}_URL"] = settings.url(f"{name.upper()}_PORT")
    envfile.write_private(settings.app_env, values)


def application_environment(settings: Settings) -> dict[str, str]:
    """The environment `exec` gives: the process's own, then `.env`, then what `up` wrote."""
    written = envfile.read(settings.app_env)
    by_hand = {name for name in envfile.read(settings.root / ".env") if name not in os.environ}
    origins = {".env": by_hand, str(settings.app_env): written.keys() - settings.environ.keys()}
    told = ";".join(f"{_short(file, settings)}={','.join(sorted(names))}" for file, names in origins.items() if names)
    # `telemetry doctor` tells from it where each setting comes from.
    return {**written, **settings.environ, "TELEMETRY_ORIGINS": told}


def _short(file: str, settings: Settings) -> str:
    return file.removeprefix(f"{settings.root}/")
