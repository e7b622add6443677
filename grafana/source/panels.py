"""A factory for each kind of panel. All take what a reader is told (`About`) and the queries, and look alike."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    piechart,
    timeseries,
)
from grafana_foundation_sdk.builders import gauge as gauge_builder
from grafana_foundation_sdk.builders import heatmap as heatmap_builder
from grafana_foundation_sdk.builders import stat as stat_builder
from grafana_foundation_sdk.builders import table as table_builder
from grafana_foundation_sdk.builders import text as text_builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models import heatmap as heatmap_shapes
from grafana_foundation_sdk.models import piechart as pie_shapes
from grafana_foundation_sdk.models import text as text_shapes
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel
from grafana_foundation_sdk.models.prometheus import Dataquery, PromQueryFormat

from grafana.source.style import Limits, by_name, thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
    from grafana_foundation_sdk.models.dashboard import DashboardLink, DataTransformerConfig

__all__ = [
    "AS_IT_COMES", "PROMETHEUS", "About", "Ask", "Look", "bars", "columns", "gauge", "heatmap", "joined", "lines",
    "merged", "override", "pie", "rename", "stat", "table", "text",
]  # fmt: skip

PROMETHEUS = dashboard.DataSourceRef(type_val="prometheus", uid="prometheus")


@dataclass(frozen=True)
class About:
    """What a reader is told: `what` the panel shows and when to worry, what it means if it is `empty`, where to go."""

    title: str
    what: str
    empty: str = "Nothing happened in this time range."
    links: tuple[DashboardLink, ...] = ()


@dataclass(frozen=True)
class Ask:
    """One query of a panel and the name of its series.

    `exemplars` puts links to traces on the graph; `instant` asks for the end of the range only, as a total needs.
    """

    expr: str
    legend: str = "__auto"
    exemplars: bool = False
    instant: bool = False


@dataclass(frozen=True)
class Look:
    """How values are shown.

    `limits` colour them, `colours` fix a series' colour and `units` a column's unit, `dashed` is the pattern of the
    names of thinner lines.
    """

    unit: str = "short"
    decimals: int | None = None
    limits: Limits | None = None
    maximum: float | None = None
    stacked: bool = False
    colours: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    dashed: str = ""


PLAIN = Look()
AS_IT_COMES = Look(unit="")
"""For traces, whose fields have units already; an id of digits only must not become a number."""


def lines(about: About, *asks: Ask, look: Look = PLAIN) -> Panel:
    """Lines over time; stacked areas where the look says so."""
    legend = common.VizLegendOptions().show_legend(True).placement(shapes.LegendPlacement.BOTTOM)
    legend = legend.display_mode(shapes.LegendDisplayMode.LIST).calcs([])
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING)
    builder = timeseries.Panel().legend(legend).tooltip(tooltip).line_width(2).axis_soft_min(0)
    builder = builder.fill_opacity(40 if look.stacked else 8).show_points(shapes.VisibilityMode.AUTO)
    builder = builder.span_nulls(90_000).thresholds_style(_lines_at(look))
    if look.stacked:
        builder = builder.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A"))
    panel = builder.build()
    if look.dashed:
        properties = [DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 6]}),
                      DynamicConfigValue("custom.lineWidth", 1)]  # fmt: skip
        override(panel, dashboard.MatcherConfig("byRegexp", look.dashed), properties)
    return _finish(panel, about, look, [_target(ask) for ask in asks])


def _lines_at(look: Look) -> common.GraphThresholdsStyleConfig:
    mode = shapes.GraphThresholdsStyleMode
    return common.GraphThresholdsStyleConfig().mode(mode.DASHED if look.limits else mode.OFF)


def stat(about: About, *asks: Ask, look: Look = PLAIN, over: str = "") -> Panel:
    """Big figures: the last value of the range, or with `over` (`now/d`, `24h`) of that time instead."""
    builder = stat_builder.Panel().reduce_options(_last()).orientation(shapes.VizOrientation.AUTO)
    builder = builder.color_mode(shapes.BigValueColorMode.BACKGROUND if look.limits else shapes.BigValueColorMode.VALUE)
    builder = builder.graph_mode(shapes.BigValueGraphMode.NONE).justify_mode(shapes.BigValueJustifyMode.CENTER)
    builder = builder.text_mode(shapes.BigValueTextMode.AUTO)
    panel = builder.wide_layout(True).build()
    panel.time_from = over or None
    return _finish(panel, about, look, [_target(ask) for ask in asks])


def gauge(about: About, *asks: Ask, look: Look = PLAIN) -> Panel:
    """Show a dial from 0 to the look's maximum."""
    builder = gauge_builder.Panel().reduce_options(_last()).show_threshold_markers(True).min(0)
    return _finish(builder.build(), about, look, [_target(ask) for ask in asks])


