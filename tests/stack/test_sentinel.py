"""Nothing that is planted in every input is found in any sink; with cleaning off it is, so that this can fail."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from psycopg.conninfo import make_conninfo

from examples.health_agent import processes
from examples.health_agent.embedded import passing_url
from examples.health_agent.local.telegram import TOKEN
from examples.health_agent.settings import Settings
from stack.ports import free_ports
from stack.settings import ROOT
from telemetry._sink import Sink, receiving
from telemetry.sentinels import Sentinels
from tests.stack.conftest import Pipeline
from tests.stack.lone_collector import CONFIG, LoneCollector, lone_collector
from tests.stack.sentinel_inputs import LATITUDE, Inputs
from tests.stack.stack_helpers import eventually, get_json

UNREDACTED = {"PYTHONPATH": str(Path(__file__).parent / "unredacted")}
FAST = {"LOCAL_DELAY_SCALE": "0.02", "REMINDER_POLL_SECONDS": "0.2", "OTEL_BSP_SCHEDULE_DELAY": "300"}
OWN_LOGGER = " telemetry: "


@dataclass
class Run:
    """One run of the agent and of the leaky program: what was planted, and all the bytes that came of it."""

    sentinels: Sentinels
    otlp: Sink
    sentry: Sink
    metrics_page: bytes = b""
    reprs: bytes = b""
    logs: bytes = b""
    seen: dict[str, list[str]] = field(default_factory=dict)

    def found_on_the_wire(self) -> dict[str, list[str]]:
        """What stands in what, of all that the processes have given away."""
        sinks = {
            "spans": [request.everything for request in self.otlp.of("/v1/traces")],
            "metrics": [request.everything for request in self.otlp.of("/v1/metrics")],
            "errors": [request.everything for request in self.sentry.received],
            "/metrics": [self.metrics_page],
            "logs": [self.logs],
            "reprs": [self.reprs],
        }
        assert all(any(parts) for name, parts in sinks.items() if name != "logs")
        return {name: found(self.sentinels, parts) for name, parts in sinks.items()}


def found(sentinels: Sentinels, parts: list[bytes]) -> list[str]:
    return sorted({what for part in parts for what in sentinels.found_in(part)})


def run_all(folder: Path, otlp: Sink, sentry: Sink, **environ: str) -> Run:
    """Run the leaky program, then the agent with everything written to it."""
    run = Run(Sentinels(), otlp, sentry)
    run.sentinels.watch("the bot token", TOKEN)
    run.sentinels.watch("a location", str(LATITUDE))
    common = FAST | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, "SENTRY_DSN": f"http://key@{urlsplit(sentry.url).netloc}/1",
        "OTEL_METRICS_EXPORTER": "otlp,prometheus", "SENTRY_TRACES_SAMPLE_RATE": "1", "TELEMETRY_ERROR_WINDOW": "0.001",
        "SENTRY_ENVIRONMENT": "staging", "LATITUDE": str(LATITUDE),
        "TELEMETRY_USER_KEY": run.sentinels.plant("the user key"),
        "SHOP_API_KEY": run.sentinels.plant("a key in the environment"), "TELEMETRY_SENTINEL": run.sentinels.prefix,
    } | environ  # fmt: skip
    run_leaky(folder, run, common)
    asyncio.run(run_agent(folder, run, common))
    return run


def run_leaky(folder: Path, run: Run, common: dict[str, str]) -> None:
    planted = folder / "planted.txt"
    program = [sys.executable, str(Path(__file__).parent / "leaky_process.py"), str(planted)]
    path = os.pathsep.join([str(ROOT), *filter(None, [common.get("PYTHONPATH")])])
    environ = os.environ | common | {"PYTHONPATH": path}
    run.reprs = subprocess.run(program, env=environ, check=True, timeout=60, stdout=subprocess.PIPE).stdout
    for what in planted.read_text().splitlines():
        run.sentinels.plant(what)


async def run_agent(folder: Path, run: Run, common: dict[str, str]) -> None:
    port = free_ports(["API_PORT"])
    address = make_conninfo(passing_url(), password=run.sentinels.plant("the database's password"))
    settings = Settings({"DATABASE_URL": address, **port})
    running = await processes.start(settings, processes.Plan(common | port, real_services=False))
    try:
        with httpx.Client(timeout=60, trust_env=False) as client:
            root = f"http://127.0.0.1:{port['API_PORT']}"
            telegram = running.environment["TELEGRAM_API_URL"]
            await asyncio.to_thread(Inputs(client, telegram, f"{root}/api", run.sentinels).plant_all)
            run.metrics_page = (await asyncio.to_thread(client.get, f"{root}/metrics")).content
    finally:
        await running.stop_all()
    lines = [line for name in ("api", "bot") for line in (folder / f"{name}.log").read_text().splitlines()]
    run.logs = "\n".join(line for line in lines if OWN_LOGGER in line).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("sentinel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "LOGS", made)
        patch.setattr(processes, "START_SECONDS", 120.0)  # with sitecustomize, and beside other tests
        yield made


@pytest.fixture(scope="module")
def cleaned(pipeline: Pipeline, folder: Path) -> Iterator[Run]:
    """A run through the whole stack, cleaned in both places."""
    environ = pipeline.environ
    bugsink = environ["TELEMETRY_SENTRY_URL"]
    key = urlsplit(environ["SENTRY_DSN"]).username
    with receiving(environ["OTEL_EXPORTER_OTLP_ENDPOINT"]) as otlp, receiving(bugsink) as sentry:
        dsn = f"http://{key}@{urlsplit(sentry.url).netloc}{urlsplit(environ['SENTRY_DSN']).path}"
        yield run_all(folder, otlp, sentry, SENTRY_DSN=dsn)


@pytest.fixture(scope="module")
def uncleaned(folder: Path) -> Iterator[Run]:
    """A run whose processes clean nothing, and record what is said to models."""
    with receiving() as otlp, receiving() as sentry:
        yield run_all(folder, otlp, sentry, **UNREDACTED)


def stored(pipeline: Pipeline) -> dict[str, list[bytes]]:
    """All that the stack holds: by its APIs, and every file of its folder but its own secrets."""
    jaeger, prometheus = pipeline.environ["TELEMETRY_JAEGER_URL"], pipeline.environ["TELEMETRY_PROMETHEUS_URL"]
    services = get_json(f"{jaeger}/api/services")["data"]
    traces = [get_json(f"{jaeger}/api/traces?service={name}&limit=1500&lookback=1h") for name in services]
    every = "match[]=%7B__name__!=%22%22%7D"
    series = get_json(f"{prometheus}/api/v1/series?{every}")
    names = get_json(f"{prometheus}/api/v1/metadata")
    files = [path for path in pipeline.stack.data.rglob("*") if path.is_file() and path.suffix != ".env"]
    return {
        "Jaeger": [json.dumps(trace).encode() for trace in traces],
        "Prometheus": [json.dumps(answer).encode() for answer in (series, names)],
        "queue files": [path.read_bytes() for path in files if "queue" in path.parts],
        "Bugsink": [path.read_bytes() for path in files if "bugsink" in path.parts],
        "logs": [path.read_bytes() for path in files if "logs" in path.parts],
        "other files": [_written(path) for path in files if not {"queue", "bugsink", "logs"} & set(path.parts)],
    }


def _written(path: Path) -> bytes:
    """What stands in a file, without the zeros that a store keeps room with: gigabytes of them."""
    with path.open("rb") as file:
        return b"".join(part.strip(b"\0") for part in iter(lambda: file.read(1 << 20), b""))


def test_nothing_planted_is_found_in_any_sink(cleaned: Run, pipeline: Pipeline) -> None:
    wire = cleaned.found_on_the_wire()
    spans = len(cleaned.otlp.of("/v1/traces"))
    eventually(lambda: len(get_json(f"{pipeline.environ['TELEMETRY_JAEGER_URL']}/api/services")["data"]) > 0)
    kept = stored(pipeline)
    places = wire | {f"stored: {name}": found(cleaned.sentinels, parts) for name, parts in kept.items()}
    print(f"{len(cleaned.sentinels.planted)} planted, {spans} exports of spans, searched:", {  # noqa: T201 - the report
        **{name: len(parts) for name, parts in kept.items()}, "on the wire": list(wire)})  # fmt: skip
    assert all(any(parts) for parts in kept.values())
    assert places == {name: [] for name in places}


WITHOUT = ("transform/allowed, redaction/labels, redaction/secrets", "transform/allowed, redaction/secrets")


def open_config(folder: Path) -> Path:
    """The Collector's configuration with nothing cleaned in it."""
    text = CONFIG.read_text()
    for names in WITHOUT:
        assert f", {names}" in text
        text = text.replace(f", {names}", "")
    for name in ("transform/allowed", "redaction/labels", "redaction/secrets"):
        assert f", {name}" not in text
    path = folder / "open.yaml"
    path.write_text(text)
    return path


