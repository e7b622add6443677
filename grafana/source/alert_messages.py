"""What a notification says: one text for Grafana and Alertmanager, whose template languages are the same in all used.

Telegram takes 4,096 UTF-16 units and refuses what is longer, or marked up wrongly. So its text is plain, names four
alerts, and cuts what has no end of its own: at worst 3,950 units. No variable is used: where Grafana fills in the
environment, a `$` would be one.
"""

from __future__ import annotations

from textwrap import dedent
from typing import Any

__all__ = ["TEMPLATES", "grafana_templates"]

TEMPLATES = dedent("""\
    {{ define "agent.title" -}}
    {{ len .Alerts.Firing }} firing{{ if .Alerts.Resolved }}, {{ len .Alerts.Resolved }} resolved{{ end }}
    {{- with .GroupLabels.area }}: {{ printf "%.40s" . }}{{ end }}
    {{- with .GroupLabels.deployment_environment_name }} in {{ printf "%.40s" . }}{{ end }}
    {{- end }}

    {{ define "agent.name" -}}
    {{ with .Annotations.summary }}{{ . }}{{ else }}{{ .Labels.alertname }}{{ end }}
    {{- end }}

    {{ define "agent.text" -}}
    {{ template "agent.title" . }}
    {{ range .Alerts.Firing }}
    {{ .Labels.severity }}: {{ template "agent.name" . }}
    For {{ .Labels.concerns }}, since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05 UTC" }}
    {{ with .Annotations.description }}{{ . }}
    {{ end }}
    {{- with .Annotations.dashboard_url }}Dashboard: {{ . }}
    {{ end }}
    {{- with .Annotations.explore_url }}Explore: {{ . }}
    {{ end }}
    {{- with .Annotations.runbook_url }}Runbook: {{ . }}
    {{ end }}
    {{- end }}
    {{- range .Alerts.Resolved }}
    Over: {{ template "agent.name" . }}
    {{ end }}
    {{- end }}

    {{ define "agent.short_name" -}}
    {{ with .Annotations.summary }}{{ printf "%.120s" . }}{{ else }}{{ printf "%.120s" .Labels.alertname }}{{ end }}
    {{- end }}

    {{ define "agent.links" -}}
    {{ with .Annotations.dashboard_url }}{{ if le (len .) 160 }}{{ . }}
    {{ end }}{{ end }}
    {{- with .Annotations.runbook_url }}{{ if le (len .) 160 }}{{ . }}
    {{ end }}{{ end }}
    {{- end }}

    {{ define "agent.short_firing" -}}
    {{ range . }}
    {{ printf "%.10s, for %.20s" .Labels.severity .Labels.concerns }}: {{ template "agent.short_name" . }}
    {{ template "agent.links" . }}
    {{- end }}
    {{- end }}

    {{ define "agent.short_resolved" -}}
    {{ range . }}
    Over: {{ template "agent.short_name" . }}
    {{- end }}
    {{- end }}

    {{ define "agent.telegram" -}}
    {{ template "agent.title" . }}
    {{ if gt (len .Alerts.Firing) 4 }}
    {{- template "agent.short_firing" (slice .Alerts.Firing 0 4) }}
    {{ len (slice .Alerts.Firing 4) }} more fire that are not shown here.
    {{ else }}
    {{- template "agent.short_firing" .Alerts.Firing }}
    {{- end }}
    {{- if eq (len .Alerts.Firing) 1 }}
    {{- with (index .Alerts.Firing 0).Annotations.explore_url }}{{ if le (len .) 1500 }}{{ . }}
    {{ end }}{{ end }}
    {{- end }}
    {{- if gt (len .Alerts.Resolved) 4 }}
    {{- template "agent.short_resolved" (slice .Alerts.Resolved 0 4) }}
    And {{ len (slice .Alerts.Resolved 4) }} more are over.
    {{- else }}
    {{- template "agent.short_resolved" .Alerts.Resolved }}
    {{- end }}
    {{- end }}
    """)


def grafana_templates() -> dict[str, Any]:
    """Return the file with the group of templates as Grafana provisions it."""
    return {"apiVersion": 1, "templates": [{"orgId": 1, "name": "agent", "template": TEMPLATES}]}
