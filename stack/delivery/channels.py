"""Environment → the channels that alerts go to, each checked as a whole."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stack.settings import Settings

__all__ = ["Channels", "Email", "Telegram", "load"]


@dataclass(frozen=True)
class Email:
    """Mail through an SMTP server, `server` being HOST:PORT."""

    to: tuple[str, ...]
    sender: str
    server: str
    user: str
    password: str = field(repr=False)
    tls: bool


@dataclass(frozen=True)
class Telegram:
    """A chat; a group's number begins with a minus."""

    token: str = field(repr=False)
    chat: int
    api: str


@dataclass(frozen=True)
class Channels:
    """What is set up; each channel of people gets every alert."""

    webhook: str = field(default="", repr=False)
    email: Email | None = None
    telegram: Telegram | None = None
    heartbeat: str = field(default="", repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The channels of people."""
        found = {"webhook": self.webhook, "email": self.email, "telegram": self.telegram}
        return tuple(name for name, channel in found.items() if channel)

    @property
    def advice(self) -> str:
        """What should be mended, empty if nothing."""
        if self.names == ("telegram",):
            return "Telegram alone may refuse or lose a message: set ALERT_WEBHOOK_URL or ALERT_EMAIL_TO, too."
        if self.names and not self.heartbeat:
            return "Nobody outside notices when alerts stop being delivered: set ALERT_HEARTBEAT_URL."
        return ""


def load(settings: Settings) -> Channels:
    """The channels of these settings; StackError that names the variable of one that could not deliver."""
    given = settings.options
    return Channels(
        webhook=_address("ALERT_WEBHOOK_URL", given["ALERT_WEBHOOK_URL"]),
        email=_email(given),
        telegram=_telegram(given),
        heartbeat=_address("ALERT_HEARTBEAT_URL", given["ALERT_HEARTBEAT_URL"]),
    )


def _address(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        fits = not value or (parts.scheme in ("http", "https") and bool(parts.hostname))
    except ValueError:
        fits = False
    if not fits:
        # The value may hold a secret in its path.
        raise StackError(f"{name} must be an address beginning with http:// or https://.")
    return value


def _email(given: Mapping[str, str]) -> Email | None:
    to = tuple(address.strip() for address in given["ALERT_EMAIL_TO"].split(",") if address.strip())
    if not to:
        return None
    server, sender = given["ALERT_SMTP_SERVER"], given["ALERT_EMAIL_FROM"]
    if not re.fullmatch(r"[^\s:/]+:\d+", server):
        raise StackError(f'ALERT_SMTP_SERVER must be HOST:PORT where ALERT_EMAIL_TO is set (got "{server}").')
    for address in (*to, sender):
        if not re.fullmatch(r"[^@\s;<>]+@[^@\s;<>]+", address):
            raise StackError(f'ALERT_EMAIL_TO and ALERT_EMAIL_FROM must hold plain addresses (got "{address}").')
    tls = {"true": True, "false": False}.get(given["ALERT_SMTP_TLS"])
    if tls is None:
        raise StackError(f'ALERT_SMTP_TLS must be true or false (got "{given["ALERT_SMTP_TLS"]}").')
    return Email(to, sender, server, given["ALERT_SMTP_USER"], given["ALERT_SMTP_PASSWORD"], tls)


def _telegram(given: Mapping[str, str]) -> Telegram | None:
    token, chat = given["ALERT_TELEGRAM_BOT_TOKEN"], given["ALERT_TELEGRAM_CHAT_ID"]
    if not token and not chat:
        return None
    if not token or not re.fullmatch(r"-?[1-9]\d{0,18}", chat):
        raise StackError(
            "Telegram needs ALERT_TELEGRAM_BOT_TOKEN and ALERT_TELEGRAM_CHAT_ID, a whole number such as -1001234567890 "
            f'(got {"a token" if token else "no token"} and "{chat}").'
        )
    return Telegram(token, int(chat), _address("ALERT_TELEGRAM_API_URL", given["ALERT_TELEGRAM_API_URL"]))
