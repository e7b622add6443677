"""One examination, hop by hop."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from opentelemetry.trace import format_trace_id

from telemetry import catalog
from telemetry.backends import NOT_UNDERSTOOD, Jaeger, Prometheus, Sentry, Tempo, trouble
from telemetry.doctor import clocks, door, origins, series, shares, versions
from telemetry.doctor.findings import BROKEN, LOOK, OFF, Finding, Report
from telemetry.doctor.looking import Place, httpx, look
from telemetry.doctor.sending import Sending
from telemetry.settings import Settings
from telemetry.switches import NAMES, Switches, SwitchesFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.trace import Span

__all__ = ["Doctor"]


class Doctor:
    """One examination; prints each finding when it has it."""

    def __init__(self, *, wait_seconds: float = 20.0, out: TextIO | None = None, as_json: bool = False) -> None:
        """Read the environment; look for what was sent for `wait_seconds` at most."""
        self._settings, _ = Settings.read()
        self._wait = wait_seconds
        self._report = Report(out or sys.stdout, as_json=as_json)
        self._sending = Sending(self._settings)
        self._off = _switched_off(self._settings)

    def run(self) -> int:
        """Examine; returns 0 when all that is switched on works, else 1."""
        settings = self._settings
        self._report.say("", f"service {settings.service_name}, environment {settings.environment}")
        libraries = versions.libraries()
        self._report.numbers["versions"] = [dataclasses.asdict(library) for library in libraries]
        self._report.numbers["settings"] = [origin._asdict() for origin in origins.origins(os.environ)]
        self._all(versions.examine(libraries))
        self._all(origins.examine(os.environ))
        self._all(clocks.examine(list(clocks.clocks(clocks.servers(settings)))))
        doors = list(door.examine(settings))
        self._all(doors)
        reached = all(finding.state != BROKEN for finding in doors)
        span, metric_sent = self._send(reached=reached)
        event_id = self._send_error(span)
        self._look_for_span(span)
        self._look_for_metric(sent=metric_sent)
        self._look_for_error(event_id)
        self._judge_what_is_stored()
        return self._report.verdict()

    def _all(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._report.found(finding)

    def _send(self, *, reached: bool) -> tuple[Span | None, bool]:
        span, metric_sent = None, False
        if self._is_on("spans", "ENABLE_TRACING", exported=self._settings.traces_exporter == "otlp") and reached:
            span, findings = self._sending.span()
            self._all(findings)
        exported = self._settings.exports_metrics_to("otlp")
        if self._is_on("metrics", "ENABLE_METRICS", exported=exported) and reached:
            metric_sent, findings = self._sending.metric()
            self._all(findings)
        return span, metric_sent

    def _send_error(self, span: Span | None) -> str | None:
        if not self._is_on("errors", "ENABLE_SENTRY", exported=True):
            return None
        if not self._settings.sentry_dsn:
            self._report.found(Finding("errors", OFF, "no SENTRY_DSN that can be used: no error is sent anywhere"))
            return None
        event_id, findings = self._sending.error(span)
        self._all(findings)
        return event_id

    def _is_on(self, signal: str, switch: str, *, exported: bool) -> bool:
        """Tell whether a signal is to be sent; what has switched it off is named."""
        if cause := self._off.get(switch):
            self._report.found(Finding(signal, BROKEN, f"switched off by {cause}",
                                       f"take {cause} away, if that is not meant"))  # fmt: skip
        elif not exported:
            self._report.found(Finding(signal, OFF, f"not sent by OTLP: OTEL_{_EXPORTER[signal]}_EXPORTER says so"))
        return not cause and exported

    def _look_for_span(self, span: Span | None) -> None:
        if span is None:
            return
        trace_id = format_trace_id(span.get_span_context().trace_id)
        jaeger = Place("span in Jaeger", self._settings.jaeger_url, "TELEMETRY_JAEGER_URL")
        self._look(jaeger, lambda: Jaeger(jaeger.url).trace(trace_id))
        tempo = Place("span in Tempo", self._settings.tempo_url, "TELEMETRY_TEMPO_URL")
        if tempo.url:
            self._look(tempo, lambda: Tempo(tempo.url).trace(trace_id))

    def _look_for_metric(self, *, sent: bool) -> None:
        place = Place("metric in Prometheus", self._settings.prometheus_url, "TELEMETRY_PROMETHEUS_URL")
        query = f'{catalog.DOCTOR_CHECKS.prometheus}{{instance="{self._sending.run_id}"}}'
        if sent:
            self._look(place, lambda: Prometheus(place.url).query(query))

    def _look_for_error(self, event_id: str | None) -> None:
        place = Place("error in Sentry", self._settings.sentry_url, "TELEMETRY_SENTRY_URL", "TELEMETRY_SENTRY_TOKEN")
        if event_id is not None:
            self._look(place, lambda: Sentry(place.url, self._settings.sentry_token).find(event_id))

    def _look(self, place: Place, ask: Callable[[], object]) -> None:
        self._report.found(look(place, ask, self._wait))

    def _judge_what_is_stored(self) -> None:
        """Compare the stores' contents with this version and these settings, as far as the stores answer."""
        settings = self._settings
        zero = list(shares.configured(settings))
        self._all(zero)
        if not settings.prometheus_url:
            return
        prometheus, numbers = Prometheus(settings.prometheus_url), self._report.numbers
        try:
            self._all(series.examine(prometheus, settings.service_name, numbers))
            if settings.jaeger_url and not zero:
                share = shares.found(Jaeger(settings.jaeger_url), prometheus, settings)
                self._all(shares.examine(settings, share, numbers))
        except (httpx.HTTPError, *NOT_UNDERSTOOD) as error:
            self._report.found(Finding("stored", LOOK, f"cannot be judged: a store {trouble(error)}"))


_EXPORTER = {"spans": "TRACES", "metrics": "METRICS"}


def _switched_off(settings: Settings) -> dict[str, str]:
    """Return what has switched off each kind of telemetry: by the switch's name, the cause as it is set."""
    found = {name: f"{name}=false" for name in NAMES if not getattr(settings, name.lower())}
    if settings.sdk_disabled:
        found |= dict.fromkeys(("ENABLE_TRACING", "ENABLE_METRICS"), "OTEL_SDK_DISABLED=true")
    if settings.switches_file:
        switches = Switches()
        SwitchesFile(settings.switches_file, switches, settings).read()
        off = {name for name, attribute in NAMES.items() if not getattr(switches, attribute)}
        found |= {name: f"{name}=false in {Path(settings.switches_file)}" for name in off - set(found)}
    return found
