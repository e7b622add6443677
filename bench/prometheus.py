"""A real Prometheus over a database that was written beforehand."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Prometheus"]

MOST_SAMPLES = 500_000_000
"""A query may hold; ten times Prometheus's default, for queries over weeks."""
LONGEST_SECONDS = 900
"""A query may take, on a machine that has more to do."""


class Prometheus:
    """A Prometheus over the database, for the length of a `with` block."""

    def __init__(self, data: Path, binaries: Mapping[str, Path]) -> None:
        """Prepare to start on a free port."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self._configuration = data.parent / "prometheus.yml"
        self._command: list[str | Path] = [
            binaries["prometheus"], f"--config.file={self._configuration}", f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=90d", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error",
            f"--query.max-samples={MOST_SAMPLES}", f"--query.timeout={LONGEST_SECONDS}s",
        ]  # fmt: skip
        self._http = httpx.Client(base_url=f"{self.address}/api/v1", timeout=LONGEST_SECONDS, trust_env=False)

    def __enter__(self) -> Prometheus:  # noqa: PYI034 - nobody derives from it
        """Start, and wait until it answers."""
        self._configuration.write_text("global: {}\n", encoding="utf-8")
        self._process = subprocess.Popen(self._command)  # noqa: S603
        for _ in range(600):
            try:
                self._http.get("/query", params={"query": "1"}).raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.1)
            else:
                return self
        raise TimeoutError("Prometheus has not answered for a minute.")

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._http.close()
        self._process.terminate()
        self._process.wait(30)

    def ask(self, path: str, query: str, **when: float) -> list[dict[str, Any]]:
        """Return the series that `/query` or `/query_range` answers; raises `ValueError` with Prometheus's words."""
        answer = self._http.post(path, data={"query": query, **when})
        if answer.is_error:
            raise ValueError(f"Prometheus refuses {query}: {answer.text}")
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found
