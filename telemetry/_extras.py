"""Optional dependencies: one way to import them, one message when they are missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["MissingExtraError", "require"]

DISTRIBUTION = "health-agent-telemetry"
_INSTALLED_AS = {
    "pydantic_ai": "pydantic-ai-slim",
    "sentry_sdk": "sentry-sdk",
    "telegram": "python-telegram-bot",
}
"""Packages whose name on PyPI is not the one that is imported."""


class MissingExtraError(ImportError):
    """A feature was asked for whose optional package is not installed."""

    def __init__(self, *, feature: str, package: str, extra: str) -> None:
        """Name the feature, the package it needs and the command that installs it."""
        self.feature = feature
        self.package = package
        self.extra = extra
        super().__init__(f'{feature} needs the package {package}: pip install "{DISTRIBUTION}[{extra}]"')


def require(package: str, *, feature: str, extra: str) -> Any:  # noqa: ANN401 - a module
    """Import `package` and return it; raises `MissingExtraError` naming the extra that carries it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if not f"{package}.".startswith(f"{error.name}."):
            raise
        # A namespace's parts are packages of their own: opentelemetry.exporter.prometheus.
        missing = package.split(".", maxsplit=1)[0] if "." not in (error.name or "") else package.replace(".", "-")
        raise MissingExtraError(feature=feature, package=_INSTALLED_AS.get(missing, missing), extra=extra) from error
