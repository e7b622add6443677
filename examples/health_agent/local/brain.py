"""What the local text model says: it calls tools for what was eaten and for questions about progress, else it chats."""

import json
import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "Reply", "Turn", "reply_to"]

ATE = re.compile(r"\b(?:ate|had|eaten|drank)\b\s+(.+?)(?:\s+for\s+\w+)?[.!?\s]*$", re.IGNORECASE | re.DOTALL)
ABOUT_PROGRESS = re.compile(
    r"\b(why|plan|compare|analy[sz]e|explain|suggest|improve|week(ly)?|trend|progress|today)\b", re.IGNORECASE
)
GRAMS = 150
GUESS = 200
"""Calories per 100 g of a food that no database knows."""


@dataclass(frozen=True)
class Call:
    """A tool to be called."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """The model's turn: a text, or tools to call first."""

    text: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Turn:
    """Where the conversation stands: what the user said last, and what tools have answered since, round by round."""

    said: str
    rounds: tuple[tuple[tuple[Call, Any], ...], ...] = ()


def reply_to(turn: Turn, tools: frozenset[str]) -> Reply:
    """Return the model's next turn; a tool that was not offered is never called."""
    if (match := ATE.search(turn.said)) and {"lookup_nutrition", "log_food"} <= tools:
        return _note_foods(_foods(match[1]), turn)
    if ABOUT_PROGRESS.search(turn.said) and {"list_foods", "daily_totals"} <= tools:
        return _speak_of_progress(turn)
    return Reply("Small steps count: drink water, eat vegetables, and move a little every day.")


def _foods(text: str) -> list[str]:
    words = [part.strip() for part in re.split(r",|\band\b", text) if part.strip()]
    return [re.sub(r"^(an?|some|two|three|the)\s+", "", word)[:80] for word in words][:3]


def _note_foods(foods: list[str], turn: Turn) -> Reply:
    if not turn.rounds:
        return Reply(calls=tuple(Call("lookup_nutrition", {"food": food}) for food in foods))
    if len(turn.rounds) == 1:
        return Reply(calls=tuple(_log(call, answer) for call, answer in turn.rounds[0]))
    logged = ", ".join(
        f"{call.arguments['name']} ({call.arguments['calories']:.0f} kcal)" for call, _ in turn.rounds[1]
    )
    return Reply(f"I noted {logged}. Enjoy!")


def _log(call: Call, answer: Any) -> Call:  # noqa: ANN401  a tool's answer is any JSON
    known = answer if isinstance(answer, dict) else {}
    calories = float(known.get("calories_per_100g", GUESS)) * GRAMS / 100
    return Call("log_food", {"name": known.get("name", call.arguments["food"]), "grams": GRAMS, "calories": calories})


def _speak_of_progress(turn: Turn) -> Reply:
    if not turn.rounds:
        return Reply(calls=(Call("list_foods", {"limit": 10}), Call("daily_totals", {})))
    answers = json.dumps([answer for _, answer in turn.rounds[-1]])
    return Reply(f"I looked at your entries ({len(answers)} characters of them). Add vegetables, and keep the rhythm.")
