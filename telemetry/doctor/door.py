"""The Collector's door: is it there, does it speak what we speak, does it let us in."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from telemetry._parse import address
from telemetry.doctor.findings import BROKEN, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.exporters import Delivery
    from telemetry.settings import Settings

__all__ = ["examine", "refusal"]

_CONNECT_SECONDS = 3.0
_PORTS = "OTLP's ports are 4318 for http/protobuf and 4317 for grpc"
_PROTOCOL = f"correct OTEL_EXPORTER_OTLP_PROTOCOL, or the port in the endpoint: {_PORTS}"
_CREDENTIALS = "correct the credentials in OTEL_EXPORTER_OTLP_HEADERS: authorization=Bearer%20TOKEN"
_ANSWERS: tuple[tuple[str, str, str], ...] = (
    (r"CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted",
     "set OTEL_EXPORTER_OTLP_CERTIFICATE to the authority's file"),
    (r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE", "it does not speak TLS", "begin the endpoint with http://"),
    (r"UNAUTHENTICATED|PERMISSION_DENIED", "it refuses the credentials", _CREDENTIALS),
    (r"UNIMPLEMENTED", "what listens there takes no OTLP", _PROTOCOL),
    (r"UNAVAILABLE|BadStatusLine|RemoteDisconnected|Connection aborted|ConnectionReset|InvalidHeader|parse",
     "what listens there does not speak {protocol}", _PROTOCOL),
)  # fmt: skip
"""What an exporter said, as a pattern; what it means; what to do."""
_STATUSES = {
    401: ("it refuses the credentials (401)", _CREDENTIALS),
    403: ("it refuses the credentials (403)", _CREDENTIALS),
    429: ("it takes no more for now (429)", "see `make losses` and the Collector's memory"),
    503: ("it takes no more for now (503)", "see `make losses` and the Collector's memory"),
}


def examine(settings: Settings) -> Iterator[Finding]:
    """Try each address that something is sent to."""
    addresses: dict[str, list[str]] = {}
    for signal in ("traces", "metrics"):
        addresses.setdefault(settings.endpoint(signal).removesuffix(f"/v1/{signal}"), []).append(signal)
    for endpoint, signals in addresses.items():
        own = [f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT" for signal in signals
               if getattr(settings, f"{signal}_endpoint")]  # fmt: skip
        yield _reach(endpoint, settings.protocol(signals[0]), (own or ["OTEL_EXPORTER_OTLP_ENDPOINT"])[0])


def _reach(endpoint: str, protocol: str, variable: str) -> Finding:
    host, port = address(endpoint)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except socket.gaierror:
        return Finding("Collector", BROKEN, f"the name {host} is not known",
                       f"correct the host in {variable} ({endpoint})")  # fmt: skip
    except TimeoutError:
        return Finding("Collector", BROKEN, f"no answer from {host} within {_CONNECT_SECONDS:g} s",
                       f"see what stands between (a firewall?), or correct {variable} ({endpoint})")  # fmt: skip
    except OSError as error:
        return Finding("Collector", BROKEN, f"nothing answers at {endpoint}, port {port} ({error.strerror or error})",
                       f"start it (make up), or correct {variable}; {_PORTS}")  # fmt: skip
    return Finding("Collector", OK, f"{endpoint} ({protocol})")


def refusal(delivery: Delivery, said: str) -> tuple[str, str]:
    """Return why what was sent was not taken, from the status or from what the exporter `said`, and what to do."""
    if delivery.status in _STATUSES:
        why, remedy = _STATUSES[delivery.status]
        return f"the Collector did not accept them: {why}", remedy
    if delivery.status:
        return (f"the Collector did not accept them: what listens there takes no OTLP by HTTP ({delivery.status})",
                _PROTOCOL)  # fmt: skip
    for pattern, meaning, remedy in _ANSWERS:
        if re.search(pattern, said):
            return f"the Collector did not accept them: {meaning.format(protocol=delivery.protocol)}", remedy
    return "the Collector did not accept them", f"{_PROTOCOL}; or {_CREDENTIALS}"
