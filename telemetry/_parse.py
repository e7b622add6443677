"""From the text of an environment variable to a value; each parser raises `ValueError` for what it does not accept."""

from __future__ import annotations

import os
import re
from importlib.metadata import entry_points as installed
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

__all__ = [
    "Network",
    "address",
    "boolean",
    "boolean_word",
    "content",
    "count",
    "dsn",
    "endpoint",
    "entry_point",
    "entry_points",
    "file",
    "grpc_codes",
    "headers",
    "host_table",
    "hosts",
    "key",
    "name",
    "networks",
    "one_of",
    "pairs",
    "patterns",
    "port",
    "positive",
    "ratio",
    "secret",
    "signal_endpoint",
    "size",
    "some_of",
    "words",
]

Network = IPv4Network | IPv6Network

_BOOLEANS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_GRPC_CODES = {
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}  # fmt: skip
_SHORTEST_KEY = 16
_SIGNAL_PATHS = ("/v1/traces", "/v1/metrics", "/v1/logs")


def boolean(text: str) -> bool:
    """Read a switch."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def boolean_word(text: str) -> bool:
    """Read a switch as the SDK does, which knows no other words."""
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def ratio(text: str) -> float:
    """Read a share between 0 and 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def positive(text: str) -> float:
    """Read a number of seconds above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Read a whole number from 0."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def size(text: str) -> int:
    """Read a whole number above 0."""
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


def file(text: str) -> str:
    """Read the path of a file that can be read."""
    if not os.access(text, os.R_OK) or not os.path.isfile(text):  # noqa: PTH113 - a path is a text here
        raise ValueError(text)
    return text


def pairs(text: str) -> dict[str, str]:
    """Read a list of `NAME=VALUE`."""
    table = dict(item.split("=", 1) for item in _items(text))
    if not all(name.strip() for name in table):
        raise ValueError(text)
    return table


def headers(text: str) -> dict[str, str]:
    """Read a list of headers, `NAME=VALUE`, as the SDK reads them."""
    table = pairs(text)
    if not all(_HEADER_NAME.fullmatch(name.strip()) for name in table):
        raise ValueError(text)
    return table


def grpc_codes(text: str) -> tuple[str, ...]:
    """Read a list of gRPC's status names."""
    names = tuple(_items(text.upper()))
    if not set(names) <= _GRPC_CODES:
        raise ValueError(text)
    return names


class entry_points:  # noqa: N801 - used like the functions beside it
    """Read a list of names that installed packages have registered in a group; a plain word may be allowed too."""

    def __init__(self, group: str, *words: str) -> None:
        """Accept what is registered in `group`, and `words`."""
        self._group, self._words = group, words

    def __call__(self, text: str) -> tuple[str, ...]:
        """Return the names."""
        names = tuple(_items(text))
        if not all(name in self._words or installed(group=self._group, name=name) for name in names):
            raise ValueError(text)
        return names


class entry_point(entry_points):  # noqa: N801 - as above
    """Read one such name."""

    def __call__(self, text: str) -> tuple[str, ...]:
        """Return the name."""
        if "," in text:
            raise ValueError(text)
        return super().__call__(text)


def name(text: str) -> str:
    """Read any text."""
    return text


def key(text: str) -> str:
    """Read a key that is never printed, long enough not to be guessed."""
    if len(text) < _SHORTEST_KEY:
        raise ValueError("too short")
    return text


def content(path: str) -> str:
    """Read the text of a file, without space around it."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(path) from error


def secret(text: str) -> str:
    """Read any text that is never printed."""
    return text


class one_of:  # noqa: N801 - used like the functions beside it
    """Read one of a few words."""

    def __init__(self, *words: str) -> None:
        """Accept these words."""
        self._words = words

    def __call__(self, text: str) -> str:
        """Return the word."""
        if text not in self._words:
            raise ValueError(text)
        return text


class some_of:  # noqa: N801 - used like the functions beside it
    """Read some of a few words, with commas; `none` stands alone."""

    def __init__(self, *words: str) -> None:
        """Accept these words, and `none`."""
        self._words = words

    def __call__(self, text: str) -> str:
        """Return the words, with commas, in the order of their names."""
        found = words(text)
        if found != {"none"} and (not found or not found <= set(self._words)):
            raise ValueError(text)
        return ",".join(sorted(found))


def port(text: str) -> int:
    """Read the number of a port."""
    value = int(text)
    if not 0 < value < 65536:  # noqa: PLR2004 - as TCP has it
        raise ValueError(text)
    return value


def endpoint(text: str) -> str:
    """Read the base address of an OTLP receiver; a signal's path does not belong there, the exporters append it."""
    parts = urlsplit(text)
    path = parts.path.rstrip("/")
    if parts.scheme not in ("http", "https") or not parts.hostname or path.endswith(_SIGNAL_PATHS):
        raise ValueError(text)
    _ = parts.port  # raises ValueError outside 0..65535
    return text.rstrip("/")


def signal_endpoint(text: str) -> str:
    """Read the address of one signal's receiver, its path included: it is used as it stands."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(text)
    _ = parts.port  # raises ValueError outside 0..65535
    return text


def address(endpoint: str) -> tuple[str, int]:
    """Return host and port of an address that `endpoint` accepts, the scheme's own port where it names none."""
    parts = urlsplit(endpoint)
    return parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)


def dsn(text: str) -> str:
    """Read a Sentry DSN, `https://KEY@HOST/PROJECT`."""
    parts = urlsplit(text)
    project = parts.path.rpartition("/")[2]
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username or not project.isdigit():
        raise ValueError(text)
    _ = parts.port
    return text


def hosts(text: str) -> frozenset[str]:
    """Read a list of hosts, each `HOST` or `HOST:PORT`."""
    return frozenset(item.lower() for item in _items(text))


def words(text: str) -> frozenset[str]:
    """Read a list of names."""
    return frozenset(_items(text))


def host_table(text: str) -> dict[str, str]:
    """Read a table of hosts, each `HOST=SERVICE` or `HOST:PORT=SERVICE`."""
    table = {}
    for item in _items(text):
        host, equals, service = item.partition("=")
        if not (host and equals and service):
            raise ValueError(item)
        table[host.strip().lower()] = service.strip()
    return table


def networks(text: str) -> tuple[Network, ...]:
    """Read a list of IP addresses and networks."""
    return tuple(ip_network(item) for item in _items(text))


def patterns(text: str) -> tuple[str, ...]:
    """Read a list of regular expressions."""
    found = tuple(_items(text))
    try:
        for pattern in found:
            re.compile(pattern)
    except re.error:
        raise ValueError(text) from None
    return found


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
