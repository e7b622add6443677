"""The commands of `python -m telemetry`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from telemetry._extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="telemetry", description="Look after the telemetry of this application.")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="send a span, a metric and an error and find each again")
    doctor.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="how long to look for them (20)")
    options = parser.parse_args(arguments)
    try:
        from telemetry.doctor import Doctor  # noqa: PLC0415 - other commands need not load it
    except MissingExtraError as error:
        parser.exit(1, f"{error}\n")
    return Doctor(wait_seconds=options.wait).run()
