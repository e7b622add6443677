"""Loaded before all else of this package: what of OpenTelemetry reads the environment when it is imported.

An unknown propagator or a limit that is no number stops that import, and with it the application. So these variables
are hidden meanwhile; the limits are read again by `init`, once they are known to be right (`telemetry.standard`).
"""

from __future__ import annotations

import importlib
import os

_read = [name for name in os.environ if name == "OTEL_PROPAGATORS" or (name[:5] == "OTEL_" and name[-6:] == "_LIMIT")]
_kept = {name: os.environ.pop(name) for name in _read}
try:
    for _name in ("opentelemetry.propagate", "opentelemetry.sdk.trace"):
        importlib.import_module(_name)
finally:
    os.environ.update(_kept)