def pie(about: About, ask: Ask, look: Look = PLAIN) -> Panel:
    """Shares of a whole."""
    legend = piechart.PieChartLegendOptions().show_legend(True).placement(shapes.LegendPlacement.RIGHT)
    values = [pie_shapes.PieChartLegendValues.VALUE, pie_shapes.PieChartLegendValues.PERCENT]
    legend = legend.display_mode(shapes.LegendDisplayMode.TABLE).values(values)
    builder = piechart.Panel().pie_type(pie_shapes.PieChartType.DONUT).legend(legend).reduce_options(_last())
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.SINGLE)
    return _finish(builder.tooltip(tooltip).build(), about, look, [_target(replace(ask, instant=True))])


def bars(about: About, x: str, *asks: Ask, look: Look = PLAIN) -> Panel:
    """Bars for each value of the label `x`; the legends name the queries."""
    legend = common.VizLegendOptions().show_legend(len(asks) > 1).placement(shapes.LegendPlacement.BOTTOM)
    legend = legend.display_mode(shapes.LegendDisplayMode.LIST).calcs([])
    builder = barchart.Panel().x_field(x).legend(legend).show_value(shapes.VisibilityMode.AUTO)
    builder = builder.orientation(shapes.VizOrientation.HORIZONTAL).x_tick_label_max_length(28)
    builder = builder.stacking(shapes.StackingMode.NORMAL if look.stacked else shapes.StackingMode.NONE)
    builder = builder.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI)).fill_opacity(80)
    panel = builder.bar_width(0.8).group_width(0.8).build()
    if len(asks) == 1:
        panel.transformations = [rename({x: x, "Value": asks[0].legend}), _descending(asks[0].legend)]
    else:
        names = {f"Value #{_letter(number)}": ask.legend for number, ask in enumerate(asks)}
        panel.transformations = joined(x, {x: x} | names)
    return _finish(panel, about, look, [_table_target(ask) for ask in asks])


def columns(about: About, ask: Ask, look: Look = PLAIN) -> Panel:
    """Draw a column for each bucket of a histogram, over the whole range; `ask` is grouped by `le`."""
    builder = bargauge.Panel().reduce_options(_last()).orientation(shapes.VizOrientation.VERTICAL)
    builder = builder.display_mode(shapes.BarGaugeDisplayMode.BASIC).show_unfilled(False).min(0)
    target = _target(replace(ask, instant=True))
    target.format_val = PromQueryFormat.HEATMAP
    target.legend_format = "{{le}}"
    return _finish(builder.value_mode(shapes.BarGaugeValueMode.TEXT).build(), about, look, [target])


def heatmap(about: About, ask: Ask, look: Look = PLAIN) -> Panel:
    """Time across, a histogram's buckets upwards, the colour how many; `ask` is grouped by `le`."""
    colour = heatmap_builder.HeatmapColorOptions().mode(heatmap_shapes.HeatmapColorMode.SCHEME).scheme("Oranges")
    colour = colour.scale(heatmap_shapes.HeatmapColorScale.EXPONENTIAL).exponent(0.5).steps(64).fill("dark-orange")
    builder = heatmap_builder.Panel().calculate(False).color(colour.reverse(False)).cell_gap(1)
    builder = builder.y_axis(heatmap_builder.YAxisConfig().unit(look.unit).axis_placement(shapes.AxisPlacement.LEFT))
    builder = builder.rows_frame(heatmap_builder.RowsHeatmapOptions().layout(shapes.HeatmapCellLayout.AUTO))
    builder = builder.cell_values(heatmap_builder.CellValues().unit("suffix:/min").decimals(1)).show_legend()
    builder = builder.filter_values(heatmap_builder.FilterValueRange().le(1e-9)).mode(shapes.TooltipDisplayMode.SINGLE)
    target = _target(ask)
    target.format_val = PromQueryFormat.HEATMAP
    target.legend_format = "{{le}}"
    return _finish(builder.exemplars_color("rgba(255,0,255,0.7)").build(), about, look, [target])


