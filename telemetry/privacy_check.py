"""`privacy-check`: runs a command, takes all the telemetry that comes of it, and looks for what must not be in it.

    python -m telemetry privacy-check -- pytest tests/end_to_end

The command and all it starts send to two servers of this process instead of the Collector and Sentry, with everything
recorded. It finds in `TELEMETRY_SENTINEL` the beginning of the strings to plant: whatever it puts into messages, names,
prompts, headers, file names that begins so is looked for; so is every value of a variable that looks like a secret.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, TextIO

from telemetry._sink import receiving
from telemetry.sentinels import Sentinels, secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry._sink import Sink

__all__ = ["VARIABLE", "PrivacyCheck"]

VARIABLE = "TELEMETRY_SENTINEL"
_SINKS = {"spans": "/v1/traces", "metrics": "/v1/metrics", "errors": "/envelope/"}
_REPLACED = (
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_HEADERS",
)  # fmt: skip
_NOT_THEIRS = frozenset({"SENTRY_DSN", "TELEMETRY_SENTRY_TOKEN"})


class PrivacyCheck:
    """One run of the command."""

    def __init__(self, command: Sequence[str], *, out: TextIO | None = None) -> None:
        """Examine what `command` sends; write the report to `out`, by default standard output."""
        self._command = list(command)
        self._out = out or sys.stdout
        self._sentinels = Sentinels()

    def run(self) -> int:
        """Run the command to its end; returns 0 when telemetry came and nothing was found in it, else 1."""
        for name, text in secrets_of(os.environ, but=_NOT_THEIRS).items():
            self._sentinels.watch(f"${name}", text)
        with receiving() as sink:
            try:
                code = subprocess.run(self._command, env=self._environment(sink), check=False).returncode  # noqa: S603 - the user's own
            except OSError as error:
                self._say(f"{self._command[0]} does not run: {error.strerror}")
                return 1
        self._say(f"the command ended with status {code}")
        return self._report(sink)

    def _environment(self, sink: Sink) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in _REPLACED}
        return kept | {
            VARIABLE: self._sentinels.prefix,
            "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_BSP_SCHEDULE_DELAY": "500",
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",
            "SENTRY_DSN": sink.dsn,
            "SENTRY_TRACES_SAMPLE_RATE": "1",
        }

    def _report(self, sink: Sink) -> int:
        looked_for = ", ".join([f"strings that begin with ${VARIABLE}", *self._sentinels.planted])
        self._say(f"looked for: {looked_for}")
        found = 0
        for name, path in _SINKS.items():
            requests = [request.everything for request in sink.of(path)]
            leaks = sorted({what for data in requests for what in self._sentinels.found_in(data)})
            found += len(leaks)
            size, said = sum(map(len, requests)), f"FOUND: {', '.join(leaks)}" if leaks else "nothing"
            self._say(f"{name:<9}{size:>10} bytes   {said}")
        if not sink.received:
            self._say("no telemetry came: does the command start the application, and does that call telemetry.init()?")
        return int(bool(found) or not sink.received)

    def _say(self, text: str) -> None:
        print(text, file=self._out, flush=True)
