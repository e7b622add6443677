"""`up`, `down`, `clean`: from whatever state the stack is in to the wanted one."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

from stack import appenv, build, compose, native, parts, passwords, ports, probe, sentry, state
from stack.build.cache import lock
from stack.build.progress import say
from stack.delivery import files as delivery
from stack.errors import StackError
from stack.native_environment import native_environment, native_parts
from stack.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.parts import Part
    from stack.settings import Settings

__all__ = ["choose_mode", "clean", "down", "up"]


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


def _up_native(settings: Settings) -> State:
    wanted = native_parts(settings)
    if not native.is_running(settings):
        native.stop(settings)  # what a killed supervisor left behind
        ports.check_free(_native_ports(settings, wanted))
    binaries = build.binaries(settings)
    venv = str(build.bugsink_venv(settings)) if "bugsink" in wanted else ""
    secrets = passwords.passwords(settings)
    sentry.keep_secret_key(settings, secrets)
    delivery.write(settings, wanted)
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


def _fingerprint(settings: Settings, environment: Mapping[str, str]) -> str:
    """Changes with every variable and configuration file that the servers read when they start."""
    digest = hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode())
    folders = ("collector", "grafana/provisioning")
    files = [path for folder in folders for path in (settings.root / folder).rglob("*") if path.is_file()]
    files += [path for path in delivery.written(settings) if path.is_file()]
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
    skipped = {*parts.NATIVE_ONLY, *settings.without}
    wanted = {name: part for name, part in parts.all_parts(settings).items() if name not in skipped}
    delivery.write(settings, wanted)
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
