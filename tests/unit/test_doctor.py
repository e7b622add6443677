"""What `doctor` concludes from what it finds; the whole of it is tried in tests/stack."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from telemetry import catalog
from telemetry.backends import Prometheus
from telemetry.catalog import CATALOG
from telemetry.doctor import clocks, origins, series, shares, versions
from telemetry.doctor.clocks import Clock
from telemetry.doctor.findings import BROKEN, LOOK, OFF, OK, Finding, Report
from telemetry.doctor.looking import Place, look
from telemetry.doctor.shares import Share
from telemetry.settings import Settings
from tests.conftest import http_server


class Server(BaseHTTPRequestHandler):
    """Answers Prometheus's queries with what is prepared, dated `ahead` seconds ahead."""

    ahead: ClassVar[float] = 0.0
    answers: ClassVar[dict[str, list[tuple[dict[str, str], float]]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query).get("query", [""])[0]
        self.asked.append(query)
        found = next((samples for part, samples in self.answers.items() if part in query), [])
        result = [{"metric": labels, "value": [0, str(value)]} for labels, value in found]
        body = json.dumps({"data": {"result": result}}).encode()
        self.send_response_only(200)
        self.send_header("Date", formatdate(time.time() + self.ahead, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Server, "answers", {})
    monkeypatch.setattr(Server, "asked", [])
    with http_server(Server) as address:
        yield f"http://{address}"


class Strange(BaseHTTPRequestHandler):
    """Answers everything in one way."""

    answer: ClassVar[tuple[int, bytes]] = (200, b"")

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ANSWERS = {
    "empty": ((200, b'{"data": {"result": []}}'), BROKEN, "it was sent and is not there"),
    "there": ((200, b'{"data": {"result": [{"metric": {}, "value": [0, "1"]}]}}'), OK, "after 0."),
    "an error": ((500, b""), BROKEN, "answers 500"),
    "no permission": ((403, b""), BROKEN, "refuses the token (403)"),
    "a page": ((200, b"<html>"), BROKEN, "is it another server's address?"),
    "another JSON": ((200, b"[]"), BROKEN, "is it another server's address?"),
}


@pytest.mark.parametrize(("answer", "state", "says"), ANSWERS.values(), ids=ANSWERS.keys())
def test_a_store_is_asked_once_however_short_the_wait_and_its_answer_is(
    answer: tuple[int, bytes], state: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Strange, "answer", answer)
    with http_server(Strange) as address:
        place = Place("metric in Prometheus", f"http://{address}", "TELEMETRY_PROMETHEUS_URL")
        found = look(place, lambda: Prometheus(place.url).query("up"), 1e-9)
    assert (found.state, says in found.detail) == (state, True), found.detail


def test_an_older_library_is_named_with_its_range() -> None:
    found = list(versions.examine(versions.libraries(["httpx>=99; extra == 'http-clients'", "psutil>=5", "nothing>1"])))
    assert [finding.state for finding in found] == [BROKEN, OK]
    assert "is not supported: >=99 is" in found[0].detail
    assert '"health-agent-telemetry[http-clients]"' in found[0].remedy
    assert found[1].facts[-1] == "not installed: nothing"


def test_where_the_package_is_not_installed_its_versions_cannot_be_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "DISTRIBUTION", "nobody-has-this")
    (found,) = versions.examine(versions.libraries())
    assert (found.state, "nobody-has-this is not installed" in found.detail) == (OFF, True)


def test_every_library_of_the_distribution_is_looked_at_and_fits_here() -> None:
    found = versions.libraries()
    assert {"opentelemetry-sdk", "fastapi", "sentry-sdk", "python-telegram-bot"} <= {one.name for one in found}
    assert [one for one in found if not one.fits] == []


@pytest.mark.parametrize("ahead", [-18_000, 0, 7])
def test_a_servers_clock_is_read_to_about_a_second(server: str, ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "ahead", float(ahead))
    (clock,) = clocks.clocks({"Prometheus": server, "nobody": "http://127.0.0.1:9"})
    assert clock.ahead == pytest.approx(ahead, abs=1.5)


CLOCKS = {
    "none": ([], OFF, "no server tells"),
    "right": ([1.4, -0.9], OK, "within 1 s"),
    "one ahead": ([0.0, 300.0], BROKEN, "B at http://b is 5.0 min ahead of this machine"),
    "one behind": ([-8.0, 0.0], BROKEN, "A at http://a is 8 s behind this machine"),
    "all ahead alike": ([7200.4, 7199.8], BROKEN, "this machine is 2.0 h behind all 2 servers"),
    "all behind alike": ([-172_800.0, -172_800.0], BROKEN, "this machine is 2.0 d ahead of all 2 servers"),
    "each off in its own way": ([50.0, 500.0], BROKEN, "A at http://a is 50 s ahead of this machine"),
}


@pytest.mark.parametrize(("ahead", "state", "says"), CLOCKS.values(), ids=CLOCKS.keys())
def test_whose_clock_is_off_is_told(ahead: list[float], state: str, says: str) -> None:
    found = [Clock(name, f"http://{name.lower()}", seconds) for name, seconds in zip("AB", ahead, strict=False)]
    first, *_ = clocks.examine(found)
    assert first.state == state
    assert says in first.detail


def test_where_a_value_comes_from_is_told_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {
        "SENTRY_DSN": "https://secret@sentry/1", "GIT_SHA": "abc", "OTEL_BSP_SCHEDULE_DELAY": "100",
        origins.ORIGINS: ".env=SENTRY_DSN;.stack/app.env=OTEL_BSP_SCHEDULE_DELAY,OTHER",
    }  # fmt: skip
    found = {one.name: one[1:] for one in origins.origins(environ)}
    assert found["SENTRY_DSN"] == ("(not printed)", ".env")
    assert found["GIT_SHA"] == ("abc", "environment")
    assert found["OTEL_BSP_SCHEDULE_DELAY"] == ("100", ".stack/app.env")
    assert found["ENABLE_SENTRY"] == ("true", "default")
    assert "secret" not in str(list(origins.examine(environ)))


def test_a_value_without_effect_is_pointed_at_and_a_wrong_one_is_broken() -> None:
    found = list(origins.examine({"OTEL_LOGS_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "soon"}))
    assert [finding.state for finding in found] == [BROKEN, LOOK, OK]


@pytest.mark.parametrize("metric", CATALOG.values(), ids=lambda metric: metric.name)
def test_no_name_of_today_is_taken_for_an_older_one(metric: catalog.Metric) -> None:
    today = {name for one in CATALOG.values() for name in series.stored_names(one)}
    judged = set(series._OLD) | {name for name in today if name not in series._KNOWN}
    assert judged.isdisjoint(series.stored_names(metric))


def judge(server: str, *found: tuple[dict[str, str], float], **answers: Any) -> list[Finding]:
    Server.answers = {"count by (__name__, instance)": list(found), "job=~": answers.get("unnamed", []),
                      "label_overflow": answers.get("overflow", [])}  # fmt: skip
    return list(series.examine(Prometheus(server), "shop", {}))


def row(name: str, series_count: float, instance: str = "one") -> tuple[dict[str, str], float]:
    return {"__name__": name, "instance": instance}, series_count


def test_series_within_their_bounds_are_ok(server: str) -> None:
    schema, cardinality = judge(server, row("db_size_bytes", 1), row("http_requests_total", 40), row("my_own", 7))
    assert (schema.state, cardinality.state) == (OK, OK)
    assert "48 series of 2 metrics, processes: 1" in cardinality.detail


def test_the_bound_is_a_processs_own(server: str) -> None:
    found = judge(server, *(row("db_size_bytes", 1, instance=str(number)) for number in range(50)))
    assert [finding.state for finding in found] == [OK, OK]


SERIES: dict[str, tuple[list[tuple[dict[str, str], float]], str, str, str]] = {
    "past the bound": ([row("db_size_bytes", 2)], "cardinality", BROKEN, "db_size_bytes has 2 series in a process, 1"),
    "without a unit": ([row("db_size", 1)], "schema", BROKEN, "db_size (here db_size_bytes)"),
    "milliseconds": ([row("http_server_duration_milliseconds_bucket", 9)], "schema", BROKEN, "another schema"),
    "dots": ([row("http.requests", 9)], "schema", BROKEN, "http.requests (here http_requests_total)"),
    "without an instance": ([({"__name__": "db_size_bytes"}, 1)], "schema", BROKEN, "no instance"),
    "nothing": ([], "series", OFF, "nothing of shop"),
}


@pytest.mark.parametrize(("found", "hop", "state", "says"), SERIES.values(), ids=SERIES.keys())
def test_what_is_stored_otherwise_is_named(
    server: str, found: list[tuple[dict[str, str], float]], hop: str, state: str, says: str
) -> None:
    told = [finding for finding in judge(server, *found) if finding.hop == hop]
    assert told[0].state == state
    assert says in told[0].detail


def test_to_have_every_value_of_a_list_is_no_sign_and_to_near_a_limit_is(server: str) -> None:
    listed, capped = CATALOG["db.query.duration"], CATALOG["telegram.commands"]
    _, cardinality = judge(server, row(f"{listed.prometheus}_bucket", listed.series_bound))
    assert (cardinality.state, cardinality.facts) == (OK, ())
    _, near, cardinality = judge(server, row(capped.prometheus, capped.series_bound))
    assert (near.state, capped.prometheus in near.detail) == (LOOK, True)
    assert cardinality.facts[0].endswith(f": {capped.prometheus} {capped.series_bound} of {capped.series_bound}")


def test_what_prometheus_rules_write_is_not_asked_for(server: str) -> None:
    judge(server)
    assert [query for query in Server.asked if "count by" in query and 'ALERTS(_FOR_STATE)?|.+:.+"' not in query] == []
    assert len([query for query in Server.asked if "count by" in query]) == 2


def test_a_label_that_overflows_is_pointed_at(server: str) -> None:
    found = judge(server, row("db_size_bytes", 1), overflow=[({"metric": "telegram.commands"}, 4)])
    assert [finding.state for finding in found] == [OK, LOOK, OK]
    assert "telegram.commands" in found[1].detail


def test_series_without_a_service_name_are_of_an_older_collector(server: str) -> None:
    (found,) = judge(server, unnamed=[({"__name__": "http_requests_total"}, 3)])[:1]
    assert (found.state, "no service_name" in found.detail) == (BROKEN, True)


@pytest.mark.parametrize(("rate", "count"), [(0.1, 600), (0.01, 5000), (1.0, 40), (0.5, 30)])
def test_the_interval_holds_the_true_share(rate: float, count: int) -> None:
    """Of 2,000 draws 1,990 at least: it is one of 99.9%, and widened."""
    draw = random.Random(7)  # noqa: S311
    held = 0
    for _ in range(2000):
        low, high = shares.interval(Share(sum(draw.random() < rate for _ in range(count)), count, 3600.0))
        held += low <= rate <= high
    assert held >= 1990


COMPARED = {
    "as set": ("0.1", Share(58, 600, 3600.0), OK),
    "more": ("0.1", Share(300, 600, 3600.0), LOOK),
    "fewer": ("1.0", Share(300, 600, 3600.0), LOOK),
    "too few": ("0.1", Share(9, 10, 3600.0), OFF),
}


@pytest.mark.parametrize(("rate", "share", "state"), COMPARED.values(), ids=COMPARED.keys())
def test_the_share_that_is_found_is_compared(rate: str, share: Share, state: str) -> None:
    settings, _ = Settings.read({"SENTRY_TRACES_SAMPLE_RATE": rate})
    (found,) = shares.examine(settings, share, {})
    assert found.state == state


@pytest.mark.parametrize(
    ("environ", "cause"),
    [
        ({"SENTRY_TRACES_SAMPLE_RATE": "0"}, "SENTRY_TRACES_SAMPLE_RATE"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, "OTEL_TRACES_SAMPLER"),
    ],
)
def test_a_share_of_none_is_broken(environ: dict[str, str], cause: str) -> None:
    (found,) = shares.configured(Settings.read(environ)[0])
    assert (found.state, cause in found.detail) == (BROKEN, True)


def test_the_verdict_names_each_broken_hop_once() -> None:
    out = io.StringIO()
    report = Report(out)
    for state in (OK, BROKEN, BROKEN):
        report.found(Finding("clock", state, "x " * 100, "mend it"))
    assert report.verdict() == 1
    assert out.getvalue().endswith("broken: clock\n")
    assert max(map(len, out.getvalue().splitlines())) <= 80
