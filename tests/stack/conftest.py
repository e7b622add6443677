"""The whole pipeline once for all tests that ask for it: a stack of its own, and the demo run through it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from stack.settings import ROOT
from telemetry.backends import Jaeger, Prometheus, Sentry
from tests.stack.lone_collector import CONFIG, LoneCollector, lone_collector
from tests.stack.stack_helpers import StackUnderTest

DEMO_SECONDS = "30"
TOKEN = "an0therToken-for_the.test"  # noqa: S105
GUARDED = CONFIG.with_name("guarded.yaml")


@dataclass
class Pipeline:
    """A running stack, and how to look into its backends."""

    stack: StackUnderTest

    @property
    def environ(self) -> dict[str, str]:
        """What an application of this stack is told."""
        return self.stack.app_env()

    @property
    def prometheus(self) -> Prometheus:
        return Prometheus(self.environ["TELEMETRY_PROMETHEUS_URL"])

    @property
    def jaeger(self) -> Jaeger:
        return Jaeger(self.environ["TELEMETRY_JAEGER_URL"])

    @property
    def sentry(self) -> Sentry:
        return Sentry(self.environ["TELEMETRY_SENTRY_URL"], self.environ["TELEMETRY_SENTRY_TOKEN"])

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a Python command as `make` would, under `python -m stack exec`."""
        full = [sys.executable, "-m", "stack", "exec", sys.executable, *command]
        environment = self.stack.environment | environ
        return subprocess.run(full, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    stack = StackUnderTest(tmp_path_factory.mktemp("stack"))
    stack.up()
    yield Pipeline(stack)
    stack.run("down")
    assert stack.processes() == []


@pytest.fixture(scope="session")
def demo(pipeline: Pipeline) -> dict[str, Any]:
    """The demo's own account of what it sent, where it ended well; `ended` is when, in Unix time.

    Instant queries about it are asked as of then: five minutes later Prometheus shows nothing of what has ended.
    """
    done = pipeline.run(
        "-m", "examples.health_agent", "demo", DEMO_SECONDS=os.environ.get("DEMO_SECONDS", DEMO_SECONDS)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    account: dict[str, Any] = json.loads((pipeline.stack.data / "demo.json").read_text())
    return account | {"ended": time.time()}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for localhost, its key, and the authority that made it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    made.private_key_pem.write_to_path(folder / "tls.key")
    made.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    return folder


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[LoneCollector]:
    folder = tmp_path_factory.mktemp("guarded")
    files = {"OTLP_TLS_CERT": str(certificate / "tls.crt"), "OTLP_TLS_KEY": str(certificate / "tls.key")}
    with lone_collector(folder, CONFIG, GUARDED, OTLP_TOKEN=TOKEN, **files) as running:
        yield running
