"""From one stage to the next: the command `rollout`. It changes nothing; it says what to change, and how to go back.

Without a stage it tells where the environment in force stands. With one it compares, runs doctor's checks as if the
stage were in force, and names the way back: the variables as they are now, and the switches file for at once.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry import stages, standard
from telemetry.settings import Settings
from telemetry.stages import OVERRULING, PLACEHOLDER, SECRETS, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Change", "Way", "profile", "wrong"]

_SWITCHES = ("ENABLE_TRACING", "ENABLE_METRICS", "ENABLE_SENTRY")


@dataclass(frozen=True)
class Change:
    """One variable: its value now and then; None where it is not set."""

    variable: str
    now: str | None
    then: str | None


@dataclass(frozen=True)
class Way:
    """The way from an environment to a stage."""

    environ: Mapping[str, str]
    stage: Stage

    @property
    def wanted(self) -> dict[str, str]:
        """The values of the stage, and those suggested where nothing is set."""
        return {**self.stage.values, **self.stage.suggested(self.environ)}

    @property
    def changes(self) -> list[Change]:
        """What has to be set, or unset, for the stage; a default that holds already need not be."""
        changes = [
            Change(name, self._now(name), value) for name, value in self.wanted.items() if self._differs(name, value)
        ]
        return changes + [Change(name, now, None) for name in OVERRULING if (now := self._now(name))]

    @property
    def then(self) -> dict[str, str]:
        """The environment as it would be."""
        return {**self.environ, **self.wanted, **dict.fromkeys(OVERRULING, "")}

    @property
    def at_once(self) -> list[str]:
        """The lines of the switches file that take away, within two seconds, what the stage adds."""
        before, _ = Settings.read(self.environ)
        after, _ = Settings.read(self.then)
        return [f"{name}=false" for name in _SWITCHES
                if getattr(after, name.lower()) and not getattr(before, name.lower())]  # fmt: skip

    def check(self, wait_seconds: float) -> list[dict[str, str]]:
        """Send a span, a metric and an error as the stage would, look for each, and return doctor's findings."""
        from telemetry.doctor import Doctor  # noqa: PLC0415 - needs what only a check needs

        said = io.StringIO()
        with _in_force(self.then):
            Doctor(wait_seconds=wait_seconds, out=said, as_json=True).run()
        findings: list[dict[str, str]] = json.loads(said.getvalue())["findings"]
        return [finding | _meant_off(finding) for finding in findings]

    def as_json(self) -> dict[str, object]:
        """Return all of it but the checks, without secrets."""
        now, then = stages.current(self.environ), stages.following(self.stage)
        return {
            "stage": self.stage.name,
            "now": now.name if now else None,
            "next": then.name if then else None,
            "changes": [dataclasses.asdict(change) for change in self.changes],
            "stays": self.stage.given(self.environ),
            "to_be_set": list(self.stage.lacking(self.environ)),
            "back": {change.variable: change.now for change in self.changes},
            "at_once": self.at_once,
        }

    def _now(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def _differs(self, name: str, value: str) -> bool:
        now, _ = Settings.read(self.environ)
        then, _ = Settings.read({**self.environ, name: value})
        if name == "SENTRY_TRACES_SAMPLE_RATE":  # its default depends on the environment's name, which may change too
            stays = now.environment == self.stage.environment
            return (now.sample_rate if stays else now.sentry_sample_rate) != then.sentry_sample_rate
        return now != then


def profile(stage: Stage, environ: Mapping[str, str]) -> str:
    """Return the variables of a stage as a file: what the deployment has set is kept, secrets are not printed."""
    lines = [f"# {stage.name}: {stage.what}", *(f"{name}={value}" for name, value in stage.values.items())]
    for name in stage.given(environ):
        secret = f"# {name} is set where this was written, and not printed"
        lines.append(secret if name in SECRETS else f"{name}={environ[name].strip()}")
    to_fill_in = stage.suggested(environ) | stage.lacking(environ)
    lines += [f"{name}={example}" for name, example in to_fill_in.items()]
    lines += [f"{name}=" for name in OVERRULING if environ.get(name, "").strip()]
    return "\n".join(lines) + "\n"


def wrong(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with an environment, and the placeholders that nobody has replaced."""
    _, errors = Settings.read(environ)
    left = sorted(name for name in SECRETS | {"OTEL_EXPORTER_OTLP_ENDPOINT"} if PLACEHOLDER in environ.get(name, ""))
    placeholders = [f"{name} still holds {PLACEHOLDER}; give it your own value." for name in left]
    return [*(str(error) for error in (*errors, *standard.wrong(environ))), *placeholders]


def _meant_off(finding: dict[str, str]) -> dict[str, str]:
    """Return what is to be said otherwise: to doctor a signal that is off is broken, here the stage wants it so."""
    return {"state": "off", "remedy": ""} if finding["detail"].startswith("switched off by ENABLE_") else {}


@contextmanager
def _in_force(environ: Mapping[str, str]) -> Iterator[None]:
    """Give this process another environment: the SDK reads its own variables there, and warns of empty ones."""
    before = dict(os.environ)
    _replace({name: value for name, value in environ.items() if value.strip()})
    try:
        yield
    finally:
        _replace(before)


def _replace(environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
