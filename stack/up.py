"""`up`, `down`, `clean`: from whatever state the stack is in to the wanted one."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING

from stack import appenv, build, compose, door, native, parts, passwords, ports, probe, sentry, state
from stack.build.cache import lock
from stack.build.progress import say
from stack.errors import StackError
from stack.settings import COLLECTOR_OPTIONS
from stack.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stack.parts import Part
    from stack.settings import Settings

__all__ = ["choose_mode", "clean", "down", "native_environment", "native_parts", "up"]

_COLLECTOR_MAY_READ = (
    "COLLECTOR_ALLOWED_ATTRIBUTES", "COLLECTOR_EXCEPTION_MESSAGES", "COLLECTOR_LABEL_KEY", "COLLECTOR_URL_QUERY_KEYS",
    "JAEGER_HEADERS", "JAEGER_TLS", "TEMPO_HEADERS", "TEMPO_TLS", "PROMETHEUS_HEADERS", "PROMETHEUS_TLS",
)  # fmt: skip
_NO_SECRETS: Mapping[str, str] = MappingProxyType({})


def choose_mode(settings: Settings) -> str:
    """`docker` where an engine with Compose answers, else `native`; STACK forces one."""
    if settings.forced_mode == "docker" and (why := compose.unavailable()):
        raise StackError(f"STACK=docker, but {why}.", todo="Start the engine, or use STACK=native.")
    return settings.forced_mode or ("native" if compose.unavailable() else "docker")


def up(settings: Settings) -> State:
    """Start what is not running and return when every part answers."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with lock(settings.data / "lock"):
        running = state.load(settings)
        mode = choose_mode(settings)
        if running and running.mode != mode:
            say(f"The stack runs in {running.mode} mode; stopping it for {mode} mode ...")
            _stop(settings, running.mode)
        return _up_docker(settings) if mode == "docker" else _up_native(settings)


def native_parts(settings: Settings) -> dict[str, Part]:
    """The parts that native mode runs here."""
    skipped = {*parts.DOCKER_ONLY, *settings.without}
    if not native.grafana_binary(settings):
        skipped.add("grafana")
    return {name: part for name, part in parts.all_parts(settings).items() if name not in skipped}


def _up_native(settings: Settings) -> State:
    wanted = native_parts(settings)
    if not native.is_running(settings):
        native.stop(settings)  # what a killed supervisor left behind
        ports.check_free(_native_ports(settings, wanted))
    binaries = build.binaries(settings)
    venv = str(build.bugsink_venv(settings)) if "bugsink" in wanted else ""
    secrets = passwords.passwords(settings)
    sentry.keep_secret_key(settings, secrets)
    environment = native_environment(settings, binaries, venv, secrets)
    started = State("native", tuple(wanted), settings.ports, _fingerprint(settings, environment))
    if native.is_running(settings) and state.load(settings) != started:
        say("The stack runs with other settings or files; starting it again ...")
        _stop(settings, "native")
    access = None
    if "bugsink" in wanted:
        shell = [f"{venv}/bin/bugsink-manage", "shell"]
        access = sentry.provision(settings, shell, environment, version=venv)
    if not native.is_running(settings):
        ports.check_free(_native_ports(settings, wanted))  # again: the build may have taken minutes
        native.start(settings, wanted, environment)
    state.save(settings, started)
    token = access.token if access else ""
    answering = [part for name, part in parts.all_parts(settings, sentry_token=token).items() if name in wanted]
    probe.wait_until_up(answering, seconds=settings.start_timeout, gave_up=lambda: _ending(settings))
    appenv.write(settings, wanted, access)
    return started


def _native_ports(settings: Settings, wanted: Mapping[str, Part]) -> dict[str, int]:
    names = [name for part in wanted.values() for name in (part.port, *part.more_ports, *part.local_ports)]
    return {name: settings.ports[name] for name in names}


