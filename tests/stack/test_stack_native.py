"""The native stack as a person meets it: started, started again, wedged, killed, stopped."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from stack import native
from tests.stack.stack_helpers import (
    StackUnderTest,
    counter_value,
    eventually,
    get_json,
    has_trace,
    no_network,
    send_counter,
    send_span,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    started = StackUnderTest(tmp_path_factory.mktemp("stack"))
    started.up()
    yield started
    started.run("down")
    assert started.processes() == []


def test_a_second_up_is_ready_at_once(stack: StackUnderTest) -> None:
    before = {process.pid for process in stack.processes()}
    began = time.monotonic()
    stack.up()
    assert time.monotonic() - began < 15
    assert {process.pid for process in stack.processes()} == before


def test_every_port_is_bound_to_loopback(stack: StackUnderTest) -> None:
    listening = [c for p in stack.processes() for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert len(listening) >= 8
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_status_shows_every_part_and_exits_0(stack: StackUnderTest) -> None:
    done = stack.run("status")
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(name in done.stdout for name in ("collector", "prometheus", "alertmanager", "jaeger", "bugsink"))


def test_status_says_that_without_a_channel_nobody_is_told(stack: StackUnderTest) -> None:
    assert "Alerts are sent to nobody: set a channel" in stack.run("status").stdout
    tried = stack.run("alert-test")
    assert tried.returncode == 1
    assert "No channel is set up" in tried.stderr


def test_a_silence_shows_in_status_until_it_is_ended(stack: StackUnderTest) -> None:
    made = stack.run("silence", "2h", "moving the database", "area=database")
    identity = made.stdout.strip()
    assert f"area=database (moving the database); {identity}" in stack.run("status").stdout
    assert stack.run("silence", "end", identity).returncode == 0
    assert "Silenced" not in stack.run("status").stdout


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [(("soon", "why"), 'got "soon"'), (("1h", "why", "database"), "must be NAME=VALUE"), (("end", "x"), "refuses")],
    ids=["no duration", "no label", "no id"],
)
def test_a_silence_that_makes_no_sense_is_refused(
    stack: StackUnderTest, arguments: tuple[str, ...], wrong: str
) -> None:
    done = stack.run("silence", *arguments)
    assert done.returncode == 1
    assert wrong in done.stderr


def test_alertmanager_gets_what_prometheus_fires(stack: StackUnderTest) -> None:
    url = f"{stack.settings.url('ALERTMANAGER_PORT')}/api/v2/alerts?filter=alertname=Watchdog"
    (heartbeat,) = eventually(lambda: get_json(url), seconds=30)
    assert heartbeat["generatorURL"].startswith(stack.settings.url("PROMETHEUS_PORT"))


def test_applications_are_told_only_of_what_runs(stack: StackUnderTest) -> None:
    told = stack.app_env()
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == stack.settings.url("OTLP_HTTP_PORT")
    assert told["SENTRY_DSN"].endswith(f"127.0.0.1:{stack.ports['BUGSINK_PORT']}/1")
    assert "TELEMETRY_TEMPO_URL" not in told
    assert stack.settings.app_env.stat().st_mode & 0o077 == 0


def test_exec_lets_the_environment_win(stack: StackUnderTest) -> None:
    stack.extra = {"SENTRY_DSN": "mine"}
    done = stack.run("exec", "sh", "-c", "echo $SENTRY_DSN $TELEMETRY_JAEGER_URL; exit 3")
    stack.extra = {}
    assert done.stdout.split() == ["mine", stack.settings.url("JAEGER_PORT")]
    assert done.returncode == 3


def test_the_collectors_own_metrics_arrive_by_its_own_pipeline(stack: StackUnderTest) -> None:
    assert eventually(lambda: counter_value(stack, "otelcol_process_uptime_seconds_total{job='otelcol'}"))


def test_data_survives_a_restart_and_down_leaves_no_process(stack: StackUnderTest) -> None:
    trace_id = send_span(stack, "before the restart")
    send_counter(stack, "restart.test", 42)
    eventually(lambda: has_trace(stack, trace_id) and counter_value(stack, "restart_test_total"))
    project = _projects(stack)
    assert stack.run("down").returncode == 0
    assert stack.processes() == []
    assert not stack.settings.app_env.exists()
    stack.up()
    assert eventually(lambda: has_trace(stack, trace_id))
    assert counter_value(stack, "last_over_time(restart_test_total[10m])") == 42
    assert _projects(stack) == project


def _projects(stack: StackUnderTest) -> list[str]:
    url = f"{stack.settings.url('BUGSINK_PORT')}/api/canonical/0/projects/"
    found = get_json(url, authorization=f"Bearer {stack.app_env()['TELEMETRY_SENTRY_TOKEN']}")
    return [project["name"] for project in found["results"]]


def test_a_wedged_exporter_shows_and_nothing_is_lost(stack: StackUnderTest) -> None:
    jaeger = stack.process("jaeger")
    jaeger.suspend()
    trace_ids = [send_span(stack, f"wedged {number}") for number in range(3)]
    done = stack.run("status")
    jaeger.resume()
    assert done.returncode == 1
    assert "wedged" in done.stdout
    assert "otlp_http/jaeger" in done.stdout.replace("\n", "")
    eventually(lambda: all(has_trace(stack, trace_id) for trace_id in trace_ids), seconds=40)


def test_a_part_that_dies_is_started_again(stack: StackUnderTest) -> None:
    prometheus = stack.process("prometheus")
    prometheus.kill()
    prometheus.wait(5)
    url = f"{stack.settings.url('PROMETHEUS_PORT')}/-/ready"
    eventually(lambda: _answers(url))
    assert stack.process("prometheus").pid != prometheus.pid


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_up_recovers_after_the_supervisor_was_killed(stack: StackUnderTest) -> None:
    stack.process("process-compose").kill()
    assert stack.run("status").returncode in (0, 1)
    stack.up()
    assert native.is_running(stack.settings)
    assert stack.run("status").returncode == 0


def test_logs_of_one_part(stack: StackUnderTest) -> None:
    assert "Everything is ready" in stack.run("logs", "collector").stdout
    done = stack.run("logs", "nobody")
    assert done.returncode == 1
    assert 'No log of "nobody"' in done.stderr


def test_a_port_in_use_is_named_and_nothing_is_started(tmp_path_factory: pytest.TempPathFactory) -> None:
    other = StackUnderTest(tmp_path_factory.mktemp("busy"))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", int(other.ports["JAEGER_PORT"])))
        holder.listen()
        done = other.run("up")
    assert done.returncode == 1
    assert f"{other.ports['JAEGER_PORT']} (JAEGER_PORT) is held by" in done.stderr
    assert "Nothing was started" in done.stderr
    assert other.processes() == []


def test_status_of_a_stack_that_is_down_exits_1(tmp_path_factory: pytest.TempPathFactory) -> None:
    done = StackUnderTest(tmp_path_factory.mktemp("down")).run("status")
    assert done.returncode == 1
    assert "make up" in done.stderr


def test_without_network_a_built_stack_starts(tmp_path_factory: pytest.TempPathFactory) -> None:
    prefix = no_network()
    alone = StackUnderTest(tmp_path_factory.mktemp("alone"))
    script = f"{alone.environment['STACK_DATA_DIR']}/go.sh"
    with open(script, "w", encoding="utf-8") as file:  # noqa: PTH123 - one namespace for all three commands
        file.write('set -e\n"$@" up\n"$@" status\n"$@" down\n')
    done = alone.run(prefix=(*prefix, "sh", script))
    assert done.returncode == 0, done.stdout + done.stderr
    assert alone.processes() == []


_FAKE_GRAFANA = """#!/usr/bin/env python3
import http.server, json, os, pathlib
pathlib.Path(os.environ["GF_PATHS_DATA"] + ".json").write_text(json.dumps(dict(os.environ)))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b'{"database": "ok"}')
address = (os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"]))
http.server.HTTPServer(address, Handler).serve_forever()
"""


def test_a_grafana_that_is_named_joins_and_asks_for_a_password(stack: StackUnderTest) -> None:
    binary = stack.data / "grafana-stand-in"
    binary.write_text(_FAKE_GRAFANA, encoding="utf-8")
    binary.chmod(0o755)
    stack.extra = {"GRAFANA_BIN": str(binary)}
    stack.up()
    seen = get_json(f"{stack.settings.url('GRAFANA_PORT')}/api/health")
    told = stack.app_env()
    stack.extra = {}
    given = (stack.data / "grafana.json").read_text(encoding="utf-8")
    assert seen == {"database": "ok"}
    assert told["TELEMETRY_GRAFANA_URL"] == stack.settings.url("GRAFANA_PORT")
    assert '"GF_AUTH_ANONYMOUS_ENABLED": "false"' in given
    assert '"GF_SECURITY_ADMIN_PASSWORD": "admin"' not in given
