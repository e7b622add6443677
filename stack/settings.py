"""Environment and `.env` → Settings: ports, folders, which parts. Every variable of the stack is named here once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stack import envfile
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLLECTOR_OPTIONS", "INTERNAL_PORTS", "OPTIONS", "PORTS", "ROOT", "Settings", "load"]

ROOT = Path(__file__).resolve().parent.parent

PORTS = {
    "OTLP_GRPC_PORT": 4317,
    "OTLP_HTTP_PORT": 4318,
    "COLLECTOR_HEALTH_PORT": 13133,
    "PROMETHEUS_PORT": 9090,
    "ALERTMANAGER_PORT": 9093,
    "JAEGER_PORT": 16686,
    "TEMPO_PORT": 3200,
    "GRAFANA_PORT": 3000,
    "BUGSINK_PORT": 8000,
    "API_PORT": 8080,
    "POSTGRES_PORT": 5432,
}
INTERNAL_PORTS = {
    "COLLECTOR_METRICS_PORT": 18888,
    "COLLECTOR_LOOP_PORT": 14318,
    "COLLECTOR_OWN_PORT": 14316,
    "JAEGER_OTLP_PORT": 14319,
    "JAEGER_GRPC_PORT": 16685,
}
# Other variables that move or shape the stack, with their defaults.
OPTIONS = {
    "STACK": "",
    "STACK_DATA_DIR": ".stack",
    "STACK_CACHE_DIR": "",
    "STACK_WITHOUT": "",
    "STACK_START_TIMEOUT": "120",
    "GRAFANA_BIN": "",
    "GRAFANA_HOME": "",
    "GRAFANA_ADMIN_PASSWORD": "",
    "SENTRY_EVENT_URL": "",
    "OTLP_BIND": "127.0.0.1",
    "OTLP_TOKEN": "",
    "OTLP_TOKEN_FILE": "",
    "OTLP_TLS_CERT": "",
    "OTLP_TLS_KEY": "",
    "OTLP_TLS_CA": "",
    "COLLECTOR_MEMORY_MIB": "400",
    "COLLECTOR_SPIKE_MIB": "80",
    "COLLECTOR_QUEUE_BYTES": "268435456",
    "COLLECTOR_GIVE_UP_AFTER": "2h",
    "ALERT_WEBHOOK_URL": "",
    "ALERT_EMAIL_TO": "",
    "ALERT_EMAIL_FROM": "alerts@localhost",
    "ALERT_SMTP_SERVER": "",
    "ALERT_SMTP_USER": "",
    "ALERT_SMTP_PASSWORD": "",
    "ALERT_SMTP_TLS": "true",
    "ALERT_TELEGRAM_BOT_TOKEN": "",
    "ALERT_TELEGRAM_CHAT_ID": "",
    "ALERT_TELEGRAM_API_URL": "https://api.telegram.org",
    "ALERT_HEARTBEAT_URL": "",
}
COLLECTOR_OPTIONS = tuple(name for name in OPTIONS if name.startswith("COLLECTOR_"))
"""Handed to the Collector in both modes."""
_MODES = ("docker", "native")
_MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """What one command works with; made by `load`, changed by nobody."""

    root: Path
    data: Path
    cache: Path
    ports: dict[str, int]
    options: dict[str, str] = field(repr=False)
    environ: dict[str, str] = field(repr=False)

    @property
    def forced_mode(self) -> str:
        """`docker` or `native` where STACK says so, else empty."""
        return self.options["STACK"]

    @cached_property
    def without(self) -> frozenset[str]:
        """Parts the user does not want."""
        return frozenset(name.strip() for name in self.options["STACK_WITHOUT"].split(",") if name.strip())

    @property
    def start_timeout(self) -> float:
        """Seconds a part may take until its first answer."""
        return float(self.options["STACK_START_TIMEOUT"])

    @property
    def app_env(self) -> Path:
        """The file that tells applications where the stack is."""
        return self.data / "app.env"

    @property
    def grafana_url(self) -> str:
        """Where people find Grafana, if not on this machine."""
        return self.environ.get("TELEMETRY_GRAFANA_URL") or self.url("GRAFANA_PORT")

    def url(self, port_variable: str) -> str:
        """The loopback address behind a port variable."""
        return f"http://127.0.0.1:{self.ports[port_variable]}"


def load(environ: Mapping[str, str] | None = None, *, root: Path = ROOT) -> Settings:
    """Settings from the process environment, then `.env`, then the defaults; StackError for a value nobody can use."""
    merged = {**envfile.read(root / ".env"), **(os.environ if environ is None else environ)}
    options = {name: merged.get(name, "").strip() or default for name, default in OPTIONS.items()}
    _check_options(options)
    ports = {name: _port(name, merged.get(name, ""), default) for name, default in (PORTS | INTERNAL_PORTS).items()}
    _check_distinct(ports)
    cache = Path(options["STACK_CACHE_DIR"] or _user_cache(merged) / "health-agent-telemetry")
    return Settings(root, (root / options["STACK_DATA_DIR"]).resolve(), cache.resolve(), ports, options, merged)


def _check_options(options: Mapping[str, str]) -> None:
    if options["STACK"] not in ("", *_MODES):
        raise StackError(
            f'STACK must be docker or native (got "{options["STACK"]}").', todo="Unset it to let up choose."
        )
    if not options["COLLECTOR_QUEUE_BYTES"].isdecimal():
        raise StackError(f'COLLECTOR_QUEUE_BYTES must be a number of bytes (got "{options["COLLECTOR_QUEUE_BYTES"]}").')
    try:
        float(options["STACK_START_TIMEOUT"])
    except ValueError:
        got = options["STACK_START_TIMEOUT"]
        raise StackError(f'STACK_START_TIMEOUT must be a number of seconds (got "{got}").') from None


def _port(name: str, value: str, default: int) -> int:
    if not value.strip():
        return default
    if not value.strip().isdecimal() or not 0 < int(value) <= _MAX_PORT:
        raise StackError(f'{name} must be a port between 1 and {_MAX_PORT} (got "{value}").')
    return int(value)


def _check_distinct(ports: Mapping[str, int]) -> None:
    seen: dict[int, str] = {}
    for name, port in ports.items():
        if port in seen:
            raise StackError(f"{name} and {seen[port]} are both {port}.", todo="Give each a port of its own in .env.")
        seen[port] = name


def _user_cache(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".cache")
