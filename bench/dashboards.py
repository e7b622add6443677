"""How long each dashboard's slowest query takes over 24 hours and over 30 days, on a database of realistic size.

`python -m bench.dashboards` writes 30 days of metrics (synthetic.py): 100,000 series in all, a sample a minute, the
SDK's default interval. A Prometheus of its own then answers each panel's queries as Grafana would ask them. Needs `make
build`; takes about eight minutes and 1 GB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bench.prometheus import Prometheus
from bench.synthetic import DAYS, HOUR, Size, write
from grafana.source.macros import Window, fill, values_of, window_of
from stack import build, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Json = Mapping[str, Any]

LIMIT_SECONDS, LIMIT_TIMES = 1.0, 10.0


def main() -> int:
    """Write the database, ask, and print; exit 1 if a dashboard is too slow."""
    parser = argparse.ArgumentParser(prog="python -m bench.dashboards", description=__doc__)
    parser.add_argument("--series", type=int, default=Size.series)
    parser.add_argument("--interval", type=int, default=Size.interval, help="seconds between two samples")
    parser.add_argument("--keep", type=Path, help="a folder to keep the database in, and to find it in the next time")
    options = parser.parse_args()
    binaries, console = build.binaries(settings.load()), Console()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = options.keep or Path(scratch)
        began = time.monotonic()
        if not (folder / "data").is_dir():
            write(Size(options.series, options.interval), folder, binaries["promtool"])
        size = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
        console.print(f"Database of {size / 1e6:.0f} MB, written in {time.monotonic() - began:.0f} s.")
        with Prometheus(folder / "data", binaries) as prometheus:
            console.print(f"{_series(prometheus)} series.")
            results = [Result.measure(uid, prometheus) for uid in _dashboards()]
    console.print(table(results))
    return int(not all(result.fast_enough(results) for result in results))


def _series(prometheus: Prometheus) -> int:
    """Count the series of all 30 days."""
    query = f'count(last_over_time({{job="health-agent"}}[{DAYS + 1}d]))'
    return int(prometheus.ask("/query", query)[0]["value"][1])


def _seconds(prometheus: Prometheus, query: str, window: Window, *, instant: bool) -> float:
    """Take the better of two tries, one if it took long; the first reads what the second finds in memory."""
    span = {"time": window.end} if instant else {"start": window.start, "end": window.end, "step": window.step}
    taken: list[float] = []
    while len(taken) < 2 and sum(taken) < 2 * LIMIT_SECONDS:  # noqa: PLR2004
        began = time.monotonic()
        prometheus.ask("/query" if instant else "/query_range", query, **span)
        taken.append(time.monotonic() - began)
    return min(taken)


@dataclass(frozen=True)
class Result:
    """What one dashboard's queries took, by days: the slowest with its panel, and the cheapest."""

    dashboard: str
    slowest: dict[int, tuple[float, str]]
    cheapest: dict[int, float]

    @classmethod
    def measure(cls, uid: str, prometheus: Prometheus) -> Result:
        """Ask each query of a dashboard over one day and over 30."""
        model = json.loads((_dashboards()[uid]).read_text(encoding="utf-8"))
        values = values_of(model, {"model": ".*", "conversation": "", "service": ""})
        slowest, cheapest = {}, {}
        for days in (1, DAYS):
            taken: list[tuple[float, str]] = []
            end = time.time() // HOUR * HOUR
            for panel, target in _asked(model):
                own = panel.get("timeFrom")
                window = window_of(model, panel, end + HOUR) if own else Window.last(days * 24 * HOUR, end)
                macros = window.macros() | {"__rate_interval": f"{max(window.step + 60, 240)}s"}
                query = fill(target["expr"], values | macros)
                taken.append((_seconds(prometheus, query, window, instant=target["instant"]), panel["title"]))
            slowest[days], cheapest[days] = max(taken, default=(0.0, "")), min(taken, default=(0.0, ""))[0]
        return cls(uid, slowest, cheapest)

    def fast_enough(self, results: list[Result]) -> bool:
        """Tell whether each range is under a second, or under ten times the cheapest query of that range."""
        return all(
            seconds < max(LIMIT_SECONDS, LIMIT_TIMES * min(result.cheapest[days] for result in results))
            for days, (seconds, _) in self.slowest.items()
        )


def _asked(model: Json) -> Iterator[tuple[Json, Json]]:
    for panel in model["panels"]:
        for target in panel.get("targets") or ():
            if "expr" in target:
                yield panel, target


def _dashboards() -> dict[str, Path]:
    folder = settings.ROOT / "grafana" / "dashboards"
    return {path.stem: path for path in sorted(folder.glob("*.json")) if '"expr"' in path.read_text(encoding="utf-8")}


def table(results: list[Result]) -> Table:
    """Show the slowest query of each dashboard."""
    drawn = Table(title="The slowest query of each dashboard", title_justify="left")
    for name in ("dashboard", "24 h", "panel", "30 days", "panel", ""):
        drawn.add_column(name, justify="right" if name in {"24 h", "30 days"} else "left")
    for result in results:
        cells = [cell for seconds, panel in result.slowest.values() for cell in (f"{seconds:.3f} s", panel)]
        drawn.add_row(result.dashboard, *cells, "[green]✓" if result.fast_enough(results) else "[red]✗ too slow")
    return drawn


if __name__ == "__main__":
    sys.exit(main())
