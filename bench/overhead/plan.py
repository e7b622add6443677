"""The plan's own code (sections 2.1 and 2.3): prometheus-client metrics in a middleware beside OTel and Sentry."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import Counter, Histogram
from starlette.middleware.base import BaseHTTPMiddleware

__all__ = ["instrument"]

REQUESTS = Counter("http_requests_total", "Total HTTP requests", ["method", "endpoint", "status"])
DURATION = Histogram(
    "http_request_duration_seconds", "HTTP request latency", ["method", "endpoint"],
    buckets=[0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0],
)  # fmt: skip


def instrument(app: Any) -> Any:  # noqa: ANN401 - a FastAPI application
    """Add the middleware."""
    app.add_middleware(BaseHTTPMiddleware, dispatch=_measure)
    return app


async def _measure(request: Any, call_next: Any) -> Any:  # noqa: ANN401 - starlette's
    start = time.time()
    response = await call_next(request)
    endpoint = request.scope["route"].path if "route" in request.scope else "unknown"
    REQUESTS.labels(request.method, endpoint, response.status_code).inc()
    DURATION.labels(request.method, endpoint).observe(time.time() - start)
    return response
