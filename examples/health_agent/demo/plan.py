"""What is sent during the demo, and when: drawn from a seed, the same for the same seed and length."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["BROKEN_USER", "REMINDED_USER", "USERS", "Step", "make"]

Kind = Literal["text", "command", "photo", "voice", "other", "http"]

USERS = {7001: "ann", 7002: "ben", 7003: "cem", 7004: "dora", 7005: "eve", 7006: "finn", 7007: "gina", 7008: "hugo"}
BROKEN_USER = 7009
"""Someone with a calorie goal of 0, which the application divides by."""
REMINDED_USER = 7010
REMINDER_SECONDS = 8
QUIET_SECONDS = 4
"""Nothing new is sent in the last seconds, so that what is under way can end."""

TEXTS = (
    "Hi there!",
    "I had oatmeal and a banana for breakfast",
    "I ate an apple",
    "I had chicken and rice for lunch",
    "I drank some coffee",
    "I ate a dragonfruit",
    "Good morning, how much water is enough?",
)
COMPLEX = (
    "Can you analyze my week and suggest a plan?",
    "Why am I always hungry at night? Compare my days, please.",
    "Explain how I could improve my breakfast",
)
COMMANDS = ("/start", "/help", "/log 250 porridge", "/progress", "/goal 1900", "/log")
SPOKEN = ("I ate an apple and cheese", "How do I stay awake in the afternoon?", "I had pizza for dinner")
PLATES: tuple[dict[str, Any], ...] = (
    {"foods": [{"name": "pizza", "grams": 320, "calories": 850}], "confidence": 0.94},
    {
        "foods": [{"name": "salad", "grams": 200, "calories": 60}, {"name": "bread", "grams": 60, "calories": 150}],
        "confidence": 0.81,
    },
    {"foods": [{"name": "stew", "grams": 400, "calories": 480}], "confidence": 0.62},
    {"foods": [{"name": "something fried", "grams": 150, "calories": 390}], "confidence": 0.38},
    {"foods": [], "confidence": 0.2},
)
PLATE_TO_UNDO = PLATES[0]


@dataclass(frozen=True)
class Step:
    """One thing to send.

    `fails`: the application is expected to fail; `reported`: it handles an error it records; `judges`: it is the press
    of a feedback button, whose number is the content.
    """

    at: float
    kind: Kind
    user: int = 0
    content: Any = None
    fails: bool = False
    reported: bool = False
    judges: bool = False
    then: tuple["Step", ...] = field(default=())


@dataclass(frozen=True)
class Request:
    """An HTTP request. `{user}` in the path is filled with an id that the API gave out during the demo."""

    method: str
    path: str
    endpoint: str
    body: dict[str, Any] | None = None


def make(seed: int, seconds: float) -> list[Step]:
    """Return the steps of a demo of this length, in the order of their time. Each kind occurs at least once."""
    chance = random.Random(seed)  # noqa: S311  traffic, not a secret
    share = seconds / 60
    steps = [_reminder(), *_broken(chance, seconds)]
    for per_minute, draw in _TABLE:
        count = max(1, round(per_minute * share))
        steps += [draw(chance, _moment(chance, seconds)) for _ in range(count)]
    return sorted(steps, key=lambda step: step.at)


def _moment(chance: random.Random, seconds: float) -> float:
    return chance.uniform(0.5, max(1.0, seconds - QUIET_SECONDS))


def _user(chance: random.Random) -> int:
    return chance.choice(list(USERS))


def _reminder() -> Step:
    return Step(0.1, "command", REMINDED_USER, f"/remind {REMINDER_SECONDS}s drink a glass of water")


def _broken(chance: random.Random, seconds: float) -> list[Step]:
    progress = tuple(Step(0, "command", BROKEN_USER, "/progress", fails=True) for _ in range(2))
    goal = Step(_moment(chance, seconds / 2), "command", BROKEN_USER, "/goal 0", then=progress)
    return [goal]


def _text(*texts: str, fails: bool = False, reported: bool = False) -> Callable[[random.Random, float], Step]:
    return lambda chance, at: Step(at, "text", _user(chance), chance.choice(texts), fails=fails, reported=reported)


def _command(chance: random.Random, at: float) -> Step:
    return Step(at, "command", _user(chance), chance.choice(COMMANDS))


def _photo(chance: random.Random, at: float) -> Step:
    return Step(at, "photo", _user(chance), chance.choice(PLATES))


def _undone_photo(chance: random.Random, at: float) -> Step:
    user = _user(chance)
    return Step(at, "photo", user, PLATE_TO_UNDO, then=(Step(0, "other", user),))


def _judged_text(chance: random.Random, at: float) -> Step:
    user, button = _user(chance), chance.choice((0, 0, 1))
    return Step(at, "text", user, chance.choice(TEXTS), then=(Step(0, "other", user, button, judges=True),))


def _failing_photo(chance: random.Random, at: float) -> Step:
    return Step(at, "photo", _user(chance), chance.choice(("#malformed", "#servererror")), fails=True)


def _voice(chance: random.Random, at: float) -> Step:
    return Step(at, "voice", _user(chance), chance.choice(SPOKEN))


def _http(method: str, path: str, endpoint: str = "", **body: Any) -> Callable[[random.Random, float], Step]:  # noqa: ANN401  JSON
    request = Request(method, path, endpoint or path, body or None)
    return lambda _chance, at: Step(at, "http", content=request)


def _broken_http(_chance: random.Random, at: float) -> Step:
    request = Request("GET", f"/api/users/{BROKEN_USER}/progress", "/api/users/{user_id}/progress")
    return Step(at, "http", content=request, fails=True)


def _busy_http(_chance: random.Random, at: float) -> Step:
    body = {"user_id": 7001, "message": "Hello #ratelimited"}
    return Step(at, "http", content=Request("POST", "/api/chat", "/api/chat", body), reported=True)


_TABLE: tuple[tuple[int, Callable[[random.Random, float], Step]], ...] = (
    (40, _text(*TEXTS)),
    (10, _text(*COMPLEX)),
    (8, _judged_text),
    (2, _text("Hello? #overloaded", "What now? #ratelimited", reported=True)),
    (2, _text("Are you there? #servererror", fails=True)),
    (20, _command),
    (12, _photo),
    (3, _undone_photo),
    (3, _failing_photo),
    (6, _voice),
    (12, _http("POST", "/api/users", id=0)),
    (12, _http("GET", "/api/users")),
    (16, _http("GET", "/api/users/7001", "/api/users/{user_id}")),
    (4, _http("GET", "/api/users/999999999", "/api/users/{user_id}")),
    (3, _http("GET", "/api/users/ann", "/api/users/{user_id}")),
    (10, _http("GET", "/api/users/7001/progress", "/api/users/{user_id}/progress")),
    (3, _broken_http),
    (3, _http("GET", "/api/users/7001/report", "/api/users/{user_id}/report")),
    (3, _http("GET", "/api/users/7001/export", "/api/users/{user_id}/export")),
    (16, _http("POST", "/api/foods", user_id=7001, name="apple", grams=150, calories=78)),
    (3, _http("POST", "/api/foods", user_id=7001, name="")),
    (12, _http("GET", "/api/foods?user_id=7001", "/api/foods")),
    (3, _http("GET", "/api/foods/999999999", "/api/foods/{food_id}")),
    (8, _http("POST", "/api/chat", user_id=7001, message="I had yogurt for breakfast")),
    (1, _busy_http),
)
"""How many a minute, of what."""
