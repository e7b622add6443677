"""Writes to the running health agent whatever people and programs can write to it, a sentinel in every place."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from examples.health_agent.local.media import jpeg, ogg
from telemetry.sentinels import Sentinels

USER = 5550001
ANSWER_SECONDS = 30
LATITUDE = 52.520817


@dataclass
class Inputs:
    """The agent's two doors: the bot's chat and the API."""

    client: httpx.Client
    telegram: str
    api: str
    sentinels: Sentinels

    def plant_all(self) -> None:
        """Every kind of input once."""
        self._chat()
        self._messages_without_a_handler()
        self._requests()

    def _chat(self) -> None:
        plant = self.sentinels.plant
        for text in (
            f"I ate {plant('message text')}", "hello", f"Why {plant('a complex message')}? Suggest a plan",
            f"/log 250 {plant('arguments of a command')}", f"/remind 1s {plant('a reminder')}",
            f"/{plant('a command')}", f"hello #servererror {plant('a failing message')}",
            f"hello #ratelimited {plant('a refused message')}", "/goal 0", "/progress",
        ):  # fmt: skip
            self._write("text", text=text)
        plate = {"foods": [{"name": plant("a photo"), "grams": 300, "calories": 800}], "confidence": 0.9}
        self._write("photo", data=base64.b64encode(jpeg(plate)).decode())
        self._write("photo", data=base64.b64encode(jpeg(f"#malformed {plant('a failing photo')}")).decode())
        self._write("voice", data=base64.b64encode(ogg(f"I ate {plant('a voice')}")).decode())
        self._write("press", text=plant("callback data"))

    def _messages_without_a_handler(self) -> None:
        plant = self.sentinels.plant
        for content in (
            {"caption": plant("a caption"), "photo": []},
            {"contact": {"phone_number": plant("a phone number"), "first_name": plant("a first name"),
                         "last_name": plant("a last name")}},
            {"location": {"latitude": LATITUDE, "longitude": 13.409419}},
            {"document": {"file_id": "f", "file_unique_id": "f", "file_name": plant("a file name")}},
        ):  # fmt: skip
            self._write("any", content=content, answered=False)

    def _write(self, kind: str, *, answered: bool = True, **update: Any) -> None:
        """Write to the bot, and wait for its answer."""
        seen = len(self._messages(0, 0)) if answered else 0
        body = {"user_id": USER, "username": self.sentinels.plant("a username"), "kind": kind, **update}
        self.client.post(f"{self.telegram}/control/updates", json=body).raise_for_status()
        is_unknown = str(update.get("text", "")).startswith(f"/{self.sentinels.prefix}")
        if answered and not is_unknown:
            self._messages(seen, ANSWER_SECONDS)

    def _messages(self, after: int, timeout: float) -> list[Any]:
        url = f"{self.telegram}/control/chats/{USER}/messages"
        found: list[Any] = self.client.get(url, params={"after": after, "timeout": timeout}).json()
        return found

    def _requests(self) -> None:
        plant, api = self.sentinels.plant, self.api
        headers = {
            "x-api-key": plant("a header"), "user-agent": plant("a user agent"), "referer": plant("a referer"),
            "authorization": f"Bearer {plant('a bearer token')}", "cookie": f"session={plant('a cookie')}",
            "traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": f"a={plant('a trace state')}",
            "baggage": f"note={plant('baggage')}",
        }  # fmt: skip
        user = {"id": USER + 1, "username": plant("a user's name"), "calorie_goal": 2000}
        food = {"user_id": USER + 1, "name": plant("a food"), "grams": 100, "calories": 100}
        chat = {"user_id": USER + 1, "message": f"I ate {plant('a chat message')}"}
        failing = {"user_id": USER + 1, "message": f"hello #servererror {plant('a failing chat message')}"}
        requests: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/users", {"json": user}), ("POST", "/foods", {"json": food}), ("POST", "/chat", {"json": chat}),
            ("POST", "/chat", {"json": failing}), ("GET", f"/users/{plant('a path')}", {}),
            ("GET", f"/{plant('an unknown path')}", {}), ("GET", f"/users/{USER + 1}", {}),
            ("GET", "/foods", {"params": {"user_id": USER + 1, "q": plant("a query string")}}),
            ("POST", "/chat", {"data": {"message": plant("a form field")}}),
            ("POST", "/chat", {"files": {"file": (plant("an upload's name"), b"x")}}),
            ("POST", "/chat", {"content": f'{{"message": "{plant("a broken body")}'}),
            (plant("a method").upper(), "/users", {}),
        ]  # fmt: skip
        for method, path, options in requests:
            with suppress(httpx.TransportError):  # what the server refuses is fine
                self.client.request(method, f"{api}{path}", headers=headers, **options)
