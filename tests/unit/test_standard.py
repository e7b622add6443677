"""OpenTelemetry's own variables: each is known by name, works through our `init`, and never stops the application."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables
import pytest

from telemetry import settings_table, standard
from telemetry.settings import SettingError
from telemetry.standard import IGNORED, STANDARD
from tests.conftest import clean_environment

ROOT = Path(__file__).parents[2]
OURS = {name for row in settings_table.rows() for name in row.names}
DEFINED = {
    value
    for module in (opentelemetry.environment_variables, opentelemetry.sdk.environment_variables)
    for name, value in vars(module).items()
    if name.lstrip("_").startswith("OTEL_") and isinstance(value, str)
}
"""What the installed SDK defines."""

ANYTHING = {"OTEL_SEMCONV_STABILITY_OPT_IN"}
"""Any text is accepted."""
WRONG = {
    **dict.fromkeys(STANDARD, "-1"),
    "OTEL_RESOURCE_ATTRIBUTES": "junk",
    **{name: "a key: secret" for name in STANDARD if name.endswith("HEADERS")},
    **{name: "/no/such/file" for name in STANDARD if name.endswith(("CERTIFICATE", "CLIENT_KEY"))},
    **{name: "yes" for name in STANDARD if name.endswith("INSECURE")},
}


def test_every_variable_that_the_installed_sdk_defines_is_ours_left_to_it_or_said_to_be_without_effect() -> None:
    assert DEFINED - OURS - set(STANDARD) - set(IGNORED) == set()
    assert OURS.isdisjoint(STANDARD)
    assert OURS.isdisjoint(IGNORED)
    assert set(STANDARD).isdisjoint(IGNORED)


@pytest.mark.parametrize("name", sorted(set(STANDARD) - ANYTHING))
def test_a_wrong_value_is_named_with_what_is_accepted_and_the_default(name: str) -> None:
    (error,) = standard.wrong({name: WRONG[name]})
    assert str(error).startswith(f"{name} must be {STANDARD[name].accepts} (got ")
    default = STANDARD[name].default
    assert str(error).endswith(f"using {default!r}." if default else "it counts as not set.")
    assert "secret" not in str(error)


@pytest.mark.parametrize("name", sorted(IGNORED))
def test_a_variable_without_effect_is_said_to_have_none(name: str) -> None:
    (line,) = standard.ignored({name: "other"})
    assert line == f"{name} is not supported and has no effect: {IGNORED[name].reason}."
    assert [standard.ignored({name: value}) for value in IGNORED[name].harmless] == [[]] * len(IGNORED[name].harmless)


@pytest.mark.parametrize(
    ("environ", "blamed"),
    [
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, ["OTEL_BSP_MAX_QUEUE_SIZE"]),
        ({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4096"}, ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"]),
        (
            {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "200"},
            ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE"],
        ),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50"}, []),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}, []),
        (
            {"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
            ["OTEL_EXPORTER_OTLP_COMPRESSION"],
        ),
    ],
    ids=["a queue below the batch", "a batch above the queue", "both", "a small queue", "deflate", "deflate with grpc"],
)
def test_values_that_do_not_go_together_are_blamed(environ: dict[str, str], blamed: list[str]) -> None:
    assert [error.variable for error in standard.wrong(environ)] == blamed


def test_the_sdk_sees_neither_wrong_nor_empty_values(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"OTEL_SPAN_LINK_COUNT_LIMIT": "x", "OTEL_SPAN_EVENT_COUNT_LIMIT": "", "OTEL_BSP_SCHEDULE_DELAY": "7"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with standard.only_right():
        assert [name for name in given if name in os.environ] == ["OTEL_BSP_SCHEDULE_DELAY"]
    assert {name: os.environ[name] for name in given} == given


@cache
def run(*environ: tuple[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.unit.sdk_process"]
    environment = clean_environment() | dict(environ)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def facts(**environ: str) -> dict[str, Any]:
    done = run(*environ.items())
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


CERTIFICATE = str(ROOT / "pyproject.toml")
SET = {
    "OTEL_ATTRIBUTE_COUNT_LIMIT": ("21", 21),
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("22", 22),
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": ("23", 23),
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": ("24", 24),
    "OTEL_SPAN_EVENT_COUNT_LIMIT": ("25", 25),
    "OTEL_SPAN_LINK_COUNT_LIMIT": ("26", 26),
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": ("27", 27),
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": ("28", 28),
    "OTEL_BSP_SCHEDULE_DELAY": ("29000", 29000),
    "OTEL_BSP_MAX_QUEUE_SIZE": ("310", 310),
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": ("32", 32),
    "OTEL_METRIC_EXPORT_INTERVAL": ("33000", 33000),
    "OTEL_METRIC_EXPORT_TIMEOUT": ("3400", 3400),
    "OTEL_METRICS_EXEMPLAR_FILTER": ("always_off", "AlwaysOffExemplarFilter"),
    "OTEL_RESOURCE_ATTRIBUTES": ("team=food", "food"),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": ("os", sys.platform),
    "OTEL_SEMCONV_STABILITY_OPT_IN": ("http/dup", "http/dup"),
}
OF_ALL_SIGNALS = {"HEADERS": "x-key=all", "TIMEOUT": "7", "COMPRESSION": "gzip", "CERTIFICATE": CERTIFICATE} | {
    "CLIENT_CERTIFICATE": CERTIFICATE, "CLIENT_KEY": CERTIFICATE,
}  # fmt: skip
OF_TRACES = {"HEADERS": "x-key=one", "TIMEOUT": "8", "COMPRESSION": "none", "CERTIFICATE": __file__} | {
    "CLIENT_CERTIFICATE": __file__, "CLIENT_KEY": __file__, "ENDPOINT": "http://localhost:1/spans",
}  # fmt: skip
EFFECT: dict[str, Callable[[str], Any]] = {
    "HEADERS": lambda text: text.removeprefix("x-key="),
    "TIMEOUT": float,
    "COMPRESSION": str,
    "CERTIFICATE": str,
    "CLIENT_CERTIFICATE": str,
    "CLIENT_KEY": str,
    "ENDPOINT": str,
}
PREFIX = "OTEL_EXPORTER_OTLP_"
GRPC = {
    f"{PREFIX}PROTOCOL": "grpc", f"{PREFIX}HEADERS": "x-key=all", f"{PREFIX}TIMEOUT": "7",
    f"{PREFIX}COMPRESSION": "gzip", f"{PREFIX}METRICS_COMPRESSION": "none",
    f"{PREFIX}TRACES_ENDPOINT": "localhost:1", f"{PREFIX}TRACES_INSECURE": "true",
}  # fmt: skip


@pytest.mark.parametrize("name", SET)
def test_a_standard_variable_has_its_effect(name: str) -> None:
    environ = {variable: text for variable, (text, _) in SET.items()}
    assert facts(**environ)[name] == SET[name][1]


@pytest.mark.parametrize("signal", ["traces", "metrics"])
@pytest.mark.parametrize("last", OF_ALL_SIGNALS)
def test_an_exporters_variable_holds_for_each_signal(last: str, signal: str) -> None:
    found = facts(**{PREFIX + name: text for name, text in OF_ALL_SIGNALS.items()})[signal][last]
    assert found == EFFECT[last](OF_ALL_SIGNALS[last])


@pytest.mark.parametrize("signal", ["traces", "metrics"])
@pytest.mark.parametrize("last", OF_TRACES)
def test_a_signals_own_variable_wins_and_leaves_the_other_signal_alone(last: str, signal: str) -> None:
    common = {PREFIX + name: text for name, text in OF_ALL_SIGNALS.items()}
    own = {f"{PREFIX}{signal.upper()}_{name}": text for name, text in OF_TRACES.items()}
    found = facts(**common, **own)
    other = "metrics" if signal == "traces" else "traces"
    assert found[signal][last] == EFFECT[last](OF_TRACES[last])
    assert found[other][last] != found[signal][last]


@pytest.mark.parametrize("last", ["HEADERS", "TIMEOUT", "INSECURE"])
@pytest.mark.parametrize("signal", ["traces", "metrics"])
def test_grpc_takes_them_too(last: str, signal: str) -> None:
    found = facts(**{**GRPC, f"{PREFIX}TRACES_ENDPOINT": "http://localhost:1"})[signal]
    assert found[last] == {"HEADERS": "all", "TIMEOUT": 7, "INSECURE": True}[last]


def test_grpc_has_its_own_default_port_and_its_signals_are_apart() -> None:
    found = facts(**{**GRPC, f"{PREFIX}TRACES_ENDPOINT": "http://localhost:1"})
    assert found["traces"]["ENDPOINT"] == "localhost:1"
    assert found["metrics"]["ENDPOINT"] == "localhost:4317"
    assert (found["traces"]["COMPRESSION"], found["metrics"]["COMPRESSION"]) == ("gzip", "nocompression")


def test_one_signal_may_have_another_protocol() -> None:
    found = facts(**{f"{PREFIX}TRACES_PROTOCOL": "grpc"})
    assert found["traces"]["ENDPOINT"] == "localhost:4317"
    assert found["metrics"]["ENDPOINT"] == "http://localhost:4318/v1/metrics"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_with_everything_wrong_the_application_starts_and_each_variable_is_named_once(protocol: str) -> None:
    environ = {name: value for name, value in WRONG.items() if name != "OTEL_PYTHON_CONTEXT"}
    environ |= dict.fromkeys(IGNORED, "nonsense") | {f"{PREFIX}PROTOCOL": protocol}
    environ["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"] = "true"  # which the SDK itself reads later on, too
    done = run(*environ.items())
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    named = sorted(line.split()[0] for line in lines)
    expected = sorted(set(environ) - ANYTHING - {f"{PREFIX}PROTOCOL"})
    assert named == expected
    assert "secret" not in done.stderr
    assert json.loads(done.stdout)["OTEL_SPAN_EVENT_COUNT_LIMIT"] == 128


def test_a_strict_start_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    from telemetry import lifecycle  # noqa: PLC0415 - the private step under test

    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "0")
    with pytest.raises(SettingError, match="OTEL_BSP_MAX_QUEUE_SIZE must be a whole number above 0"):
        lifecycle._settings(strict=True)


def test_the_document_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_table.markdown(), "run make catalog"