def native_environment(
    settings: Settings, binaries: Mapping[str, Path], venv: str, secrets: Mapping[str, str] = _NO_SECRETS
) -> dict[str, str]:
    """The variables of stack/native.yaml and of the configuration files it starts the servers with."""
    data = settings.data
    grafana = native.grafana_binary(settings)
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
        "JAEGER_BIN": str(binaries.get("jaeger")),
        "BUGSINK_VENV": venv,
        "COLLECTOR_QUEUE_DIR": str(data / "collector" / "queue"),
        "JAEGER_DATA_DIR": str(data / "jaeger"),
        "JAEGER_OTLP_ENDPOINT": settings.url("JAEGER_OTLP_PORT"),
        "PROMETHEUS_WRITE_ENDPOINT": f"{settings.url('PROMETHEUS_PORT')}/api/v1/write",
        **_grafana_environment(settings, grafana, secrets.get("GRAFANA_ADMIN_PASSWORD", "")),
    }


def _grafana_environment(settings: Settings, binary: str, password: str) -> dict[str, str]:
    return {
        "GRAFANA_BIN": binary or "grafana-is-not-here",
        "GRAFANA_HOME": settings.options["GRAFANA_HOME"] or "/usr/share/grafana",
        "PROMETHEUS_URL": settings.url("PROMETHEUS_PORT"),
        "JAEGER_URL": settings.url("JAEGER_PORT"),
        "SENTRY_EVENT_URL": settings.options["SENTRY_EVENT_URL"] or f"{settings.url('BUGSINK_PORT')}/issues/event/",
        "GRAFANA_URL": settings.environ.get("TELEMETRY_GRAFANA_URL") or settings.url("GRAFANA_PORT"),
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
        "GF_PATHS_PROVISIONING": str(settings.root / "grafana" / "provisioning"),
    }


def _fingerprint(settings: Settings, environment: Mapping[str, str]) -> str:
    """Changes with every variable and configuration file that the servers read when they start."""
    digest = hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode())
    folders = ("collector", "grafana/provisioning")
    files = [path for folder in folders for path in (settings.root / folder).rglob("*") if path.is_file()]
    for path in sorted([*files, settings.root / "grafana" / "tempo.yaml", native.recipe_file(settings)]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _ending(settings: Settings) -> str:
    """The last lines of a part that process-compose has had to start again and again."""
    for name, process in native.processes(settings).items():
        if process["restarts"] >= 3:  # noqa: PLR2004 - thrice is no accident
            log = settings.data / "logs" / f"{name}.log"
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
            return "\n".join([f"{name} ended {process['restarts']} times; its last words:", *lines[-8:]])
    return ""


def _up_docker(settings: Settings) -> State:
    secrets = passwords.passwords(settings)
    wanted = {name: part for name, part in parts.all_parts(settings).items() if name not in settings.without}
    # A label of every service: Compose makes containers anew for a changed label, not for a changed mounted file.
    environment = {**compose.environment(settings, secrets), "STACK_FINGERPRINT": _fingerprint(settings, {})[:12]}
    if not compose.is_running(settings):
        ports.check_free({name: settings.ports[name] for p in wanted.values() for name in (p.port, *p.more_ports)})
    started = State("docker", tuple(wanted), settings.ports, environment["STACK_FINGERPRINT"])
    state.save(settings, started)  # first: a start that fails half-way is stopped by `down` too
    compose.up(settings, wanted, environment)
    access = None
    if "bugsink" in wanted:
        access = sentry.provision(settings, compose.bugsink_shell(settings), environment, version="compose")
    token = access.token if access else ""
    answering = [part for name, part in parts.all_parts(settings, sentry_token=token).items() if name in wanted]
    probe.wait_until_up(answering, seconds=settings.start_timeout)
    appenv.write(settings, wanted, access)
    return started


def down(settings: Settings) -> None:
    """Stop the stack; data stays."""
    if not settings.data.is_dir():
        return
    with lock(settings.data / "lock"):
        running = state.load(settings)
        _stop(settings, running.mode if running else "native")


def _stop(settings: Settings, mode: str) -> None:
    if mode == "docker":
        compose.down(settings)
    killed = native.stop(settings)
    if killed:
        say(f"Had to kill {', '.join(killed)}.")
    settings.app_env.unlink(missing_ok=True)
    state.forget(settings)


def clean(settings: Settings) -> None:
    """Stop the stack and delete its data; what was built stays in the user's cache."""
    running = state.load(settings)
    down(settings)
    if running and running.mode == "docker":
        compose.delete_volumes(settings)
    shutil.rmtree(settings.data, ignore_errors=True)
