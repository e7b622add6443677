"""The HTTP API: users, what they ate, and the chat."""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from pydantic_ai.exceptions import ModelHTTPError

import telemetry

from . import agent, store
from .db import Pool, database_url, open_pool
from .models import DatedDay, Food, NewFood, NewUser, Progress, User
from .providers import Providers
from .settings import Settings

__all__ = ["create_app", "run"]


class ChatMessage(BaseModel):
    """What a user says."""

    user_id: int
    message: str = Field(min_length=1, max_length=4000)


class ChatReply(BaseModel):
    """What the agent answers, and which model did."""

    reply: str
    model: str


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


Database = Annotated[Pool, Depends(_pool)]


async def known_user(user_id: int, pool: Database) -> User:
    """Return the user named in the path; 404 where there is none."""
    return await _require_user(pool, user_id)


KnownUser = Annotated[User, Depends(known_user)]


async def _require_user(pool: Pool, user_id: int) -> User:
    if (user := await store.user(pool, user_id)) is None:
        raise HTTPException(404, f"no user {user_id}")
    return user


async def health(pool: Database) -> dict[str, str]:
    """Say whether the database answers."""
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")
    return {"status": "ok"}


async def create_user(new: NewUser, pool: Database) -> User:
    """Store a user; 409 where the id is taken."""
    if (user := await store.add_user(pool, new)) is None:
        raise HTTPException(409, f"user {new.id} exists")
    return user


async def list_users(pool: Database) -> list[User]:
    """Return the users seen last."""
    return await store.users(pool)


async def get_user(user: KnownUser) -> User:
    """Return one user."""
    return user


async def user_progress(user: KnownUser, pool: Database) -> Progress:
    """Put today's calories against the user's goal."""
    return Progress.of(user, await store.day(pool, user.id))


async def user_report(user: KnownUser, pool: Database) -> list[DatedDay]:
    """Return the days of two years on which the user ate."""
    return await store.report(pool, user.id)


async def export_foods(user: KnownUser, pool: Database) -> StreamingResponse:
    """Return all that the user ever ate, a line of JSON each, while it is read."""

    async def lines() -> AsyncIterator[str]:
        async for food in store.each_food(pool, user.id):
            yield f"{food.model_dump_json()}\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def create_food(new: NewFood, pool: Database) -> Food:
    """Store a food entry."""
    await _require_user(pool, new.user_id)
    return await store.add_food(pool, new)


async def list_foods(user_id: int, pool: Database) -> list[Food]:
    """Return what a user ate last."""
    return await store.foods(pool, user_id)


async def get_food(food_id: int, pool: Database) -> Food:
    """Return one food entry."""
    if (food := await store.food(pool, food_id)) is None:
        raise HTTPException(404, f"no food entry {food_id}")
    return food


async def chat(message: ChatMessage, request: Request, pool: Database) -> ChatReply:
    """Let the agent answer; 503 where the provider has no capacity."""
    telemetry.set_user_context(str(message.user_id))
    user = await _require_user(pool, message.user_id)
    session = agent.Session(user.id, pool, request.app.state.providers, source="api")
    try:
        answer = await agent.answer(message.message, session)
    except ModelHTTPError as error:
        if not agent.is_busy(error):
            raise
        telemetry.record_error(error, component="agent")
        raise HTTPException(503, "the agent is busy", headers={"Retry-After": "30"}) from error
    return ChatReply(reply=answer.text, model=answer.model)


def create_app(settings: Settings, database: str) -> FastAPI:
    """Return the application; pool and clients live as long as it is served."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        providers = Providers(settings)
        async with open_pool(database) as pool:
            app.state.pool, app.state.providers = pool, providers
            collector = telemetry.start_runtime_collector(pool=pool)
            try:
                yield
            finally:
                collector.close()
                await providers.close()

    app = FastAPI(title="Health agent", lifespan=lifespan)
    _add_routes(app)
    telemetry.instrument_fastapi(app)
    return app


def _add_routes(app: FastAPI) -> None:
    app.get("/health")(health)
    app.post("/api/users", status_code=201)(create_user)
    app.get("/api/users")(list_users)
    app.get("/api/users/{user_id}")(get_user)
    app.get("/api/users/{user_id}/progress")(user_progress)
    app.get("/api/users/{user_id}/report")(user_report)
    app.get("/api/users/{user_id}/export")(export_foods)
    app.post("/api/foods", status_code=201)(create_food)
    app.get("/api/foods")(list_foods)
    app.get("/api/foods/{food_id}")(get_food)
    app.post("/api/chat")(chat)


def run(settings: Settings) -> None:
    """Serve on API_PORT until SIGINT or SIGTERM, finish open requests, and send what telemetry holds."""
    telemetry.init()
    telemetry.instrument_pydantic_ai()
    telemetry.instrument_requests()
    telemetry.instrument_httpx()
    # uvicorn raises the signal again after its graceful stop; the default action would skip the `finally`.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    try:
        app = create_app(settings, database_url(settings))
        uvicorn.run(app, host=settings.text("API_HOST", "127.0.0.1"), port=settings.api_port, log_level="warning")
    finally:
        telemetry.shutdown(timeout=3.0)
