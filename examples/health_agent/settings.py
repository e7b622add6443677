"""What the environment says: tokens, addresses, models. A missing key is named together with the way out of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["DATA", "ROOT", "ConfigurationError", "Settings"]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / (os.environ.get("STACK_DATA_DIR") or ".stack")
"""Where the embedded database, logs and the demo's account are kept: beside the stack's own data."""

MAX_PORT = 65535
LOCAL_HINT = "run `python -m examples.health_agent local`, which stands in for every service that has no key"


class ConfigurationError(Exception):
    """The environment lacks something, or holds something that cannot be; the text says which variable."""


@dataclass(frozen=True)
class Settings:
    """The environment of one process. Keys are checked when they are asked for, since the API needs no bot token."""

    environment: Mapping[str, str]

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the environment as it stands now."""
        return cls(dict(os.environ))

    def key(self, variable: str) -> str:
        """Return the secret in `variable`; without it, raise an error that says what to do."""
        if value := self.environment.get(variable):
            return value
        raise ConfigurationError(f"{variable} is not set: set it, or {LOCAL_HINT}")

    def text(self, variable: str, default: str = "") -> str:
        """Return `variable`, or `default` where it is unset or empty."""
        return self.environment.get(variable) or default

    def number(self, variable: str, default: float) -> float:
        """Return `variable` as a number of at least 0."""
        text = self.text(variable, str(default))
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise ConfigurationError(f'{variable} must be a number of at least 0 (got "{text}")')
        return value

    @property
    def api_port(self) -> int:
        """The port the HTTP API listens on."""
        port = self.number("API_PORT", 8080)
        if port > MAX_PORT or port != int(port):
            raise ConfigurationError(f'API_PORT must be a whole number up to {MAX_PORT} (got "{port:g}")')
        return int(port)

    @property
    def telegram_url(self) -> str:
        """Where the Bot API answers."""
        return self.text("TELEGRAM_API_URL", "https://api.telegram.org")

    @property
    def usda_url(self) -> str:
        """Where FoodData Central answers."""
        return self.text("USDA_API_URL", "https://api.nal.usda.gov/fdc")

    @property
    def simple_model(self) -> str:
        """The Anthropic model for short, plain messages."""
        return self.text("SIMPLE_MODEL", "claude-haiku-4-5")

    @property
    def complex_model(self) -> str:
        """The Anthropic model for questions that need thought."""
        return self.text("COMPLEX_MODEL", "claude-sonnet-4-5")

    @property
    def vision_model(self) -> str:
        """The OpenAI model that looks at photos."""
        return self.text("VISION_MODEL", "gpt-4o")

    @property
    def voice_model(self) -> str:
        """The OpenAI model that writes down what was said."""
        return self.text("VOICE_MODEL", "whisper-1")
