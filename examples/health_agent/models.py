"""The records the application stores and shows."""

import datetime as dt

from pydantic import BaseModel, Field

__all__ = ["DatedDay", "Day", "Food", "FoodItem", "NewFood", "NewUser", "Progress", "Reminder", "User"]


class NewUser(BaseModel):
    """A person to be stored. `id` is the Telegram user id."""

    id: int = Field(gt=0)
    username: str | None = None
    calorie_goal: int = Field(default=2000, ge=0)


class User(NewUser):
    """A stored person."""

    created_at: dt.datetime
    last_seen: dt.datetime


class FoodItem(BaseModel):
    """Something eaten."""

    name: str = Field(min_length=1, max_length=200)
    grams: float = Field(default=100.0, gt=0, le=5000)
    calories: float = Field(ge=0, le=10000)


class NewFood(FoodItem):
    """Something eaten, by whom, and how it was told."""

    user_id: int
    source: str = "api"


class Food(NewFood):
    """A stored food entry."""

    id: int
    eaten_at: dt.datetime


class Day(BaseModel):
    """What one user ate on one day."""

    entries: int
    calories: float


class DatedDay(Day):
    """One line of the yearly report."""

    date: dt.date


class Progress(BaseModel):
    """How far today's calories are on the way to the goal."""

    calories: float
    goal: int
    percent: float

    @classmethod
    def of(cls, user: User, day: Day) -> "Progress":
        """Put the day in relation to the user's goal."""
        percent = round(100 * day.calories / user.calorie_goal, 1)
        return cls(calories=day.calories, goal=user.calorie_goal, percent=percent)


class Reminder(BaseModel):
    """A message to be sent later, with the trace context of the update that asked for it."""

    id: int
    user_id: int
    chat_id: int
    text: str
    due_at: dt.datetime
    trace_context: dict[str, str]
