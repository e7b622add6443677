"""Read side of the stack: what Prometheus, Jaeger, Tempo and a Sentry-compatible server (Bugsink) hold.

`doctor`, the demo's summary and the tests ask through these; the application itself never does. All calls are
synchronous and raise `httpx.HTTPError` when the server does not answer or answers with an error status, one of
`NOT_UNDERSTOOD` when what it answers is something else: it may be another server. `trouble` says either in words.

APIs: https://prometheus.io/docs/prometheus/latest/querying/api/, Jaeger's HTTP JSON (`/api/traces`),
https://grafana.com/docs/tempo/latest/api_docs/, Bugsink's canonical API (`/api/canonical/0/`).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telemetry import otlp_json
from telemetry._extras import require
from telemetry.stored_traces import Span, Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

__all__ = [
    "NOT_UNDERSTOOD", "Event", "Issue", "Jaeger", "Prometheus", "Sample", "Sentry", "Span", "Tempo", "Trace", "trouble",
]  # fmt: skip

NOT_UNDERSTOOD = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading an answer of another form ends in."""
_NOT_FOUND = 404
_TIMEOUT_SECONDS = 10.0
_PIECE_SECONDS, _PIECE_TRACES = 10.0, 5000
_OLDEST_TRACES = 500


@dataclass(frozen=True)
class Sample:
    """One series of an instant query: its labels and its value."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Issue:
    """A group of events in the Sentry-compatible server."""

    id: str
    title: str


@dataclass(frozen=True)
class Event:
    """One error event as the server stored it."""

    id: str
    issue_id: str
    data: dict[str, Any]

    @property
    def trace_id(self) -> str | None:
        """The trace the event belongs to."""
        return self._context("trace").get("trace_id")

    @property
    def span_id(self) -> str | None:
        """The span in which the error was captured."""
        return self._context("trace").get("span_id")

    @property
    def user_id(self) -> str | None:
        """The user whose request or update failed."""
        return (self.data.get("user") or {}).get("id")

    @property
    def release(self) -> str | None:
        """The release that failed."""
        return self.data.get("release")

    @property
    def tags(self) -> dict[str, str]:
        """The event's tags; the protocol allows a mapping or a list of pairs."""
        return dict(self.data.get("tags") or {})

    @property
    def breadcrumbs(self) -> list[dict[str, Any]]:
        """What happened before the error, oldest first."""
        crumbs = self.data.get("breadcrumbs") or {}
        return list(crumbs.get("values", [])) if isinstance(crumbs, dict) else list(crumbs)

    def _context(self, name: str) -> dict[str, Any]:
        return (self.data.get("contexts") or {}).get(name) or {}


def trouble(error: Exception) -> str:
    """Say in a few words, to follow a server's name, why there is no answer that can be used."""
    if isinstance(error, NOT_UNDERSTOOD):
        return f"answers what is not to be understood ({type(error).__name__}): is it another server's address?"
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"answers {status}" if status else f"does not answer ({error})"


class _Server:
    """A server reached over HTTP at one base address."""

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None) -> None:
        """Prepare requests to `url`; none is sent yet."""
        library = require("httpx", feature="asking a backend", extra="http-clients")
        # No connection outlives its answer, so that nobody has to close this.
        limits = library.Limits(max_keepalive_connections=0)
        self.url: str = url.rstrip("/")
        self._client: httpx.Client = library.Client(
            base_url=self.url, headers=headers, timeout=_TIMEOUT_SECONDS, limits=limits
        )

    def _get(self, path: str, **params: object) -> Any:  # noqa: ANN401 - JSON of any shape
        response = self._client.get(path, params={k: str(v) for k, v in params.items() if v is not None})
        response.raise_for_status()
        return response.json()


class Prometheus(_Server):
    """The metrics store."""

    def query(self, promql: str, *, at: float | None = None) -> list[Sample]:
        """Evaluate an instant query now, or at a Unix time; one sample a series, empty when nothing matches."""
        result = self._get("/api/v1/query", query=promql, time=at)["data"]["result"]
        return [Sample(series["metric"], float(series["value"][1])) for series in result]

    def scalar(self, promql: str, *, at: float | None = None) -> float:
        """Return the first value of an instant query, 0.0 when nothing matches."""
        samples = self.query(promql, at=at)
        return samples[0].value if samples else 0.0


