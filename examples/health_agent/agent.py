"""The agent that answers: two Anthropic models, and tools that read and write the database."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.anthropic import AnthropicModelSettings

import telemetry

from . import nutrition, store
from .db import Pool
from .models import NewFood
from .providers import Providers

__all__ = ["Answer", "Session", "answer", "is_busy", "is_complex"]

INSTRUCTIONS = """You are a friendly health coach. Keep answers under 80 words and never give medical advice.
When the user says what they ate, look up its calories, log it, then say what was logged.
When asked about progress or for a plan, read what they ate and today's totals first."""
COMPLEX = re.compile(
    r"\b(why|plan|compare|analy[sz]e|explain|suggest|improve|week(ly)?|trend|should i)\b", re.IGNORECASE
)
LONG_MESSAGE = 200
BUSY = frozenset({429, 529})


@dataclass(frozen=True)
class Session:
    """Who asks, and what the tools work with."""

    user_id: int
    pool: Pool
    providers: Providers
    source: str = "text"
    history: Sequence[ModelMessage] = ()


@dataclass(frozen=True)
class Answer:
    """The agent's reply, the model that wrote it, and the messages to keep for the next turn."""

    text: str
    model: str
    messages: list[ModelMessage] = field(default_factory=list)


coach: Agent[Session, str] = Agent(
    name="coach",
    deps_type=Session,
    instructions=INSTRUCTIONS,
    model_settings=AnthropicModelSettings(
        max_tokens=1024, anthropic_cache_instructions=True, anthropic_cache_tool_definitions=True
    ),
)


@coach.tool
async def lookup_nutrition(context: RunContext[Session], food: str) -> dict[str, Any]:
    """Look up the calories of a food per 100 g."""
    try:
        found = await nutrition.lookup(context.deps.providers.settings, food)
    except requests.RequestException as error:
        telemetry.record_error(error, component="agent")
        return {"error": "the food database does not answer; estimate the calories"}
    if found is None:
        return {"error": f"no food named {food!r} is known; estimate the calories"}
    return {"name": found.name, "calories_per_100g": found.calories_per_100g}


@coach.tool
async def log_food(context: RunContext[Session], name: str, grams: float, calories: float) -> dict[str, Any]:
    """Store something the user ate."""
    session = context.deps
    if grams <= 0 or calories < 0:
        raise ModelRetry("grams must be above 0 and calories at least 0")
    new = NewFood(user_id=session.user_id, name=name, grams=grams, calories=calories, source=session.source)
    return {"id": (await store.add_food(session.pool, new)).id}


@coach.tool
async def list_foods(context: RunContext[Session], limit: int = 10) -> list[dict[str, Any]]:
    """List what the user ate last, the newest first."""
    eaten = await store.foods(context.deps.pool, context.deps.user_id, limit)
    return [food.model_dump(mode="json", include={"name", "grams", "calories", "eaten_at"}) for food in eaten]


@coach.tool
async def daily_totals(context: RunContext[Session]) -> dict[str, Any]:
    """Return the number of entries and the calories of today."""
    return (await store.day(context.deps.pool, context.deps.user_id)).model_dump()


def is_complex(text: str) -> bool:
    """Whether a message asks for thought rather than for a note: it is long, or asks why, how to plan, to compare."""
    return len(text) > LONG_MESSAGE or COMPLEX.search(text) is not None


def is_busy(error: ModelHTTPError) -> bool:
    """Whether the provider has no capacity now, also after a retry: worth another try later."""
    return error.status_code in BUSY


async def answer(text: str, session: Session) -> Answer:
    """Answer a message, with the larger model where the message is complex.

    A failure of the provider is raised; `is_busy` tells whether it only has no capacity now.
    """
    settings = session.providers.settings
    name = settings.complex_model if is_complex(text) else settings.simple_model
    model = session.providers.text_model(name)
    result = await coach.run(text, model=model, deps=session, message_history=session.history)
    return Answer(result.output, name, result.new_messages())
