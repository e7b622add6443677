"""What alerts are delivered to in tests: real servers on loopback for each channel, which keep what they were told."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from examples.health_agent.local import telegram
from examples.health_agent.local.servers import serve_app
from stack.ports import free_ports
from tests.conftest import http_server

CHAT = -1001234567890
"""A group: https://core.telegram.org/bots/api#chat."""


@dataclass
class Received:
    """What one webhook was told, in order, each with the time it came."""

    url: str = ""
    payloads: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    answer: int = 200

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """The alerts of all notifications that have these labels; one that was repeated is there each time."""
        told = [alert for _, payload in list(self.payloads) for alert in payload["alerts"]]
        return [alert for alert in told if labels.items() <= alert["labels"].items()]

    def log(self) -> str:
        """A line for each notification: when, of which group, which alerts."""
        began = self.payloads[0][0] if self.payloads else 0.0
        return "".join(
            f"{at - began:7.1f} s {told['status']:<9}{' '.join(told['groupLabels'].values()):<20}"
            + ", ".join(f"{alert['labels']['alertname']} {alert['status']}" for alert in told["alerts"])
            + "\n"
            for at, told in self.payloads
        )

    def has(self, status: str, **labels: str) -> bool:
        """Whether an alert was told as `firing` or `resolved`."""
        return any(alert["status"] == status for alert in self.alerts(**labels))


@contextmanager
def webhook() -> Iterator[Received]:
    """Serve a webhook."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if received.answer == 200:
                received.payloads.append((time.time(), json.loads(body)))
            self.send_response(received.answer)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http_server(Handler) as address:
        received.url = f"http://{address}/hook"
        yield received


@dataclass
class Mailbox:
    """An SMTP server and what it took."""

    server: str = ""
    messages: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self.messages.append(BytesParser(EmailMessage, policy=default).parsebytes(content))
        return "250 OK"

    def texts(self) -> list[str]:
        return [message.get_body(("plain",)).get_content() for message in self.messages]  # type: ignore[union-attr]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Serve SMTP without TLS."""
    box = Mailbox()
    port = free_ports(["SMTP"])["SMTP"]
    controller = Controller(box, hostname="127.0.0.1", port=int(port))
    controller.start()
    box.server = f"127.0.0.1:{port}"
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class TelegramChat:
    """A Bot API that has one chat, a group."""

    url: str

    def texts(self) -> list[str]:
        answer = httpx.get(f"{self.url}/control/chats/{CHAT}/messages", trust_env=False)
        return [message["text"] for message in answer.raise_for_status().json()]


@contextmanager
def telegram_chat() -> Iterator[TelegramChat]:
    """Serve the local Bot API in a thread."""
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        async with serve_app(telegram.create_app()) as port:
            ports.append(port)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    chat = TelegramChat(f"http://127.0.0.1:{ports[0]}")
    body = {"user_id": CHAT, "username": "operators", "kind": "text", "text": "hello"}
    httpx.post(f"{chat.url}/control/updates", json=body, trust_env=False).raise_for_status()
    try:
        yield chat
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
