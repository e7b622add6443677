"""Who is told, how often, and what is left unsaid: Alertmanager's routes and Grafana's policies.

The committed files send nothing to anybody. `make up` puts the channels in that the environment names (stack/delivery).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grafana.source import watchdog
from grafana.source.alert_catalog import ALERTS
from grafana.source.alerts import CRITICAL

if TYPE_CHECKING:
    from grafana.source.alerts import Alert

__all__ = ["GRAFANAS_OWN", "HEARTBEAT", "PEOPLE", "alertmanager", "grafana_policies"]

PEOPLE, HEARTBEAT = "people", "heartbeat"
"""The receivers: all channels of people, and the watcher outside."""
GRAFANAS_OWN = "grafana-default-email"
"""Grafana's contact point of its first start, which sends nothing until e-mail is set up."""
TEST = "DeliveryTest"
"""The alert of `make alert-test`, delivered at once."""
_GROUPED_BY = ["deployment_environment_name", "area"]
"""One notification for all that happens in one part of one environment at a time."""
_WATCHDOG = {"group_wait": "0s", "group_interval": "30s", "repeat_interval": "50s"}
"""Once a minute: what was sent a moment less than `repeat_interval` ago waits for the next `group_interval`."""
_ALWAYS = "always"
_IS_PAGE = f'severity="{CRITICAL}"'
_DEATHS, _AT_ONCE = "processes", {"group_wait": "5s", "group_interval": "30s", "repeat_interval": "1h"}
"""A dead service is to be told within two minutes, one that dies a little later as well."""


def alertmanager() -> dict[str, Any]:
    """Return Alertmanager's configuration; its receivers are names without an address."""
    return {
        "route": {
            "receiver": PEOPLE,
            "group_by": _GROUPED_BY,
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                {"receiver": HEARTBEAT, "matchers": [f'alertname="{watchdog.NAME}"'], **_WATCHDOG},
                {
                    "receiver": PEOPLE,
                    "matchers": [f'alertname="{TEST}"'],
                    "group_by": ["..."],
                    "group_wait": "0s",
                    "group_interval": "10s",
                },
                {"receiver": PEOPLE, "matchers": [_IS_PAGE, f'area="{_DEATHS}"'], **_AT_ONCE},
                {"receiver": PEOPLE, "matchers": [_IS_PAGE], "repeat_interval": "1h"},
            ],
        },
        "receivers": [{"name": PEOPLE}, {"name": HEARTBEAT}],
        "inhibit_rules": [_critical_over_warning(alert) for alert in ALERTS if _has_both(alert)]
        + [rule for alert in ALERTS for cause in alert.unless for rule in _one_cause(alert, cause)],
    }


def _has_both(alert: Alert) -> bool:
    return len({level.severity for level in alert.levels}) > 1


def _critical_over_warning(alert: Alert) -> dict[str, Any]:
    of_alert = f'alert="{alert.name}"'
    return {
        "source_matchers": [of_alert, f'severity="{CRITICAL}"'],
        "target_matchers": [of_alert, f'severity!="{CRITICAL}"'],
        "equal": ["deployment_environment_name", *alert.told_apart_by],
    }


def _one_cause(alert: Alert, name: str) -> tuple[dict[str, Any], ...]:
    """Silence what follows from a cause; a warning silences no page."""
    (cause,) = (cause for cause in ALERTS if cause.name == name)
    shared = [label for label in alert.told_apart_by if label in cause.told_apart_by]
    equal = ["deployment_environment_name", *shared] if cause.of_environment else shared
    source, target = f'alert="{name}"', f'alert="{alert.name}"'
    critical, less = f'severity="{CRITICAL}"', f'severity!="{CRITICAL}"'
    return (
        {"source_matchers": [source, critical], "target_matchers": [target], "equal": equal},
        {"source_matchers": [source], "target_matchers": [target, less], "equal": equal},
    )


def grafana_policies(people: str = GRAFANAS_OWN, heartbeat: str = "") -> dict[str, Any]:
    """Return how Grafana groups notifications; it has no inhibition, so one area is one notification.

    Without a watcher outside, the heartbeat is muted at all times.
    """
    watched = {"receiver": heartbeat} if heartbeat else {"receiver": people, "mute_time_intervals": [_ALWAYS]}
    policy = {
        "orgId": 1,
        "receiver": people,
        "group_by": _GROUPED_BY,
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            {**watched, "object_matchers": [["alertname", "=", watchdog.NAME]], "group_by": ["alertname"], **_WATCHDOG},
            # A broken query has the labels of its rule: one notification for all that one data source breaks.
            {
                "receiver": people,
                "object_matchers": [["alertname", "=", "DatasourceError"]],
                "group_by": ["alertname", "datasource_uid"],
            },
            {
                "receiver": people,
                "object_matchers": [["severity", "=", CRITICAL], ["area", "=", _DEATHS]],
                "group_by": _GROUPED_BY,
                **_AT_ONCE,
            },
            {
                "receiver": people,
                "object_matchers": [["severity", "=", CRITICAL]],
                "group_by": _GROUPED_BY,
                "repeat_interval": "1h",
            },
        ],
    }
    whole_day = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
    mute_times = [{"orgId": 1, "name": _ALWAYS, "time_intervals": whole_day}]
    return {"apiVersion": 1, "muteTimes": mute_times, "policies": [policy]}
