"""Who can connect to the stack, what is asked of them, and that no secret stands where others can read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from stack import access, envfile, state
from stack.sentry import kept_access
from tests.conftest import clean_environment
from tests.stack.conftest import TOKEN, Pipeline
from tests.stack.lone_collector import LoneCollector
from tests.stack.stack_helpers import StackUnderTest, eventually, get_json


def test_every_socket_is_on_loopback_and_the_table_shows_it(pipeline: Pipeline) -> None:
    settings = pipeline.stack.settings
    running = state.load(settings)
    assert running
    doors = access.doors(settings, running)
    *sockets, supervisor = doors
    assert {door.who for door in sockets} == {"this machine"}
    assert supervisor.who == "this user"
    assert {"collector", "prometheus", "jaeger", "bugsink"} <= {door.part for door in sockets}
    assert {door.variable: door.asks for door in sockets}["BUGSINK_PORT"] != "nothing"
    done = pipeline.stack.run("access")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # noqa: T201 - the report
    assert all(door.address in done.stdout for door in sockets)


def secrets_of(pipeline: Pipeline) -> set[str]:
    bugsink = kept_access(pipeline.stack.settings)
    assert bugsink
    made = envfile.read(pipeline.stack.data / "secrets.env")
    return {*made.values(), bugsink.token}


def test_no_secret_stands_in_a_process_list_or_a_log(pipeline: Pipeline) -> None:
    commands = [" ".join(process.cmdline()) for process in pipeline.stack.processes()]
    logs = [path.read_text(errors="replace") for path in (pipeline.stack.data / "logs").iterdir()]
    secrets = secrets_of(pipeline)
    assert (len(secrets) >= 5, len(commands) >= 6, any(logs)) == (True, True, True)
    assert [text[:100] for text in (*commands, *logs) for secret in secrets if secret in text] == []


def test_what_holds_a_secret_only_this_user_can_read(pipeline: Pipeline) -> None:
    secrets = [secret.encode() for secret in secrets_of(pipeline)]
    files = [path for path in pipeline.stack.data.iterdir() if path.is_file()]
    holding = [path for path in files if any(secret in path.read_bytes() for secret in secrets)]
    assert {"secrets.env", "app.env"} <= {path.name for path in holding}
    assert [path.name for path in holding if path.stat().st_mode & 0o077] == []


PROGRAM = """
import telemetry
telemetry.init()
telemetry.get_tracer().start_span("let in").end()
telemetry.shutdown(2)
"""
TRUSTING, KNOWN = {"OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem"}, {"OTEL_EXPORTER_OTLP_HEADERS": TOKEN}
CALLERS = {
    "with the token, over TLS": (TRUSTING | KNOWN, True),
    "without the token": (TRUSTING, False),
    "with another token": (TRUSTING | {"OTEL_EXPORTER_OTLP_HEADERS": "another token"}, False),
    "without TLS": (KNOWN, False),
}


def environ() -> dict[str, str]:
    """This process's, without what wins over `OTEL_EXPORTER_OTLP_CERTIFICATE`."""
    return {name: value for name, value in clean_environment().items() if not name.endswith("_CA_BUNDLE")}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(("variables", "let_in"), CALLERS.values(), ids=CALLERS)
def test_a_guarded_collector_lets_in(
    guarded: LoneCollector, certificate: Path, protocol: str, variables: dict[str, str], *, let_in: bool
) -> None:
    url = guarded.grpc if protocol == "grpc" else guarded.otlp
    scheme = "https" if TRUSTING.keys() <= variables.keys() else "http"
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": url.replace("http://127.0.0.1", f"{scheme}://localhost"),
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_METRICS_EXPORTER": "none"}  # fmt: skip
    for name, value in variables.items():
        is_header = name.endswith("HEADERS")
        told[name] = f"authorization={quote(f'Bearer {value}')}" if is_header else str(certificate / value)
    guarded.sink.received.clear()
    subprocess.run([sys.executable, "-c", PROGRAM], env=environ() | told, check=True, timeout=60)
    if let_in:
        eventually(lambda: b"let in" in guarded.spans_out())
    assert (b"let in" in guarded.spans_out()) is let_in


def test_a_guarded_door_says_what_it_asks_for(guarded: LoneCollector) -> None:
    for url, variable in ((guarded.otlp, "OTLP_HTTP_PORT"), (guarded.grpc, "OTLP_GRPC_PORT")):
        port = int(url.rpartition(":")[2])
        assert access._door("collector", "127.0.0.1", port, variable).asks in (
            "a login or a token, over TLS", "a token, over TLS",
        )  # fmt: skip


def test_a_guarded_stack_tells_its_applications_how_to_get_in(
    tmp_path_factory: pytest.TempPathFactory, certificate: Path
) -> None:
    names = {"OTLP_TLS_CERT": "tls.crt", "OTLP_TLS_KEY": "tls.key", "OTLP_TLS_CA": "ca.pem"}
    files = {variable: str(certificate / name) for variable, name in names.items()}
    stack = StackUnderTest(
        tmp_path_factory.mktemp("guarded"), extra=files | {"OTLP_TOKEN": TOKEN, "STACK_WITHOUT": "bugsink"}
    )
    stack.up()
    try:
        told = {name: value for name, value in stack.app_env().items() if name.startswith("OTEL_EXPORTER_OTLP_")}
        subprocess.run([sys.executable, "-c", PROGRAM], env=environ() | told, check=True, timeout=60)
        jaeger = stack.settings.url("JAEGER_PORT")
        eventually(lambda: "health-agent" in (get_json(f"{jaeger}/api/services")["data"] or ()))
        (line,) = [line for line in stack.run("access").stdout.splitlines() if "OTLP_HTTP_PORT" in line]
        assert line.endswith("a login or a token, over TLS")
        assert [process for process in stack.processes() if TOKEN in " ".join(process.cmdline())] == []
    finally:
        stack.run("down")
