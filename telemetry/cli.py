"""The commands of `python -m telemetry`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from telemetry._extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telemetry.doctor import Doctor
    from telemetry.sentry_test import SentryTest

__all__ = ["main"]

_COMMANDS = {
    "doctor": "send a span, a metric and an error and find each again",
    "sentry-test": "let each kind of error happen once and tell what became of it in Sentry",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="telemetry", description="Look after the telemetry of this application.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in _COMMANDS.items():
        command = commands.add_parser(name, help=what)
        command.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="how long to look (20)")
    options = parser.parse_args(arguments)
    try:
        return _command(options.command)(wait_seconds=options.wait).run()
    except MissingExtraError as error:
        parser.exit(1, f"{error}\n")


def _command(name: str) -> type[Doctor | SentryTest]:
    """Load the one that is asked for."""
    if name == "doctor":
        from telemetry.doctor import Doctor  # noqa: PLC0415 - the others need not load it

        return Doctor
    from telemetry.sentry_test import SentryTest  # noqa: PLC0415

    return SentryTest