def table(
    about: About, *asks: Ask | AnyQuery, look: Look = PLAIN, shape: Sequence[DataTransformerConfig] = (), over: str = ""
) -> Panel:
    """Rows and columns; `shape` says which fields stay and what they are called."""
    builder = table_builder.Panel().show_header(True).cell_height(shapes.TableCellHeight.SM)
    panel = builder.filterable(False).build()
    panel.transformations = list(shape)
    panel.time_from = over or None
    targets = [_table_target(ask) if isinstance(ask, Ask) else ask for ask in asks]
    return _finish(panel, about, look, targets)


def text(about: About, markdown: str) -> Panel:
    """Explain in words."""
    panel = text_builder.Panel().mode(text_shapes.TextMode.MARKDOWN).content(markdown).build()
    return _finish(panel, about, PLAIN, [])


def rename(names: dict[str, str], *hidden: str) -> DataTransformerConfig:
    """Order and name the fields of a table as listed; time and the `hidden` ones go."""
    order = {name: position for position, name in enumerate(names)}
    gone = dict.fromkeys(("Time", *hidden), True)
    options = {"excludeByName": gone, "indexByName": order, "renameByName": names}
    return dashboard.DataTransformerConfig(id_val="organize", options=options)


def joined(on: str, names: dict[str, str]) -> list[DataTransformerConfig]:
    """Put the tables of several queries side by side, matched by the label `on`, and name the columns."""
    join = dashboard.DataTransformerConfig(id_val="joinByField", options={"byField": on, "mode": "outer"})
    return [join, rename(names, *(f"Time {number}" for number in range(1, len(names))))]


def merged() -> DataTransformerConfig:
    """Put the tables of several queries side by side, matched by all the labels they share."""
    return dashboard.DataTransformerConfig(id_val="merge", options={})


def _descending(field: str) -> DataTransformerConfig:
    return dashboard.DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": field, "desc": True}]})


def _target(ask: Ask) -> Dataquery:
    return Dataquery(
        expr=ask.expr, legend_format=ask.legend, instant=ask.instant, range_val=not ask.instant, exemplar=ask.exemplars,
        format_val=PromQueryFormat.TIME_SERIES, datasource=PROMETHEUS,
    )  # fmt: skip


def _table_target(ask: Ask) -> Dataquery:
    target = _target(replace(ask, instant=True))
    target.format_val = PromQueryFormat.TABLE
    return target


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def override(panel: Panel, matcher: dashboard.MatcherConfig, properties: list[DynamicConfigValue]) -> None:
    """Show some of a panel's fields or series differently."""
    if panel.field_config is None:
        panel.field_config = dashboard.FieldConfigSource()
    panel.field_config.overrides.append(dashboard.DashboardFieldConfigSourceOverrides(matcher, properties))


def _colour(kind: str, look: Look) -> dashboard.FieldColor:
    """Colour a figure by its limits, or not at all: any colour would mean something. Series get one by their name."""
    mode = dashboard.FieldColorModeId
    if kind not in {"stat", "gauge"}:
        return dashboard.FieldColor(mode.PALETTE_CLASSIC_BY_NAME)
    return dashboard.FieldColor(mode.THRESHOLDS) if look.limits else dashboard.FieldColor(mode.FIXED, "text")


def _finish(panel: Panel, about: About, look: Look, targets: Sequence[AnyQuery]) -> Panel:
    """Put on a panel what every panel has."""
    for name, colour in look.colours.items():
        override(panel, *by_name(name, colour))
    for name, unit in look.units.items():
        override(panel, dashboard.MatcherConfig("byName", name), [DynamicConfigValue("unit", unit)])
    source = panel.field_config or dashboard.FieldConfigSource()
    source.defaults.unit, source.defaults.decimals, source.defaults.max_val = (
        look.unit or None,
        look.decimals,
        look.maximum,
    )
    source.defaults.thresholds, source.defaults.no_value = thresholds(look.limits), about.empty
    source.defaults.color = _colour(panel.type_val, look)
    panel.field_config = source
    panel.title, panel.description, panel.links = about.title, about.what, list(about.links)
    panel.targets = list(targets)
    panel.datasource = getattr(targets[0], "datasource", PROMETHEUS) if targets else PROMETHEUS
    for number, target in enumerate(targets):
        target.ref_id = _letter(number)  # type: ignore[attr-defined]
    return panel
