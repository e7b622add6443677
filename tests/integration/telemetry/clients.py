"""A provider on loopback, and the HTTP clients that ask it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import httpx2
import pytest
import requests

Get = Callable[..., Awaitable[Any]]
PATIENCE = 1.0
"""Seconds that the clients wait for an answer."""


class Provider(BaseHTTPRequestHandler):
    """Does what the path says: answers with a status, is slow, redirects, breaks off its body, recovers."""

    seen: list[dict[str, str]]
    failures: int

    def do_GET(self) -> None:
        Provider.seen.append({key.lower(): value for key, value in self.headers.items()})
        what = urlsplit(self.path).path.rpartition("/")[2]
        if what == "slow":
            time.sleep(2 * PATIENCE)
        elif what == "redirect":
            self._answer(302, location=parse_qs(urlsplit(self.path).query)["to"][0])
        elif what == "recovers":
            Provider.failures += 1
            self._answer(503 if Provider.failures < 3 else 200)
        elif what == "broken":
            self._answer(200, content_length="1000")
        else:
            self._answer(int(what) if what.isdigit() else 200)

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("x-ratelimit-limit-requests", "100")
        self.send_header("x-ratelimit-remaining-requests", "25")
        for name, value in ({"content_length": "0"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


async def with_httpx_async(url: str, **options: Any) -> Any:
    async with httpx.AsyncClient(follow_redirects=True, timeout=PATIENCE) as client:
        return await client.get(url, **options)


async def with_httpx2_async(url: str, **options: Any) -> Any:
    async with httpx2.AsyncClient(follow_redirects=True, timeout=PATIENCE) as client:
        return await client.get(url, **options)


async def with_httpx(url: str, **options: Any) -> Any:
    with httpx.Client(follow_redirects=True, timeout=PATIENCE) as client:
        return client.get(url, **options)  # noqa: ASYNC212 - the sync client is what is tried


async def with_httpx2(url: str, **options: Any) -> Any:
    with httpx2.Client(follow_redirects=True, timeout=PATIENCE) as client:
        return client.get(url, **options)


async def with_requests(url: str, **options: Any) -> Any:
    with requests.Session() as session:
        return session.get(url, timeout=PATIENCE, **options)


CLIENTS = [with_httpx, with_httpx_async, with_httpx2, with_httpx2_async, with_requests]
each_client = pytest.mark.parametrize("get", CLIENTS, ids=[client.__name__ for client in CLIENTS])
