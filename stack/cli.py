"""The stack of this project: start it, look at it, run a program against it."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console

from stack import access, alerts, appenv, build, check, compose, redaction, report, settings, state, versions
from stack import up as lifecycle
from stack.build.progress import say
from stack.delivery import api as delivery
from stack.delivery import report as delivered
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stack.settings import Settings

__all__ = ["main"]

_console = Console(highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(_COMMANDS[options.command](settings.load(), options))
    except StackError as error:
        say(f"{error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted. What was built is kept: the same command goes on from there; `make down` stops what runs.")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("up", help="start it and wait until every part answers")
    commands.add_parser("down", help="stop it; data stays")
    commands.add_parser("status", help="what runs where, and which alerts fire; exit 1 if something does not work")
    logs = commands.add_parser("logs", help="the last lines of the parts' logs")
    logs.add_argument("part", nargs="?", default="")
    commands.add_parser("build", help="build the native parts into the user's cache")
    commands.add_parser("clean", help="stop it and delete its data")
    commands.add_parser("check", help="validate every configuration file")
    commands.add_parser("access", help="what listens, who may connect, what it asks for; exit 1 if something is open")
    commands.add_parser(
        "versions", help="what runs, in which version, (in brackets: not here); exit 1 where it is not the locked one"
    )
    commands.add_parser("redaction", help="write into collector/config.yaml what the Collector lets through")
    commands.add_parser("alert-test", help="send a test alert through every channel and say which delivered it")
    quiet = commands.add_parser("silence", help="tell nobody of some alerts for a while; the heartbeat goes on")
    quiet.add_argument("lasts", help="30m, 2h, 1d; or `end`, with the id that status shows")
    quiet.add_argument("why", help="shown by status; or the id")
    quiet.add_argument("labels", nargs="*", metavar="LABEL=VALUE", help="only these, such as area=database")
    run = commands.add_parser("exec", help="run a command with the environment an application needs")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD")
    return parser


def _up(found: Settings, _: argparse.Namespace) -> int:
    began = time.monotonic()
    running = lifecycle.up(found)
    rows = report.rows(found, running)
    _console.print(report.table(found, running, rows))
    secrets = found.data / "secrets.env"
    _console.print(f"Ready in {time.monotonic() - began:.1f} s.")
    _console.print(f"Log in to Bugsink as admin@localhost; passwords: {secrets}", markup=False, soft_wrap=True)
    return 0


def _down(found: Settings, _: argparse.Namespace) -> int:
    lifecycle.down(found)
    return 0


def _clean(found: Settings, _: argparse.Namespace) -> int:
    lifecycle.clean(found)
    return 0


def _status(found: Settings, _: argparse.Namespace) -> int:
    running = state.load(found)
    if running is None:
        say("The stack is down. `make up` starts it.")
        return 1
    there = state.with_running_ports(found, running)
    rows = report.rows(there, running)
    _console.print(report.table(there, running, rows))
    firing = alerts.firing(there) if "prometheus" in running.parts else []
    for line in [*firing, *delivered.lines(there, running.parts)]:
        _console.print(line, markup=False, soft_wrap=True)
    return int(any(row.state != "up" for row in rows))


def _logs(found: Settings, options: argparse.Namespace) -> int:
    running = state.load(found)
    if running and running.mode == "docker":
        sys.stdout.write(compose.logs(found, options.part))
        return 0
    logs = {path.stem: path for path in (found.data / "logs").glob("*.log")}
    known = sorted({*logs, *(running.parts if running else ())})
    if options.part and options.part not in known:
        raise StackError(f'No log of "{options.part}".', todo=f"There are: {', '.join(known) or 'none yet'}.")
    for name in [options.part] if options.part else sorted(logs):
        text = logs[name].read_text(encoding="utf-8", errors="replace") if name in logs else "has said nothing"
        sys.stdout.writelines(f"{name} | {line}\n" for line in text.splitlines()[-200:])
    return 0


def _build(found: Settings, _: argparse.Namespace) -> int:
    for name, path in {**build.binaries(found), "bugsink": build.bugsink_venv(found)}.items():
        _console.print(f"{name:<16} {path}", markup=False, soft_wrap=True)
    return 0


def _check(found: Settings, _: argparse.Namespace) -> int:
    problems = check.check(found)
    for problem in problems:
        say(problem)
    return int(bool(problems))


def _access(found: Settings, _: argparse.Namespace) -> int:
    running = state.load(found)
    if running is None:
        say("The stack is down. `make up` starts it.")
        return 1
    doors = access.doors(state.with_running_ports(found, running), running)
    _print(access.lines(doors))
    return int(any(access.is_open(door) for door in doors))


def _versions(found: Settings, _: argparse.Namespace) -> int:
    items = versions.items(found)
    _print(versions.lines(items))
    return int(bool(versions.differing(items)))


def _print(lines: list[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _redaction(found: Settings, _: argparse.Namespace) -> int:
    redaction.write(found.root)
    return 0


def _alert_test(found: Settings, _: argparse.Namespace) -> int:
    outcome = delivery.send_test(_delivering(found))
    for channel, text in outcome.items():
        _console.print(f"{channel}: {text}", markup=False, soft_wrap=True)
    failed = any(text != "delivered" for text in outcome.values())
    if failed:
        say("`make logs PART=alertmanager` says why.")
    return int(failed)


def _silence(found: Settings, options: argparse.Namespace) -> int:
    there = _delivering(found)
    if options.lasts == "end":
        delivery.end_silence(there, options.why)
        return 0
    pairs = [label.partition("=") for label in options.labels]
    if wrong := [name for name, sign, value in pairs if not (name and sign and value)]:
        raise StackError(f'A label must be NAME=VALUE (got "{wrong[0]}").')
    matchers = {name: value for name, _, value in pairs}
    _console.print(delivery.silence(there, options.lasts, options.why, matchers), markup=False)
    return 0


def _delivering(found: Settings) -> Settings:
    """Settings of the running stack, if it is Alertmanager that delivers."""
    running = state.load(found)
    if running is None:
        raise StackError("The stack is down.", todo="`make up` starts it.")
    if "alertmanager" not in running.parts:
        page = f"{found.url('GRAFANA_PORT')}/alerting"
        raise StackError("No Alertmanager runs.", todo=f"Grafana has both: {page}/notifications, {page}/silences.")
    return state.with_running_ports(found, running)


def _exec(found: Settings, options: argparse.Namespace) -> int:
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise StackError("exec needs a command.", todo="python -m stack exec python -m telemetry doctor")
    if not found.app_env.is_file():
        say("The stack is not up: the command gets only the environment and .env. `make up` starts it.")
    environment = appenv.application_environment(found)
    try:
        os.execvpe(argv[0], argv, environment)
    except OSError as error:
        raise StackError(f"{argv[0]} does not run: {error.strerror}.") from error


_COMMANDS = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "build": _build,
    "clean": _clean,
    "check": _check,
    "access": _access,
    "versions": _versions,
    "redaction": _redaction,
    "exec": _exec,
    "alert-test": _alert_test,
    "silence": _silence,
}
