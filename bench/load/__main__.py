"""`python -m stack exec python -m bench.load`: a load test; exits 1 where a count differs or something is lost."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

import httpx

from bench.load import found, verdict
from bench.load.report import Report
from bench.load.run import Load, Run, run
from examples.health_agent.processes import ProcessError, check_port
from examples.health_agent.settings import ConfigurationError, Settings
from telemetry.backends import Jaeger, Prometheus, trouble

NEEDED = ("OTEL_EXPORTER_OTLP_ENDPOINT", "TELEMETRY_PROMETHEUS_URL", "TELEMETRY_JAEGER_URL")


def main() -> int:
    """Return the exit code: 0 where everything agrees, 1 where not, 2 where there is no stack, 130 interrupted."""
    options = _options()
    settings = Settings.from_environment()
    try:
        _check(settings)
        report = _report(asyncio.run(run(Load(options.users, options.seconds, options.ratio), settings)))
    except ConfigurationError as error:
        sys.stderr.write(f"load: {error}\n")
        return 2
    except ProcessError as error:
        sys.stderr.write(f"load: {error}\n")
        return 1
    except httpx.HTTPError as error:
        sys.stderr.write(f"load: a backend {trouble(error)}. See `make status`.\n")
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(report.as_json(), indent=2) if options.json else "\n".join(report.lines()))
    return int(bool(report.problems))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--users", type=int, default=100, metavar="N", help="API users at once (100)")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="for how long (60)")
    parser.add_argument(
        "--ratio", type=float, default=0.1, metavar="R", help="share of traces to record, above 0 (0.1)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser.parse_args()


def _check(settings: Settings) -> None:
    if missing := [name for name in NEEDED if not settings.text(name)]:
        raise ConfigurationError(f"{', '.join(missing)} not set: run it by `make load`")
    check_port(settings)


def _report(sent: Run) -> Report:
    sys.stderr.write("Everything is stopped. Waiting for the backends ...\n")
    prometheus = Prometheus(os.environ["TELEMETRY_PROMETHEUS_URL"])
    arrived = found.look(sent, prometheus, Jaeger(os.environ["TELEMETRY_JAEGER_URL"]))
    return Report(sent, arrived, *verdict.rules(sent, prometheus))


if __name__ == "__main__":
    sys.exit(main())
