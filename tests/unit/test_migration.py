"""The code of the migration pages, before and after: Prometheus and Sentry are told the same."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import clean_environment, http_server
from tests.documents import ROOT, blocks

METRICS, SENTRY = (ROOT / "docs" / f"migrate-from-{name}.md" for name in ("prometheus-client", "sentry-sdk"))
OF_EVERY_SERIES = {"service_name", "deployment_environment_name"}
READ = {
    "before": "from prometheus_client import generate_latest\n",
    "after": "import telemetry; telemetry.init()\nfrom telemetry.prometheus import render as generate_latest\n",
}
COOK = 'cooked("web", 120, 2)\nprint(generate_latest().decode())\n'
ORDER = """
from fastapi.testclient import TestClient
client = TestClient(app, raise_server_exceptions=False)
print([client.get(f"/orders/{number}").status_code for number in (0, 1, 3)])
"""


def code(document: Path, name: str) -> str:
    (block,) = [block for block in blocks(document, "python") if block.name == name]
    return block.text


def run(*parts: str, **environ: str) -> str:
    """Run pieces of code in a process of their own; return what they printed."""
    done = subprocess.run(  # noqa: S603 - the document's own code
        [sys.executable, "-c", "\n".join(parts)],
        env=clean_environment() | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"} | environ,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def series(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """What Prometheus reads of the page's metrics, without the labels of every series and the times of creation."""
    return {
        (sample.name, frozenset(label(*pair) for pair in sample.labels.items() if pair[0] not in OF_EVERY_SERIES)): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if re.match(r"orders|kitchen|cooking|order_size", sample.name) and not sample.name.endswith("_created")
    }


def label(name: str, value: str) -> tuple[str, str]:
    """A label as its number, where it is a bucket's: 900 and 900.0 are one."""
    return name, f"{float(value):g}" if name == "le" else value


def test_prometheus_reads_the_same_series_after_the_move() -> None:
    before, after = (
        series(run(READ[name], code(METRICS, name), COOK, OTEL_METRICS_EXPORTER="prometheus"))
        for name in ("before", "after")
    )
    assert {name for name, _ in before} >= {"orders_total", "kitchen_waiting", "cooking_seconds_bucket"}
    assert {key: after.get(key) for key in before} == before
    assert {name for name, _ in after.keys() - before.keys()} == {"order_size_items_bucket"}


class Store(BaseHTTPRequestHandler):
    """Keeps the events of every envelope."""

    events: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
        _, *items = body.rstrip().split(b"\n")
        pairs = zip(items[::2], items[1::2], strict=True)
        self.events.extend(json.loads(payload) for head, payload in pairs if json.loads(head)["type"] == "event")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def dsn() -> Iterator[str]:
    with http_server(Store) as address:
        yield f"http://key@{address}/1"


def told(event: dict[str, Any]) -> dict[str, Any]:
    """What of an event decides how Sentry shows it."""
    fault = event["exception"]["values"][-1]
    return {
        "type": fault["type"],
        "functions": [frame["function"] for frame in fault["stacktrace"]["frames"]][-1:],
        "tags": event["tags"],
        "breadcrumbs": [crumb["message"] for crumb in event["breadcrumbs"]["values"] if crumb["category"] == "orders"],
        "release": event["release"],
        "environment": event["environment"],
    }


LEFT = {
    'telemetry.set_tag("channel", "web")': 'sentry_sdk.set_tag("channel", "web")',
    'telemetry.add_breadcrumb("orders", "looked up")': (
        'sentry_sdk.add_breadcrumb(category="orders", message="looked up")'
    ),
    'telemetry.record_error(error, component="api")': "sentry_sdk.capture_exception(error)",
}
"""Calls of sentry-sdk that were not replaced."""


def events_of(program: str, dsn: str) -> tuple[list[dict[str, Any]], set[str]]:
    """What a program has Sentry told, and of whom."""
    Store.events = []
    environ = {"SENTRY_DSN": dsn, "SENTRY_ENVIRONMENT": "production", "SENTRY_RELEASE": "1.4.0"}
    assert run(f"import sentry_sdk\nDSN = {dsn!r}", program, ORDER, **environ) == "[404, 500, 200]\n"
    return [told(event) for event in Store.events], {event["user"]["id"] for event in Store.events}


@pytest.mark.parametrize("left", [{}, LEFT], ids=["all calls moved", "calls of sentry-sdk left"])
def test_sentry_is_told_the_same_errors_after_the_move(dsn: str, left: dict[str, str]) -> None:
    before, users = events_of(code(SENTRY, "before"), dsn)
    assert ([event["type"] for event in before], users) == (["ZeroDivisionError", "IndexError"], {"7"})
    moved = code(SENTRY, "after")
    for ours, theirs in left.items():
        assert ours in moved
        moved = moved.replace(ours, theirs)
    after, pseudonyms = events_of(moved, dsn)
    assert after == before
    assert len(pseudonyms - users) == 1
