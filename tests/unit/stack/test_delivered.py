"""What `status` says of delivery, and which part delivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import native_environment, settings
from stack.delivery import api, report
from stack.delivery.api import Tally

METRICS = """
# TYPE alertmanager_notification_requests_total counter
alertmanager_notification_requests_total{integration="telegram",receiver_name="people"} 5
alertmanager_notification_requests_failed_total{integration="telegram",receiver_name="people"} 2
alertmanager_notification_requests_total{integration="webhook",receiver_name="heartbeat"} 7
alertmanager_notification_requests_failed_total{integration="webhook",receiver_name="heartbeat"} 0
alertmanager_notifications_total{integration="webhook",receiver_name="heartbeat"} 7
"""


def test_tallies_are_read_by_receiver_and_channel() -> None:
    found = api.read_tallies(METRICS)
    assert found == {("people", "telegram"): Tally(5, 2), ("heartbeat", "webhook"): Tally(7, 0)}


def test_status_tells_where_alerts_go_and_what_failed() -> None:
    assert report.of_tallies(api.read_tallies(METRICS)) == [
        "Alerts go to: telegram (3 sent, 2 FAILED).",
        "Heartbeat to the watcher outside: 7 sent.",
    ]


def test_without_a_channel_status_says_that_nobody_is_told() -> None:
    (line,) = report.of_tallies({})
    assert line.startswith("Alerts are sent to nobody: set a channel")


def test_without_an_answer_status_says_so(deaf_port: int, tmp_path: Path) -> None:
    found = settings.load({"ALERTMANAGER_PORT": str(deaf_port), "STACK_DATA_DIR": str(tmp_path)})
    (line,) = report.lines(found, ["alertmanager"])
    assert line.startswith("Alertmanager does not answer")


def test_where_grafana_delivers_there_is_no_alertmanager_and_prometheus_sends_to_nobody(tmp_path: Path) -> None:
    binary = tmp_path / "grafana"
    binary.touch(mode=0o755)
    found = settings.load({"GRAFANA_BIN": str(binary), "STACK_DATA_DIR": str(tmp_path), "PATH": ""})
    assert {"grafana", "alertmanager"} & set(native_environment.native_parts(found)) == {"grafana"}
    config = native_environment.native_environment(found, {}, "")["PROMETHEUS_CONFIG"]
    assert config == str(settings.ROOT / "collector/prometheus/prometheus.yml")


@pytest.mark.parametrize("without", ["", "alertmanager"], ids=["by itself", "left out"])
def test_without_grafana_alertmanager_delivers_unless_it_is_left_out(tmp_path: Path, without: str) -> None:
    found = settings.load({"STACK_DATA_DIR": str(tmp_path), "PATH": "", "STACK_WITHOUT": without})
    there = {"grafana", "alertmanager"} & set(native_environment.native_parts(found))
    config = native_environment.native_environment(found, {}, "")["PROMETHEUS_CONFIG"]
    assert there == (set() if without else {"alertmanager"})
    assert config == str(
        settings.ROOT / "collector/prometheus/prometheus.yml" if without else tmp_path / "prometheus.yml"
    )
