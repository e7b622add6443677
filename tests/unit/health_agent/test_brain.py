"""The local text model calls tools round by round."""

import pytest

from examples.health_agent.local.brain import Call, Turn, reply_to

TOOLS = frozenset({"lookup_nutrition", "log_food", "list_foods", "daily_totals"})


@pytest.mark.parametrize(
    ("said", "foods"),
    [
        pytest.param("I ate an apple", ["apple"], id="one"),
        pytest.param("I had chicken and rice for lunch!", ["chicken", "rice"], id="two, with the meal"),
        pytest.param("Today I drank some coffee, a tea.", ["coffee", "tea"], id="by comma"),
    ],
)
def test_food_is_looked_up_first(said: str, foods: list[str]) -> None:
    reply = reply_to(Turn(said), TOOLS)
    assert [call.arguments["food"] for call in reply.calls] == foods


def test_what_was_looked_up_is_logged_with_its_calories() -> None:
    looked_up = (Call("lookup_nutrition", {"food": "apple"}), {"name": "Apples, raw", "calories_per_100g": 52})
    reply = reply_to(Turn("I ate an apple", ((looked_up,),)), TOOLS)
    assert reply.calls == (Call("log_food", {"name": "Apples, raw", "grams": 150, "calories": 78.0}),)


def test_what_was_logged_is_said() -> None:
    looked_up = (Call("lookup_nutrition", {"food": "apple"}), {"name": "Apples", "calories_per_100g": 52})
    logged = (Call("log_food", {"name": "Apples", "grams": 150, "calories": 78.0}), {"id": 1})
    assert reply_to(Turn("I ate an apple", ((looked_up,), (logged,))), TOOLS).text == "I noted Apples (78 kcal). Enjoy!"


def test_an_unknown_food_gets_a_guess() -> None:
    looked_up = (Call("lookup_nutrition", {"food": "dragonfruit"}), {"error": "unknown"})
    reply = reply_to(Turn("I ate a dragonfruit", ((looked_up,),)), TOOLS)
    assert reply.calls[0].arguments == {"name": "dragonfruit", "grams": 150, "calories": 300.0}


def test_a_question_about_progress_reads_two_things_at_once() -> None:
    reply = reply_to(Turn("Why am I hungry? Suggest a plan"), TOOLS)
    assert [call.tool for call in reply.calls] == ["list_foods", "daily_totals"]


def test_a_tool_that_was_not_offered_is_not_called() -> None:
    assert reply_to(Turn("I ate an apple"), frozenset()).calls == ()
