"""Our own sums and histograms: the same points as the SDK's from the same measurements, exact under threads."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from typing import Any, cast

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, MetricsData, NumberDataPoint
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from telemetry import catalog
from telemetry._bounds import Bounds
from telemetry._capture import Capture
from telemetry._catalog_meters import CatalogMeterProvider
from telemetry._series import ALWAYS_OFF, ALWAYS_ON, TRACE_BASED
from telemetry.entry import Entry, Root
from telemetry.instruments import Instruments
from telemetry.settings import Settings

HISTOGRAM, COUNTER = catalog.DB_QUERY_DURATION, catalog.TELEGRAM_MESSAGES
RESOURCE = Resource.create({"service.name": "test"})


def ours(exemplars: str = TRACE_BASED) -> tuple[CatalogMeterProvider, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    return CatalogMeterProvider([reader], RESOURCE, [], Bounds(), exemplars=exemplars), reader


def stock() -> tuple[MeterProvider, InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    buckets = View(instrument_name=HISTOGRAM.name, aggregation=ExplicitBucketHistogramAggregation(HISTOGRAM.buckets))
    return MeterProvider([reader], RESOURCE, shutdown_on_exit=False, views=[buckets]), reader


def measure(provider: MeterProvider, seed: int) -> None:
    """Record the same random values with the same labels, some of them within recorded spans."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    meter = provider.get_meter("test")
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    counter = meter.create_counter(COUNTER.name, COUNTER.unit, COUNTER.description)
    histogram = meter.create_histogram(HISTOGRAM.name, HISTOGRAM.unit, HISTOGRAM.description)
    for _ in range(500):
        value = chance.choice([0, 0.001, 0.05, 1.0, 5, chance.lognormvariate(-4, 2)])
        with tracer.start_as_current_span("x") if chance.random() < 0.5 else trace.use_span(trace.INVALID_SPAN):
            counter.add(chance.randrange(4), {"message_type": chance.choice(["text", "photo"]), "status": "success"})
            histogram.record(value, {"query_type": chance.choice(["select", "insert"])})


def points(data: MetricsData | None) -> dict[str, list[Any]]:
    """Each metric's points without what depends on the moment or on chance."""
    assert data
    found: dict[str, list[Any]] = {}
    for metric in (metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics):
        same = [comparable(point) for point in metric.data.data_points]
        key = f"{metric.name} {metric.unit} {metric.description} {type(metric.data).__name__}"
        found[key] = sorted(same, key=lambda point: str(point.attributes))
    return found


def comparable(point: Any) -> Any:
    examples = sorted((example.value, bool(example.trace_id)) for example in point.exemplars)
    times = {"start_time_unix_nano": 0, "time_unix_nano": 0}
    if isinstance(point, HistogramDataPoint):
        counts, bounds = tuple(point.bucket_counts), tuple(point.explicit_bounds)
        return replace(point, **times, exemplars=cast("Any", examples), bucket_counts=counts, explicit_bounds=bounds,
                       sum=round(point.sum, 9), attributes=dict(point.attributes or {}))  # fmt: skip
    return replace(point, **times, exemplars=[], attributes=dict(point.attributes or {}))


@pytest.mark.parametrize("seed", range(5))
def test_the_points_are_those_of_the_sdk(seed: int) -> None:
    (provider, reader), (theirs, their_reader) = ours(), stock()
    measure(provider, seed)
    measure(theirs, seed)
    assert points(reader.get_metrics_data()) == points(their_reader.get_metrics_data())


def only_point(reader: InMemoryMetricReader) -> Any:
    data = reader.get_metrics_data()
    assert data
    (point,) = data.resource_metrics[0].scope_metrics[-1].metrics[0].data.data_points
    return point


def test_an_example_is_given_once_and_names_its_trace() -> None:
    provider, reader = ours()
    histogram = provider.get_meter("test").create_histogram(HISTOGRAM.name)
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("x") as span:
        histogram.record(0.003, {"query_type": "select"})
        histogram.record(0.004, {"query_type": "select"})
    (example,) = only_point(reader).exemplars
    assert (example.value, example.trace_id) == (0.004, span.get_span_context().trace_id)
    assert only_point(reader).exemplars == []


