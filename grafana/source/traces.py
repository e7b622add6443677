"""Queries to Tempo and Jaeger for panels."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.tempo import SearchTableType, TempoQuery

__all__ = ["JAEGER", "TEMPO", "JaegerSearch", "traceql"]

TEMPO = DataSourceRef(type_val="tempo", uid="tempo")
JAEGER = DataSourceRef(type_val="jaeger", uid="jaeger")


def traceql(query: str, *, limit: int = 50) -> TempoQuery:
    """Find spans; the fields named by `select()` become columns."""
    return TempoQuery(
        query_type="traceql", query=query, limit=limit, spss=20, table_type=SearchTableType.SPANS, filters=[],
        datasource=TEMPO,
    )  # fmt: skip


@dataclass
class JaegerSearch(Dataquery):
    """Find traces by their service and a tag; the SDK has no query for Jaeger."""

    service: str
    tags: str
    operation: str = ""
    limit: int = 50
    datasource: DataSourceRef = JAEGER
    ref_id: str = ""

    def to_json(self) -> dict[str, object]:
        """Write it as Grafana's Jaeger data source reads it."""
        found = {
            "datasource": self.datasource, "queryType": "search", "refId": self.ref_id, "service": self.service,
            "tags": self.tags, "limit": self.limit,
        }  # fmt: skip
        return found | ({"operation": self.operation} if self.operation else {})
