"""Read by `opentelemetry-instrument` before anything else: of several distros it would take whichever it finds first.

sentry-sdk's extra `opentelemetry` brings a second one along. `OTEL_PYTHON_DISTRO` in the environment wins over this.
"""

from __future__ import annotations

import os

__all__: list[str] = []

# The name as text: whatever is called OTEL_... here would become an option of the command.
os.environ.setdefault("OTEL_PYTHON_DISTRO", "telemetry")
