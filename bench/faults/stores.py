"""What the stores hold of the numbered items, and what that makes of the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from bench.faults.senders import Ledger

__all__ = ["Found", "compare", "spans_of"]

_SERIES = "faults_items_total"
_LOOK_BACK = "26h"
_AHEAD_SECONDS = 7200


@dataclass
class Found:
    """Of the acknowledged items: how many are stored, how many are missing, and what is there twice or wrong."""

    spans: int = 0
    missing_spans: int = 0
    spans_twice: int = 0
    samples: int = 0
    missing_samples: int = 0
    wrong_samples: int = 0
    """With another value than was sent at that time, or with no counterpart in the ledger though all is certain."""


def compare(ledger: Ledger, prometheus: str, jaeger: str, now: float) -> Found:
    """Look for each acknowledged item; `prometheus` and `jaeger` are addresses, `now` is in Unix seconds."""
    found = Found()
    _compare_spans(ledger, jaeger, found)
    _compare_samples(ledger, prometheus, now, found)
    return found


def _compare_spans(ledger: Ledger, jaeger: str, found: Found) -> None:
    with httpx.Client(base_url=jaeger, trust_env=False, timeout=30) as client, ThreadPoolExecutor(4) as pool:
        stored = pool.map(lambda trace_id: spans_of(client, trace_id), ledger.spans)
        for wanted, got in zip(ledger.spans.values(), stored, strict=True):
            found.spans += len(wanted & set(got))
            found.missing_spans += len(wanted - set(got))
            found.spans_twice += len(got) - len(set(got))


def spans_of(client: httpx.Client, trace_id: str) -> list[str]:
    """Return the ids of a trace's spans in Jaeger, none where it does not have it; `client` knows Jaeger's address."""
    answer = client.get(f"/api/traces/{trace_id}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return []
    return [span["spanID"] for trace in answer.raise_for_status().json()["data"] for span in trace["spans"]]


def _compare_samples(ledger: Ledger, prometheus: str, now: float, found: Found) -> None:
    for sender in {name for name, _ in ledger.samples}:
        stored = _samples_of(prometheus, sender, now)
        for (name, series), wanted in ledger.samples.items():
            if name == sender:
                got = stored.get(series, [])
                values = dict(got)
                found.samples += sum(values.get(at) == value for at, value in wanted.items())
                found.missing_samples += len(wanted.keys() - values.keys())
                found.wrong_samples += sum(values[at] != wanted[at] for at in wanted.keys() & values.keys())
                found.wrong_samples += len(got) - len(values)


def _samples_of(prometheus: str, sender: str, now: float) -> dict[str, list[tuple[int, float]]]:
    query = f'{_SERIES}{{instance="{sender}"}}[{_LOOK_BACK}]'
    params = {"query": query, "time": str(now + _AHEAD_SECONDS)}
    answer = httpx.get(f"{prometheus}/api/v1/query", params=params, trust_env=False, timeout=120)
    result = answer.raise_for_status().json()["data"]["result"]
    return {
        series["metric"]["series"]: [(round(at * 1000), float(value)) for at, value in series["values"]]
        for series in result
    }
