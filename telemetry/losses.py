"""What became of spans, metric points and errors, hop by hop: the command `losses`.

Each hop took some in, handed some on, dropped some by a reason; the rest waits, or is unaccounted for. The numbers are
metrics in Prometheus, of all processes and Collectors that reported in the window; each is as old as its process's last
report, so that a hop in full traffic shows what was on its way.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from telemetry import catalog
from telemetry._extras import require
from telemetry.backends import NOT_UNDERSTOOD, Prometheus, trouble
from telemetry.settings import Settings
from telemetry.trace_tree import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Hop", "Losses"]

_COLUMNS = 80
_LINE = "{:<13}{:<26}{:>10}{:>10}{:>9}{:>12}"
_SIGNALS = {"spans": "spans", "metrics": "metric_points"}
"""Ours, and the words of the Collector's metrics."""
_NOT_THE_LOOP = 'receiver!="otlp/loop"'
"""What comes in: of applications, and the Collector's own metrics; not what it hands to itself on the way."""
_FINAL = 'error_type!="Shutdown"'
"""A Collector that stops puts back what it could not send."""


@dataclass
class Hop:
    """One signal at one hop, in items."""

    signal: str
    hop: str
    took: int
    handed_on: int
    dropped: dict[str, int] = field(default_factory=dict)
    """By reason, for good."""
    waits: int = 0
    refused: int = 0
    """Turned away; the sender sends them again, or counts them as dropped."""
    waiting_bytes: int = 0
    """In a queue on disk, whose items nobody counts."""

    @property
    def unaccounted(self) -> int | None:
        """What is neither handed on, dropped nor waiting; None while an unknown number waits."""
        if self.waiting_bytes:
            return None
        return self.took - self.handed_on - sum(self.dropped.values()) - self.waits


