"""What it costs to start: time of import and of `init`, and memory, with everything on and with everything off.

`python bench/start_cost.py`: each figure is the median of five fresh processes; the Collector need not run.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

ROUNDS = 5
PROGRAM = """
import json, os, time
import psutil
memory = psutil.Process().memory_info
before, start = memory().rss, time.perf_counter()
import telemetry
imported = time.perf_counter()
after_import = memory().rss
telemetry.init()
ready = time.perf_counter()
figures = {"import ms": (imported - start) * 1e3, "init ms": (ready - imported) * 1e3,
           "import MiB": (after_import - before) / 2**20, "init MiB": (memory().rss - after_import) / 2**20}
print(json.dumps(figures), flush=True)
os._exit(0)
"""
ON = {"SENTRY_DSN": "http://key@127.0.0.1:9/1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
OFF = {"ENABLE_SENTRY": "false", "ENABLE_METRICS": "false", "ENABLE_TRACING": "false"}
CASES = {"everything on": ON, "on, gRPC": ON | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "everything off": OFF}


def measure(environ: dict[str, str]) -> dict[str, float]:
    """Run one fresh process."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=os.environ | environ, check=True, capture_output=True, text=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main() -> None:
    """Print a line a case."""
    for name, environ in CASES.items():
        runs = [measure(environ) for _ in range(ROUNDS)]
        medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        sys.stdout.write(f"{name:15} " + "  ".join(f"{key} {value:7.1f}" for key, value in medians.items()) + "\n")


if __name__ == "__main__":
    main()
