"""Where a panel leads: another dashboard with the same time and variables, and the runbook's section."""

from __future__ import annotations

from urllib.parse import quote

from grafana_foundation_sdk.models import dashboard

__all__ = ["RUNBOOK", "to_dashboard", "to_runbook"]

RUNBOOK = "/public/docs/RUNBOOK.md"
"""compose.yaml puts docs/ where Grafana serves files."""


def to_runbook(section: str) -> dashboard.DashboardLink:
    """Link to a section of the runbook by its heading, in a window of its own."""
    anchor = section.lower().replace(" ", "-")
    url = f"{RUNBOOK}#{anchor}:~:text={quote(section)}"  # the file is served as text: no anchors, so by its words
    return _link(f"Runbook: {section}", url, blank=True)


def to_dashboard(uid: str, title: str) -> dashboard.DashboardLink:
    """Link to another dashboard; time range and variables go along."""
    return _link(title, f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}", blank=False)


def _link(title: str, url: str, *, blank: bool) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title=title, type_val=dashboard.DashboardLinkType.LINK, icon="", tooltip="", url=url, target_blank=blank
    )
