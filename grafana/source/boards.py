"""All dashboards, in the order in which they are read."""

from __future__ import annotations

from grafana.source import (
    ai_dashboard,
    api_dashboard,
    bot_dashboard,
    conversation_dashboard,
    database_dashboard,
    main_dashboard,
    pipeline_dashboard,
    slo_dashboard,
)

__all__ = ["BOARDS"]

_MODULES = (
    main_dashboard,
    bot_dashboard,
    conversation_dashboard,
    api_dashboard,
    ai_dashboard,
    database_dashboard,
    pipeline_dashboard,
    slo_dashboard,
)
BOARDS = tuple(module.BOARD for module in _MODULES)
