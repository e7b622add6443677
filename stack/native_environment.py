"""What the native stack runs, and the variables it runs it with."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

from stack import door, native, parts, sentry
from stack.delivery import alertmanager, channels, grafana
from stack.settings import COLLECTOR_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.parts import Part
    from stack.settings import Settings

__all__ = ["native_environment", "native_parts"]

_COLLECTOR_MAY_READ = (
    "COLLECTOR_ALLOWED_ATTRIBUTES", "COLLECTOR_EXCEPTION_MESSAGES", "COLLECTOR_LABEL_KEY", "COLLECTOR_URL_QUERY_KEYS",
    "JAEGER_HEADERS", "JAEGER_TLS", "TEMPO_HEADERS", "TEMPO_TLS", "PROMETHEUS_HEADERS", "PROMETHEUS_TLS",
)  # fmt: skip
_NO_SECRETS: Mapping[str, str] = MappingProxyType({})


def native_parts(settings: Settings) -> dict[str, Part]:
    """The parts that native mode runs here."""
    delivers_not = parts.NATIVE_ONLY if native.grafana_binary(settings) else ("grafana",)
    skipped = {*parts.DOCKER_ONLY, *delivers_not, *settings.without}
    return {name: part for name, part in parts.all_parts(settings).items() if name not in skipped}


def native_environment(
    settings: Settings, binaries: Mapping[str, Path], venv: str, secrets: Mapping[str, str] = _NO_SECRETS
) -> dict[str, str]:
    """The variables of stack/native.yaml and of the configuration files it starts the servers with."""
    data = settings.data
    binary = native.grafana_binary(settings)
    return {
        **{name: str(port) for name, port in settings.ports.items()},
        **{name: settings.options[name] for name in COLLECTOR_OPTIONS},
        **door.collector_variables(settings),
        **{name: settings.environ[name] for name in _COLLECTOR_MAY_READ if settings.environ.get(name)},
        **sentry.native_environment(settings, secrets),
        "PYTHON": sys.executable,
        "STACK_ROOT": str(settings.root),
        "STACK_DATA_DIR": str(data),
        "OTELCOL_BIN": str(binaries.get("otelcol")),
        "PROMETHEUS_BIN": str(binaries.get("prometheus")),
        "PROMETHEUS_CONFIG": str(_prometheus_config(settings)),
        "ALERTMANAGER_BIN": str(binaries.get("alertmanager")),
        "JAEGER_BIN": str(binaries.get("jaeger")),
        "BUGSINK_VENV": venv,
        "COLLECTOR_QUEUE_DIR": str(data / "collector" / "queue"),
        "JAEGER_DATA_DIR": str(data / "jaeger"),
        "JAEGER_OTLP_ENDPOINT": settings.url("JAEGER_OTLP_PORT"),
        "PROMETHEUS_WRITE_ENDPOINT": f"{settings.url('PROMETHEUS_PORT')}/api/v1/write",
        **_grafana_environment(settings, binary, secrets.get("GRAFANA_ADMIN_PASSWORD", "")),
    }


def _prometheus_config(settings: Settings) -> Path:
    if "alertmanager" in native_parts(settings):
        return alertmanager.prometheus_file(settings)
    return settings.root / "collector" / "prometheus" / "prometheus.yml"


def _grafana_environment(settings: Settings, binary: str, password: str) -> dict[str, str]:
    # Without a Grafana nobody needs the secrets of channels in an environment.
    delivery = grafana.environment(settings, channels.load(settings) if binary else channels.Channels())
    return {
        **delivery,
        "GRAFANA_BIN": binary or "grafana-is-not-here",
        "GRAFANA_HOME": settings.options["GRAFANA_HOME"] or "/usr/share/grafana",
        "PROMETHEUS_URL": settings.url("PROMETHEUS_PORT"),
        "JAEGER_URL": settings.url("JAEGER_PORT"),
        "SENTRY_EVENT_URL": settings.options["SENTRY_EVENT_URL"] or f"{settings.url('BUGSINK_PORT')}/issues/event/",
        "GRAFANA_URL": settings.grafana_url,
        "DASHBOARDS_DIR": str(settings.root / "grafana" / "dashboards"),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(settings.root / "grafana/dashboards/main_dashboard.json"),
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(settings.ports["GRAFANA_PORT"]),
        "GF_SECURITY_ADMIN_PASSWORD": password,
        "GF_AUTH_ANONYMOUS_ENABLED": "false",
        "GF_USERS_ALLOW_SIGN_UP": "false",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GF_PATHS_DATA": str(settings.data / "grafana"),
        "GF_PATHS_LOGS": str(settings.data / "grafana" / "log"),
        "GF_PATHS_PROVISIONING": str(grafana.provisioning_folder(settings)),
    }
