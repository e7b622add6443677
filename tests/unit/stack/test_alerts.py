"""What `status` says about alerts."""

from __future__ import annotations

from typing import Any

from stack import alerts, settings


def alert(name: str, severity: str, state: str = "firing", **labels: str) -> dict[str, Any]:
    labels |= {"alertname": f"{name}{severity.title()}", "alert": name, "severity": severity}
    return {"labels": labels, "state": state, "annotations": {"summary": f"{name} is bad."}}


def test_those_that_fire_are_told_the_critical_ones_first() -> None:
    found = [alert("A", "warning"), alert("B", "critical"), alert("C", "critical", "pending")]
    assert alerts.lines(found) == ["critical: BCritical: B is bad.", "warning: AWarning: A is bad."]


def test_a_warning_is_left_out_beside_its_critical_level_only_where_both_mean_the_same_place() -> None:
    found = [
        alert("A", "critical", service="x"),
        alert("A", "warning", service="x"),
        alert("A", "warning", service="y"),
    ]
    assert alerts.lines(found) == ["critical: ACritical: A is bad.", "warning: AWarning: A is bad."]


def test_the_runbooks_section_is_named() -> None:
    found = alert("A", "critical")
    found["annotations"]["runbook_url"] = "http://g/RUNBOOK.md#slow-queries:~:text=Slow%20queries"
    assert alerts.lines([found]) == ["critical: ACritical: A is bad. Runbook: Slow queries."]


def test_without_an_answer_it_says_that_nobody_knows(deaf_port: int) -> None:
    (line,) = alerts.firing(settings.load({"PROMETHEUS_PORT": str(deaf_port)}))
    assert line.startswith("Prometheus does not tell what fires: ")


def test_the_heartbeat_is_no_trouble() -> None:
    assert alerts.lines([alert("Watchdog", "none")]) == []
