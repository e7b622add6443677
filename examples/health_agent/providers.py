"""The model providers' clients, at their own addresses or at ANTHROPIC_BASE_URL and OPENAI_BASE_URL."""

from functools import cached_property

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from .settings import Settings

__all__ = ["Providers"]

RETRIES = 1
"""One more try by the provider's SDK: a person waits for the answer."""


class Providers:
    """The clients of one process, each made when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def anthropic(self) -> AsyncAnthropic:
        """The client of the text models."""
        key, url = self.settings.key("ANTHROPIC_API_KEY"), self.settings.text("ANTHROPIC_BASE_URL")
        return AsyncAnthropic(api_key=key, base_url=url or None, max_retries=RETRIES)

    @cached_property
    def openai(self) -> AsyncOpenAI:
        """The client of the vision and the voice model."""
        key, url = self.settings.key("OPENAI_API_KEY"), self.settings.text("OPENAI_BASE_URL")
        return AsyncOpenAI(api_key=key, base_url=url or None, max_retries=RETRIES)

    def text_model(self, name: str) -> AnthropicModel:
        """Return the Anthropic model of that name."""
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=self.anthropic))

    def vision_model(self) -> OpenAIChatModel:
        """Return the model that reads photos."""
        return OpenAIChatModel(self.settings.vision_model, provider=OpenAIProvider(openai_client=self.openai))

    async def close(self) -> None:
        """Close the clients that were made."""
        for name in ("anthropic", "openai"):
            if client := self.__dict__.get(name):
                await client.close()