class Jaeger(_Server):
    """The trace store."""

    def trace(self, trace_id: str) -> Trace | None:
        """Return the trace with this id (32 hexadecimal digits), None where there is none."""
        response = self._client.get(f"/api/traces/{trace_id}")
        if response.status_code == _NOT_FOUND:
            return None
        response.raise_for_status()
        found = response.json()["data"]
        return Trace.from_jaeger(found[0]) if found else None

    def search(
        self,
        service: str,
        *,
        operation: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 20,
        lookback_seconds: float = 3600,
    ) -> list[Trace]:
        """Return traces of a service, newest first, that hold a span of this name with all of these tags."""
        now = time.time()
        about = {"service": service, "operation": operation, "tags": json.dumps(dict(tags)) if tags else None}
        return self._found(about, (now - lookback_seconds, now + 60), limit)

    def oldest(self, service: str, *, tags: Mapping[str, str], lookback_seconds: float) -> Trace | None:
        """Return the oldest trace of a service with a span of these tags, None where there is none.

        Jaeger gives the newest ones, so many at a time.
        """
        start, end = time.time() - lookback_seconds, time.time() + 60
        about = {"service": service, "tags": json.dumps(dict(tags))}
        oldest: Trace | None = None
        while found := self._found(about, (start, end), _OLDEST_TRACES):
            oldest = min(found, key=lambda trace: trace.spans[0].start)
            if len(found) < _OLDEST_TRACES:
                break
            end = oldest.spans[0].start - 1e-6
        return oldest

    def between(self, service: str, start: float, end: float, *, tags: Mapping[str, str]) -> list[Trace]:
        """Return every trace of a service with a span of these tags that began between two moments, in Unix seconds.

        Asked for in pieces, smaller ones where an answer is cut off at its limit.
        """
        found: dict[str, Trace] = {}
        about, length = {"service": service, "tags": json.dumps(dict(tags))}, _PIECE_SECONDS
        while start < end:
            piece = self._found(about, (start, min(end, start + length)), _PIECE_TRACES)
            if len(piece) >= _PIECE_TRACES:
                length /= 2
                continue
            found |= {trace.trace_id: trace for trace in piece}
            start += length
        return list(found.values())

    def _found(self, about: Mapping[str, object], window: tuple[float, float], limit: int) -> list[Trace]:
        start, end = (int(moment * 1e6) for moment in window)
        found = self._get("/api/traces", **about, limit=limit, start=start, end=end)["data"]
        return [Trace.from_jaeger(trace) for trace in found]


class Tempo(_Server):
    """The trace store beside Grafana."""

    def trace(self, trace_id: str) -> Trace | None:
        """Return the trace with this id (32 hexadecimal digits), None where there is none."""
        response = self._client.get(f"/api/traces/{trace_id}", headers={"Accept": "application/json"})
        if response.status_code == _NOT_FOUND:
            return None
        response.raise_for_status()
        return otlp_json.trace(response.json())

    def search(self, traceql: str, *, limit: int = 20, lookback_seconds: float = 3600) -> list[str]:
        """Return the ids of traces that a TraceQL query matches, newest first."""
        now = int(time.time())
        found = self._get("/api/search", q=traceql, limit=limit, start=now - int(lookback_seconds), end=now + 60)
        return [str(trace["traceID"]).rjust(32, "0") for trace in found.get("traces") or ()]


class Sentry(_Server):
    """The error store: Bugsink, whose ingestion speaks Sentry's protocol and whose reading API is its own."""

    def __init__(self, url: str, token: str) -> None:
        """Prepare requests with an API token of the server."""
        super().__init__(url, headers={"Authorization": f"Bearer {token}"})

    def issues(self) -> list[Issue]:
        """Return the issues of all projects, newest first."""
        projects = self._pages("/api/canonical/0/projects/")
        issues = [
            issue
            for project in projects
            for issue in self._pages("/api/canonical/0/issues/", project=project["id"], sort="last_seen", order="desc")
        ]
        return [Issue(str(issue["id"]), _issue_title(issue)) for issue in issues]

    def events(self, issue_id: str) -> list[Event]:
        """Return the events of an issue, newest first, in full."""
        listed = self._pages("/api/canonical/0/events/", issue=issue_id, order="desc")
        return [self.event(str(event["id"])) for event in listed]

    def find(self, event_id: str) -> Event | None:
        """Return the event that the SDK sent under this id (32 hexadecimal digits), None where it is not there."""
        for issue in self.issues():
            for listed in self._pages("/api/canonical/0/events/", issue=issue.id, order="desc"):
                if listed["event_id"].replace("-", "") == event_id:
                    return self.event(str(listed["id"]))
        return None

    def event(self, event_id: str) -> Event:
        """Return one event by the server's id of it."""
        found = self._get(f"/api/canonical/0/events/{event_id}/")
        return Event(str(found.get("event_id", event_id)), str(found["issue"]), found["data"])

    def _pages(self, path: str, **params: object) -> list[dict[str, Any]]:
        page = self._get(path, **params)
        results: list[dict[str, Any]] = list(page["results"])
        while page.get("next"):
            page = self._get(page["next"].removeprefix(self.url))
            results.extend(page["results"])
        return results


def _issue_title(issue: Mapping[str, Any]) -> str:
    kind, value = issue.get("calculated_type", ""), issue.get("calculated_value", "")
    return f"{kind}: {value}" if value else kind
