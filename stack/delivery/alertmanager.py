"""Native mode: Alertmanager's configuration with the channels put in, and Prometheus's that sends to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from stack import envfile
from stack.settings import PORTS

if TYPE_CHECKING:
    from pathlib import Path

    from stack.delivery.channels import Channels, Email, Telegram
    from stack.settings import Settings

__all__ = ["alertmanager_file", "prometheus_file", "receivers", "write"]

MOST_ALERTS = 50
"""In one notification to a webhook; it says how many it left out."""
_SUBJECT, _TEXT = '{{ template "agent.title" . }}', '{{ template "agent.text" . }}'


def alertmanager_file(settings: Settings) -> Path:
    """Where Alertmanager reads its configuration."""
    return settings.data / "alertmanager" / "alertmanager.yml"


def prometheus_file(settings: Settings) -> Path:
    """Where a Prometheus that sends to Alertmanager reads its configuration."""
    return settings.data / "prometheus.yml"


def write(settings: Settings, channels: Channels) -> None:
    """Write both files, readable by this user only: the first holds tokens and passwords."""
    folder = settings.root / "collector"
    config = yaml.safe_load((folder / "alertmanager.yml").read_text(encoding="utf-8"))
    config |= {"templates": [str(folder / "alertmanager.tmpl")], "receivers": receivers(channels)}
    alertmanager_file(settings).parent.mkdir(parents=True, exist_ok=True)
    envfile.write_text(alertmanager_file(settings), _yaml(config))
    envfile.write_text(prometheus_file(settings), _yaml(_prometheus(settings)))


def _prometheus(settings: Settings) -> dict[str, Any]:
    folder = settings.root / "collector" / "prometheus"
    config: dict[str, Any] = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
    target = f"127.0.0.1:{settings.ports['ALERTMANAGER_PORT']}"
    files = [str(_linked(settings, path)) for path in sorted((folder / "rules").glob("*.yml"))]
    sends_to = {"alertmanagers": [{"static_configs": [{"targets": [target]}]}]}
    return config | {"rule_files": files, "alerting": sends_to}


def _linked(settings: Settings, path: Path) -> Path:
    """A copy of a rule file whose links lead to the Grafana of these settings."""
    copy = settings.data / "rules" / path.name
    copy.parent.mkdir(exist_ok=True)
    text = path.read_text(encoding="utf-8").replace(
        f"http://127.0.0.1:{PORTS['GRAFANA_PORT']}/", f"{settings.grafana_url.rstrip('/')}/"
    )
    copy.write_text(text, encoding="utf-8")
    return copy


def receivers(channels: Channels) -> list[dict[str, Any]]:
    """Alertmanager's receivers; one without a channel takes alerts and tells nobody."""
    people: dict[str, Any] = {"name": "people"}
    if channels.webhook:
        people["webhook_configs"] = [{"url": channels.webhook, "max_alerts": MOST_ALERTS}]
    if channels.email:
        people["email_configs"] = [_email(channels.email)]
    if channels.telegram:
        people["telegram_configs"] = [_telegram(channels.telegram)]
    heartbeat: dict[str, Any] = {"name": "heartbeat"}
    if channels.heartbeat:
        heartbeat["webhook_configs"] = [{"url": channels.heartbeat, "send_resolved": False}]
    return [people, heartbeat]


def _email(email: Email) -> dict[str, Any]:
    login = {"auth_username": email.user, "auth_password": email.password} if email.user else {}
    return {
        "to": ", ".join(email.to),
        "from": email.sender,
        "smarthost": email.server,
        "require_tls": email.tls,
        "headers": {"Subject": _SUBJECT},
        "html": "",
        "text": _TEXT,
        "send_resolved": True,
        **login,
    }


def _telegram(telegram: Telegram) -> dict[str, Any]:
    return {
        "bot_token": telegram.token,
        "chat_id": telegram.chat,
        "api_url": telegram.api,
        "parse_mode": "",  # plain: a stray `<` or `_` in a text would have the message refused
        "message": '{{ template "agent.telegram" . }}',
        "send_resolved": True,
    }


def _yaml(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, width=1_000_000, sort_keys=False, allow_unicode=True)
