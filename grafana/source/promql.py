"""PromQL from the catalog's entries: which series, over which window, summed how.

A dashboard fills the windows and matchers with its own variables; an alert, a rule or a document names fixed ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from telemetry import catalog

if TYPE_CHECKING:
    from telemetry.catalog import Metric

__all__ = ["DASHBOARD", "LONG", "LONG_SECONDS", "RECORDED", "Queries", "Scope", "share"]


@dataclass(frozen=True)
class Scope:
    """Whose series (matchers of environment and process), the window of a rate and the period of a total."""

    environment: str = ""
    instance: str = ""
    window: str = "5m"
    period: str = "1h"


DASHBOARD = Scope(
    'deployment_environment_name=~"$environment"', 'instance=~"$instance"', "$__rate_interval", "$__range"
)

LONG = "recorded"
LONG_SECONDS = 7 * 24 * 3600
"""For a longer range, rates come from what the rules record every five minutes."""
_HISTOGRAMS = (
    catalog.HTTP_REQUEST_DURATION,
    catalog.TELEGRAM_MESSAGE_DURATION,
    catalog.TELEGRAM_API_DURATION,
    catalog.AGENT_RESPONSE_DURATION,
    catalog.AGENT_TIME_TO_FIRST_TOKEN,
    catalog.EXTERNAL_API_DURATION,
    catalog.DB_QUERY_DURATION,
)
_COUNTERS = (catalog.HTTP_REQUESTS, catalog.ERRORS, catalog.AGENT_TOKENS, catalog.AGENT_CACHED_TOKENS)
RECORDED = {f"{metric.prometheus}_bucket": metric for metric in _HISTOGRAMS}
RECORDED |= {metric.prometheus: metric for metric in _COUNTERS}
"""What has many series, and is recorded without its processes as `NAME:rate5m`."""


@dataclass(frozen=True)
class Queries:
    """Builds queries for one scope. `by` and `where` are PromQL: label names, and further matchers."""

    scope: Scope = DASHBOARD

    @property
    def whole(self) -> Queries:
        """The same queries over the whole period instead of a window that moves through it."""
        return Queries(replace(self.scope, window=self.scope.period))

    def series(self, metric: Metric, where: str = "", suffix: str = "") -> str:
        """Select a metric's series; `suffix` is `_bucket`, `_sum` or `_count` of a histogram."""
        return _select(metric.prometheus + suffix, self.scope.environment, self.scope.instance, where)

    def rate(self, metric: Metric, by: str = "", where: str = "", suffix: str = "") -> str:
        """Events a second.

        Where the dashboard's range is long, the recorded series are read instead of those of each process: `$recorded`
        is then `.+`, else empty, and matches no job but every environment, or the other way round.
        """
        name, window = metric.prometheus + suffix, self.scope.window
        if name not in RECORDED or "$" not in window:
            return f"{_sum(by)} (rate({self.series(metric, where, suffix)}[{window}]))"
        own = _select(name, self.scope.environment, self.scope.instance, where, f'job!~"${LONG}"')
        kept = _select(f"{name}:rate5m", self.scope.environment, where, f'deployment_environment_name=~"${LONG}"')
        return f"{_sum(by)} (rate({own}[{window}]) or avg_over_time({kept}[{window}]))"

    def per_minute(self, metric: Metric, by: str = "", where: str = "", suffix: str = "") -> str:
        """Events a minute."""
        return f"{self.rate(metric, by, where, suffix)} * 60"

    def total(self, metric: Metric, by: str = "", where: str = "", suffix: str = "") -> str:
        """Events in the period, exact.

        increase() extrapolates to the edges of the period: of 106 requests in a minute it made 110. Each process has
        series of its own, which begin at 0 and never fall, so the highest value less the lowest is the count.
        """
        window = f"{self.series(metric, where, suffix)}[{self.scope.period}]"
        return f"{_sum(by)} (max_over_time({window}) - min_over_time({window}))"

    def buckets(self, metric: Metric, by: str = "", where: str = "") -> str:
        """Events a second in each bucket of a histogram."""
        return self.rate(metric, ", ".join(filter(None, ("le", by))), where, "_bucket")

    def quantile(self, quantile: float, metric: Metric, by: str = "", where: str = "") -> str:
        """Estimate what this share of the events stayed below, from a histogram's buckets."""
        return f"histogram_quantile({quantile:g}, {self.buckets(metric, by, where)})"

    def distribution(self, metric: Metric, where: str = "") -> str:
        """Count the events a minute in each bucket, for a heatmap."""
        return f"{self.buckets(metric, where=where)} * 60"

    def now(self, metric: Metric, aggregate: str = "sum", by: str = "", where: str = "") -> str:
        """Aggregate the values of a gauge over the processes that have it."""
        return f"{aggregate}{f' by ({by})' if by else ''} ({self.series(metric, where)})"

    def among(self, recorded: str) -> str:
        """Select the series of a recording rule, which knows the environment and no process."""
        return _select(recorded, self.scope.environment)


def share(part: str, whole: str) -> str:
    """Divide one sum by another; 0 where there is a whole and no part yet, nothing where there is no whole."""
    return f"({part} or vector(0)) / ({whole} > 0)"


def _select(name: str, *matchers: str) -> str:
    wanted = ", ".join(filter(None, matchers))
    return f"{name}{{{wanted}}}" if wanted else name


def _sum(by: str) -> str:
    return f"sum by ({by})" if by else "sum"
