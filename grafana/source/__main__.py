"""`python -m grafana.source write` and `check`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from grafana.source import check, files

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Write the generated files, or ask a running stack each panel's queries."""
    parser = argparse.ArgumentParser(prog="python -m grafana.source", description=main.__doc__)
    parser.add_argument("command", choices=("write", "check"))
    if parser.parse_args().command == "write":
        files.write(ROOT)
        return 0
    if "TELEMETRY_PROMETHEUS_URL" not in os.environ:
        sys.stderr.write("The stack's addresses are not set: run `make panels`.\n")
        return 2
    rows = check.rows(ROOT, os.environ)
    Console(width=None if sys.stdout.isatty() else 150).print(check.table(rows))
    return int(any(row.problem for row in rows))


sys.exit(main())
