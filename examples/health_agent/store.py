"""Every query of the application, one function each."""

from collections.abc import AsyncIterator
from typing import Any, LiteralString, TypeVar

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from .db import Pool
from .models import DatedDay, Day, Food, NewFood, NewUser, Reminder, User

__all__ = [
    "active_users",
    "add_food",
    "add_reminder",
    "add_user",
    "claim_reminders",
    "day",
    "delete_food",
    "each_food",
    "food",
    "foods",
    "release_reminder",
    "report",
    "see_user",
    "set_goal",
    "user",
    "users",
]

Record = TypeVar("Record", bound=BaseModel)

PERIODS = """
SELECT count(*) FILTER (WHERE last_seen > now() - interval '1 hour'),
       count(*) FILTER (WHERE last_seen > now() - interval '1 day'),
       count(*) FILTER (WHERE last_seen > now() - interval '7 days')
FROM users
"""
DUE = """
UPDATE reminders SET sent_at = now() WHERE id IN (
    SELECT id FROM reminders WHERE sent_at IS NULL AND due_at <= now() ORDER BY due_at LIMIT 20 FOR UPDATE SKIP LOCKED
) RETURNING id, user_id, chat_id, text, due_at, trace_context
"""
# Walks two years minute by minute although a user eats a few times a day: right, and slow whatever the table holds.
REPORT = """
SELECT minute::date AS date, sum(coalesce(calories, 0)) AS calories, count(food_entries.id) AS entries
FROM generate_series(date_trunc('minute', now()) - interval '2 years', now(), interval '1 minute') AS minute
LEFT JOIN food_entries ON user_id = %s AND date_trunc('minute', eaten_at) = minute
GROUP BY 1 HAVING count(food_entries.id) > 0 ORDER BY 1 DESC
"""


async def _all(pool: Pool, record: type[Record], query: LiteralString, parameters: tuple[Any, ...]) -> list[Record]:
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(record)) as cursor:
        await cursor.execute(query, parameters)
        return await cursor.fetchall()


async def _one(pool: Pool, record: type[Record], query: LiteralString, parameters: tuple[Any, ...]) -> Record | None:
    return next(iter(await _all(pool, record, query, parameters)), None)


async def _execute(pool: Pool, query: LiteralString, parameters: tuple[Any, ...]) -> int:
    async with pool.connection() as connection:
        return (await connection.execute(query, parameters)).rowcount


async def add_user(pool: Pool, new: NewUser) -> User | None:
    """Store a user; None where the id is taken."""
    query = "INSERT INTO users (id, username, calorie_goal) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING *"
    return await _one(pool, User, query, (new.id, new.username, new.calorie_goal))


async def see_user(pool: Pool, user_id: int, username: str | None) -> User:
    """Note that a user wrote just now; someone new is stored."""
    query = """INSERT INTO users (id, username) VALUES (%s, %s)
    ON CONFLICT (id) DO UPDATE SET last_seen = now(), username = EXCLUDED.username RETURNING *"""
    rows = await _all(pool, User, query, (user_id, username))
    return rows[0]


async def user(pool: Pool, user_id: int) -> User | None:
    """Return one user, or None."""
    return await _one(pool, User, "SELECT * FROM users WHERE id = %s", (user_id,))


async def users(pool: Pool, limit: int = 100) -> list[User]:
    """Return the users seen last."""
    return await _all(pool, User, "SELECT * FROM users ORDER BY last_seen DESC LIMIT %s", (limit,))


async def set_goal(pool: Pool, user_id: int, calories: int) -> None:
    """Set a user's daily calorie goal."""
    await _execute(pool, "UPDATE users SET calorie_goal = %s WHERE id = %s", (calories, user_id))


async def add_food(pool: Pool, new: NewFood) -> Food:
    """Store a food entry, eaten now."""
    query = """INSERT INTO food_entries (user_id, name, grams, calories, source)
    VALUES (%s, %s, %s, %s, %s) RETURNING *"""
    rows = await _all(pool, Food, query, (new.user_id, new.name, new.grams, new.calories, new.source))
    return rows[0]


async def food(pool: Pool, food_id: int) -> Food | None:
    """Return one food entry, or None."""
    return await _one(pool, Food, "SELECT * FROM food_entries WHERE id = %s", (food_id,))


async def foods(pool: Pool, user_id: int, limit: int = 20) -> list[Food]:
    """Return what a user ate last, the newest first."""
    query = "SELECT * FROM food_entries WHERE user_id = %s ORDER BY eaten_at DESC LIMIT %s"
    return await _all(pool, Food, query, (user_id, limit))


async def each_food(pool: Pool, user_id: int) -> AsyncIterator[Food]:
    """Yield all that a user ever ate, the oldest first, as the database gives it."""
    query = "SELECT * FROM food_entries WHERE user_id = %s ORDER BY eaten_at"
    async with pool.connection() as connection, connection.cursor(row_factory=class_row(Food)) as cursor:
        async for food in cursor.stream(query, (user_id,)):
            yield food


async def delete_food(pool: Pool, user_id: int, food_id: int) -> bool:
    """Delete one of a user's food entries; False where it is not theirs or not there."""
    return await _execute(pool, "DELETE FROM food_entries WHERE id = %s AND user_id = %s", (food_id, user_id)) == 1


async def day(pool: Pool, user_id: int) -> Day:
    """Return the sum of what a user ate today."""
    query = """SELECT count(*) AS entries, coalesce(sum(calories), 0) AS calories
    FROM food_entries WHERE user_id = %s AND eaten_at >= date_trunc('day', now())"""
    rows = await _all(pool, Day, query, (user_id,))
    return rows[0]


async def report(pool: Pool, user_id: int) -> list[DatedDay]:
    """Return the days of two years on which a user ate something, the newest first. Slow."""
    return await _all(pool, DatedDay, REPORT, (user_id,))


async def add_reminder(pool: Pool, reminder: Reminder) -> None:
    """Store a reminder; its id is given by the database."""
    query = "INSERT INTO reminders (user_id, chat_id, text, due_at, trace_context) VALUES (%s, %s, %s, %s, %s)"
    context = Jsonb(reminder.trace_context)
    await _execute(pool, query, (reminder.user_id, reminder.chat_id, reminder.text, reminder.due_at, context))


async def claim_reminders(pool: Pool) -> list[Reminder]:
    """Take the reminders that are due; each is given out once, however many processes ask."""
    return await _all(pool, Reminder, DUE, ())


async def release_reminder(pool: Pool, reminder_id: int) -> None:
    """Give back a reminder that could not be sent, to be tried again in a minute."""
    query = "UPDATE reminders SET sent_at = NULL, due_at = now() + interval '1 minute' WHERE id = %s"
    await _execute(pool, query, (reminder_id,))


async def active_users(pool: Pool) -> dict[str, int]:
    """Count the users seen in the last hour, day and week."""
    async with pool.connection() as connection:
        row = await (await connection.execute(PERIODS)).fetchone()
    hour, today, week = row or (0, 0, 0)
    return {"last_hour": hour, "last_day": today, "last_week": week}
