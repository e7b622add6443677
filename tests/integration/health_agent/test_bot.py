"""A real python-telegram-bot application against the local Bot API server, providers and database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Agent

pytestmark = pytest.mark.asyncio(loop_scope="session")

SORRY = "Sorry, something went wrong on my side. It has been noted."
PIZZA = {"foods": [{"name": "pizza", "grams": 300, "calories": 800}], "confidence": 0.9}


async def test_start_greets(agent: Agent) -> None:
    assert (await agent.say(1, "/start")).startswith("Hello! I am your health coach.")


async def test_what_was_eaten_is_looked_up_and_stored(agent: Agent) -> None:
    assert await agent.say(2, "I ate an apple") == "I noted Apples, raw, with skin (78 kcal). Enjoy!"
    rows = await agent.rows("SELECT name, calories, source FROM food_entries WHERE user_id = 2")
    assert rows == [("Apples, raw, with skin", 78.0, "text")]


async def test_an_answer_can_be_judged(agent: Agent) -> None:
    await agent.say(16, "hello")
    assert await agent.press(16) == "Thank you for telling me."


async def test_the_conversation_is_remembered(agent: Agent) -> None:
    await agent.say(3, "I ate a banana")
    assert "I looked at your entries" in await agent.say(3, "Why am I hungry? Suggest a plan")


async def test_a_busy_provider_is_an_answer(agent: Agent) -> None:
    assert (await agent.say(4, "hello #overloaded")).startswith("I have too much to do")


async def test_a_failing_provider_is_an_apology_and_the_next_message_works(agent: Agent) -> None:
    assert await agent.say(5, "hello #servererror") == SORRY
    assert await agent.say(5, "hello") != SORRY


async def test_a_photo_is_stored_and_can_be_undone(agent: Agent) -> None:
    assert await agent.show(6, PIZZA) == "Logged:\npizza: 800 kcal"
    assert await agent.press(6) == "Removed 1 of 1 entries."
    assert await agent.rows("SELECT 1 FROM food_entries WHERE user_id = 6") == []


async def test_an_undo_button_deletes_nothing_of_others(agent: Agent) -> None:
    await agent.show(7, PIZZA)
    [(food_id,)] = await agent.rows("SELECT id FROM food_entries WHERE user_id = 7")
    await agent.show(8, PIZZA)
    assert await agent.write(8, kind="press", text=str(food_id)) == "Removed 0 of 1 entries."


async def test_a_photo_without_food_stores_nothing(agent: Agent) -> None:
    assert await agent.show(9, {"foods": [], "confidence": 0.2}) == "I see no food on this photo."


@pytest.mark.parametrize("marker", ["#malformed", "#servererror"])
async def test_a_photo_the_model_fails_on_is_an_apology(agent: Agent, marker: str) -> None:
    assert await agent.show(10, marker) == SORRY


async def test_a_voice_message_is_answered_like_a_text(agent: Agent) -> None:
    assert "Bananas" in await agent.speak(11, "I ate a banana")


async def test_silence_is_no_message(agent: Agent) -> None:
    assert await agent.speak(11, "") == "I could not hear any words."


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("/log 250 porridge", "Logged porridge: 250 kcal."),
        ("/log porridge", "Write it like this: /log 250 porridge"),
        ("/goal 1900", "Your daily goal is 1900 kcal."),
        ("/goal much", "Write it like this: /goal 2000"),
        ("/remind soon", "Write it like this: /remind 30m drink water"),
    ],
)
async def test_a_command_is_answered(agent: Agent, command: str, answer: str) -> None:
    assert await agent.say(12, command) == answer


async def test_progress_is_a_share_of_the_goal(agent: Agent) -> None:
    await agent.say(13, "/goal 2000")
    await agent.say(13, "/log 500 stew")
    assert await agent.say(13, "/progress") == "500 of 2000 kcal today (25.0 %)."


async def test_a_goal_of_zero_fails_the_handler(agent: Agent) -> None:
    await agent.say(14, "/goal 0")
    assert await agent.say(14, "/progress") == SORRY


async def test_a_reminder_is_sent_once(agent: Agent) -> None:
    assert await agent.say(15, "/remind 1s drink water") == "I will remind you in 0:00:01."
    reminded = await agent.messages(15, after=1, timeout=10)
    assert [message["text"] for message in reminded] == ["⏰ drink water"]
    assert len(await agent.messages(15, after=2, timeout=1)) == 0


async def test_two_users_at_once_get_their_own_answers(agent: Agent) -> None:
    import asyncio  # noqa: PLC0415

    users = range(100, 120)
    answers = await asyncio.gather(*(agent.say(user, f"/log {user} stew") for user in users))
    assert answers == [f"Logged stew: {user} kcal." for user in users]
