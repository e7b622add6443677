"""Validate the configuration files: each with its part's own validator, and all against the rules of lint.py."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from stack import build, compose, lint, native, passwords, redaction
from stack.native_environment import native_environment
from stack.settings import INTERNAL_PORTS, OPTIONS, PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["check"]

_GATE = "--feature-gates=exporter.prometheusremotewritexporter.RetryOn429"
# What a variable may bring into a pipeline: each choice is validated.
_CHOICES: tuple[dict[str, str], ...] = ({}, {"TRACE_EXPORTERS": "[otlp_http/jaeger, otlp_http/tempo]"})
# Set by compose.yaml, not by a person.
_COMPOSE_SETS = (
    "COLLECTOR_BIND", "COLLECTOR_DOOR", "JAEGER_BIND", "OTLP_PUBLISHED_ON", "STACK_FINGERPRINT", "TEMPO_OTLP_ENDPOINT",
    "TEMPO_URL", "TRACE_EXPORTERS",
)  # fmt: skip


def check(settings: Settings) -> list[str]:
    """Every problem found, a line each; builds the validators first if the cache does not have them."""
    from grafana.source import files  # noqa: PLC0415 - takes 0.4 s, which `up` need not wait for

    problems = [*_yaml_problems(settings), *_variable_problems(settings), *files.drift(settings.root)]
    problems += redaction.drift(settings.root)
    if problems:
        return problems
    binaries = build.binaries(settings)
    return [*_collector_problems(settings, binaries), *_other_problems(settings, binaries)]


def _configurations(settings: Settings) -> list[Path]:
    root = settings.root
    found = [path for folder in ("collector", "grafana") for path in (root / folder).rglob("*.y*ml")]
    return sorted([*found, root / "compose.yaml", root / "stack" / "native.yaml"])


def _overlays(settings: Settings) -> list[Path]:
    """What is laid over collector/config.yaml in the tiers of collector/gateway."""
    folder = settings.root / "collector" / "gateway"
    return [folder / "agent.yaml", folder / "gateway.yaml"]


def _tier_sets(settings: Settings) -> set[str]:
    """The variables that collector/gateway/kubernetes shows."""
    values = [_read(path) for path in (settings.root / "collector" / "gateway" / "kubernetes").glob("*.yaml")]
    return {variable["name"] for value in values for variable in value["extraEnvs"]}


def _read(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def _yaml_problems(settings: Settings) -> Iterator[str]:
    for path in _configurations(settings):
        try:
            yaml.safe_load(path.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            yield f"{path.relative_to(settings.root)}: {error}"


def _variable_problems(settings: Settings) -> Iterator[str]:
    root = settings.root
    documented = lint.documented_variables((root / ".env.example").read_text(encoding="utf-8"))
    missing = {*PORTS, *INTERNAL_PORTS, *OPTIONS, *passwords.NAMES} - documented
    yield from (f".env.example does not show {name}." for name in sorted(missing))
    used = {
        name: str(path.relative_to(root))
        for path in _configurations(settings)
        for name in lint.used_variables(path.read_text(encoding="utf-8"))
    }
    internal = {*native_environment(settings, {}, ""), *_COMPOSE_SETS, *_tier_sets(settings)}
    yield from lint.undocumented(used, documented, internal)
    folder = root / "collector"
    for path in [folder / "config.yaml", *_overlays(settings), folder / "jaeger.yaml"]:
        names = lint.without_default(path.read_text(encoding="utf-8"))
        yield from (f"{path.relative_to(root)}: {name} has no default: ${{env:{name}:-...}}." for name in names)


def _collector_problems(settings: Settings, binaries: Mapping[str, Path]) -> Iterator[str]:
    path = settings.root / "collector" / "config.yaml"
    config, builder = _read(path), _read(path.with_name("builder.yaml"))
    yield from (f"config.yaml: {problem}" for problem in lint.collector_problems(config, builder))
    for choice in _CHOICES:
        command = [str(binaries["otelcol"]), "validate", f"--config={path}", _GATE]
        yield from _failure("config.yaml", command, choice)
    for overlay in _overlays(settings):  # a test validates them: few need the binary that knows them
        above = _read(overlay)
        problems = lint.collector_problems(lint.laid_over(config, above), build.gateway_manifest(settings), above)
        yield from (f"{overlay.name}: {problem}" for problem in problems)


def _other_problems(settings: Settings, binaries: Mapping[str, Path]) -> Iterator[str]:
    folder = settings.root / "collector"
    prometheus = folder / "prometheus" / "prometheus.yml"
    yield from _failure("prometheus.yml", [str(binaries["promtool"]), "check", "config", str(prometheus)])
    alertmanager = [str(binaries["amtool"]), "check-config", str(folder / "alertmanager.yml")]
    yield from _failure("alertmanager.yml", alertmanager)
    jaeger = [str(binaries["jaeger"]), "validate", f"--config={folder / 'jaeger.yaml'}"]
    yield from _failure("jaeger.yaml", jaeger)
    supervisor = [str(binaries["process-compose"]), "--dry-run", "--disable-dotenv", "--log-file=/dev/null"]
    environment = native_environment(settings, binaries, "venv")
    yield from _failure("native.yaml", [*supervisor, f"--config={native.recipe_file(settings)}"], environment)
    if compose.has_plugin():
        secrets = dict.fromkeys(passwords.NAMES, "checked")
        command = ["docker", "compose", f"--file={settings.root / 'compose.yaml'}", "config", "--quiet"]
        yield from _failure("compose.yaml", command, secrets)


def _failure(name: str, command: list[str], environment: Mapping[str, str] | None = None) -> Iterator[str]:
    full = {**native.clean_environment(), **(environment or {})}
    done = subprocess.run(command, env=full, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"{name}: {(done.stderr.strip() or done.stdout.strip())[-1500:]}"
