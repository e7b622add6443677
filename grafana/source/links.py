"""Where a panel leads: another dashboard with the same time and variables, and the runbook's section."""

from __future__ import annotations

from urllib.parse import quote

from grafana_foundation_sdk.models import dashboard

__all__ = ["RUNBOOK", "runbook_path", "to_dashboard", "to_runbook"]

RUNBOOK = "/public/docs/RUNBOOK.md"
"""compose.yaml puts docs/ where Grafana serves files."""


def to_runbook(section: str) -> dashboard.DashboardLink:
    """Link to a section of the runbook by its heading, in a window of its own."""
    return _link(f"Runbook: {section}", runbook_path(section), blank=True)


def runbook_path(section: str) -> str:
    """Return the address of a section below Grafana's own; the file is served as text, so it is found by its words."""
    return f"{RUNBOOK}#{section.lower().replace(' ', '-')}:~:text={quote(section)}"


def to_dashboard(uid: str, title: str) -> dashboard.DashboardLink:
    """Link to another dashboard; time range and variables go along."""
    return _link(title, f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}", blank=False)


def _link(title: str, url: str, *, blank: bool) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title=title, type_val=dashboard.DashboardLinkType.LINK, icon="", tooltip="", url=url, target_blank=blank
    )
