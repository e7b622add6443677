"""Where Grafana runs: a copy of its provisioning with the channels put in. Its secrets come from the environment."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from stack.delivery.channels import Channels
    from stack.settings import Settings

__all__ = ["alerting_folder", "environment", "provisioning_folder", "write"]


def provisioning_folder(settings: Settings) -> Path:
    """What a native Grafana provisions itself from."""
    return settings.data / "grafana-provisioning"


def alerting_folder(settings: Settings) -> Path:
    """The part of it that compose.yaml mounts."""
    return provisioning_folder(settings) / "alerting"


def write(settings: Settings, channels: Channels) -> None:
    """Write the folder anew. It holds no secret, so that the user of Grafana's container may read it."""
    folder = provisioning_folder(settings)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(settings.root / "grafana" / "provisioning", folder)
    for name, content in _files(channels).items():
        (folder / "alerting" / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _files(channels: Channels) -> dict[str, dict[str, Any]]:
    from grafana.source import alert_contacts, alert_routes  # noqa: PLC0415 - without Grafana nobody need wait for it

    given: dict[str, dict[str, str]] = {name: {} for name in channels.names}
    if channels.email:
        given["email"] = {"addresses": ";".join(channels.email.to)}
    if channels.telegram:
        given["telegram"] = {"chatid": str(channels.telegram.chat)}
    if channels.heartbeat:
        given["heartbeat"] = {}
    people = alert_routes.PEOPLE if channels.names else alert_routes.GRAFANAS_OWN
    heartbeat = alert_routes.HEARTBEAT if channels.heartbeat else ""
    return {
        "contact_points.yaml": alert_contacts.contact_points(given),
        "policies.yaml": alert_routes.grafana_policies(people, heartbeat),
    }


def environment(settings: Settings, channels: Channels) -> dict[str, str]:
    """What Grafana fills into its contact points, and how it sends mail."""
    email = channels.email
    return {
        "GRAFANA_ALERTING_DIR": str(alerting_folder(settings)),
        "ALERT_WEBHOOK_URL": channels.webhook,
        "ALERT_HEARTBEAT_URL": channels.heartbeat,
        "ALERT_TELEGRAM_BOT_TOKEN": channels.telegram.token if channels.telegram else "",
        "GF_SMTP_ENABLED": "true" if email else "false",
        "GF_SMTP_HOST": email.server if email else "",
        "GF_SMTP_USER": email.user if email else "",
        "GF_SMTP_PASSWORD": email.password if email else "",
        "GF_SMTP_FROM_ADDRESS": email.sender if email else "",
        "GF_SMTP_STARTTLS_POLICY": "MandatoryStartTLS" if email and email.tls else "NoStartTLS",
    }
