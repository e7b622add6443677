"""Users have the same name wherever the key is the same, and nobody can tell who they are without it."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import telemetry
from telemetry.pseudonym_report import report
from telemetry.pseudonyms import Pseudonyms
from telemetry.settings import Settings
from telemetry.testing import Capture
from tests.conftest import clean_environment

KEY = "0123456789abcdef"


def test_a_users_name_is_a_keyed_hash() -> None:
    expected = hmac.new(KEY.encode(), b"user:7", hashlib.sha256).hexdigest()[:32]
    assert Pseudonyms(KEY).user("7") == Pseudonyms(KEY, plain=False).user("7") == expected


def test_another_key_is_another_name() -> None:
    assert Pseudonyms(KEY).user("7") != Pseudonyms(KEY[::-1]).user("7")


def test_a_user_and_a_conversation_of_one_id_have_different_names() -> None:
    names = Pseudonyms(KEY)
    assert not names.user("telegram:7").startswith(names.conversation("telegram:7"))


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        (Settings(), True),
        (Settings(user_key=KEY), False),
        (Settings(environment="production"), False),
        (Settings(environment="production", user_key=KEY), False),
    ],
    ids=["development", "development with a key", "production", "production with a key"],
)
def test_an_id_is_shown_in_development_without_a_key_only(settings: Settings, *, shown: bool) -> None:
    assert (Pseudonyms.of(settings).user("7") == "7") is shown


def test_without_a_key_production_draws_one_for_the_process_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    one, other = (Pseudonyms.of(Settings(environment="production")) for _ in range(2))
    assert one.user("7") == one.user("7") != other.user("7")
    assert "TELEMETRY_USER_KEY is not set in the environment production" in caplog.records[0].getMessage()


def test_span_and_error_carry_the_same_name() -> None:
    with Capture(Settings(user_key=KEY)) as recorded, recorded.runtime.sentry.scope():
        with telemetry.get_tracer().start_as_current_span("turn"):
            telemetry.set_user_context("7", "anna")
            telemetry.record_error(ValueError())
        with telemetry.user_context("8", "anna"), telemetry.get_tracer().start_as_current_span("inside"):
            telemetry.record_error(KeyError())
    names = [Pseudonyms(KEY).user(user) for user in ("7", "8")]
    assert [event["user"] for event in recorded.events] == [{"id": name} for name in names]
    assert [(recorded.span(name).attributes or {})["user.id"] for name in ("turn", "inside")] == names


def test_a_username_leaves_only_where_it_is_asked_for() -> None:
    with Capture(Settings(usernames=True)) as recorded, recorded.runtime.sentry.scope():
        telemetry.set_user_context("7", "anna")
        telemetry.record_error(ValueError())
    assert recorded.events[0]["user"] == {"id": "7", "username": "anna"}


def test_the_key_is_in_no_repr() -> None:
    settings = Settings(user_key=KEY)
    assert KEY not in f"{settings!r} {Pseudonyms.of(settings)!r} {Capture(settings).runtime!r}"


def test_a_key_comes_from_a_file_where_the_variable_is_not_set(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    assert Settings.read({"TELEMETRY_USER_KEY_FILE": str(path)})[0].user_key == KEY
    both = {"TELEMETRY_USER_KEY_FILE": str(path), "TELEMETRY_USER_KEY": KEY[::-1]}
    assert Settings.read(both)[0].user_key == KEY[::-1]


@pytest.mark.parametrize("content", [None, b"short", b"\xff" * 20], ids=["no file", "too short", "no text"])
def test_a_file_without_a_key_is_named_and_not_shown(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    settings, (error,) = Settings.read({"TELEMETRY_USER_KEY_FILE": str(path)})
    assert settings.user_key == ""
    assert str(error) == f'TELEMETRY_USER_KEY_FILE must be 16 characters or more (got "{path}"); it counts as not set.'


def printed(user: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "telemetry", "pseudonym", user]
    return subprocess.run(command, env=clean_environment() | environ, capture_output=True, text=True, check=False)  # noqa: S603


def test_the_command_tells_a_persons_names() -> None:
    names = Pseudonyms(KEY)
    done = printed("7", TELEMETRY_USER_KEY=KEY)
    assert done.stdout.splitlines() == [
        f"user.id {names.user('7')}", f"gen_ai.conversation.id {names.conversation('telegram:7')}",
        f"in Sentry: user.id:{names.user('7')}",
    ]  # fmt: skip


def test_the_command_names_nobody_where_every_process_has_names_of_its_own() -> None:
    done = printed("7", SENTRY_ENVIRONMENT="production")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("TELEMETRY_USER_KEY must be the key of the processes in the environment production")


QUERIES = {"jaeger": {"service": "shop", "tags": "user.id={}"}, "tempo": {"query": '{{ span.user.id = "{}" }}'}}


@pytest.mark.parametrize(("source", "query"), QUERIES.items(), ids=QUERIES)
def test_the_report_links_to_a_persons_traces_and_turns(source: str, query: dict[str, str]) -> None:
    names, tempo = Pseudonyms(KEY), "http://tempo" if source == "tempo" else ""
    text, _ = report(Settings(service_name="shop", user_key=KEY, grafana_url="http://g/", tempo_url=tempo), "7")
    *_, traces, turns = text.splitlines()
    (pane,) = json.loads(parse_qs(urlsplit(traces.removeprefix("traces: ")).query)["panes"][0]).values()
    assert {key: pane["queries"][0][key] for key in query} == {
        key: value.format(names.user("7")) for key, value in query.items()
    }
    conversation = names.conversation("telegram:7")
    assert turns == f"turns: http://g/d/conversation_dashboard?var-conversation={conversation}&from=now-24h&to=now"
