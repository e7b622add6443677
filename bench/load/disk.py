"""How many bytes a sample takes in Prometheus's blocks: `python -m bench.load.disk`; half a minute, needs `make build`.

A day of the backtest's simulated service is written as Prometheus would have it: a value every 15 s, with the jitter of
real exports; the index is counted too. Blocks are what 30 days consist of; what is younger than two hours is in a log,
which is larger.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from bench.backtest.database import Database
from bench.backtest.meter import known_series
from bench.backtest.schedule import BEGIN, DAY
from bench.backtest.traffic import LEVELS
from bench.backtest.world import World
from stack import build, settings


def main() -> int:
    """Print bytes a sample at each level of traffic."""
    binaries = build.binaries(settings.load())
    for level in LEVELS:
        with tempfile.TemporaryDirectory(prefix="disk-") as folder:
            database = Database(Path(folder), binaries)
            database.write(World(level, 1, [], frozenset(known_series())), BEGIN, BEGIN + DAY)
            size, samples, series = measured(database.data)
        print(f"{level.name}: {series:,} series, {samples:,} samples, {size / samples:.2f} bytes each")
    return 0


def measured(data: Path) -> tuple[int, int, int]:
    """Return the size of all blocks in bytes, their samples, and the most series in one."""
    blocks = [json.loads(path.read_text(encoding="utf-8"))["stats"] for path in data.glob("*/meta.json")]
    size = sum(path.stat().st_size for path in data.rglob("*") if path.is_file())
    return size, sum(block["numSamples"] for block in blocks), max(block["numSeries"] for block in blocks)


if __name__ == "__main__":
    sys.exit(main())
