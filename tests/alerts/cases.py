"""What must make each alert fire, and what must not, as series that promtool replays.

`FIRES` names for each rule the moment its condition begins to hold; the cases one step before its `for`, and at it, are
made from that. `QUIET` holds what looks like trouble and is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field

STEP = 30
"""Seconds between two samples, and between two evaluations, unless a story says otherwise."""
PROD = 'deployment_environment_name="production"'
A, B = (f'{PROD}, service_name="health-agent", instance="{name}"' for name in "ab")
LOOP = 'exporter="otlp_http/loop"'

Series = dict[str, str]


@dataclass(frozen=True)
class Story:
    """Series, from when on the condition holds, and how far apart the samples are, all in seconds."""

    series: Series
    since: int = 0
    step: int = STEP


@dataclass(frozen=True)
class Quiet:
    """Series with which none of the named rules may fire until then, or from `since` on where it may before."""

    rules: tuple[str, ...]
    series: Series
    until: int = 1800
    step: int = field(default=STEP)
    since: int = field(default=0, kw_only=True)


def at(minutes: float) -> int:
    return round(minutes * 60)


def both(alert: str) -> tuple[str, str]:
    return f"{alert}Warning", f"{alert}Critical"


def api(good: str, bad: str) -> Series:
    return {f'http_requests_total{{{A}, status="200"}}': good, f'http_requests_total{{{A}, status="503"}}': bad}


def bot(good: str, bad: str) -> Series:
    name = "telegram_messages_total"
    return {f'{name}{{{A}, status="success"}}': good, f'{name}{{{A}, status="error"}}': bad}


def durations(metric: str, fast: str, every: str, limits: tuple[str, str]) -> Series:
    """Events that take less than a tenth of a second, or are between the two limits."""
    series = {f'{metric}_bucket{{{A}, le="{le}"}}': every for le in (limits[1], "+Inf")}
    quick = {f'{metric}_bucket{{{A}, le="{le}"}}': fast for le in ("0.1", limits[0])}
    return quick | series | {f"{metric}_count{{{A}}}": every}


def pool(in_use: str, waiting: str) -> Series:
    used = {f'db_pool_size{{{A}, state="in_use"}}': in_use, f'db_pool_size{{{A}, state="available"}}': "0x120"}
    return used | {f"db_pool_max{{{A}}}": "10x120", f"db_pool_requests_waiting{{{A}}}": waiting}


def limit(ratio: str, calls: str) -> Series:
    labels = f'{A}, service="openai"'
    return {
        f"external_api_rate_limit_remaining_ratio{{{labels}}}": ratio,
        f"external_api_calls_total{{{labels}}}": calls,
    }


def queries(slow: str, every: str) -> Series:
    return {f"db_slow_queries_total{{{A}}}": slow, f"db_query_duration_seconds_count{{{A}}}": every}


def recorded(key: str, good: str, every: str) -> Series:
    return {f"slo:{key}_good:rate5m{{{PROD}}}": good, f"slo:{key}_all:rate5m{{{PROD}}}": every}


def lost(count: str, permanent: str = "true") -> Series:
    failed = f'otelcol_exporter_send_failed_metric_points_total{{{LOOP}, error_permanent="{permanent}"}}'
    return {f'otelcol_exporter_queue_size{{{LOOP}, data_type="metrics"}}': "0x120", failed: count}


def queue(size: str, sent: str) -> Series:
    held = f'otelcol_exporter_queue_size{{{LOOP}, data_type="metrics"}}'
    return {held: size, f"otelcol_exporter_sent_metric_points_total{{{LOOP}}}": sent}


def cpu(collector: str = "0+1x120", **processes: str) -> Series:
    name = f'process_cpu_time_seconds_total{{{PROD}, service_name="health-agent", instance='
    found = {f'{name}"{process}"}}': values for process, values in processes.items()}
    return found | {"otelcol_process_cpu_seconds_total": collector}


API_FAILS = api("0+10x80", "0x20 5+3x60")
API_RESTARTED = api("0+10x40 0x60", "40x40 0+10x60")
BOT_FAILS = bot("0+10x80", "0x20 5+3x60")
SLOW_API = durations("http_request_duration_seconds", "0+20x20 400x60", "0+20x80", ("5", "10"))
BLOCKED = durations("event_loop_lag_seconds", "0+10x20 200x60", "0+10x80", ("1", "2.5"))
EXHAUSTED = pool("5x20 10x60", "0x20 3x60")
USED_UP = limit("0.5x20 0.19x20 0.04x60", "0+1x120")
SLOW_QUERIES = queries("0x20 10+10x100", "0+20x120")
EXPENSIVE = {f"agent_cost_usd_total{{{A}}}": "0x20 3+3x100"}
DEAD = cpu(a="1+1x40 _x60")
ONE_OF_TWO = cpu(a="1+1x40 _x60", b="1+1x100")
NO_MESSAGES = {f"telegram_messages_total{{{A}}}": "0+5x1480 7400x100"}
STUCK = queue("0x20 1000+10x100", "0+10x20 200x100")
FILLING = {
    f"otelcol_exporter_queue_size{{{LOOP}}}": "0x20 60x20 90x60",
    f"otelcol_exporter_queue_capacity{{{LOOP}}}": "100x120"
}  # fmt: skip
AT_THE_DOOR = 'otelcol_receiver_refused_spans_total{receiver="otlp/apps"}'
REFUSED = {AT_THE_DOOR: "0x20 20000+20000x60"}
COLLECTOR_GONE = {"otelcol_process_cpu_seconds_total": "1+1x20 _x60"}


def outage(key: str, minutes: int) -> Series:
    """Nineteen of twenty fail from then on."""
    return recorded(key, f"1x{minutes} 0.05x500", f"1x{minutes + 500}")


FIRES: dict[str, dict[str, Story]] = {
    "ApiErrorRateWarning": {"5 of 105 requests and more fail": Story(API_FAILS, at(10.5))},
    "ApiErrorRateCritical": {
        "8 of 108 requests and more fail": Story(API_FAILS, at(11)),
        "every request fails after a restart under the same name": Story(API_RESTARTED, at(21)),
    },
    "BotErrorRateWarning": {"5 of 105 messages and more fail": Story(BOT_FAILS, at(10.5))},
    "BotErrorRateCritical": {"8 of 108 messages and more fail": Story(BOT_FAILS, at(11))},
    "ApiLatencyWarning": {"each request takes 5 to 10 seconds": Story(SLOW_API, at(10.5))},
    "ApiLatencyCritical": {"each request takes 5 to 10 seconds": Story(SLOW_API, at(10.5))},
    "DatabasePoolExhaustedWarning": {"all ten connections are in use": Story(EXHAUSTED, at(10.5))},
    "DatabasePoolExhaustedCritical": {"three requests wait for a connection": Story(EXHAUSTED, at(10.5))},
    "ApiRateLimitWarning": {"19% of the limit is left": Story(USED_UP, at(10.5))},
    "ApiRateLimitCritical": {"4% of the limit is left": Story(USED_UP, at(21))},
    "SlowQueriesWarning": {"7.5% of the queries are slow": Story(SLOW_QUERIES, at(11.5))},
    "SlowQueriesCritical": {"27% of the queries are slow": Story(SLOW_QUERIES, at(15.5))},
    "EventLoopLagWarning": {"something blocks the loop for two seconds": Story(BLOCKED, at(10.5))},
    "EventLoopLagCritical": {"something blocks the loop for two seconds": Story(BLOCKED, at(10.5))},
    "ModelCostWarning": {"6 USD are spent in a minute": Story(EXPENSIVE, at(11))},
    "ModelCostCritical": {"18 USD are spent in three minutes": Story(EXPENSIVE, at(13))},
    "ApiBudgetBurnsCritical1h": {
        "an outage lasts five minutes": Story(outage("api_requests", 60), at(65), 60),
        "nothing has ever succeeded": Story({f"slo:api_requests_all:rate5m{{{PROD}}}": "1x120"}, at(0), 60),
    },
    "ApiBudgetBurnsCritical6h": {"an outage lasts twelve minutes": Story(outage("api_requests", 360), at(372), 60)},
    "ApiBudgetBurnsWarning3d": {"an outage lasts 23 minutes": Story(outage("api_requests", 4320), at(4343), 60)},
    "BotBudgetBurnsCritical1h": {"answers are late for 46 minutes": Story(outage("bot_answers", 60), at(106), 60)},
    "BotBudgetBurnsCritical6h": {"answers are late for two hours": Story(outage("bot_answers", 360), at(474), 60)},
    "BotBudgetBurnsWarning3d": {"answers are late for four hours": Story(outage("bot_answers", 4320), at(4548), 60)},
    "ProcessSilentWarning": {"one of two processes is killed": Story(ONE_OF_TWO, at(21.5))},
    "ProcessSilentCritical": {"the only process is killed": Story(DEAD, at(21.5))},
    "BotHandlesNothingWarning": {"300 came in this hour of yesterday": Story(NO_MESSAGES, at(1540), 60)},
    "BotHandlesNothingCritical": {"150 came in this half hour of yesterday": Story(NO_MESSAGES, at(1510), 60)},
    "CollectorSilentCritical": {"the Collector is killed": Story(COLLECTOR_GONE, at(10.5))},
    "DataLostWarning": {"the first refusal ever is for good": Story(lost("_x20 20000x60"), at(10))},
    "DataLostCritical": {"20,000 items are refused for good": Story(lost("_x20 20000x60"), at(10))},
    "DataRefusedWarning": {"applications are turned away": Story(REFUSED, at(10.5))},
    "DataRefusedCritical": {"20,000 items are turned away": Story(REFUSED, at(10.5))},
    "ExporterStuckWarning": {"a store is away": Story(STUCK, at(12))},
    "ExporterStuckCritical": {"a store is away for half an hour": Story(STUCK, at(12))},
    "QueueFillsWarning": {"the queue is 60% full": Story(FILLING, at(10.5))},
    "QueueFillsCritical": {"the queue is 90% full": Story(FILLING, at(21))},
}

BURNS = ("Critical1h", "Critical6h", "Warning3d")
QUIET: dict[str, Quiet] = {
    "one failed request at night": Quiet(both("ApiErrorRate"), api("0x10 1x60", "_x20 1x60")),
    "fifty failures in half a minute": Quiet(both("ApiErrorRate"), api("0+10x80", "0x20 50x60")),
    "four failed messages of a thousand in five minutes": Quiet(both("BotErrorRate"), bot("0+100x80", "0x20 4x60")),
    "one failed message at night": Quiet(both("BotErrorRate"), bot("0x10 1x60", "_x20 1x60")),
    "three slow requests at night": Quiet(
        both("ApiLatency"), durations("http_request_duration_seconds", "0x80", "0x20 3x60", ("5", "10"))
    ),
    "nine of ten connections in use": Quiet(both("DatabasePoolExhausted"), pool("9x80", "0x80")),
    "all connections in use and nobody waits": Quiet(("DatabasePoolExhaustedCritical",), pool("10x80", "0x80")),
    "a low limit that nobody uses any more": Quiet(both("ApiRateLimit"), limit("0.01x80", "0x80")),
    "nine slow queries": Quiet(both("SlowQueries"), queries("0x20 9x60", "0x20 30x60")),
    "a lag of a tenth of a second": Quiet(
        both("EventLoopLag"), durations("event_loop_lag_seconds", "0+10x80", "0+10x80", ("0.1", "0.25"))
    ),
    "4.80 USD in an hour": Quiet(both("ModelCost"), {f"agent_cost_usd_total{{{A}}}": "0+0.04x240"}, at(120)),
    "ten hours with three failures": Quiet(
        tuple(f"ApiBudgetBurns{level}" for level in BURNS), recorded("api_requests", "0x600", "0.0001x600"), at(600), 60
    ),
    "one failure of a few requests, forty minutes after an outage": Quiet(
        ("ApiBudgetBurnsCritical1h", "ApiBudgetBurnsCritical6h"),
        recorded("api_requests", "1x360 0.05x30 0.01x40 0.00667x4 0.01x60", "1x391 0.01x106"),
        at(480), 60, since=at(426),
    ),
    "three failures in a night after an outage by day": Quiet(
        ("ApiBudgetBurnsWarning3d",),
        recorded("api_requests", "1x600 0.05x60 0.02x500 0.01x4 0.02x400", "1x661 0.02x906"),
        at(1500), 60, since=at(1100),
    ),
    "a failure rate just within the budget": Quiet(
        tuple(f"ApiBudgetBurns{level}" for level in BURNS), recorded("api_requests", "0.996x600", "1x600"), at(600), 60
    ),
    "one message of fifty late": Quiet(
        tuple(f"BotBudgetBurns{level}" for level in BURNS), recorded("bot_answers", "0.98x600", "1x600"), at(600), 60
    ),
    "a deployment with an overlap": Quiet(both("ProcessSilent"), cpu(a="1+1x40 _x60", b="_x38 1+1x62"), at(50)),
    "a deployment with a minute between": Quiet(both("ProcessSilent"), cpu(a="1+1x40 _x60", b="_x43 1+1x57"), at(50)),
    "a Collector that is silent, too": Quiet(both("ProcessSilent"), cpu(collector="0+1x40 _x60", a="1+1x40 _x60")),
    "a Collector that is back a minute before the process is": Quiet(
        both("ProcessSilent"), cpu(collector="0+1x40 _x10 0+1x60", a="1+1x40 _x12 1+1x60"), at(50)
    ),
    "a script of two minutes": Quiet(both("ProcessSilent"), cpu(a="1+1x100", script="_x20 1x4 _x60"), at(50)),
    "an hour without a message, where yesterday there was one conversation of forty": Quiet(
        both("BotHandlesNothing"), {f"telegram_messages_total{{{A}}}": "0x60 0+1x40 40x1700"}, at(1700), 60
    ),
    "a bot that has begun again under the same name": Quiet(
        both("BotHandlesNothing"), {f"telegram_messages_total{{{A}}}": "0+5x1500 0+5x100"}, at(1600), 60
    ),
    "an hour in which nobody wrote yesterday either": Quiet(
        both("BotHandlesNothing"), {f"telegram_messages_total{{{A}}}": "9x1600"}, at(1560), 60
    ),
    "a Collector that starts again": Quiet(
        ("CollectorSilentCritical",), {"otelcol_process_cpu_seconds_total": "1+1x20 _ 1+1x60"}
    ),
    "a failure that is sent again": Quiet(both("DataLost"), lost("_x20 20000x60", permanent="false")),
    "remote write giving up, behind whom the queue sends again": Quiet(
        both("DataLost"),
        lost("_x80") | {
            'otelcol_exporter_send_failed_metric_points_total{exporter="prometheus_remote_write/prometheus", '
            'error_permanent="true"}': "_x20 20000x60"
        },
    ),
    "nobody turned away": Quiet(both("DataRefused"), {AT_THE_DOOR: "0x80"}),
    "a queue that moves": Quiet(both("ExporterStuck"), queue("1000x80", "0+10x80")),
    "a queue that is 40% full": Quiet(
        both("QueueFills"),
        {f"otelcol_exporter_queue_size{{{LOOP}}}": "40x80", f"otelcol_exporter_queue_capacity{{{LOOP}}}": "100x80"},
    ),
}  # fmt: skip

FIRES_WITHOUT_DATA = {"CollectorSilentCritical"}
"""Nothing at all arrives: one alert tells so, and only one."""