@pytest.mark.parametrize(("which", "examples"), [(ALWAYS_ON, 1), (ALWAYS_OFF, 0), (TRACE_BASED, 0), ("", 0)])
def test_the_filter_of_examples_is_that_of_the_environment(which: str, examples: int) -> None:
    provider, reader = ours(which)
    provider.get_meter("test").create_histogram(HISTOGRAM.name).record(0.003, {"query_type": "select"})
    assert len(only_point(reader).exemplars) == examples


@pytest.mark.parametrize(("failed", "examples"), [(False, 0), (True, 1)])
def test_an_entry_that_is_not_sampled_gives_an_example_where_it_leaves_its_root_span(
    failed: bool, examples: int
) -> None:
    provider, reader = ours()
    histogram = provider.get_meter("test").create_histogram(HISTOGRAM.name)
    with Capture(Settings(traces_sampler="always_off")):
        entry = Entry()
        if failed:
            entry.fail("ValueError")
        with entry:
            entry.end(lambda: Root("x"), lambda: histogram.record(0.003, {"query_type": "select"}))
    assert len(only_point(reader).exemplars) == examples


def test_counts_are_exact_under_threads() -> None:
    provider, reader = ours()
    instruments = Instruments(provider.get_meter("test"))

    def work() -> None:
        for number in range(20_000):
            instruments.record(HISTOGRAM, 0.1 * (number % 3), {"query_type": "select"})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    point = only_point(reader)
    assert (point.count, round(point.sum, 3)) == (80_000, 4 * 20_000 * 0.1 - 0.4)


def test_values_past_their_bound_are_counted_and_not_remembered() -> None:
    provider, reader = ours()
    instruments = Instruments(provider.get_meter("test"))
    for number in range(1000):
        instruments.add(catalog.TELEGRAM_COMMANDS, 1, {"command": f"c{number}"})
    data = reader.get_metrics_data()
    assert data
    found = data.resource_metrics[0].scope_metrics[-1].metrics[0].data.data_points
    assert len(found) == catalog.COMMAND.limit + 1
    assert sum(point.value for point in found if isinstance(point, NumberDataPoint)) == 1000
    assert len(instruments._series) == catalog.COMMAND.limit


def test_a_negative_amount_is_no_count() -> None:
    provider, reader = ours()
    counter = provider.get_meter("test").create_counter(COUNTER.name)
    counter.add(3)
    counter.add(-1)
    assert only_point(reader).value == 3


def test_an_up_down_counter_goes_down() -> None:
    provider, reader = ours()
    counter = provider.get_meter("test").create_up_down_counter(catalog.TELEGRAM_API_IN_FLIGHT.name)
    counter.add(3)
    counter.add(-1)
    assert only_point(reader).value == 2


def test_labels_that_the_catalog_does_not_list_are_left_out_and_those_that_lack_are_other() -> None:
    provider, reader = ours()
    provider.get_meter("test").create_counter(COUNTER.name).add(1, {"status": "success", "user": "7"})
    assert dict(only_point(reader).attributes) == {"message_type": "other", "status": "success"}


def test_what_is_added_up_and_what_is_observed_are_both_sent() -> None:
    provider, reader = ours()
    instruments = Instruments(provider.get_meter("telemetry"))
    instruments.add(catalog.DB_SLOW_QUERIES, 1, {"query_type": "select"})
    instruments.observe(catalog.DB_POOL_MAX, lambda: [(8, {})])
    found = reader.get_metrics_data()
    assert found is not None
    sent = [metric.name for each in encode_metrics(found).resource_metrics for scope in each.scope_metrics
            for metric in scope.metrics]  # fmt: skip
    assert sorted(sent) == [catalog.DB_POOL_MAX.name, catalog.DB_SLOW_QUERIES.name]
