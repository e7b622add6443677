"""How long what the Collector has acknowledged takes to be stored: one item after the other is looked for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from bench.faults.senders import Ledger

__all__ = ["Lag", "SampleLag", "SpanLag"]

_POLL_SECONDS, _PAUSE_SECONDS, _PATIENCE_SECONDS = 0.05, 0.5, 30.0


class Lag(threading.Thread):
    """Looks for the newest acknowledged item until it is stored, again and again; keeps the longest wait."""

    def __init__(self, ledger: Ledger, url: str) -> None:
        """Look in the store at `url`."""
        super().__init__(daemon=True)
        self._worst_seconds, self._waiting_since = 0.0, 0.0
        self._ledger, self._url = ledger, url
        self._stopping = threading.Event()

    @property
    def worst_seconds(self) -> float:
        """The longest wait so far, the one that lasts included."""
        lasts = time.monotonic() - since if (since := self._waiting_since) else 0.0
        return max(self._worst_seconds, lasts)

    def run(self) -> None:
        """Measure."""
        with httpx.Client(base_url=self._url, trust_env=False, timeout=10) as client:
            while not self._stopping.wait(_PAUSE_SECONDS):
                if (item := self.newest()) is not None:
                    self._measure(client, item)

    def stop(self) -> None:
        """Measure no more."""
        self._stopping.set()
        self.join(_PATIENCE_SECONDS)

    def _measure(self, client: httpx.Client, item: tuple[str, float]) -> None:
        self._waiting_since = began = time.monotonic()
        while not self._stopping.is_set() and time.monotonic() - began < _PATIENCE_SECONDS:
            try:
                if self.is_stored(client, item):
                    break
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(_POLL_SECONDS)
        self._worst_seconds, self._waiting_since = self.worst_seconds, 0.0

    def newest(self) -> tuple[str, float] | None:
        """Return what was acknowledged last."""
        raise NotImplementedError

    def is_stored(self, client: httpx.Client, item: tuple[str, float]) -> bool:
        """Tell whether the store has it."""
        raise NotImplementedError


class SpanLag(Lag):
    """Of traces in Jaeger."""

    def newest(self) -> tuple[str, float] | None:
        """Return a trace."""
        with self._ledger.lock:
            return next(((trace_id, 0.0) for trace_id in reversed(self._ledger.spans)), None)

    def is_stored(self, client: httpx.Client, item: tuple[str, float]) -> bool:
        """Ask for the trace."""
        return client.get(f"/api/traces/{item[0]}").is_success


class SampleLag(Lag):
    """Of values in Prometheus."""

    def newest(self) -> tuple[str, float] | None:
        """Return the last value of one series."""
        with self._ledger.lock:
            return next(((name, max(values.values())) for (name, _), values in self._ledger.samples.items()), None)

    def is_stored(self, client: httpx.Client, item: tuple[str, float]) -> bool:
        """Ask for the series."""
        query = f'faults_items_total{{instance="{item[0]}",series="0"}}'
        result = client.get("/api/v1/query", params={"query": query}).json()["data"]["result"]
        return bool(result) and float(result[0]["value"][1]) >= item[1]
