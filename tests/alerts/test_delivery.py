"""Alerts delivered by a real Alertmanager to real servers: each channel, the heartbeat, what is left unsaid."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.health_agent.local import telegram
from stack.delivery import api
from stack.settings import Settings
from tests.alerts import receivers
from tests.alerts.real_alertmanager import WAIT, post, running, until
from tests.alerts.test_files import SILENCED

TELEGRAMS_LIMIT = 4096
NASTY = "<b>not closed & _half *bold [link](http://x 🔥🔥 `$HOME {{ .Alerts }} 💥 " * 8


@dataclass(frozen=True)
class Delivered:
    """A running Alertmanager and the servers behind its channels."""

    settings: Settings
    hook: receivers.Received
    mail: receivers.Mailbox
    chat: receivers.TelegramChat
    heartbeat: receivers.Received


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    with ExitStack() as servers:
        hook, heartbeat = (servers.enter_context(receivers.webhook()) for _ in range(2))
        mail, chat = servers.enter_context(receivers.mailbox()), servers.enter_context(receivers.telegram_chat())
        environ = {
            "ALERT_WEBHOOK_URL": hook.url,
            "ALERT_HEARTBEAT_URL": heartbeat.url,
            "ALERT_EMAIL_TO": "a@example.com, b@example.com",
            "ALERT_SMTP_SERVER": mail.server,
            "ALERT_SMTP_TLS": "false",
            "ALERT_TELEGRAM_BOT_TOKEN": telegram.TOKEN,
            "ALERT_TELEGRAM_CHAT_ID": str(receivers.CHAT),
            "ALERT_TELEGRAM_API_URL": chat.url,
        }
        found = servers.enter_context(running(tmp_path_factory.mktemp("alertmanager"), **environ))
        yield Delivered(found, hook, mail, chat, heartbeat)


def alert(name: str, area: str, **labels: str) -> dict[str, str]:
    head = {"alertname": f"{name}Critical", "alert": name, "severity": "critical", "concerns": "operations"}
    return head | {"area": area, "deployment_environment_name": "production"} | labels


def test_fifty_alerts_full_of_markup_arrive_everywhere_and_fit_into_telegram(delivered: Delivered) -> None:
    fifty = [alert("Nasty", "nasty", instance=f"{number} {NASTY[:40]}") for number in range(50)]
    links = {f"{name}_url": "http://grafana/" + "a" * 200 for name in ("dashboard", "explore", "runbook")}
    post(delivered.settings, *fifty, annotations={"summary": NASTY, "description": NASTY, **links})
    until(lambda: len(delivered.hook.alerts(alert="Nasty")) == 50)
    (text,) = until(lambda: [text for text in delivered.chat.texts() if "nasty" in text])
    assert len(text.encode("utf-16-le")) / 2 < TELEGRAMS_LIMIT
    assert text.startswith("50 firing: nasty in production\n")
    assert text.count(NASTY[:100]) == 4
    assert "46 more fire that are not shown here." in text
    (mail,) = until(lambda: [text for text in delivered.mail.texts() if "nasty" in text])
    assert " ".join(mail.split()).count(" ".join(NASTY.split())) == 100


def test_what_the_worst_fifty_leave_of_telegrams_limit(delivered: Delivered) -> None:
    """Every part as long as it may get, in characters that count double there."""
    worst = [
        alert(
            "W",
            "🔥" * 90,
            severity="🔥" * 20,
            concerns="🔥" * 50,
            deployment_environment_name="🔥" * 90,
            instance=str(i),
        )
        for i in range(50)
    ]
    links = dict.fromkeys(("dashboard_url", "runbook_url"), "http://" + "x" * 153)
    post(delivered.settings, *worst, annotations={"summary": "🔥" * 500, **links}, seconds=1)
    until(lambda: any(text.startswith("50 firing: 🔥") for text in delivered.chat.texts()))
    until(lambda: any(text.startswith("0 firing, 50 resolved: 🔥") for text in delivered.chat.texts()))
    sizes = [len(text.encode("utf-16-le")) // 2 for text in delivered.chat.texts() if "🔥" * 40 in text]
    assert max(sizes) < TELEGRAMS_LIMIT
    firing, resolved = sizes[0], sizes[-1]
    assert firing + resolved < TELEGRAMS_LIMIT, "both in one message"


def test_one_alert_says_what_whom_and_where_to_look_in_every_channel(delivered: Delivered) -> None:
    links = {
        "dashboard_url": "http://g/d/x",
        "explore_url": "http://g/explore?" + "y" * 700,
        "runbook_url": "http://g/r",
    }
    words = {"summary": "It is 5% & more.", "description": "Look."}
    post(delivered.settings, alert("One", "one"), annotations=words | links)
    (text,) = until(lambda: [text for text in delivered.chat.texts() if "It is 5%" in text])
    (mail,) = until(lambda: [text for text in delivered.mail.texts() if "It is 5%" in text])
    for told in (text, mail.replace("\r\n", "\n")):
        assert told.startswith("1 firing: one in production\n")
        assert "critical" in told
        assert "operations" in told
        assert "It is 5% & more." in told
        assert all(link in told for link in links.values())
    (headers,) = [message for message in delivered.mail.messages if message["Subject"] == "1 firing: one in production"]
    assert headers["To"] == "a@example.com, b@example.com"


def test_the_end_is_told_as_well(delivered: Delivered) -> None:
    post(delivered.settings, alert("Short", "short"), annotations={"summary": "It is bad."}, seconds=1)
    until(lambda: delivered.hook.has("resolved", alert="Short"))
    until(lambda: any("Over: It is bad." in text for text in delivered.chat.texts()))
    until(lambda: any("Over: It is bad." in text for text in delivered.mail.texts()))


def test_the_heartbeat_goes_to_the_watcher_outside_and_to_nobody_else(delivered: Delivered) -> None:
    post(delivered.settings, {"alertname": "Watchdog", "alert": "Watchdog", "severity": "none", "area": "heartbeat"})
    until(lambda: delivered.heartbeat.payloads)
    assert {alert["labels"]["alert"] for alert in delivered.heartbeat.alerts()} == {"Watchdog"}
    assert delivered.hook.alerts(alert="Watchdog") == []


def test_a_test_alert_is_told_through_each_channel_at_once(delivered: Delivered) -> None:
    assert api.send_test(delivered.settings) == {"webhook": "delivered", "email": "delivered", "telegram": "delivered"}
    assert delivered.hook.has("firing", alert="DeliveryTest")


def test_a_channel_that_fails_is_counted_and_the_others_deliver(
    delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_PATIENCE", 2)
    delivered.hook.answer = 500
    outcome = api.send_test(delivered.settings)
    delivered.hook.answer = 200
    assert (outcome["email"], outcome["telegram"]) == ("delivered", "delivered")
    assert outcome["webhook"].startswith("failed ")
    assert api.tallies(delivered.settings)["people", "webhook"].failed > 0


def test_a_silence_keeps_what_it_names_quiet_until_it_is_ended(delivered: Delivered) -> None:
    identity = api.silence(delivered.settings, "1h", "maintenance", {"area": "quiet"})
    (found,) = api.silences(delivered.settings)
    assert (found.id, found.comment, found.matchers) == (identity, "maintenance", ("area=quiet",))
    post(delivered.settings, alert("Silenced", "quiet"))
    post(delivered.settings, alert("Loud", "loud"))
    until(lambda: delivered.hook.has("firing", alert="Loud"))
    assert delivered.hook.alerts(alert="Silenced") == []
    api.end_silence(delivered.settings, identity)
    until(lambda: delivered.hook.has("firing", alert="Silenced"))


@pytest.mark.parametrize(("source", "target", "silenced"), SILENCED.values(), ids=SILENCED)
def test_alertmanager_sends_no_second_notification_for_one_cause(
    source: dict[str, str], target: dict[str, str], silenced: bool, tmp_path: Path
) -> None:
    with receivers.webhook() as hook, running(tmp_path, ALERT_WEBHOOK_URL=hook.url) as found:
        post(found, source)
        post(found, target)
        post(found, {"alert": "Last", "area": "of its own", "severity": "critical"})
        until(lambda: hook.has("firing", alert="Last"))
        if silenced:
            time.sleep(3 * WAIT)
            assert not hook.has("firing", **target)
        else:
            until(lambda: hook.has("firing", **target))
