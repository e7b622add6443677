"""An application that does with telemetry all that it should not; what it says begins with TELEMETRY_SENTINEL.

It writes what it has planted into the file that its argument names, and what our objects say of themselves to stdout.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from opentelemetry import trace

import telemetry
from telemetry._runtime import current
from telemetry.sentinels import Sentinels
from telemetry.settings import Settings

SENTINELS = Sentinels(os.environ["TELEMETRY_SENTINEL"])
plant = SENTINELS.plant
LOG = logging.getLogger("shop")


def fail() -> None:
    local = plant("a local")
    error = ValueError(f"no food named {plant('an exception message')} for {local}")
    error.add_note(plant("an exception note"))
    raise error


def fail_twice() -> None:
    try:
        fail()
    except ValueError as error:
        raise RuntimeError(f"because of {plant('a cause')}") from error


def say_all(span: trace.Span) -> None:
    span.set_attribute("note", plant("an attribute"))
    span.set_attribute(plant("a key"), 1)
    span.set_attribute("gen_ai.input.messages", [plant("a prompt")])
    span.set_attribute("gen_ai.output.messages", [plant("a completion")])
    span.set_attribute("gen_ai.tool.call.arguments", plant("tool arguments"))
    span.set_attribute("gen_ai.tool.call.result", plant("a tool's result"))
    span.set_attribute("db.query.text", f"SELECT '{plant('an SQL literal')}'")
    span.set_attribute("db.query.parameter.name", plant("an SQL parameter"))
    span.set_attribute("url.full", f"http://u:{plant('a password')}@h/{plant('a path')}?q={plant('a query string')}")
    span.set_attribute("http.request.header.cookie", [plant("a cookie")])
    span.add_event(plant("an event"), {"file.name": plant("a file name")})
    span.set_status(trace.StatusCode.ERROR, f"failed for {plant('a status')}")


def main() -> None:
    telemetry.init()
    tracer = trace.get_tracer("shop", attributes={"owner": plant("a scope")})
    link = trace.Link(trace.SpanContext(1, 1, is_remote=False), {"note": plant("a link")})
    with tracer.start_as_current_span(f"GET /users/{plant('a name of a span')}", links=[link]) as span:
        telemetry.set_user_context("7", plant("a username"))
        telemetry.add_breadcrumb(
            "shop", "asked", {"phone": plant("a telephone number"), "latitude": float(os.environ["LATITUDE"])}
        )
        span.set_attribute("http.request.method", "GET")
        say_all(span)
        for failing in (fail, fail_twice):
            try:
                failing()
            except (ValueError, RuntimeError) as error:
                span.record_exception(error)
                telemetry.record_error(error)
        LOG.error("failed for %s", plant("an argument of a log line"), extra={"note": plant("extra")})
        LOG.error(f"failed for {plant('a log line')}")  # noqa: G004 - that is the case
    meter = telemetry.get_meter()
    meter.create_counter("http.requests").add(1, {"method": "GET", "endpoint": "/", "status": "200",
                                                  "user": plant("a metric's attribute")})  # fmt: skip
    sys.stdout.write(f"{current()!r}\n{current().pseudonyms!r}\n{Settings.read()!r}\n")
    telemetry.shutdown()
    Path(sys.argv[1]).write_text("\n".join(SENTINELS.planted))


if __name__ == "__main__":
    main()
