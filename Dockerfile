# The demo application: `docker build --tag health-agent .`, then `docker run --env-file ... health-agent api` (or bot).
# It needs DATABASE_URL and the keys that `.env.example` names, and sends where OTEL_EXPORTER_OTLP_ENDPOINT says; the
# stack itself comes from compose.yaml.
FROM python:3.13-slim-trixie AS build
WORKDIR /app
COPY requirements/bootstrap.lock requirements/demo.lock requirements/
RUN python -m venv /app/.venv && \
    /app/.venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements/demo.lock
# Last, so that a change of the code installs no library again.
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY telemetry telemetry
RUN python -m venv /build && \
    /build/bin/pip install --no-cache-dir --require-hashes --requirement requirements/bootstrap.lock && \
    /build/bin/uv build --wheel --out-dir /wheels . && \
    /app/.venv/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --home-dir /app app
WORKDIR /app
COPY --from=build /app/.venv /app/.venv
COPY examples examples
USER app
# API_HOST: a container's loopback is its own. GIT_SHA becomes the release on errors and spans.
ARG GIT_SHA=""
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 API_HOST=0.0.0.0 GIT_SHA=$GIT_SHA
EXPOSE 8080
# exec form: the process gets SIGTERM itself, ends what is open and sends what waits.
ENTRYPOINT ["python", "-m", "examples.health_agent"]
CMD ["api"]
