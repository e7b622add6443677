"""`doctor` finds everything in a stack that works; else it names the hop, the reason and the remedy."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from stack.ports import free_ports
from stack.settings import ROOT
from tests.stack.conftest import Pipeline
from tests.stack.lone_collector import LoneCollector
from tests.stack.shifted_server import shifted
from tests.stack.stack_helpers import eventually
from tests.stack.test_sampling import until_it_answers

HOURS = 3600.0
NOWHERE = "http://127.0.0.1:9"


def said(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return " ".join(done.stdout.split())


def test_in_a_stack_that_works_every_hop_is_ok(pipeline: Pipeline) -> None:
    done = pipeline.run("-m", "telemetry", "doctor")
    print(done.stdout)  # noqa: T201 - the report
    assert done.returncode == 0, done.stdout
    hops = {"clock", "Collector", "span in Jaeger", "metric in Prometheus", "error in Sentry", "versions", "settings"}
    ok = {line[7:29].strip() for line in done.stdout.splitlines() if line.startswith("ok ")}
    assert hops <= ok
    assert "BROKEN" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "\x1b" not in done.stdout


def test_json_has_the_same_and_where_each_setting_comes_from(pipeline: Pipeline) -> None:
    done = pipeline.run("-m", "telemetry", "doctor", "--json", TELEMETRY_SLOW_QUERY="0.2")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (0, True)
    origins = {one["name"]: (one["value"], one["origin"]) for one in found["settings"]}
    endpoint = pipeline.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]
    assert origins["OTEL_EXPORTER_OTLP_ENDPOINT"] == (endpoint, str(pipeline.stack.settings.app_env))
    assert origins["TELEMETRY_SLOW_QUERY"] == ("0.2", "environment")
    assert origins["TELEMETRY_SLOW_REQUEST"] == ("3", "default")
    assert origins["TELEMETRY_SENTRY_TOKEN"][0] == "(not printed)"
    assert {"opentelemetry-sdk", "fastapi"} <= {library["name"] for library in found["versions"]}
    assert "telemetry_doctor_checks_total" in {use["metric"] for use in found["cardinality"]}
    assert all(use["series"] <= use["bound"] for use in found["cardinality"])


class Setups:
    """The broken set-ups, each by what differs in the environment; servers they need live until `ends` is closed."""

    def __init__(self, pipeline: Pipeline, guarded: LoneCollector, folder: Path, ends: ExitStack) -> None:
        self.pipeline, self.guarded, self.folder, self.ends = pipeline, guarded, folder, ends
        self.environ = pipeline.environ

    def port(self, variable: str) -> str:
        return self.pipeline.stack.settings.url(variable)

    def switches(self) -> dict[str, str]:
        file = self.folder / "switches"
        file.write_text("ENABLE_TRACING=false\n")
        return {"TELEMETRY_SWITCHES_FILE": str(file)}

    def token(self, protocol: str) -> dict[str, str]:
        url = self.guarded.grpc if protocol == "grpc" else self.guarded.otlp
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url.replace("http://127.0.0.1", "https://localhost"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(self.folder.parent / "ca.pem"),
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={quote('Bearer another-token')}",
            "REQUESTS_CA_BUNDLE": "",
            "CURL_CA_BUNDLE": "",
        }

    def shifted(self, *variables: str) -> dict[str, str]:
        """Servers five hours ahead of this machine."""
        urls = {name: self.environ[name] for name in variables}
        return {name: self.ends.enter_context(shifted(url, 5 * HOURS)) for name, url in urls.items()}

    def dsn(self, pattern: str, replacement: str) -> dict[str, str]:
        return {"SENTRY_DSN": re.sub(pattern, replacement, self.environ["SENTRY_DSN"])}

    def stored(self, name: str, **resource: str) -> dict[str, str]:
        """A gauge that another version has stored."""
        service = f"old-{uuid.uuid4().hex[:8]}"
        point = {"asInt": "1", "timeUnixNano": str(time.time_ns())}
        attributes = [{"key": key, "value": {"stringValue": value}}
                      for key, value in {"service.name": service, **resource}.items()]  # fmt: skip
        metric = {"name": name, "gauge": {"dataPoints": [point]}}
        body = {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}]}
        url = f"{self.environ['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/metrics"
        httpx.post(url, json=body, trust_env=False).raise_for_status()
        eventually(lambda: self.pipeline.prometheus.query(f'{{service_name="{service}"}}'))
        return {"OTEL_SERVICE_NAME": service}


@pytest.fixture
def setups(pipeline: Pipeline, guarded: LoneCollector, certificate: Path, tmp_path: Path) -> Iterator[Setups]:
    (tmp_path / "ca.pem").symlink_to(certificate / "ca.pem")
    (tmp_path / "own").mkdir()
    with ExitStack() as ends:
        yield Setups(pipeline, guarded, tmp_path / "own", ends)


ENDPOINT, PROTOCOL = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
STORES = ("TELEMETRY_PROMETHEUS_URL", "TELEMETRY_JAEGER_URL", "TELEMETRY_SENTRY_URL", ENDPOINT)
BROKEN: dict[str, Any] = {
    "wrong host": lambda _: {ENDPOINT: "http://collector.invalid:4318"},
    "wrong port, where nothing listens": lambda _: {ENDPOINT: NOWHERE},
    "wrong port, where another server listens": lambda s: {ENDPOINT: s.port("PROMETHEUS_PORT")},
    "gRPC to the port of HTTP": lambda _: {PROTOCOL: "grpc"},
    "HTTP to the port of gRPC": lambda s: {ENDPOINT: s.port("OTLP_GRPC_PORT")},
    "wrong token, HTTP": lambda s: s.token("http/protobuf"),
    "wrong token, gRPC": lambda s: s.token("grpc"),
    "a server's clock is off": lambda s: s.shifted("TELEMETRY_PROMETHEUS_URL"),
    "this machine's clock is off": lambda s: s.shifted(*STORES),
    "Prometheus is down": lambda _: {"TELEMETRY_PROMETHEUS_URL": NOWHERE},
    "a kill switch": lambda _: {"ENABLE_METRICS": "false"},
    "the standard's kill switch": lambda _: {"OTEL_SDK_DISABLED": "true"},
    "a kill switch in the file": lambda s: s.switches(),
    "sampling 0": lambda _: {"SENTRY_TRACES_SAMPLE_RATE": "0"},
    "a value that is not accepted": lambda _: {"SENTRY_TRACES_SAMPLE_RATE": "1.5"},
    "malformed DSN": lambda _: {"SENTRY_DSN": "https://nonsense"},
    "DSN with an unknown key": lambda s: s.dsn(r"//\w+@", f"//{'0' * 32}@"),
    "wrong token for reading errors": lambda _: {"TELEMETRY_SENTRY_TOKEN": "0" * 40},
    "old schema: a name": lambda s: s.stored("http_requests", **{"service.instance.id": "one"}),
    "old schema: no instance": lambda s: s.stored("active.users.total"),
}  # fmt: skip
TABLE = re.findall(
    r"^\| ([^|]+) \| `BROKEN +([^`]+)` \| ([^|]+) \|$", (ROOT / "docs/doctor.md").read_text(), re.MULTILINE
)
"""The document's own table: set-up, what doctor says, what to do."""


