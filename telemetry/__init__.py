"""OpenTelemetry for Python chat agents: traces, metrics and linked errors of bot, agent, API and database.

import telemetry
telemetry.init()
telemetry.instrument_fastapi(app)
"""

from telemetry import _first as _first  # before anything imports the propagators
from telemetry._extras import MissingExtraError
from telemetry._version import __version__ as __version__
from telemetry.catalog import Label, Metric
from telemetry.context import add_breadcrumb, record_error, set_tag, set_user_context, user_context
from telemetry.conversation import feedback_data, record_feedback, set_conversation
from telemetry.instrumentation._handle import Handle
from telemetry.instrumentation.fastapi import instrument_fastapi
from telemetry.instrumentation.http_clients import instrument_httpx, instrument_requests
from telemetry.instrumentation.psycopg import instrument_pool, instrument_psycopg
from telemetry.instrumentation.pydantic_ai import instrument_pydantic_ai
from telemetry.instrumentation.telegram import instrument_telegram
from telemetry.instrumentation.vision import food_photo_analysis
from telemetry.lifecycle import get_meter, get_tracer, init, shutdown, shutdown_async
from telemetry.own_metrics import OwnMetric, register_metric
from telemetry.propagation import resume_context, save_context
from telemetry.runtime import start_runtime_collector
from telemetry.settings import SettingError, Settings

__all__ = [
    "Handle",
    "Label",
    "Metric",
    "MissingExtraError",
    "OwnMetric",
    "SettingError",
    "Settings",
    "add_breadcrumb",
    "feedback_data",
    "food_photo_analysis",
    "get_meter",
    "get_tracer",
    "init",
    "instrument_fastapi",
    "instrument_httpx",
    "instrument_pool",
    "instrument_psycopg",
    "instrument_pydantic_ai",
    "instrument_requests",
    "instrument_telegram",
    "record_error",
    "record_feedback",
    "register_metric",
    "resume_context",
    "save_context",
    "set_conversation",
    "set_tag",
    "set_user_context",
    "shutdown",
    "shutdown_async",
    "start_runtime_collector",
    "user_context",
]
