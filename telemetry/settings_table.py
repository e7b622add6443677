"""`python -m telemetry settings`: every variable, with what is in force now, or as the documents' table."""

from __future__ import annotations

import os
import textwrap
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from telemetry import standard
from telemetry.settings import Settings, shown
from telemetry.standard import IGNORED, STANDARD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from telemetry.settings import Variable

__all__ = ["Row", "markdown", "plain", "rows"]

_HEAD = """\
# Settings

Written by `make catalog`; `python -m telemetry settings` shows what is in force.

Every variable is read once, by `telemetry.init()`. A wrong value is named in one log line with what is accepted, the
default holds, and the application goes on; `init(strict=True)` raises `SettingError`. An empty value counts as unset.
What may be a secret is never printed.

One decision a trace: `OTEL_TRACES_SAMPLER` (with `OTEL_TRACES_SAMPLER_ARG`) where it is set, else
`SENTRY_TRACES_SAMPLE_RATE`, else all in `development` and a tenth elsewhere. Sentry gets the transactions of the traces
that are recorded; where both variables are set, it keeps its own share of these.
"""
_OF_THE_SDK = """
## Left to the OpenTelemetry SDK

A value that the SDK would stop at, or print, is caught before it gets there.
"""
_WITHOUT_EFFECT = """
## Without effect

Setting one of these gives one log line with the reason.
"""
_WIDTH = 80


class Row(NamedTuple):
    """One variable of ours: its names, what it accepts, its default, what it means."""

    names: tuple[str, ...]
    accepts: str
    default: str
    meaning: str
    secret: bool


def rows() -> Iterator[Row]:
    """Every variable that is read here, in the order of `Settings`."""
    for attribute in fields(Settings):
        variable: Variable = attribute.metadata["variable"]
        default = attribute.default if attribute.default is not MISSING else getattr(Settings(), attribute.name)
        yield Row(variable.names, variable.accepts, _text(default), variable.meaning, variable.secret)


def _text(default: Any) -> str:  # noqa: ANN401 - of any setting
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, dict):
        return ",".join(f"{key}={value}" for key, value in default.items())
    if isinstance(default, (tuple, frozenset)):
        return ",".join(default)
    return "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)


def markdown() -> str:
    """Return the document."""
    ours = [(f"{_code(*row.names)}", row.accepts, _code(row.default), row.meaning) for row in rows()]
    theirs = [(_code(x.name), x.accepts, _code(x.default), x.meaning) for x in STANDARD.values()]
    without = [(_code(x.name), x.reason) for x in IGNORED.values()]
    head = ("variable", "accepts", "default", "meaning")
    parts = [_HEAD, "\n", *_table(head, ours), _OF_THE_SDK, "\n", *_table(head, theirs)]
    return "".join([*parts, _WITHOUT_EFFECT, "\n", *_table(("variable", "why"), without)])


def _code(*names: str) -> str:
    return ", else ".join(f"`{name}`" for name in names if name)


def _table(head: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    for line in (head, ("---",) * len(head), *lines):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n"


def plain(environ: Mapping[str, str] | None = None) -> str:
    """Return each variable with its value in force and its meaning, then what is wrong, in 80 columns."""
    environ = os.environ if environ is None else environ
    _, errors = Settings.read(environ)
    errors += standard.wrong(environ)
    refused = {error.variable for error in errors}
    entries = [*rows(), *(Row((x.name,), x.accepts, x.default, x.meaning, x.secret) for x in STANDARD.values())]
    lines = [line for row in entries for line in _described(row, environ, refused)]
    problems = [*(str(error) for error in errors), *standard.ignored(environ)]
    return "\n".join([*lines, *(f"! {problem}" for problem in problems)]) + "\n"


def _described(row: Row, environ: Mapping[str, str], refused: set[str]) -> Iterator[str]:
    name = next((name for name in row.names if environ.get(name, "").strip()), None)
    if name is None or name in refused:
        yield f"{row.names[0]}={row.default}"
    else:
        value = shown(environ[name].strip(), secret=row.secret)
        yield f"{name}={value if row.secret else value[1:-1]}  (set)"
    yield from textwrap.wrap(row.meaning, _WIDTH, initial_indent="    ", subsequent_indent="    ")
