"""`losses` reckons from Prometheus's numbers, and says why it cannot where there are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from telemetry.cli import main
from tests.conftest import http_server

APPS, OWN, LOOP = ({"receiver": name} for name in ("otlp/apps", "otlp/own", "otlp/loop"))
NOTHING = b'{"data": {"result": []}}'


class Prometheus(BaseHTTPRequestHandler):
    """Answers with what is prepared: a body, or samples by what their query contains."""

    status: ClassVar[int] = 200
    body: ClassVar[bytes] = b""
    samples: ClassVar[dict[str, list[tuple[dict[str, str], int]]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)["query"][0]
        self.asked.append(query)
        found = next((samples for part, samples in self.samples.items() if part in query), [])
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in found]
        body = self.body or json.dumps({"data": {"result": result}}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def prometheus(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Prometheus]]:
    monkeypatch.setattr(Prometheus, "samples", {})
    monkeypatch.setattr(Prometheus, "asked", [])
    with http_server(Prometheus) as address:
        monkeypatch.setenv("TELEMETRY_PROMETHEUS_URL", f"http://{address}")
        yield Prometheus


CANNOT = {
    "empty": ((200, NOTHING), "Nothing has reported within 1h"),
    "broken": ((500, b"oops"), "answers 500. See `make status`"),
    "no Prometheus": ((200, b"<html>welcome</html>"), "is it another server's address?"),
    "another JSON": ((200, b"[1, 2]"), "is it another server's address?"),
    "closed to us": ((403, b""), "answers 403"),
}


@pytest.mark.parametrize(("answer", "says"), CANNOT.values(), ids=CANNOT.keys())
def test_a_prometheus_that_is(
    answer: tuple[int, bytes],
    says: str,
    prometheus: type[Prometheus],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(prometheus, "status", answer[0])
    monkeypatch.setattr(prometheus, "body", answer[1])
    assert main(["losses", "--json"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in " ".join(captured.err.split())
    assert max(map(len, captured.err.splitlines())) <= 80


def hops(capsys: pytest.CaptureFixture[str]) -> dict[tuple[str, str], dict[str, int]]:
    assert main(["losses", "--json"]) == 0
    return {(hop["signal"], hop["hop"]): hop for hop in json.loads(capsys.readouterr().out)}


def test_what_a_living_process_holds_waits(prometheus: type[Prometheus], capsys: pytest.CaptureFixture[str]) -> None:
    transactions = {"signal": "transactions"}
    prometheus.samples |= {
        "telemetry_created_total{}) - ": [(transactions, 3)],
        "telemetry_created_total": [(transactions, 10)],
        "telemetry_sent_total": [(transactions, 5)],
        "telemetry_dropped_total": [(transactions | {"reason": "rate_limited"}, 1)],
    }
    found = hops(capsys)["transactions", "application"]
    assert (found["waits"], found["unaccounted"]) == (3, 1)


def test_the_collectors_own_metrics_came_in_by_a_door_too(
    prometheus: type[Prometheus], capsys: pytest.CaptureFixture[str]
) -> None:
    prometheus.samples |= {
        'accepted_metric_points_total{receiver!="otlp/loop"}': [(APPS, 5000), (OWN, 1200)],
        "sent_metric_points_total": [({"exporter": "otlp_http/loop"}, 6200)],
        'queue_size{data_type="metrics"}': [({"exporter": "otlp_http/loop"}, 0)],
    }
    found = hops(capsys)["metrics", "Collector otlp_http/loop"]
    assert (found["took"], found["unaccounted"]) == (6200, 0)


WRONG = ["nonsense", "1", "0s", "-5m", "5m]) or vector(1"]


@pytest.mark.parametrize("since", WRONG)
def test_a_time_that_is_none_is_refused(since: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["losses", f"--since={since}"])
    assert f"must be a duration such as 90s, 30m, 2h or 7d (got {since})" in capsys.readouterr().err


@pytest.mark.parametrize("since", ["90s", "1h30m", "7d"])
def test_prometheus_is_asked_of_the_time_that_was_given(since: str, prometheus: type[Prometheus]) -> None:
    main(["losses", "--since", since])
    assert any(f"[{since}]" in query for query in prometheus.asked)
