"""The application's pure parts: settings, reminders' form, complexity, progress."""

import datetime as dt

import pytest

from examples.health_agent import reminders
from examples.health_agent.agent import is_complex
from examples.health_agent.models import Day, Progress, User
from examples.health_agent.processes import without_real
from examples.health_agent.settings import ConfigurationError, Settings

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "delay", "what"),
    [
        pytest.param("30m drink water", dt.timedelta(minutes=30), "drink water", id="minutes"),
        pytest.param(" 5 s  stretch ", dt.timedelta(seconds=5), "stretch", id="spaces"),
        pytest.param("2d weigh\nyourself", dt.timedelta(days=2), "weigh\nyourself", id="two lines"),
    ],
)
def test_a_reminder_is_understood(text: str, delay: dt.timedelta, what: str) -> None:
    assert reminders.parse(text) == (delay, what)


@pytest.mark.parametrize("text", ["", "water", "10x water", "99999s water", "5m ", "5m " + "x" * 300])
def test_another_form_is_no_reminder(text: str) -> None:
    assert reminders.parse(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I ate an apple", False),
        ("Should I eat more?", True),
        ("Plan my week", True),
        ("planet", False),
        ("a" * 201, True),
    ],
)
def test_complexity_follows_length_and_words(text: str, expected: bool) -> None:
    assert is_complex(text) is expected


def test_progress_is_a_share_of_the_goal() -> None:
    user = User(id=1, calorie_goal=2000, created_at=NOW, last_seen=NOW)
    assert Progress.of(user, Day(entries=1, calories=500)).percent == 25


def test_a_goal_of_zero_is_the_known_defect() -> None:
    user = User(id=1, calorie_goal=0, created_at=NOW, last_seen=NOW)
    with pytest.raises(ZeroDivisionError):
        Progress.of(user, Day(entries=0, calories=0))


def test_a_missing_key_is_named_with_the_way_out() -> None:
    with pytest.raises(ConfigurationError, match=r"TELEGRAM_BOT_TOKEN is not set.*health_agent local"):
        Settings({}).key("TELEGRAM_BOT_TOKEN")


@pytest.mark.parametrize("value", ["http", "-1", "70000", "80.5", "nan", "inf"])
def test_a_port_that_cannot_be_is_named(value: str) -> None:
    with pytest.raises(ConfigurationError, match="API_PORT must be"):
        _ = Settings({"API_PORT": value}).api_port


def test_an_empty_variable_counts_as_unset() -> None:
    assert Settings({"API_PORT": ""}).api_port == 8080


def test_a_service_with_a_key_keeps_its_real_address() -> None:
    local = {"OPENAI_API_KEY": "l", "OPENAI_BASE_URL": "l", "USDA_API_KEY": "l", "TELEMETRY_EXTERNAL_SERVICES": "l"}
    kept = without_real(local, {"OPENAI_API_KEY": "mine"})
    assert kept == {"USDA_API_KEY": "l", "TELEMETRY_EXTERNAL_SERVICES": "l"}
