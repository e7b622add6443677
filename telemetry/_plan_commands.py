"""The commands that plan: `rollout` and `cost`, with their arguments."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from telemetry._arguments import COUNT, SECONDS, SHARE, whole
from telemetry._arguments import add as add_command
from telemetry.stages import STAGES

if TYPE_CHECKING:
    import argparse

    from telemetry._arguments import Commands

__all__ = ["COMMANDS", "add"]


def add(commands: Commands) -> None:
    """Let the command line know them."""
    _add_rollout(commands)
    _add_cost(commands)


def _add_rollout(commands: Commands) -> None:
    names = [stage.name for stage in STAGES]
    what = "where this environment stands, and how to the next stage"
    rollout = add_command(commands, "rollout", what, as_json=True, wait=True)
    rollout.add_argument("stage", nargs="?", choices=names, metavar="STAGE", help=", ".join(names))
    rollout.add_argument("--env", action="store_true", help="print the stage's variables alone, for a file")
    rollout.add_argument("--no-check", action="store_true", help="send nothing and look for nothing")


def _add_cost(commands: Commands) -> None:
    cost = add_command(commands, "cost", "series, spans, events and disk that so much traffic makes", as_json=True)
    cost.add_argument("--requests-per-day", type=COUNT, required=True, metavar="N", help="HTTP requests")
    cost.add_argument("--updates-per-day", type=COUNT, required=True, metavar="N", help="Telegram updates")
    cost.add_argument("--users", type=COUNT, required=True, metavar="N", help="users who write on a day")
    cost.add_argument("--ratio", type=SHARE, default=0.1, metavar="R", help="share of traces recorded (0.1)")
    cost.add_argument("--failing", type=SHARE, default=0.005, metavar="R", help="share of them that fail (0.005)")
    cost.add_argument("--jobs-per-day", type=COUNT, default=17280, metavar="N", help="runs of jobs (17280)")
    cost.add_argument("--interval", type=SECONDS, default=15, metavar="SECONDS", help="between exports (15)")
    cost.add_argument("--processes", type=whole, default=2, metavar="N", help="of the application: API and bot (2)")


def _rollout(options: argparse.Namespace) -> int:
    from telemetry.rollout_report import Options, report  # noqa: PLC0415 - the others need not load it

    if options.env and options.stage is None:
        sys.stderr.write(f"rollout --env needs a STAGE: {', '.join(stage.name for stage in STAGES)}\n")
        return 2
    wait = None if options.no_check else options.wait
    return report(Options(options.stage, env=options.env, as_json=options.json, wait_seconds=wait))


def _cost(options: argparse.Namespace) -> int:
    from telemetry import cost  # noqa: PLC0415 - the others need not load it

    numbers = (options.requests_per_day, options.updates_per_day, options.users, options.jobs_per_day, options.failing)
    chosen = {name: getattr(options, name) for name in ("ratio", "processes", "interval")}
    estimate = cost.estimate(cost.Traffic(*numbers), **chosen)
    sys.stdout.write(cost.as_json(estimate) if options.json else cost.plain(estimate))
    return 0


COMMANDS = {"rollout": _rollout, "cost": _cost}
"""Each returns the exit code."""
