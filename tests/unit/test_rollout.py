"""The stages of a rollout: their profiles are right, the command says what changes and how to go back."""

from __future__ import annotations

import io
import json
import os

import pytest

from stack import envfile
from telemetry import rollout, stages, standard
from telemetry.cli import main
from telemetry.rollout import Way
from telemetry.rollout_report import Options, report
from telemetry.settings import Settings
from telemetry.stages import PLACEHOLDER, SECRETS, STAGES, Stage

BY_NAME = {stage.name: stage for stage in STAGES}
each_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
OWN = {
    "SENTRY_DSN": "https://hidden@sentry.example/1",
    "TELEMETRY_USER_KEY": "hidden and long enough",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
}
"""What a deployment has of its own."""


def environment(stage: Stage, **more: str) -> dict[str, str]:
    """What a deployment has in force at a stage."""
    return OWN | envfile.parse(rollout.profile(stage, OWN)) | more


def said(stage: str | None, environ: dict[str, str]) -> tuple[int, str]:
    out = io.StringIO()
    return report(Options(stage, wait_seconds=None), environ, out), out.getvalue()


@each_stage
@pytest.mark.parametrize("given", [{}, OWN], ids=["nothing set", "a deployment"])
def test_a_profile_is_read_without_a_complaint(stage: Stage, given: dict[str, str]) -> None:
    environ = envfile.parse(rollout.profile(stage, given))
    _, errors = Settings.read(environ)
    assert [*errors, *standard.wrong(environ), *standard.ignored(environ)] == []


@each_stage
def test_a_profile_has_no_secret_in_it(stage: Stage) -> None:
    text = rollout.profile(stage, OWN | {"OTEL_EXPORTER_OTLP_HEADERS": "Authorization=hidden"})
    assert "hidden" not in text
    fresh = envfile.parse(rollout.profile(stage, {}))
    assert all(PLACEHOLDER in value for name, value in fresh.items() if name in SECRETS)


def test_a_stage_that_is_in_force_by_its_defaults_needs_no_change() -> None:
    assert Way({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, BY_NAME["development"]).changes == []


def test_a_value_that_does_not_fit_its_column_is_shown_as_a_whole() -> None:
    long = "parentbased_jaeger_remote_and_more_of_a_name"
    _, text = said("development", {"OTEL_TRACES_SAMPLER": long})
    assert f"OTEL_TRACES_SAMPLER\n    now   {long}\n    then  (not set)\n" in text


def test_while_a_stage_is_tried_its_variables_are_in_force_and_what_overrules_it_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    way = Way(dict(os.environ), BY_NAME["production"])
    with rollout._in_force(way.then):
        assert (os.environ["SENTRY_TRACES_SAMPLE_RATE"], "OTEL_TRACES_SAMPLER" in os.environ) == ("0.1", False)
    assert (os.environ["OTEL_TRACES_SAMPLER"], "SENTRY_TRACES_SAMPLE_RATE" in os.environ) == ("always_off", False)


EFFECTS = {
    "development": (True, True, True, 1.0, "development"),
    "staging": (True, True, True, 0.1, "staging"),
    "canary-sentry": (True, False, False, 0.01, "production"),
    "canary-metrics": (True, True, False, 0.01, "production"),
    "canary-traces": (True, True, True, 0.01, "production"),
    "production": (True, True, True, 0.1, "production"),
}


@pytest.mark.parametrize(("name", "effect"), EFFECTS.items(), ids=EFFECTS.keys())
def test_a_stage_switches_on(name: str, effect: tuple[bool, bool, bool, float, str]) -> None:
    found, _ = Settings.read(environment(BY_NAME[name]))
    assert (found.enable_sentry, found.enable_metrics, found.enable_tracing, found.sample_rate, found.environment) == (
        effect
    )


@each_stage
def test_an_environment_of_a_profile_is_in_that_stage(stage: Stage) -> None:
    assert stages.current(environment(stage)) is stage


def test_nothing_set_is_development() -> None:
    assert stages.current({}) is BY_NAME["development"]


OTHER = {
    "a ratio of no stage": {"SENTRY_TRACES_SAMPLE_RATE": "0.3"},
    "a sampler that decides instead": {"OTEL_TRACES_SAMPLER": "always_on"},
    "an environment nobody knows": {"SENTRY_ENVIRONMENT": "demo"},
}


@pytest.mark.parametrize("more", OTHER.values(), ids=OTHER.keys())
def test_an_environment_is_in_no_stage_with(more: dict[str, str]) -> None:
    environ = environment(BY_NAME["production"], **more)
    assert stages.current(environ) is None
    assert "In none of them" in said(None, environ)[1]


def test_without_a_stage_it_says_where_it_stands_and_what_comes_next() -> None:
    code, text = said(None, environment(BY_NAME["canary-metrics"]))
    assert code == 0
    assert "> canary-metrics" in text
    assert "After 2 days: telemetry rollout canary-traces" in text


def test_the_next_stage_changes_what_it_adds_and_nothing_else() -> None:
    way = Way(environment(BY_NAME["canary-metrics"]), BY_NAME["canary-traces"])
    assert [(change.variable, change.now, change.then) for change in way.changes] == [
        ("ENABLE_TRACING", "false", "true")
    ]
    assert way.at_once == ["ENABLE_TRACING=false"]


def test_the_way_back_is_the_environment_that_was() -> None:
    before = environment(BY_NAME["canary-metrics"], OTEL_TRACES_SAMPLER="always_on")
    way = Way(before, BY_NAME["production"])
    back = {change.variable: change.now or "" for change in way.changes}
    assert Settings.read(way.then | back) == Settings.read(before)
    assert stages.current(way.then) is BY_NAME["production"]


def test_what_a_deployment_must_set_is_named_and_stops_the_check() -> None:
    code, text = said("production", {"TELEMETRY_USER_KEY": f"{PLACEHOLDER}_16_OR_MORE"})
    assert code == 1
    assert "! SENTRY_DSN is not set.\n" in text
    assert "! TELEMETRY_USER_KEY still holds REPLACE_ME; give it your own value.\n" in text
    assert "Not checked: mend that first." in text


@each_stage
def test_the_report_is_80_columns_wide_and_shows_no_secret(stage: Stage) -> None:
    for environ in ({}, environment(BY_NAME["canary-sentry"])):
        for text in (said(stage.name, environ)[1], said(None, environ)[1]):
            assert max(map(len, text.splitlines())) <= 80
            assert "hidden" not in text


def test_a_check_that_fails_is_in_the_report_and_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "ENABLE_SENTRY": "false"}
    out = io.StringIO()
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert report(Options("development", as_json=True, wait_seconds=0.1), environ, out) == 1
    found = json.loads(out.getvalue())
    states = {check["hop"]: check["state"] for check in found["checks"]}
    assert (states["Collector"], states["errors"]) == ("BROKEN", "off")
    assert (found["ok"], found["now"], found["stage"]) == (False, None, "development")


def test_the_command_prints_a_file_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rollout", "staging", "--env"]) == 0
    assert envfile.parse(capsys.readouterr().out)["SENTRY_ENVIRONMENT"] == "staging"


def test_a_stage_nobody_knows_is_refused_with_the_ones_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["rollout", "prod"])
    assert "'canary-sentry'" in capsys.readouterr().err