class Losses:
    """One look at the hops."""

    def __init__(self, window: str = "1h", out: TextIO | None = None, *, environment: str = "") -> None:
        """Read the environment; count what happened within `window`, a duration of Prometheus's.

        `environment` leaves out applications of any other; what Collectors did is of all.
        """
        settings, _ = Settings.read()
        self._url = settings.prometheus_url
        self._of = f'deployment_environment_name="{environment}"' if environment else ""
        self._window, self._out, self._err = window, out or sys.stdout, sys.stderr

    def run(self, *, as_json: bool = False) -> int:
        """Print the hops; returns 0, or 1 where Prometheus does not tell."""
        if not self._url:
            return self._fail("TELEMETRY_PROMETHEUS_URL is not set, so there is nobody to ask. With the stack of this "
                              "project: `make losses`.")  # fmt: skip
        httpx = require("httpx", feature="losses", extra="http-clients")
        try:
            hops = list(self.hops())
        except (httpx.HTTPError, *NOT_UNDERSTOOD) as error:
            return self._fail(f"Prometheus at {self._url} {trouble(error)}. See `make status`.")
        if not hops:
            return self._fail(f"Nothing has reported within {self._window}. See `make doctor`.")
        self._out.write(_as_json(hops) if as_json else _plain(hops, self._window))
        return 0

    def hops(self) -> Iterator[Hop]:
        """Ask for each hop, signal by signal in the order of the way."""
        applications = {hop.signal: hop for hop in self._application()}
        for signal, what in _SIGNALS.items():
            if hop := applications.pop(signal, None):
                yield hop
            yield from self._collector(signal, what)
        yield from applications.values()

    def _application(self) -> Iterator[Hop]:
        created, sent = (self._sums(metric.prometheus, "signal", where=self._of)
                         for metric in (catalog.TELEMETRY_CREATED, catalog.TELEMETRY_SENT))  # fmt: skip
        dropped = self._sums(catalog.TELEMETRY_DROPPED.prometheus, "signal", "reason", where=self._of)
        held = self._held()
        for (signal,), items in created.items():
            reasons = {reason: count for (of, reason), count in dropped.items() if of == signal and count}
            yield Hop(signal, "application", items, sent.get((signal,), 0), reasons, held.get((signal,), 0))

    def _held(self) -> dict[tuple[str, ...], int]:
        """Return what waits in the processes that report now; what one that is gone still held is unaccounted for."""
        counters = (catalog.TELEMETRY_CREATED, catalog.TELEMETRY_SENT, catalog.TELEMETRY_DROPPED)
        return self._now(" - ".join(f"sum by (signal) ({c.prometheus}{{{self._of}}})" for c in counters), "signal")

    def _collector(self, signal: str, what: str) -> Iterator[Hop]:
        taken, *turned_away = (
            sum(self._sums(f"otelcol_receiver_{fate}_{what}_total", "receiver", where=_NOT_THE_LOOP).values())
            for fate in ("accepted", "refused", "failed")
        )
        data_type = "traces" if signal == "spans" else "metrics"
        waiting = self._now(f'sum by (exporter) (otelcol_exporter_queue_size{{data_type="{data_type}"}})', "exporter")
        sent = self._sums(f"otelcol_exporter_sent_{what}_total", "exporter")
        failed = self._sums(f"otelcol_exporter_send_failed_{what}_total", "exporter", "error_permanent", where=_FINAL)
        # Every exporter that keeps what it sends has a queue on disk. Remote write has none, and repeats by the loop's.
        for (exporter,), size in waiting.items():
            lost = {_reason(final): count for (of, final), count in failed.items() if of == exporter and count}
            hop = Hop(signal, f"Collector {exporter}", taken, sent.get((exporter,), 0), lost, refused=sum(turned_away))
            hop.waiting_bytes = size
            yield hop

    def _sums(self, metric: str, *by: str, where: str = "") -> dict[tuple[str, ...], int]:
        """Return what counters have grown by within the window, the first count of a series included."""
        series, window = f"{metric}{{{where}}}", self._window
        latest = f"max_over_time({series}[{window}])"
        before = f"(max_over_time({series}[1h] offset {window}) or 0 * {latest})"
        return self._now(f"sum by ({', '.join(by)}) ({latest} - {before})", *by)

    def _now(self, query: str, *by: str) -> dict[tuple[str, ...], int]:
        samples = Prometheus(self._url).query(query)
        return {tuple(sample.labels.get(name, "") for name in by): round(sample.value) for sample in samples}

    def _fail(self, text: str) -> int:
        shown = textwrap.wrap(printable(" ".join(text.split())), _COLUMNS, break_long_words=False)
        self._err.write("\n".join(shown) + "\n")
        return 1


def _reason(permanent: str) -> str:
    return "refused by the store" if permanent == "true" else "given up"


def _as_json(hops: list[Hop]) -> str:
    return json.dumps([{**dataclasses.asdict(hop), "unaccounted": hop.unaccounted} for hop in hops], indent=2) + "\n"


def _plain(hops: list[Hop], window: str) -> str:
    lines = [
        f"within {window}, of all processes",
        _LINE.format("", "hop", "took", "handed on", "dropped", "unaccounted"),
    ]
    for hop in hops:
        unknown = "?" if hop.unaccounted is None else f"{hop.unaccounted:,}"
        lost = sum(hop.dropped.values())
        lines.append(_LINE.format(hop.signal, hop.hop, f"{hop.took:,}", f"{hop.handed_on:,}", f"{lost:,}", unknown))
        if notes := ", ".join(_notes(hop)):
            lines += textwrap.wrap(notes, _COLUMNS, initial_indent=" " * 9, subsequent_indent=" " * 9)
    return "\n".join(lines) + "\n"


def _notes(hop: Hop) -> Iterator[str]:
    yield from (f"{count:,} dropped: {reason}" for reason, count in hop.dropped.items())
    if hop.waits:
        yield f"{hop.waits:,} wait"
    if hop.waiting_bytes:
        yield f"{hop.waiting_bytes:,} bytes wait on disk"
    if hop.refused:
        yield f"{hop.refused:,} turned away at the door, which the sender sends again or counts"
