"""Where the value of each setting comes from.

A process sees one environment, whoever filled it. `python -m stack exec` therefore says in `TELEMETRY_ORIGINS` which
names came from which file, as `FILE=NAME,NAME;FILE=NAME`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telemetry import sampling, settings_table, standard
from telemetry.doctor.findings import BROKEN, LOOK, OK, Finding
from telemetry.settings import Settings, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ORIGINS", "Origin", "examine", "origins"]

ORIGINS = "TELEMETRY_ORIGINS"
DEFAULT, ENVIRONMENT = "default", "environment"


class Origin(NamedTuple):
    """A setting's name as it was given, its value as it may be shown, and where that comes from."""

    name: str
    value: str
    origin: str


def origins(environ: Mapping[str, str]) -> Iterator[Origin]:
    """Return each variable of ours and of the SDK's, in the order of the documents."""
    files = _files(environ.get(ORIGINS, ""))
    theirs = ((entry.name, entry.default, entry.secret) for entry in standard.STANDARD.values())
    rows = [*((row.names, row.default, row.secret) for row in settings_table.rows()),
            *(((name,), default, secret) for name, default, secret in theirs)]  # fmt: skip
    for names, default, secret in rows:
        name = next((name for name in names if environ.get(name, "").strip()), None)
        if name is None:
            yield Origin(names[0], default, DEFAULT)
        else:
            value = "(not printed)" if secret else shown(environ[name].strip())[1:-1]
            yield Origin(name, value, files.get(name, ENVIRONMENT))


def _files(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {name: file for file, _, names in pairs for name in names.split(",")}


def _derived(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Say what follows from several variables."""
    for signal, what in (("traces", "spans"), ("metrics", "metrics")):
        names = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        origin = next((name for name in names if environ.get(name, "").strip()), DEFAULT)
        yield f"{what} go to {settings.endpoint(signal)} by {settings.protocol(signal)} ({origin})"
    origin = "OTEL_TRACES_SAMPLER" if settings.traces_sampler else "SENTRY_TRACES_SAMPLE_RATE"
    by = origin if environ.get(origin, "").strip() else f"{DEFAULT} of {settings.environment}"
    yield f"{sampling.share(settings):.1%} of traces are recorded ({by})"


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Tell what is set, where, and what of it is wrong or without effect."""
    settings, errors = Settings.read(environ)
    for error in [*errors, *standard.wrong(environ)]:
        yield Finding("settings", BROKEN, str(error), f"correct {error.variable}, or unset it")
    for line in standard.ignored(environ):
        yield Finding("settings", LOOK, line, "unset it, or do what it was for by another variable: docs/settings.md")
    every = list(origins(environ))
    given = [one for one in every if one.origin != DEFAULT]
    facts = (*(f"{one.name}={one.value} ({one.origin})" for one in given), *_derived(settings, environ))
    yield Finding("settings", OK, f"{len(given)} of {len(every)} set, the others have their defaults: "
                  "python -m telemetry settings", facts=facts)  # fmt: skip
