"""The metrics of the plan (its section 2.1), read from a kept copy of its own prometheus_client code.

`python tests/plan_metrics.py PLAN.md` writes the copy anew; a test compares it with the plan where the plan is at hand.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path

COPY = Path(__file__).parent / "data" / "plan_metrics.txt"
KINDS = {"Counter": "counter", "Histogram": "histogram", "Gauge": "gauge"}


@dataclass(frozen=True)
class PlannedMetric:
    name: str
    kind: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...]


def code_of_plan(plan: str) -> str:
    """Return the code block of the plan that defines the metrics."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", plan, re.DOTALL)
    return next(block for block in blocks if "from prometheus_client import Counter" in block)


def planned_metrics() -> list[PlannedMetric]:
    """Read every metric of the kept copy."""
    calls = [node for node in ast.walk(ast.parse(COPY.read_text())) if isinstance(node, ast.Call)]
    return [_metric(call) for call in calls if isinstance(call.func, ast.Name) and call.func.id in KINDS]


def _metric(call: ast.Call) -> PlannedMetric:
    assert isinstance(call.func, ast.Name)
    arguments = [ast.literal_eval(argument) for argument in call.args]
    buckets = next((ast.literal_eval(k.value) for k in call.keywords if k.arg == "buckets"), ())
    labels = arguments[2] if len(arguments) > 2 else ()
    return PlannedMetric(arguments[0], KINDS[call.func.id], tuple(labels), tuple(buckets))


if __name__ == "__main__":
    COPY.write_text(code_of_plan(Path(sys.argv[1]).read_text()))
