"""A wrong value is named, with what is accepted, and never stops the application."""

from __future__ import annotations

from dataclasses import fields

import pytest

from telemetry.settings import Settings

WRONG = [
    ("SENTRY_TRACES_SAMPLE_RATE", "1.5", 'must be a number between 0 and 1 (got "1.5"); it counts as not set.'),
    ("SENTRY_TRACES_SAMPLE_RATE", "nan", 'must be a number between 0 and 1 (got "nan"); it counts as not set.'),
    ("ENABLE_METRICS", "yess", 'must be true or false (got "yess"); using True.'),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "thrift", "must be http/protobuf or grpc (got \"thrift\"); using 'http/protobuf'."),
    ("TELEMETRY_SLOW_QUERY", "fast", 'must be a number of seconds above 0 (got "fast"); using 0.1.'),
    ("TELEMETRY_SLOW_QUERY", "inf", 'must be a number of seconds above 0 (got "inf"); using 0.1.'),
    ("TELEMETRY_EXTERNAL_SERVICES", "openai", "must be HOST=SERVICE pairs separated by commas"),
]


@pytest.mark.parametrize(("variable", "value", "message"), WRONG, ids=[f"{v}={x}" for v, x, _ in WRONG])
def test_a_wrong_value_is_named_with_what_is_accepted(variable: str, value: str, message: str) -> None:
    settings, (error,) = Settings.read({variable: value})
    assert str(error).startswith(f"{variable} {message}")
    assert settings == Settings()


def test_an_endpoint_with_a_signals_path_falls_back_to_the_default() -> None:
    settings, (error,) = Settings.read({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318/v1/traces"})
    assert "without a path like /v1/traces" in str(error)
    assert settings.otlp_endpoint == "http://localhost:4318"


@pytest.mark.parametrize(
    "dsn", ["nonsense", "https://host/1", "https://key@host/", "https://key@host/abc", "ftp://k@h/1"]
)
def test_a_malformed_dsn_is_refused_without_being_printed(dsn: str) -> None:
    settings, (error,) = Settings.read({"SENTRY_DSN": dsn})
    assert "a DSN of the form https://KEY@HOST/PROJECT (got a value that is not printed)" in str(error)
    assert dsn not in str(error)
    assert settings.sentry_dsn == ""


def test_a_secret_is_not_in_the_settings_repr() -> None:
    settings, _ = Settings.read({"SENTRY_DSN": "https://secretkey@host/1", "TELEMETRY_SENTRY_TOKEN": "secrettoken"})
    assert "secret" not in repr(settings)


def test_empty_means_unset() -> None:
    assert Settings.read({"ENABLE_SENTRY": "", "SENTRY_DSN": "  "}) == (Settings(), [])


@pytest.mark.parametrize(
    ("environ", "rate"),
    [
        ({}, 1.0),
        ({"SENTRY_ENVIRONMENT": "production"}, 0.1),
        ({"SENTRY_ENVIRONMENT": "staging"}, 0.1),
        ({"SENTRY_ENVIRONMENT": "production", "SENTRY_TRACES_SAMPLE_RATE": "0.5"}, 0.5),
        ({"SENTRY_TRACES_SAMPLE_RATE": "0"}, 0.0),
    ],
    ids=["development", "production", "staging", "set", "zero"],
)
def test_the_share_of_traces_follows_the_environment_until_it_is_set(environ: dict[str, str], rate: float) -> None:
    assert Settings.read(environ)[0].sample_rate == rate


def test_the_release_comes_from_the_first_variable_that_names_one() -> None:
    environ = {"GIT_SHA": "abc", "SOURCE_COMMIT": "def"}
    assert Settings.read(environ)[0].release == "abc"
    assert Settings.read(environ | {"SENTRY_RELEASE": "1.2"})[0].release == "1.2"


def test_external_services_add_to_the_known_ones() -> None:
    services = Settings.read({"TELEMETRY_EXTERNAL_SERVICES": "127.0.0.1:9=openai, x.org=weather"})[0].external_services
    assert services["127.0.0.1:9"] == "openai"
    assert services["x.org"] == "weather"
    assert services["api.anthropic.com"] == "anthropic"


def test_every_setting_says_what_it_accepts_and_means() -> None:
    for attribute in fields(Settings):
        variable = attribute.metadata["variable"]
        assert variable.names
        assert variable.accepts
        assert variable.meaning


ACCEPTS_ANYTHING = {"OTEL_SERVICE_NAME", "SENTRY_ENVIRONMENT", "SENTRY_RELEASE", "TELEMETRY_PROPAGATE_TO"} | {
    "TELEMETRY_ALLOWED_ATTRIBUTES", "TELEMETRY_URL_QUERY_KEYS", "TELEMETRY_SENTRY_TOKEN", "TELEMETRY_SWITCHES_FILE",
    "OTEL_EXPORTER_PROMETHEUS_HOST",
}  # fmt: skip
NONSENSE = {"OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "(/health"}
"""What is wrong where a star is not."""
FIELDS = {field.metadata["variable"].names[0]: field.name for field in fields(Settings)}


@pytest.mark.parametrize("name", sorted(set(FIELDS) - ACCEPTS_ANYTHING))
def test_each_variable_has_a_default_that_holds_where_its_value_is_wrong(name: str) -> None:
    settings, (error,) = Settings.read({name: NONSENSE.get(name, "*")})
    variable = next(field.metadata["variable"] for field in fields(Settings) if field.name == FIELDS[name])
    assert (error.variable, error.accepts) == (name, variable.accepts)
    default = getattr(Settings(), FIELDS[name])
    assert str(error).endswith("it counts as not set." if default in (None, "") else f"using {default!r}.")
    assert settings == Settings()


@pytest.mark.parametrize("name", sorted(ACCEPTS_ANYTHING))
def test_a_variable_that_accepts_any_text_takes_it(name: str) -> None:
    settings, errors = Settings.read({name: "any"})
    assert errors == []
    assert getattr(settings, FIELDS[name]) in ("any", {"any"})


def test_a_password_in_a_wrong_address_is_not_printed() -> None:
    _, (error,) = Settings.read({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:hidden@jaeger:4318/v1/traces"})
    assert '"http://jaeger:4318/v1/traces"' in str(error)
    assert "hidden" not in str(error)
