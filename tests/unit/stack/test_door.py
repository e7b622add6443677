"""The Collector's door: on loopback it may stand open, beyond it never."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack import compose, door, settings
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "0123456789abcdef"  # noqa: S105
BEYOND = {"OTLP_BIND": "0.0.0.0"}  # noqa: S104 - that is the case


@pytest.fixture
def guarded(tmp_path: Path) -> dict[str, str]:
    for name in ("tls.crt", "tls.key", "token"):
        (tmp_path / name).write_text(f"{TOKEN}\n", encoding="utf-8")
    return {"OTLP_TLS_CERT": str(tmp_path / "tls.crt"), "OTLP_TLS_KEY": str(tmp_path / "tls.key"), "OTLP_TOKEN": TOKEN}


def test_on_loopback_nobody_is_asked() -> None:
    found = door.collector_variables(settings.load({}))
    assert found == {"OTLP_BIND": "127.0.0.1", "COLLECTOR_DOOR": "config.yaml"}
    assert compose.environment(settings.load({}), {})["OTLP_PUBLISHED_ON"] == "127.0.0.1"


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "10.0.0.7", "collector.internal"])  # noqa: S104 - nothing listens
@pytest.mark.parametrize("left_out", ["OTLP_TOKEN", "OTLP_TLS_CERT", "OTLP_TLS_KEY"])
def test_beyond_loopback_it_needs_token_and_certificate(guarded: dict[str, str], bind: str, left_out: str) -> None:
    del guarded[left_out]
    found = settings.load(guarded | {"OTLP_BIND": bind})
    with pytest.raises(StackError, match=rf"OTLP_BIND={bind} lets other machines .*: {left_out} must be set too"):
        door.collector_variables(found)
    with pytest.raises(StackError, match="lets other machines"):
        compose.environment(found, {})


WRONG = {
    "a short token": ({"OTLP_TOKEN": "short"}, "OTLP_TOKEN must have 16 characters or more"),
    "no certificate there": ({"OTLP_TLS_CERT": "/nowhere"}, r"OTLP_TLS_CERT must name a file .*/nowhere: No such file"),
    "no token there": ({"OTLP_TOKEN_FILE": "/nowhere"}, "OTLP_TOKEN_FILE must name a file that can be read"),
}


@pytest.mark.parametrize(("wrong", "message"), WRONG.values(), ids=WRONG)
def test_what_it_cannot_use_is_named(guarded: dict[str, str], wrong: dict[str, str], message: str) -> None:
    with pytest.raises(StackError, match=message):
        door.collector_variables(settings.load(guarded | BEYOND | wrong))


def test_with_both_it_is_guarded_and_applications_are_told_how_to_get_in(guarded: dict[str, str]) -> None:
    found = settings.load(guarded | BEYOND)
    variables = door.collector_variables(found)
    assert (variables["COLLECTOR_DOOR"], variables["OTLP_TOKEN"]) == ("guarded.yaml", TOKEN)
    assert compose.environment(found, {})["OTLP_PUBLISHED_ON"] == BEYOND["OTLP_BIND"]
    assert door.application_variables(found) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://localhost:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": guarded["OTLP_TLS_CERT"],
    }


def test_applications_are_told_the_authority_of_a_certificate_that_does_not_sign_itself(
    guarded: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").touch()
    found = settings.load(guarded | {"OTLP_TLS_CA": str(tmp_path / "ca.pem")})
    assert door.application_variables(found)["OTEL_EXPORTER_OTLP_CERTIFICATE"] == str(tmp_path / "ca.pem")


def test_the_token_may_stand_in_a_file(guarded: dict[str, str], tmp_path: Path) -> None:
    del guarded["OTLP_TOKEN"]
    found = settings.load(guarded | {"OTLP_TOKEN_FILE": str(tmp_path / "token")})
    assert door.collector_variables(found)["OTLP_TOKEN"] == TOKEN
