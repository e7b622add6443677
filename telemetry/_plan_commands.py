"""The commands that plan: `rollout` and `cost`, with their arguments."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from telemetry.stages import STAGES

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - what add_subparsers returns

__all__ = ["COMMANDS", "add"]


def add(commands: Commands) -> None:
    """Let the command line know them."""
    _add_rollout(commands)
    _add_cost(commands)


def _add_rollout(commands: Commands) -> None:
    names = [stage.name for stage in STAGES]
    rollout = commands.add_parser("rollout", help="where this environment stands, and how to the next stage")
    rollout.add_argument("stage", nargs="?", choices=names, metavar="STAGE", help=", ".join(names))
    rollout.add_argument("--env", action="store_true", help="print the stage's variables alone, for a file")
    rollout.add_argument("--no-check", action="store_true", help="send nothing and look for nothing")
    rollout.add_argument("--wait", type=float, default=20.0, metavar="SECONDS", help="how long to look (20)")
    rollout.add_argument("--json", action="store_true", help="for programs")


def _add_cost(commands: Commands) -> None:
    cost = commands.add_parser("cost", help="series, spans, events and disk that so much traffic makes")
    cost.add_argument("--requests-per-day", type=_count, required=True, metavar="N", help="HTTP requests")
    cost.add_argument("--updates-per-day", type=_count, required=True, metavar="N", help="Telegram updates")
    cost.add_argument("--users", type=_count, required=True, metavar="N", help="users who write on a day")
    cost.add_argument("--ratio", type=_share, default=0.1, metavar="R", help="share of traces recorded (0.1)")
    cost.add_argument("--failing", type=_share, default=0.005, metavar="R", help="share of them that fail (0.005)")
    cost.add_argument("--jobs-per-day", type=_count, default=17280, metavar="N", help="runs of jobs (17280)")
    cost.add_argument(
        "--interval", type=_above_0, default=15, metavar="SECONDS", help="between exports of metrics (15)"
    )
    cost.add_argument("--processes", type=int, default=2, metavar="N", help="of the application: API and bot (2)")
    cost.add_argument("--json", action="store_true", help="for programs")


def _count(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of at least 0 (got {text})")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number between 0 and 1 (got {text})")
    return value


def _above_0(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0 (got {text})")
    return value


def _rollout(options: argparse.Namespace) -> int:
    from telemetry.rollout_report import Options, report  # noqa: PLC0415 - the others need not load it

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
