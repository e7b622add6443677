"""What Grafana is provisioned with, whatever channels the environment names."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import settings
from stack.delivery import channels, files, grafana
from stack.settings import ROOT, Settings

TOKEN, SECRET = "123456:AAtoken", "https://hook.example/secret"
SETS = {
    "webhook": {"ALERT_WEBHOOK_URL": SECRET},
    "email": {"ALERT_EMAIL_TO": "a$b@example.com, c@example.com", "ALERT_SMTP_SERVER": "mail.example:587"},
    "telegram": {"ALERT_TELEGRAM_BOT_TOKEN": TOKEN, "ALERT_TELEGRAM_CHAT_ID": "-1001234567890"},
    "heartbeat": {"ALERT_HEARTBEAT_URL": f"{SECRET}/alive"},
}
ALL = [names for size in range(5) for names in combinations(SETS, size)]

each_choice = pytest.mark.parametrize("names", ALL, ids=lambda names: ",".join(names) or "nothing")


@pytest.fixture
def found(names: tuple[str, ...], tmp_path: Path) -> Settings:
    environ = {name: value for channel in names for name, value in SETS[channel].items()}
    made = settings.load({"STACK_DATA_DIR": str(tmp_path), **environ}, root=ROOT)
    files.write(made, ["grafana"])
    return made


def read(found: Settings, name: str) -> Any:
    return yaml.safe_load((grafana.alerting_folder(found) / name).read_text())


@each_choice
def test_each_channel_is_a_receiver_and_what_is_not_set_is_deleted(found: Settings, names: tuple[str, ...]) -> None:
    contacts = read(found, "contact_points.yaml")
    there = [receiver["uid"] for point in contacts["contactPoints"] for receiver in point["receivers"]]
    gone = [entry["uid"] for entry in contacts["deleteContactPoints"]]
    assert there == [f"agent-{name}" for name in names]
    assert sorted(there + gone) == sorted(f"agent-{name}" for name in SETS)


@each_choice
def test_policies_name_only_contact_points_that_exist(found: Settings, names: tuple[str, ...]) -> None:
    contacts, policies = read(found, "contact_points.yaml"), read(found, "policies.yaml")
    (policy,) = policies["policies"]
    named = {route["receiver"] for route in (policy, *policy["routes"])}
    there = {point["name"] for point in contacts["contactPoints"]}
    assert named - there == (set() if set(names) - {"heartbeat"} else {"grafana-default-email"})
    assert all(point["receivers"] for point in contacts["contactPoints"])
    muted = [route["mute_time_intervals"] for route in policy["routes"] if "mute_time_intervals" in route]
    assert muted == ([] if "heartbeat" in names else [["always"]])


@each_choice
def test_no_secret_is_written_and_every_variable_is_given(found: Settings, names: tuple[str, ...]) -> None:
    text = (grafana.alerting_folder(found) / "contact_points.yaml").read_text()
    assert TOKEN not in text
    assert SECRET not in text
    told = grafana.environment(found, channels.load(found))
    for name in re.findall(r"(?<!\$)\$(\w+)", text.replace("$$", "")):
        assert told[name]


@pytest.mark.parametrize("names", [("telegram", "email")], ids=["both"])
def test_a_chats_id_is_a_string_and_addresses_are_taken_literally(found: Settings, names: tuple[str, ...]) -> None:
    (point,) = read(found, "contact_points.yaml")["contactPoints"]
    telegram, email = (receiver["settings"] for receiver in point["receivers"][::-1])
    assert telegram["chatid"] == "-1001234567890"
    assert telegram["parse_mode"] == "None"
    assert email["addresses"] == "a$$b@example.com;c@example.com"


def test_templates_hold_no_variable_and_define_what_is_used() -> None:
    folder = ROOT / "grafana" / "provisioning" / "alerting"
    ((group,),) = [yaml.safe_load((folder / "templates.yaml").read_text())["templates"]]
    assert "$" not in group["template"]
    assert group["template"] == (ROOT / "collector" / "alertmanager.tmpl").read_text()
    defined = set(re.findall(r'define "([\w.]+)"', group["template"]))
    used = set(re.findall(r'template "([\w.]+)"', group["template"]))
    assert defined - used == {"agent.text", "agent.telegram"}
    assert used <= defined


def test_compose_mounts_the_written_folder_and_gives_grafana_its_variables(tmp_path: Path) -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]
    made = settings.load({"STACK_DATA_DIR": str(tmp_path)}, root=ROOT)
    given = set(grafana.environment(made, channels.Channels())) - {"GRAFANA_ALERTING_DIR"}
    assert given <= set(service["environment"])
    assert any(volume.startswith("${GRAFANA_ALERTING_DIR:-") for volume in service["volumes"])
