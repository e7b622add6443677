"""Environment → the channels of alerts, and what Alertmanager is given of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stack import settings
from stack.delivery import alertmanager, channels
from stack.errors import StackError
from stack.settings import ROOT, Settings

MAIL = {"ALERT_EMAIL_TO": "a@example.com", "ALERT_SMTP_SERVER": "mail:25"}
CHAT = {"ALERT_TELEGRAM_BOT_TOKEN": "secret-token", "ALERT_TELEGRAM_CHAT_ID": "-1001234567890"}


def load(tmp_path: Path, **environ: str) -> Settings:
    return settings.load({"STACK_DATA_DIR": str(tmp_path), **environ}, root=ROOT)


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"ALERT_WEBHOOK_URL": "http://127.0.0.1:1/x"}, ("webhook",), id="webhook"),
        pytest.param(MAIL | CHAT, ("email", "telegram"), id="mail and chat"),
        pytest.param({"ALERT_HEARTBEAT_URL": "https://h.example"}, (), id="a watcher is no channel of people"),
    ],
)
def test_a_channel_is_what_is_set(tmp_path: Path, environ: dict[str, str], names: tuple[str, ...]) -> None:
    assert channels.load(load(tmp_path, **environ)).names == names


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        pytest.param({"ALERT_WEBHOOK_URL": "hook.example"}, "ALERT_WEBHOOK_URL", id="no address"),
        pytest.param({"ALERT_HEARTBEAT_URL": "ftp://x"}, "ALERT_HEARTBEAT_URL", id="not http"),
        pytest.param({"ALERT_WEBHOOK_URL": "http://[x"}, "ALERT_WEBHOOK_URL", id="broken"),
        pytest.param(MAIL | {"ALERT_SMTP_SERVER": ""}, "ALERT_SMTP_SERVER", id="no server"),
        pytest.param(MAIL | {"ALERT_SMTP_SERVER": "mail"}, "ALERT_SMTP_SERVER", id="no port"),
        pytest.param(MAIL | {"ALERT_SMTP_TLS": "maybe"}, "ALERT_SMTP_TLS", id="tls"),
        pytest.param(MAIL | {"ALERT_EMAIL_TO": "somebody"}, "ALERT_EMAIL_TO", id="no mail address"),
        pytest.param(CHAT | {"ALERT_TELEGRAM_CHAT_ID": ""}, "ALERT_TELEGRAM_CHAT_ID", id="no chat"),
        pytest.param(CHAT | {"ALERT_TELEGRAM_CHAT_ID": "@ops"}, "ALERT_TELEGRAM_CHAT_ID", id="a name"),
        pytest.param(CHAT | {"ALERT_TELEGRAM_BOT_TOKEN": ""}, "ALERT_TELEGRAM_BOT_TOKEN", id="no token"),
    ],
)
def test_a_channel_that_could_not_deliver_is_refused_by_its_variable(
    tmp_path: Path, environ: dict[str, str], named: str
) -> None:
    with pytest.raises(StackError, match=named) as refused:
        channels.load(load(tmp_path, **environ))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "advice"),
    [
        pytest.param({}, "", id="nothing to say of nothing"),
        pytest.param(CHAT, "Telegram alone", id="telegram alone"),
        pytest.param(CHAT | MAIL, "Nobody outside", id="no watcher"),
        pytest.param(MAIL | {"ALERT_HEARTBEAT_URL": "https://h.example"}, "", id="all there"),
    ],
)
def test_what_channels_lack_is_said(tmp_path: Path, environ: dict[str, str], advice: str) -> None:
    assert channels.load(load(tmp_path, **environ)).advice.startswith(advice)
    assert bool(channels.load(load(tmp_path, **environ)).advice) is bool(advice)


def test_the_files_with_secrets_are_this_users_only(tmp_path: Path) -> None:
    found = load(tmp_path, **CHAT, **MAIL, ALERT_SMTP_USER="me", ALERT_SMTP_PASSWORD="hidden")  # noqa: S106
    alertmanager.write(found, channels.load(found))
    file = alertmanager.alertmanager_file(found)
    assert file.stat().st_mode & 0o077 == 0
    assert "hidden" in file.read_text()
    assert "hidden" not in repr(channels.load(found)) + repr(found)


def test_prometheus_sends_to_alertmanager_and_is_else_as_committed(tmp_path: Path) -> None:
    found = load(tmp_path, ALERTMANAGER_PORT="31093", TELEMETRY_GRAFANA_URL="https://grafana.example/")
    alertmanager.write(found, channels.load(found))
    config = yaml.safe_load(alertmanager.prometheus_file(found).read_text())
    committed = yaml.safe_load((ROOT / "collector/prometheus/prometheus.yml").read_text())
    assert config.pop("alerting") == {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:31093"]}]}]}
    told = {Path(path).name: Path(path).read_text() for path in config.pop("rule_files")}
    for path in (ROOT / "collector/prometheus/rules").glob("*.yml"):
        assert told.pop(path.name) == path.read_text().replace("http://127.0.0.1:3000/", "https://grafana.example/")
    assert told == {}
    assert config == {name: value for name, value in committed.items() if name != "rule_files"}
