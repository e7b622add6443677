"""A Prometheus database of what the world reports, with the recording rules' series."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from subprocess import DEVNULL
from typing import TYPE_CHECKING

import yaml

from bench.backtest.meter import known_series
from bench.backtest.traffic import TICK
from bench.prometheus import Prometheus
from grafana.source.alert_catalog import RULES
from grafana.source.rules import OBJECTIVES, recording_rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TextIO

    from bench.backtest.conditions import Conditions
    from bench.backtest.world import World

__all__ = ["Database", "read_series"]

BLOCK_HOURS = 54
"""A length of block that promtool makes; a file that holds just one block is read once."""
BLOCK = BLOCK_HOURS * 3600
AT_ONCE = 2
"""Programs that work side by side."""
RECORDED_AT_ONCE, STEP = 7 * 86_400, 60
"""Seconds that promtool holds in memory while it evaluates recording rules (300 MB), and between two evaluations."""


@cache
def read_series() -> frozenset[str]:
    """Name the series that the alerts and the objectives' recording rules read; only they are written."""
    words = set(re.findall(r"[a-z_0-9]+", " ".join([*(rule.expr for rule in RULES), *OBJECTIVES.values()])))
    return frozenset(words & known_series())


@dataclass
class Database:
    """Written once: `write`, then `record`; `catch_up` adds what arrived too late to be evaluated at its time.

    `blocked` are the times at which samples did not arrive, `skipped` those at which nothing was evaluated.
    """

    folder: Path
    binaries: Mapping[str, Path]
    blocked: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)

    @property
    def data(self) -> Path:
        """Where Prometheus finds it."""
        return self.folder / "data"

    def write(self, world: World, start: int, end: int) -> None:
        """Let the world live from start to end, and write what it reports."""
        self.data.mkdir(parents=True)
        with ThreadPoolExecutor(max_workers=1) as promtool:
            reads = promtool.submit(lambda: None)
            for begin in range(start - start % BLOCK, end, BLOCK):
                text, late = self._write_file(world, max(begin, start), min(begin + BLOCK, end))
                reads.result()  # no more than one file waits for it
                reads = promtool.submit(self._read, text, late)
            reads.result()
        missing = read_series() - world.names
        if missing:
            raise LookupError(f"Rules read {', '.join(sorted(missing))}, which the backtest's world does not report; "
                              "let service.py or pipeline.py do so.")  # fmt: skip

    def _write_file(self, world: World, start: int, end: int) -> tuple[Path, Path]:
        text, late = self.folder / f"samples-{start}.txt", self.folder / f"late-{start}.txt"
        with text.open("w", encoding="utf-8") as now, late.open("w", encoding="utf-8") as afterwards:
            for at, (conditions, lines) in zip(range(start, end, TICK), world.live(start, end), strict=True):
                self._note(conditions, at)
                (now if conditions.written else afterwards).writelines(lines)
            _finish(now, afterwards)
        return text, late

    def _read(self, text: Path, late: Path) -> None:
        self._blocks(text, self.data)
        self._blocks(late, self.folder / "late")

    def _note(self, conditions: Conditions, at: int) -> None:
        if not conditions.written:
            self.blocked.append(at)
        if not conditions.evaluated:
            self.skipped.append(at)

    def _blocks(self, text: Path, folder: Path) -> None:
        command: list[str | Path] = [self.binaries["promtool"], "tsdb", "create-blocks-from"]
        command += [f"--max-block-duration={BLOCK_HOURS}h", "openmetrics", text, folder]
        subprocess.run(command, stdout=DEVNULL, check=True)  # noqa: S603
        text.unlink()

    def record(self, start: int, end: int) -> None:
        """Evaluate the objectives' recording rules, as they were when the samples arrived."""
        (group,) = (group for group in recording_rules()["groups"] if group["name"] == "objectives")
        rules = self.folder / "recording.yml"
        rules.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")
        with Prometheus(self.data, self.binaries) as prometheus, ThreadPoolExecutor(AT_ONCE) as pool:

            def evaluate(begin: int) -> None:
                last = min(begin + RECORDED_AT_ONCE, end)
                command: list[str | Path] = [self.binaries["promtool"], "tsdb", "create-blocks-from", "rules"]
                command += [f"--start={begin}", f"--end={last}", f"--eval-interval={STEP}s"]
                command += [f"--url={prometheus.address}", f"--output-dir=recorded-{begin}", rules.name]
                # The second of a minute at which it evaluates follows from the rule file's path as it is given.
                subprocess.run(command, cwd=self.folder, stdout=DEVNULL, stderr=DEVNULL, check=True)  # noqa: S603

            list(pool.map(evaluate, range(start, end, RECORDED_AT_ONCE)))
        for folder in self.folder.glob("recorded-*"):
            self._add(folder)

    def catch_up(self) -> None:
        """Add what arrived late; Prometheus must not run meanwhile."""
        self._add(self.folder / "late")

    def _add(self, folder: Path) -> None:
        for block in folder.glob("*") if folder.is_dir() else ():
            if (block / "meta.json").is_file():
                block.rename(self.data / block.name)


def _finish(*files: TextIO) -> None:
    for file in files:
        file.write("# EOF\n")