def test_every_broken_set_up_of_the_document_is_tried() -> None:
    assert [row[0] for row in TABLE] == list(BROKEN)


@pytest.mark.parametrize(("setup", "finding", "remedy"), TABLE, ids=[row[0] for row in TABLE])
def test_what_is_broken_is_named_with_what_to_do(setups: Setups, setup: str, finding: str, remedy: str) -> None:
    done = setups.pipeline.run("-m", "telemetry", "doctor", "--wait", "2", **BROKEN[setup](setups))
    assert done.returncode == 1
    assert f"BROKEN {finding}" in said(done)
    assert remedy.replace("`", "") in said(done).replace("`", "")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@pytest.fixture(scope="module")
def service(pipeline: Pipeline) -> str:
    """A service of its own that has answered 600 requests and recorded a tenth of them."""
    name, port = f"shop-{uuid.uuid4().hex[:8]}", free_ports(["WEB_PORT"])["WEB_PORT"]
    environ = {"OTEL_SERVICE_NAME": name, "SENTRY_TRACES_SAMPLE_RATE": "0.1"}
    full = pipeline.stack.environment | pipeline.environ | environ
    process = subprocess.Popen([sys.executable, "-m", "tests.stack.web_process", port], cwd=ROOT, env=full)
    try:
        asyncio.run(answered(f"http://127.0.0.1:{port}"))
    finally:
        process.terminate()
        process.wait(20)
    eventually(lambda: pipeline.prometheus.scalar(f'http_requests_total{{service_name="{name}",endpoint="/plain"}}'))
    return name


async def answered(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until_it_answers(client)
        for _ in range(600):
            await client.get("/plain")


@pytest.mark.parametrize(("rate", "state"), [("0.1", "ok"), ("0.5", "LOOK")], ids=["as it is", "another"])
def test_the_share_that_is_set_is_compared_with_the_one_that_is_found(
    pipeline: Pipeline, service: str, rate: str, state: str
) -> None:
    environ = {"OTEL_SERVICE_NAME": service, "SENTRY_TRACES_SAMPLE_RATE": rate}
    done = pipeline.run("-m", "telemetry", "doctor", **environ)
    (found,) = [line for line in done.stdout.splitlines() if line[7:29].strip() == "sampling"]
    assert found.startswith(f"{state} ")
    assert re.search(r"found [\d.]+% \([\d.]+% to [\d.]+%\) of 60\d in the last hour", said(done))
    assert done.returncode == 0
