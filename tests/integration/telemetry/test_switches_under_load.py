"""Each kill switch, flipped by the switches file while requests run: none fails, its signal stops, and comes back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from stack.ports import free_ports
from stack.settings import ROOT
from tests.conftest import clean_environment, http_server
from tests.integration.telemetry.test_sentry import Store
from tests.otlp import Receiver, receiving

CLIENTS = 8
FEW_SECONDS = 5.0
"""The file is read every two; what was recorded before is sent within one."""
STILL_SECONDS = 1.5
SENT_OFTEN = {
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "OTEL_METRIC_EXPORT_INTERVAL": "300",
    "SENTRY_TRACES_SAMPLE_RATE": "0.2",
    "TELEMETRY_ERROR_WINDOW": "0.05",
}
EXPECTED = {("/plain", 200), ("/failing", 500)}


@dataclass
class Clients:
    """So many at once; every tenth request is one that the application fails on."""

    url: str
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as client:
            number = 0
            while not self.stopped.is_set():
                number += 1
                path = "/plain" if number % 10 else "/failing"
                try:  # the server closes a connection after an exception; who says so first sends nothing into it
                    answer = client.get(path, headers={} if number % 10 else {"Connection": "close"})
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                else:
                    self.answers[path, answer.status_code] += 1

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()


@dataclass
class Site:
    """An application under load, and what it has sent so far."""

    switches: Path
    clients: Clients
    receiver: Receiver

    def sent(self) -> dict[str, float]:
        """The spans, the requests that metrics have counted, and the errors."""
        counts = [metric for metric in self.receiver.metrics if metric.name == "http.requests"][-1:]
        requests = sum(point.as_int or point.as_double for metric in counts for point in metric.sum.data_points)
        events = sum(item["item"] == "event" for item in Store.items)
        return {"ENABLE_TRACING": len(self.receiver.spans), "ENABLE_METRICS": requests, "ENABLE_SENTRY": events}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port, switches = free_ports(["WEB_PORT"])["WEB_PORT"], tmp_path / "switches"
    Store.items = []
    with ExitStack() as servers:
        receiver = servers.enter_context(receiving())
        dsn = f"http://key@{servers.enter_context(http_server(Store))}/1"
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "SENTRY_DSN": dsn}
        environ |= SENT_OFTEN | {"TELEMETRY_SWITCHES_FILE": str(switches)}
        command = [sys.executable, "-m", "tests.stack.web_process", port]
        process = subprocess.Popen(command, cwd=ROOT, env=clean_environment() | environ)  # noqa: S603
        clients = Clients(f"http://127.0.0.1:{port}")
        try:
            eventually(lambda: answers(clients.url), 20)
            with clients.running():
                yield Site(switches, clients, receiver)
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/nothing-there").status_code == 404
    except httpx.ConnectError:
        return False


def eventually(check: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.1)


def still(site: Site, switch: str) -> bool:
    """Tell whether nothing of a signal comes for a moment."""
    before = site.sent()[switch]
    time.sleep(STILL_SECONDS)
    return site.sent()[switch] == before


@pytest.mark.parametrize("switch", ["ENABLE_TRACING", "ENABLE_METRICS", "ENABLE_SENTRY"])
def test_a_switch_flipped_under_load_fails_no_request_and_its_signal_stops_and_comes_back(
    site: Site, switch: str, record_property: Callable[[str, object], None]
) -> None:
    eventually(lambda: min(site.sent().values()) > 0, FEW_SECONDS)
    site.switches.write_text(f"{switch}=false\n")
    began = time.monotonic()
    eventually(lambda: still(site, switch), FEW_SECONDS)
    record_property("seconds until it was still", time.monotonic() - began - STILL_SECONDS)
    off = site.sent()
    eventually(lambda: all(now > off[name] for name, now in site.sent().items() if name != switch), FEW_SECONDS)
    assert site.sent()[switch] == off[switch]
    site.switches.unlink()
    eventually(lambda: site.sent()[switch] > off[switch], FEW_SECONDS)
    assert site.clients.failures == []
    assert set(site.clients.answers) == EXPECTED
    assert site.clients.answers.total() > 100
