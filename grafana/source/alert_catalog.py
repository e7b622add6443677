"""All alerts, and the rules that were removed."""

from __future__ import annotations

from itertools import chain

from grafana.source import alert_rules, alert_rules_pipeline, alert_rules_slo

__all__ = ["ALERTS", "REMOVED", "RULES"]

ALERTS = (*alert_rules.ALERTS, *alert_rules_slo.ALERTS, *alert_rules_pipeline.ALERTS)
RULES = tuple(chain.from_iterable(alert.rules() for alert in ALERTS))
REMOVED: tuple[str, ...] = ()
"""The `uid` of each rule that was once in Grafana's file: without a word, Grafana keeps what is no longer there."""
