"""The commands of `python -m telemetry`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from telemetry import _plan_commands
from telemetry._arguments import add, duration
from telemetry._extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED, NOBODY_READS = 130, 141
"""What a shell gives for a program that SIGINT or SIGPIPE has ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    try:
        try:
            return _run(_parser(), arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # as of `| head`; what is still held for it has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS


def _run(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    if options.command in ("settings", "catalog"):
        sys.stdout.write(_text(options))
        return 0
    if options.command == "pseudonym":
        return _pseudonym(options.id)
    if options.command == "privacy-check":
        return _privacy_check(parser, options.argv)
    try:
        return _asking(options)
    except MissingExtraError as error:
        parser.exit(1, f"{error}\n")


def _asking(options: argparse.Namespace) -> int:
    """Run a command that asks a server; each is imported when it is asked for, as it needs an optional package."""
    if options.command in _plan_commands.COMMANDS:
        return _plan_commands.COMMANDS[options.command](options)
    if options.command == "trace":
        from telemetry.trace_command import TraceCommand  # noqa: PLC0415

        return TraceCommand(options.id).run(as_json=options.json)
    if options.command == "losses":
        from telemetry.losses import Losses  # noqa: PLC0415

        return Losses(options.since).run(as_json=options.json)
    if options.command == "doctor":
        from telemetry.doctor import Doctor  # noqa: PLC0415

        return Doctor(wait_seconds=options.wait, as_json=options.json).run()
    from telemetry.sentry_test import SentryTest  # noqa: PLC0415

    return SentryTest(wait_seconds=options.wait).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="telemetry", description="Look after the telemetry of this application.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    add(commands, "doctor", "send a span, a metric and an error and find each again", as_json=True, wait=True)
    add(commands, "sentry-test", "let each kind of error happen once and tell what became of it in Sentry", wait=True)
    _plan_commands.add(commands)
    settings = add(commands, "settings", "every environment variable, and what is in force")
    settings.add_argument("--markdown", action="store_true", help="the table of the documents instead")
    add(commands, "catalog", "every metric, with labels, kind, unit and bound of series", as_json=True)
    pseudonym = add(commands, "pseudonym", "the names of a user and of a Telegram chat in telemetry")
    pseudonym.add_argument("id", metavar="ID", help="as the application knows it")
    privacy = add(commands, "privacy-check", "run a command and look in its telemetry for what must not be there")
    privacy.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="such as: -- pytest tests")
    trace = add(commands, "trace", "what happened in a trace, as a tree", as_json=True)
    trace.add_argument("id", metavar="ID", help="of a trace, a traceparent, or the id of an error in Sentry")
    losses = add(commands, "losses", "what became of spans, metrics and errors, hop by hop", as_json=True)
    losses.add_argument("--since", type=duration, default="1h", metavar="DURATION", help="how far back: 30m, 7d (1h)")
    return parser


def _privacy_check(parser: argparse.ArgumentParser, argv: list[str]) -> int:
    from telemetry.privacy_check import PrivacyCheck  # noqa: PLC0415 - the others need not load it

    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        parser.error("privacy-check needs a command: python -m telemetry privacy-check -- pytest tests")
    return PrivacyCheck(command).run()


def _text(options: argparse.Namespace) -> str:
    if options.command == "settings":
        from telemetry import settings_table  # noqa: PLC0415 - the others need not load it

        return settings_table.markdown() if options.markdown else settings_table.plain()
    from telemetry import catalog_table  # noqa: PLC0415

    return catalog_table.as_json() if options.json else catalog_table.plain()


def _pseudonym(found: str) -> int:
    from telemetry.pseudonym_report import report  # noqa: PLC0415 - the others need not load it
    from telemetry.settings import Settings  # noqa: PLC0415

    settings, errors = Settings.read()
    for error in errors:
        sys.stderr.write(f"{error}\n")
    text, code = report(settings, found)
    (sys.stderr if code else sys.stdout).write(text)
    return code
