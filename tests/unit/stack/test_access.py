"""A listening socket is asked what it wants, and known by its address for whom it is."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import trustme

from stack import access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def answering(status: int, *, secure: bool) -> Iterator[int]:
    """A server on loopback that always gives this answer; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("location", "/login")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("localhost").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


ANSWERS = {
    "all are let in": (200, False, "nothing"),
    "there is no such page": (404, False, "nothing"),
    "credentials are missing": (401, False, "a login or a token"),
    "this is forbidden": (403, False, "a login or a token"),
    "log in first": (302, False, "a login"),
    "all are let in, over TLS": (200, True, "nothing, over TLS"),
    "credentials are missing, over TLS": (401, True, "a login or a token, over TLS"),
}


@pytest.mark.parametrize(("status", "secure", "asks"), ANSWERS.values(), ids=ANSWERS)
def test_it_asks_for(status: int, asks: str, *, secure: bool) -> None:
    with answering(status, secure=secure) as port:
        found = access._door("shop", "127.0.0.1", port, "")
    assert (found.who, found.asks) == ("this machine", asks)


@pytest.mark.parametrize(
    ("host", "who"),
    [("127.0.0.1", "this machine"), ("::1", "this machine"), ("::", "whoever reaches it"),
     ("10.0.0.7", "whoever reaches it")],
)  # fmt: skip
def test_an_address_tells_who_may_connect(host: str, who: str) -> None:
    assert access.who_may_connect(host) == who


@pytest.mark.parametrize(
    ("who", "asks", "is_open"),
    [("whoever reaches it", "nothing", True), ("whoever reaches it", "nothing, over TLS", True),
     ("whoever reaches it", "a token, over TLS", False), ("this machine", "nothing", False)],
)  # fmt: skip
def test_a_door_is_open_where_other_machines_are_asked_nothing(who: str, asks: str, *, is_open: bool) -> None:
    assert access.is_open(access.Door("shop", "", "", who, asks)) is is_open


@pytest.mark.parametrize(("mode", "who"), [(0o700, "this user"), (0o755, "every user of this machine")])
def test_a_sockets_file_is_for_who_may_enter_its_folder(tmp_path: Path, mode: int, who: str) -> None:
    tmp_path.chmod(mode)
    path = tmp_path / "supervisor.sock"
    path.touch(mode=0o755)
    assert access._supervisors(path).who == who
