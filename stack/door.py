"""Who may send to the Collector: on loopback everybody, beyond it who has the token, over TLS; or nobody at all."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from stack.errors import StackError

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["application_variables", "collector_variables", "is_guarded"]

OPEN, GUARDED = "config.yaml", "guarded.yaml"
"""What the Collector reads after config.yaml; a file twice is the file."""

_SHORTEST = 16
_MISSING = "lets other machines send to the Collector: {missing} must be set too"


def is_guarded(settings: Settings) -> bool:
    """True if the Collector asks for the token and speaks TLS."""
    return bool(_token(settings) and settings.options["OTLP_TLS_CERT"])


def collector_variables(settings: Settings) -> dict[str, str]:
    """The variables of collector/config.yaml; StackError for a door that stands open beyond loopback."""
    found = {"OTLP_BIND": settings.options["OTLP_BIND"], "COLLECTOR_DOOR": OPEN}
    needed = _needed(settings)
    missing = [name for name, value in needed.items() if not value]
    if missing and not _is_loopback(found["OTLP_BIND"]):
        raise StackError(
            f"OTLP_BIND={found['OTLP_BIND']} {_MISSING.format(missing=', '.join(missing))}.",
            todo="See docs/privacy.md for a certificate; or leave OTLP_BIND out.",
        )
    if missing:
        return found
    if len(_token(settings)) < _SHORTEST:
        raise StackError(
            f"OTLP_TOKEN must have {_SHORTEST} characters or more (got fewer).", todo="openssl rand -hex 32"
        )
    files = {name: str(_readable(name, needed[name])) for name in ("OTLP_TLS_CERT", "OTLP_TLS_KEY")}
    return found | files | {"OTLP_TOKEN": _token(settings), "COLLECTOR_DOOR": GUARDED}


def application_variables(settings: Settings) -> dict[str, str]:
    """What an application on this machine needs to get in."""
    if not is_guarded(settings):
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": settings.url("OTLP_HTTP_PORT")}
    authority = settings.options["OTLP_TLS_CA"] or settings.options["OTLP_TLS_CERT"]  # which signs itself then
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.url("OTLP_HTTP_PORT").replace("http://127.0.0.1", "https://localhost"),
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={quote(f'Bearer {_token(settings)}')}",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(_readable("OTLP_TLS_CA", authority)),
    }


def _needed(settings: Settings) -> dict[str, str]:
    certificate, key = (settings.options[name] for name in ("OTLP_TLS_CERT", "OTLP_TLS_KEY"))
    return {"OTLP_TOKEN": _token(settings), "OTLP_TLS_CERT": certificate, "OTLP_TLS_KEY": key}


def _token(settings: Settings) -> str:
    named = settings.options["OTLP_TOKEN_FILE"]
    return _readable("OTLP_TOKEN_FILE", named).read_text().strip() if named else settings.options["OTLP_TOKEN"]


def _readable(name: str, path: str) -> Path:
    found = Path(path).resolve()
    try:
        found.open("rb").close()
    except OSError as error:
        raise StackError(f"{name} must name a file that can be read (got {path}: {error.strerror}).") from error
    return found


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
