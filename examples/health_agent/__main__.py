"""`python -m examples.health_agent api|bot|local|chat|services|demo`."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from .processes import ProcessError
from .settings import ConfigurationError, Settings
from .standard_input import stop_at_end

__all__ = ["main"]

HELP = {
    "api": "serve the HTTP API on API_PORT",
    "bot": "answer on Telegram",
    "local": "api, bot and stand-ins for every service that has no key; chat in this terminal",
    "chat": "a program of yours and the same stand-ins; chat with its bot in this terminal",
    "services": "the stand-ins alone; prints their addresses as JSON",
    "demo": "a minute of real traffic, then what arrived where",
}


def main() -> int:
    """Run one part and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.health_agent", description="A health coach on Telegram.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in HELP.items():
        commands.add_parser(name, help=text)
    commands.choices["chat"].add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM")
    options = parser.parse_args()
    command: str = options.command
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings.from_environment()
    if settings.text("STOP_WITH_STDIN"):
        stop_at_end()
    try:
        return _chat(options.program) if command == "chat" else _run(command, settings)
    except ConfigurationError as error:
        sys.stderr.write(f"{command}: {error}\n")
        return 2
    except ProcessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _run(command: str, settings: Settings) -> int:
    """Run a part. Each is imported here, since the API needs no bot and the demo neither."""
    if command == "api":
        from . import api  # noqa: PLC0415

        api.run(settings)
    elif command == "bot":
        from . import bot  # noqa: PLC0415

        bot.run(settings)
    elif command == "services":
        from .local import services  # noqa: PLC0415

        asyncio.run(services.run(settings))
    elif command == "local":
        from .local import console  # noqa: PLC0415

        return asyncio.run(console.run(settings))
    else:
        from .demo import run  # noqa: PLC0415

        return asyncio.run(run(settings))
    return 0


def _chat(program: Sequence[str]) -> int:
    from .local import console  # noqa: PLC0415  as in _run

    return asyncio.run(console.run_program(program))


if __name__ == "__main__":
    sys.exit(main())
