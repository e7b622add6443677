"""From the text of an environment variable to a value; each parser raises `ValueError` for what it does not accept."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

__all__ = [
    "Network",
    "address",
    "boolean",
    "dsn",
    "endpoint",
    "host_table",
    "hosts",
    "name",
    "networks",
    "one_of",
    "patterns",
    "port",
    "positive",
    "ratio",
    "secret",
    "some_of",
    "words",
]

Network = IPv4Network | IPv6Network

_BOOLEANS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip
_SIGNAL_PATHS = ("/v1/traces", "/v1/metrics", "/v1/logs")


def boolean(text: str) -> bool:
    """Read a switch."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(text) from None


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


def name(text: str) -> str:
    """Read any text."""
    return text


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
    return tuple(_items(text))


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
