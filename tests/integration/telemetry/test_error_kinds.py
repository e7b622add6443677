"""`sentry-test`: every kind of error arrives linked, sampled or not, by either link; what does not is said."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler

import pytest

from telemetry._error_kinds import BLOCK_USER, KINDS, USER, ErrorKind
from telemetry.pseudonyms import Pseudonyms
from tests.conftest import clean_environment, http_server
from tests.integration.telemetry.test_sentry import LINKS, Item, Store, sent

KEY = "a key of 16 characters or more"
TRACES = {"sampled": "1", "not sampled": "0"}
ARRIVING = [kind for kind in KINDS if kind.events]
NOT_ARRIVING = [kind for kind in KINDS if not kind.events]


def sentry_test(dsn: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "telemetry", "sentry-test", "--wait", "0.1"]
    environ = clean_environment() | {"SENTRY_DSN": dsn} | environ
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


@dataclass
class Outcome:
    """What one run of the command said, and what the server got."""

    done: subprocess.CompletedProcess[str]
    events: list[Item]
    transactions: set[str]

    def of(self, kind: ErrorKind) -> list[Item]:
        """The events of a kind."""
        return [event for event in self.events if event["tags"]["sentry_test"] == kind.name]

    def state(self, kind: ErrorKind) -> str:
        """What the command says of a kind."""
        (line,) = [line for line in self.done.stdout.splitlines() if line.startswith(f"{kind.name}  ")]
        return line[24:36].strip()


@pytest.fixture(scope="module", params=LINKS)
def link(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=TRACES)
def outcome(request: pytest.FixtureRequest, link: str) -> Outcome:
    Store.items = []
    with http_server(Store) as address:
        environ = {"SENTRY_ENVIRONMENT": "staging", "SENTRY_RELEASE": "abc123", "TELEMETRY_SENTRY_LINK": link}
        environ |= {"TELEMETRY_USER_KEY": KEY}
        done = sentry_test(f"http://key@{address}/1", SENTRY_TRACES_SAMPLE_RATE=TRACES[request.param], **environ)
    transactions = {item["contexts"]["trace"]["trace_id"] for item in sent("transaction")}
    return Outcome(done, sent("event"), transactions)


@pytest.mark.parametrize("kind", ARRIVING, ids=lambda kind: kind.name)
def test_a_kind_of_error_arrives_once_with_all_that_belongs_to_it(outcome: Outcome, kind: ErrorKind) -> None:
    (event,) = outcome.of(kind)
    assert outcome.state(kind) == "ok"  # trace id and span's are the same
    assert int(event["contexts"]["trace"]["span_id"], 16) > 0
    assert event["user"]["id"] == Pseudonyms(KEY).user(kind.user)
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == [kind.name]
    assert (event["release"], event["environment"], event["level"]) == ("abc123", "staging", "error")


@pytest.mark.parametrize("kind", NOT_ARRIVING, ids=lambda kind: kind.name)
def test_what_is_no_fault_of_the_service_does_not_arrive(outcome: Outcome, kind: ErrorKind) -> None:
    assert outcome.of(kind) == []
    assert outcome.state(kind) == "ok"


def test_each_error_has_a_trace_of_its_own_and_transactions_share_them(outcome: Outcome) -> None:
    traces = {event["contexts"]["trace"]["trace_id"] for event in outcome.events}
    assert len(traces) == len(ARRIVING)
    assert outcome.transactions == set() or traces < outcome.transactions


def test_all_well_the_command_ends_with_0_in_80_columns(outcome: Outcome) -> None:
    assert outcome.done.returncode == 0, outcome.done.stdout
    assert all(len(line) <= 80 for line in outcome.done.stdout.splitlines())
    assert outcome.done.stderr == ""


def test_the_users_of_the_kinds_differ() -> None:
    assert {kind.user for kind in KINDS} == {USER, BLOCK_USER}


class Refusing(BaseHTTPRequestHandler):
    """A server that knows neither key nor project."""

    def do_POST(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the library's name

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def refusing() -> Iterator[str]:
    with http_server(Refusing) as address:
        yield address


WRONG = {
    "no DSN": ("", {}, "SENTRY_DSN is not set"),
    "a malformed DSN": ("http://{address}/1", {}, "SENTRY_DSN must be a DSN of the form https://KEY@HOST/PROJECT"),
    "nothing there": ("http://key@127.0.0.1:9/1", {}, "nothing answers at 127.0.0.1:9, where SENTRY_DSN points"),
    "switched off": ("http://key@{address}/1", {"ENABLE_SENTRY": "no"}, "switched off by ENABLE_SENTRY"),
    "refused": ("http://key@{address}/1", {}, "REFUSED status_403: are key and project in SENTRY_DSN right?"),
}


@pytest.mark.parametrize(("dsn", "environ", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_and_the_command_ends_with_1(
    refusing: str, dsn: str, environ: dict[str, str], said: str
) -> None:
    done = sentry_test(dsn.format(address=refusing), **environ)
    assert said in " ".join(done.stdout.split())
    assert done.returncode == 1
    assert done.stderr == ""


def test_an_event_that_was_accepted_and_is_not_to_be_found_is_missing() -> None:
    Store.items = []
    with http_server(Store) as address, http_server(Refusing) as reading:
        read = {"TELEMETRY_SENTRY_URL": f"http://{reading}", "TELEMETRY_SENTRY_TOKEN": "token"}
        done = sentry_test(f"http://key@{address}/1", **read)
    assert done.returncode == 1
    assert "MISSING" in done.stdout
    assert "was accepted and is not there" in " ".join(done.stdout.split())