def sent_on(collector: LoneCollector, run: Run) -> list[str]:
    """Send through a Collector what a run has sent, and what is found behind it."""
    for signal in ("traces", "metrics"):
        for request in run.otlp.of(f"/v1/{signal}"):
            collector.send(signal, request.body).raise_for_status()
    count = len(run.otlp.of("/v1/traces"))
    eventually(lambda: len(collector.sink.of("/v1/traces")) >= count, seconds=60)
    eventually(lambda: b"telegram_messages" in collector.metrics_out())
    return found(run.sentinels, [collector.spans_out(), collector.metrics_out()])


CASES: dict[str, tuple[str, bool, set[str]]] = {
    "the Collector alone": ("uncleaned", True, {"a link"}),
    "the SDK alone": ("cleaned", False, set()),
    "neither": ("uncleaned", False, {
        "a cause", "a chat message", "a cookie", "a file name", "a key", "a link", "a local",
        "a name of a span", "a password", "a path", "a photo", "a prompt", "a query string", "a scope", "a user agent",
        "a voice", "an SQL literal", "an attribute", "an event", "an exception message", "an exception note",
        "message text", "tool arguments",
    }),
}  # fmt: skip


@pytest.mark.parametrize(("which", "cleans", "leaks"), CASES.values(), ids=CASES.keys())
def test_what_is_cleaned_in_one_place_only_is_found_behind_the_other(
    request: pytest.FixtureRequest, tmp_path: Path, which: str, leaks: set[str], *, cleans: bool
) -> None:
    run: Run = request.getfixturevalue(which)
    with lone_collector(tmp_path, CONFIG if cleans else open_config(tmp_path)) as collector:
        finds = sent_on(collector, run)
    print(f"{len(finds)} found: {', '.join(finds)}")  # noqa: T201 - the report
    assert leaks <= set(finds) if leaks and not cleans else leaks == set(finds)


def test_uncleaned_the_wire_shows_what_was_planted(uncleaned: Run) -> None:
    finds = uncleaned.found_on_the_wire()
    print({name: len(leaks) for name, leaks in finds.items()})  # noqa: T201 - the report
    assert {"an exception message", "an exception note", "a cause", "a log line", "an argument of a log line"} <= set(
        finds["errors"]
    )
    assert {"an attribute", "a link", "a prompt", "message text"} <= set(finds["spans"])


def test_the_queue_files_of_the_collector_hold_what_is_cleaned(tmp_path: Path, uncleaned: Run) -> None:
    with lone_collector(tmp_path, JAEGER_OTLP_ENDPOINT="http://127.0.0.1:9") as collector:
        for request in uncleaned.otlp.of("/v1/traces"):
            collector.send("traces", request.body).raise_for_status()
        files = [path.read_bytes() for path in (tmp_path / "queue").iterdir()]
    assert max(map(len, files)) > 10_000
    assert found(uncleaned.sentinels, files) in ([], ["a link"])
