"""The rules between configuration files."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from stack import lint, settings

LOOPBACK = ("127.0.0.1:", "${OTLP_PUBLISHED_ON:-127.0.0.1}:")
_BUILDER = {
    "receivers": [{"gomod": "go.opentelemetry.io/collector/receiver/otlpreceiver v0.158.0"}],
    "processors": [{"gomod": "go.opentelemetry.io/collector/processor/memorylimiterprocessor v0.158.0"}],
    "exporters": [{"gomod": "go.opentelemetry.io/collector/exporter/otlphttpexporter v0.158.0"}],
    "extensions": [{"gomod": "github.com/open-telemetry/.../extension/storage/filestorage v0.158.0"}],
}


def _config() -> dict[str, Any]:
    pipeline = {
        "receivers": ["otlp/apps"],
        "processors": ["memory_limiter/heap"],
        "exporters": ["otlp_http/jaeger"],
    }
    return {
        "receivers": {"otlp/apps": {}},
        "processors": {"memory_limiter/heap": {}},
        "exporters": {"otlp_http/jaeger": {}},
        "extensions": {"file_storage/queue": {}},
        "service": {"extensions": ["file_storage/queue"], "pipelines": {"traces/backends": pipeline}},
    }


def test_a_configuration_that_follows_the_rules_has_no_problem() -> None:
    assert list(lint.collector_problems(_config(), _BUILDER)) == []


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        pytest.param("exporters", "otlp_http/unused", "otlp_http/unused is declared and in no pipeline", id="unused"),
        pytest.param("exporters", "kafka/x", "kafka/x is not in collector/builder.yaml", id="not built"),
        pytest.param("receivers", "otlp", "otlp must be named type/role", id="no role"),
    ],
)
def test_a_component_that_breaks_a_rule_is_named(kind: str, name: str, message: str) -> None:
    config = _config()
    config[kind][name] = {}
    assert any(message in problem for problem in lint.collector_problems(config, _BUILDER))


def test_the_memory_limiter_comes_first() -> None:
    config = _config()
    config["service"]["pipelines"]["traces/backends"]["processors"] = []
    assert list(lint.collector_problems(config, _BUILDER))[-1].startswith("pipeline traces/backends: the memory")


def _with_connector() -> dict[str, Any]:
    """What is laid over: spans go through a connector to a pipeline of its own, without a limiter."""
    behind = {"receivers": ["forward/kept"], "processors": [], "exporters": ["otlp_http/jaeger"]}
    pipelines = {"traces/backends": {"exporters": ["forward/kept"]}, "traces/kept": behind}
    return {"connectors": {"forward/kept": {}}, "service": {"pipelines": pipelines}}


def test_what_is_laid_over_merges_maps_and_replaces_lists() -> None:
    merged = lint.laid_over(_config(), _with_connector())
    pipelines = merged["service"]["pipelines"]
    assert pipelines["traces/backends"]["exporters"] == ["forward/kept"]
    assert pipelines["traces/backends"]["receivers"] == ["otlp/apps"]
    assert merged["service"]["extensions"] == ["file_storage/queue"]


def test_behind_a_connector_no_memory_limiter_is_asked_for() -> None:
    builder = _BUILDER | {"connectors": [{"gomod": "go.opentelemetry.io/collector/connector/forwardconnector v0"}]}
    assert list(lint.collector_problems(lint.laid_over(_config(), _with_connector()), builder)) == []


def test_of_what_is_laid_over_each_component_must_be_in_use() -> None:
    above = _with_connector() | {"exporters": {"otlp_http/other": {}}}
    problems = list(lint.collector_problems(lint.laid_over(_config(), above), _BUILDER, above))
    assert "exporters: otlp_http/other is declared and in no pipeline." in problems


def test_variables_without_a_default_are_found() -> None:
    text = "a: ${env:A}\nb: ${env:B:-1}\n# c: ${env:C}\n"
    assert lint.without_default(text) == ["A"]


def test_used_variables_reads_every_spelling() -> None:
    text = "a: ${env:A:-1}\nb: ${B:?must}\nc: $C\nd: $$D $${E}\n# ${F}\n"
    assert lint.used_variables(text) == {"A", "B", "C"}


def test_a_variable_nobody_documents_is_named_with_its_file() -> None:
    assert lint.undocumented({"A": "x.yaml", "B": "x.yaml"}, {"A"}, {"C"}) == [
        "x.yaml: B is neither in .env.example nor set by the stack itself."
    ]


def test_every_variable_of_the_stack_is_documented() -> None:
    documented = lint.documented_variables((settings.ROOT / ".env.example").read_text(encoding="utf-8"))
    assert {*settings.PORTS, *settings.INTERNAL_PORTS, *settings.OPTIONS} <= documented


def test_compose_publishes_on_loopback_unless_a_door_is_guarded_and_limits_everything() -> None:
    services = yaml.safe_load((settings.ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert all(port.startswith(LOOPBACK) for port in service.get("ports", [])), name
        assert "mem_limit" in service, name
        runs_on = "profiles" not in service
        assert ("healthcheck" in services.get(f"{name}-health", service)) == runs_on, name
        assert ":latest" not in service["image"], name
        assert ":" in service["image"], name
