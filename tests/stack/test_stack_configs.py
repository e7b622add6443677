"""Collector and Jaeger boot with each variable of their files unset; each run has a network of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stack import build, check, lint, settings
from tests.stack.stack_helpers import StackUnderTest, no_network

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = settings.ROOT / "collector"
# A value for each variable that is not its default, so that leaving one out changes something.
_VALUES = {
    "COLLECTOR_ALLOWED_ATTRIBUTES": "shop",
    "COLLECTOR_EXCEPTION_MESSAGES": "true",
    "COLLECTOR_LABEL_KEY": "a key of thirty-two characters or more",
    "COLLECTOR_BIND": "127.0.0.1",
    "COLLECTOR_GIVE_UP_AFTER": "1h",
    "COLLECTOR_HEALTH_PORT": "31001",
    "COLLECTOR_LOOP_PORT": "31002",
    "COLLECTOR_URL_QUERY_KEYS": "page",
    "COLLECTOR_OWN_PORT": "31011",
    "JAEGER_HEADERS": "{authorization: Bearer t}",
    "JAEGER_TLS": "{insecure_skip_verify: true}",
    "OTLP_BIND": "127.0.0.1",
    "OTLP_TOKEN": "a token of sixteen characters or more",
    "PROMETHEUS_TLS": "{insecure_skip_verify: true}",
    "TEMPO_TLS": "{insecure_skip_verify: true}",
    "COLLECTOR_MEMORY_MIB": "300",
    "COLLECTOR_METRICS_PORT": "31003",
    "COLLECTOR_QUEUE_BYTES": "1000000",
    "COLLECTOR_QUEUE_DIR": "queue",
    "COLLECTOR_SPIKE_MIB": "60",
    "JAEGER_BIND": "127.0.0.1",
    "JAEGER_DATA_DIR": "badger",
    "JAEGER_GRPC_PORT": "31004",
    "JAEGER_OTLP_ENDPOINT": "http://127.0.0.1:31005",
    "JAEGER_OTLP_PORT": "31005",
    "JAEGER_PORT": "31006",
    "OTLP_GRPC_PORT": "31007",
    "OTLP_HTTP_PORT": "31008",
    "PROMETHEUS_HEADERS": "{authorization: Bearer t}",
    "PROMETHEUS_WRITE_ENDPOINT": "http://127.0.0.1:31009/api/v1/write",
    "TEMPO_HEADERS": "{authorization: Bearer t}",
    "TEMPO_OTLP_ENDPOINT": "http://127.0.0.1:31010",
    "TRACE_EXPORTERS": "[otlp_http/jaeger, otlp_http/tempo]",
}
# Runs inside the network namespace: start the server, wait for its answer, stop it.
_BOOT = """
import json, subprocess, sys, time, urllib.request
url, command = sys.argv[1], json.loads(sys.argv[2])
server = subprocess.Popen(command)
code = 1
for _ in range(100):
    time.sleep(0.1)
    if server.poll() is not None:
        break
    try:
        code = 0 if urllib.request.urlopen(url, timeout=1).status == 200 else 1
        break
    except OSError:
        continue
server.terminate()
server.wait(20)
sys.exit(code)
"""


def _variables(file: str) -> list[str]:
    return sorted(lint.used_variables((_FOLDER / file).read_text(encoding="utf-8")))


def _boot(folder: Path, url: str, command: list[str], left_out: str) -> None:
    environment = {"PATH": os.environ["PATH"], **_VALUES}
    del environment[left_out]
    done = subprocess.run(
        [*no_network(), sys.executable, "-c", _BOOT, url, json.dumps(command)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("left_out", _variables("config.yaml"))
def test_the_collector_boots_without(left_out: str, tmp_path: Path) -> None:
    port = "13133" if left_out == "COLLECTOR_HEALTH_PORT" else _VALUES["COLLECTOR_HEALTH_PORT"]
    binary = build.binaries(settings.load())["otelcol"]
    _boot(tmp_path, f"http://127.0.0.1:{port}/", [str(binary), f"--config={_FOLDER / 'config.yaml'}"], left_out)


@pytest.mark.parametrize("left_out", _variables("jaeger.yaml"))
def test_jaeger_boots_without(left_out: str, tmp_path: Path) -> None:
    port = "16686" if left_out == "JAEGER_PORT" else _VALUES["JAEGER_PORT"]
    binary = build.binaries(settings.load())["jaeger"]
    url = f"http://127.0.0.1:{port}/api/services"
    _boot(tmp_path, url, [str(binary), f"--config={_FOLDER / 'jaeger.yaml'}"], left_out)


def test_check_finds_nothing_wrong() -> None:
    assert check.check(settings.load()) == []


def test_check_leaves_no_trace(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert StackUnderTest(data).run("check").returncode == 0
    assert not data.exists()
