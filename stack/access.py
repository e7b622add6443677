"""Every socket of the stack on which something listens: who may connect, and what it asks of them.

Both are found out, not assumed: the kernel tells the sockets, and each is asked without any credentials.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import astuple, dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx
import psutil

from stack import compose, native
from stack.settings import INTERNAL_PORTS, PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.settings import Settings
    from stack.state import State

__all__ = ["Door", "doors", "is_open", "lines", "who_may_connect"]

NOTHING = "nothing"
THIS_MACHINE, THIS_USER, EVERYBODY = "this machine", "this user", "whoever reaches it"
_QUESTIONS = {
    "BUGSINK_PORT": ("GET", "/api/canonical/0/projects/"),
    "COLLECTOR_LOOP_PORT": ("POST", "/v1/metrics"),
    "COLLECTOR_METRICS_PORT": ("GET", "/metrics"),
    "COLLECTOR_OWN_PORT": ("POST", "/v1/metrics"),
    "GRAFANA_PORT": ("GET", "/api/search"),
    "JAEGER_OTLP_PORT": ("POST", "/v1/traces"),
    "JAEGER_PORT": ("GET", "/api/services"),
    "OTLP_HTTP_PORT": ("POST", "/v1/traces"),
    "PROMETHEUS_PORT": ("GET", "/api/v1/labels"),
    "TEMPO_PORT": ("GET", "/api/search/tags"),
}
"""What gives something away, or takes it in, behind each port; of other ports the first page."""
_REFUSED = (401, 403)
_SECONDS = 3.0


@dataclass(frozen=True)
class Door:
    """One listening socket."""

    part: str
    address: str
    variable: str  # that moves its port, empty for none
    who: str
    asks: str


def doors(settings: Settings, running: State) -> list[Door]:
    """Look for every socket of the running stack, and ask each."""
    found = _published(settings) if running.mode == "docker" else _listening(settings)
    names = {settings.ports[name]: name for name in (*PORTS, *INTERNAL_PORTS)}
    doors = [_door(part, host, port, names.get(port, "")) for part, host, port in sorted(set(found))]
    return doors if running.mode == "docker" else [*doors, _supervisors(native.socket_path(settings))]


def is_open(door: Door) -> bool:
    """True if other machines get in without being asked for anything."""
    return door.who == EVERYBODY and door.asks.startswith(NOTHING)


def who_may_connect(host: str) -> str:
    """Tell from the address that a socket is bound to."""
    return THIS_MACHINE if ip_address(host).is_loopback else EVERYBODY


def lines(found: list[Door]) -> list[str]:
    """Part, address, the variable that moves it, who may connect, what is asked, in columns."""
    rows = [("part", "address", "moved by", "who may connect", "asks for"), *map(astuple, found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _listening(settings: Settings) -> Iterator[tuple[str, str, int]]:
    parts = _parts_by_pid(settings)
    for process in native.leftovers(settings):
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                yield parts.get(process.pid, process.name()), connection.laddr.ip, connection.laddr.port


def _parts_by_pid(settings: Settings) -> dict[int, str]:
    found: dict[int, str] = {}
    for name, entry in native.processes(settings).items():
        if psutil.pid_exists(entry["pid"]):
            parent = psutil.Process(entry["pid"])
            found |= {process.pid: name for process in (parent, *parent.children(recursive=True))}
    return found


def _published(settings: Settings) -> Iterator[tuple[str, str, int]]:
    for service, publishers in compose.publishers(settings).items():
        yield from ((service, port["URL"], port["PublishedPort"]) for port in publishers if port["PublishedPort"])


def _door(part: str, host: str, port: int, variable: str) -> Door:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Door(part, place, variable, who_may_connect(host), _asks(host, port, _QUESTIONS.get(variable, ("GET", "/"))))


def _supervisors(path: Path) -> Door:
    """The door of process-compose, which is a file: who may open it is who may enter its folder."""
    others = path.stat().st_mode & path.parent.stat().st_mode & 0o077
    return Door("supervisor", str(path), "", f"every user of {THIS_MACHINE}" if others else THIS_USER, NOTHING)


def _asks(host: str, port: int, question: tuple[str, str]) -> str:
    """Ask without credentials: what is answered, over TLS where it is spoken."""
    secure = _speaks_tls(host, port)
    try:
        wanted = _answer(host, port, question, secure=secure)
    except httpx.HTTPError:
        wanted = "a token" if secure else f"{NOTHING} (gRPC)"
    return f"{wanted}, over TLS" if secure else wanted


def _answer(host: str, port: int, question: tuple[str, str], *, secure: bool) -> str:
    method, path = question
    url = f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}{path}"
    json = {"content-type": "application/json"}
    with httpx.Client(timeout=_SECONDS, trust_env=False, verify=False) as http:  # noqa: S501 - only asks, shows nothing
        answer = http.request(method, url, headers=json, content="{}" if method == "POST" else None)
    if answer.is_redirect:
        return "a login"
    return "a login or a token" if answer.status_code in _REFUSED else NOTHING


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), _SECONDS) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False
