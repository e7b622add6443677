"""Reading the Collector's queues."""

from __future__ import annotations

import pytest

from stack.health import Exporter, read_exporters, trouble

_METRICS = """
# TYPE otelcol_exporter_queue_size gauge
otelcol_exporter_queue_capacity{data_type="traces",exporter="otlp_http/jaeger",service_name="otelcol"} 2.68435456e+08
otelcol_exporter_queue_size{data_type="traces",exporter="otlp_http/jaeger",service_name="otelcol"} 1256
otelcol_exporter_queue_batch_send_size_bucket{exporter="otlp_http/jaeger",le="10"} 1
otelcol_exporter_sent_spans__spans__total{exporter="otlp_http/jaeger"} 12
otelcol_exporter_send_failed_spans__spans__total{exporter="otlp_http/jaeger"} 3
otelcol_exporter_enqueue_failed_spans_total{exporter="otlp_http/jaeger"} 2
otelcol_process_uptime_seconds_total{} 3
"""


def test_read_exporters_finds_queue_and_counters() -> None:
    assert read_exporters(_METRICS) == {
        "otlp_http/jaeger": Exporter(queue_size=1256, queue_capacity=268435456, sent=12, failed=3, refused=2)
    }


def _exporter(**values: float) -> dict[str, Exporter]:
    return {"otlp_http/jaeger": Exporter(queue_capacity=1000.0, **values)}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(_exporter(), _exporter(sent=5), None, id="moving"),
        pytest.param(_exporter(queue_size=10), _exporter(queue_size=10, sent=5), None, id="busy but moving"),
        pytest.param(_exporter(), _exporter(queue_size=10), None, id="a queue that has just begun to fill"),
        pytest.param(_exporter(queue_size=10), _exporter(queue_size=20), "is wedged: 20 bytes", id="nothing sent"),
        pytest.param(_exporter(), _exporter(queue_size=900, sent=5), "90% full", id="nearly full"),
        pytest.param(_exporter(), _exporter(refused=1), "its queue is full", id="refuses"),
        pytest.param(_exporter(), _exporter(failed=4, sent=1), "4 items failed for good", id="loses"),
    ],
)
def test_trouble_says_what_is_wrong(
    before: dict[str, Exporter], after: dict[str, Exporter], expected: str | None
) -> None:
    found = trouble(before, after)
    assert (expected in found[0]) if expected else (found == [])
