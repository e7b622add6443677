"""What so much traffic makes of telemetry: the command `cost`. Series, samples, spans, Sentry's items, disk.

Bounds are the catalog's. Rates are measured on the health agent: `make load` prints them under `rates`, and
`python -m bench.load.disk` the bytes of a sample; a test holds the estimate against a real run.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from telemetry.catalog import CATALOG
from telemetry.settings import Settings

__all__ = ["RATES", "Estimate", "Rates", "Traffic", "as_json", "estimate", "plain", "size"]

DAY, MONTH_DAYS = 86_400, 30
_COLLECTOR_SECONDS = 5.0
"""How often the Collector reports about itself."""
_STEP = 1000


@dataclass(frozen=True)
class Rates:
    """What one of each makes, measured on the health agent at 100 API users and the demo's bot traffic."""

    spans_per_request: float = 2.8
    spans_per_update: float = 12.0
    spans_per_job: float = 2.0
    bytes_per_span: float = 400.0
    """As OTLP, before compression: what a store of traces is sent and charges for."""
    series_per_process: float = 430.0
    """The API has 340, the bot 520, with every route and command in use."""
    series_of_collector: float = 680.0
    kinds_of_error: float = 5.0
    """That occur in one process within a minute; of each Sentry gets one event, and how many more there were."""
    bytes_per_sample: float = 3.5
    """On disk in Prometheus, its index included."""


RATES = Rates()


@dataclass(frozen=True)
class Traffic:
    """What happens on a day; `failing` is the share of requests and updates with an error of the application's."""

    requests: float
    updates: float
    users: float
    jobs: float = 17_280
    """The health agent looks for due reminders every five seconds."""
    failing: float = 0.005
    """What the promise of 99.5% allows."""

    @property
    def traces(self) -> float:
        """How many traces begin on a day, recorded or not."""
        return self.requests + self.updates + self.jobs


@dataclass(frozen=True)
class Estimate:
    """What comes of it; a day where nothing else is said."""

    traffic: Traffic
    ratio: float
    processes: int
    interval: float
    series: float
    series_bound: int
    """More the application cannot make, whatever it is sent."""
    samples_per_second: float
    spans: float
    span_bytes: float
    sentry_events_a_month: float
    sentry_transactions_a_month: float
    disk_of_30_days: float


def estimate(traffic: Traffic, *, ratio: float = 0.1, processes: int = 2, interval: float = 15.0) -> Estimate:
    """Return what comes of it where `ratio` of the traces are recorded and metrics leave every `interval` seconds."""
    rates = RATES
    recorded = ratio * (
        traffic.requests * rates.spans_per_request
        + traffic.updates * rates.spans_per_update
        + traffic.jobs * rates.spans_per_job
    )
    failed = traffic.failing * (traffic.requests + traffic.updates)
    spans = recorded + (1 - ratio) * failed  # what fails leaves its root span in any case
    series = processes * rates.series_per_process + rates.series_of_collector
    samples = processes * rates.series_per_process / interval + rates.series_of_collector / _COLLECTOR_SECONDS
    return Estimate(
        traffic=traffic,
        ratio=ratio,
        processes=processes,
        interval=interval,
        series=series,
        series_bound=processes * sum(metric.series_bound for metric in CATALOG.values()),
        samples_per_second=samples,
        spans=spans,
        span_bytes=spans * rates.bytes_per_span,
        sentry_events_a_month=MONTH_DAYS
        * min(failed, processes * rates.kinds_of_error * DAY / Settings().error_window_seconds),
        sentry_transactions_a_month=ratio * traffic.traces * MONTH_DAYS,
        disk_of_30_days=samples * DAY * MONTH_DAYS * rates.bytes_per_sample,
    )


def as_json(found: Estimate) -> str:
    """Return the estimate and the rates it was reckoned with."""
    return json.dumps({**asdict(found), "rates": asdict(RATES)}, indent=2) + "\n"


def plain(found: Estimate) -> str:
    """Return the estimate in 80 columns."""
    traffic = found.traffic
    user = found.span_bytes * MONTH_DAYS / max(traffic.users, 1)
    rows = [
        ("series in Prometheus", f"{found.series:,.0f}", f"at most {found.series_bound:,}, by the catalog"),
        (
            "samples a second",
            f"{found.samples_per_second:,.0f}",
            f"one in {found.interval:g} s; the Collector's in 5 s",
        ),
        ("disk for 30 days of metrics", size(found.disk_of_30_days), "whatever the traffic is"),
        ("spans a day", f"{found.spans:,.0f}", f"{found.ratio:.0%} of traces, and what fails"),
        ("bytes of spans a day", size(found.span_bytes), "as OTLP, before compression"),
        ("  a user and month", size(user), "nothing is labelled by user"),
        (
            "Sentry events a month",
            f"{found.sentry_events_a_month:,.0f}",
            "at most; of a kind one a minute",
        ),
        ("Sentry transactions a month", f"{found.sentry_transactions_a_month:,.0f}", "one a recorded trace"),
    ]
    head = (f"{traffic.requests:,.0f} requests, {traffic.updates:,.0f} updates and {traffic.jobs:,.0f} jobs a day, "
            f"{found.processes} processes")  # fmt: skip
    return "\n".join([head, *(f"{name:<28}{value:>14}  {note}" for name, value, note in rows)]) + "\n"


def size(count: float) -> str:
    """Return a number of bytes as it is read, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _STEP:
            return f"{count:,.1f} {unit}"
        count /= _STEP
    return f"{count:,.1f} TB"
