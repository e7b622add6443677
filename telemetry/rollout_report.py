"""What `python -m telemetry rollout` prints: 80 columns for people, JSON for programs, a file of variables."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from telemetry import rollout, stages
from telemetry.settings import Settings
from telemetry.stages import SECRETS, STAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry.rollout import Change, Way

__all__ = ["Options", "report"]

_COLUMNS = 80
_CHANGE = "{:<28}{:<26}{}"
_NOT_SET = "(not set)"


@dataclass(frozen=True)
class Options:
    """What was asked for; `wait_seconds` is how long to look for what the checks send, None for no checks."""

    stage: str | None = None
    env: bool = False
    as_json: bool = False
    wait_seconds: float | None = 20.0


def report(options: Options, environ: Mapping[str, str] | None = None, out: TextIO | None = None) -> int:
    """Print what was asked for; returns 0, or 1 where the environment or a check is not well."""
    environ, out = dict(os.environ) if environ is None else environ, out or sys.stdout
    if options.stage is None:
        return _where(environ, out, as_json=options.as_json)
    stage = next(stage for stage in STAGES if stage.name == options.stage)
    if options.env:
        out.write(rollout.profile(stage, environ))
        return 0
    way = rollout.Way(environ, stage)
    problems = [
        *rollout.wrong(way.then),
        *(f"{name} is not set." for name in stage.lacking(environ) if name not in environ),
    ]
    if not options.as_json:  # at once: the checks may take a minute
        out.write("\n".join([*_described(way), "", ""]))
        out.flush()
    findings = None if options.wait_seconds is None or problems else way.check(options.wait_seconds)
    bad = [finding for finding in findings or () if finding["state"] == "BROKEN"]
    if options.as_json:
        _json(out, way.as_json() | {"problems": problems, "checks": findings, "ok": not problems and not bad})
    else:
        out.write("\n".join([*_checked(problems, findings), "", *_back(way)]).rstrip("\n") + "\n")
    return int(bool(problems or bad))


def _where(environ: Mapping[str, str], out: TextIO, *, as_json: bool) -> int:
    now, problems = stages.current(environ), rollout.wrong(environ)
    then = stages.following(now) if now else None
    names = {"now": now and now.name, "next": then and then.name}
    if as_json:
        _json(out, names | {"stages": [stage.name for stage in STAGES], "problems": problems})
        return int(bool(problems))
    lines = [_wrapped(f"{'>' if stage is now else ' '} {stage.name:<16}{stage.what}", 18) for stage in STAGES]
    lines += ["", *map(_wrapped, _advice(now, then, environ)), *(_wrapped(f"! {problem}") for problem in problems)]
    out.write("\n".join(lines) + "\n")
    return int(bool(problems))


def _advice(now: Stage | None, then: Stage | None, environ: Mapping[str, str]) -> Iterator[str]:
    if now is None:
        settings, _ = Settings.read(environ)
        on = [name for name in ("sentry", "metrics", "tracing") if getattr(settings, f"enable_{name}")]
        yield (f"In none of them: {settings.environment}, {', '.join(on) or 'nothing'} on, {settings.sample_rate:.0%} "
               f"of traces. `telemetry rollout STAGE` says what differs.")  # fmt: skip
        return
    yield f"Well if: {now.well_if}."
    if then:
        yield f"After {now.days} days: telemetry rollout {then.name}"


def _described(way: Way) -> Iterator[str]:
    stage, now = way.stage, stages.current(way.environ)
    yield _wrapped(f"{stage.name}: {stage.what} (stage {STAGES.index(stage) + 1} of {len(STAGES)})")
    yield f"now: {now.name if now else 'none of the stages'}"
    yield ""
    changes = way.changes
    if changes:
        yield _CHANGE.format("variable", "now", "then")
        yield from map(_changed, changes)
    else:
        yield "Nothing to change."
    for name in stage.given(way.environ):
        value = "(not printed)" if name in SECRETS else way.environ[name].strip()
        yield _wrapped(f"stays: {name}={value}")
    for name, example in stage.lacking(way.environ).items():
        yield _wrapped(f"to be set: {name}={example}")
    yield ""
    yield _wrapped(f"Well if: {stage.well_if}.")
    if then := stages.following(stage):
        yield f"After {stage.days} days: telemetry rollout {then.name}"


def _changed(change: Change) -> str:
    """Return a change in a line, or in three where its values would not fit: they are there to be copied."""
    now, then = change.now or _NOT_SET, change.then or _NOT_SET
    line = _CHANGE.format(change.variable, now, then)
    return line if len(line) <= _COLUMNS else f"{change.variable}\n    now   {now}\n    then  {then}"


def _checked(problems: list[str], findings: list[dict[str, str]] | None) -> Iterator[str]:
    for problem in problems:
        yield _wrapped(f"! {problem}")
    if findings is None:
        yield "Not checked." if not problems else "Not checked: mend that first."
        return
    yield "as the stage would send:"
    for finding in findings:
        yield _wrapped(f"{finding['state']:<7}{finding['hop']:<22}{finding['detail']}", 29)
        if finding["remedy"]:
            yield _wrapped(f"{'':<29}what to do: {finding['remedy']}", 29)


def _back(way: Way) -> Iterator[str]:
    if way.changes:
        yield "The way back, and a restart:"
        for change in way.changes:
            yield f"  unset {change.variable}" if change.now is None else f"  {change.variable}={change.now}"
    if not (lines := way.at_once):
        return
    yield "At once, without a restart, while the file has these lines:"
    file = Settings.read(way.then)[0].switches_file
    yield from (f"  echo {line} >> {file or '$TELEMETRY_SWITCHES_FILE'}" for line in lines)
    if not file:
        yield _wrapped("  It must be named by TELEMETRY_SWITCHES_FILE when the application starts.")


def _wrapped(text: str, indent: int = 4) -> str:
    """Break a text at spaces only: a variable's value is copied as a whole."""
    return textwrap.fill(
        text, _COLUMNS, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False,
        replace_whitespace=False, drop_whitespace=True,
    )  # fmt: skip


def _json(out: TextIO, content: Mapping[str, object]) -> None:
    out.write(json.dumps(content, indent=2) + "\n")
