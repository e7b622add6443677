"""Sentry's events and transactions as they may leave: a shape that says of each part how it is cleaned.

What the shape does not name does not leave: request, extra, locals of frames, arguments of log lines, modules, the
host's name. What Sentry may add to an event in a later release is therefore held back until it stands here.

https://develop.sentry.dev/sdk/data-model/event-payloads/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry.redaction import MARKER, clean_attributes, clean_resource, clean_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Shape = Mapping[str, Any] | list[Any] | Callable[[Any], Any]

__all__ = ["clean_breadcrumb", "clean_event"]


def _simple(value: Any) -> Any:  # noqa: ANN401 - a number, a text, nothing
    if isinstance(value, str):
        return clean_text(value)
    return value if value is None or isinstance(value, bool | int | float) else MARKER


def _texts(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a table of what the application has said
    return {clean_text(str(key)): _simple(found) for key, found in dict(value).items()}


def _lines(value: Any) -> list[Any]:  # noqa: ANN401 - lines of source
    return [_simple(line) for line in value or ()]


def _of(names: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - shapes
    return {**dict.fromkeys(names.split(), _simple), **more}


_FRAMES = {"frames": [_of("abs_path context_line filename function in_app lineno module",
                          pre_context=_lines, post_context=_lines)]}  # fmt: skip
_MECHANISM = _of("exception_id handled is_exception_group parent_id source type")
_CRUMB = _of("category level message timestamp type", data=clean_attributes)
_TRACE = _of("op origin parent_span_id span_id status trace_id", data=clean_attributes)
_SPAN = _of("description op origin parent_span_id same_process_as_parent span_id start_timestamp status timestamp "
            "trace_id", data=clean_attributes)  # fmt: skip
_EVENT = _of(
    "environment event_id level logger platform release server_name start_timestamp timestamp transaction type",
    sdk=_of("name version"),
    transaction_info=_of("source"),
    user=_of("id username"),
    tags=_texts,
    contexts={
        "trace": _TRACE,
        "otel": {"attributes": clean_attributes, "resource": clean_resource},
        "runtime": _of("name version"),
    },
    logentry=_of("message"),
    breadcrumbs={"values": [_CRUMB]},
    spans=[_SPAN],
)


def clean_event(event: Mapping[str, Any], messages: Mapping[str, str]) -> dict[str, Any]:
    """Return what may leave of an event; `messages` holds what its errors say, and in which form each may leave.

    Raises where a part has not the form it should have.
    """

    def said(value: str | None) -> str:
        return messages.get(value or "", MARKER)

    error = {**_of("module thread_id type"), "value": said, "mechanism": _MECHANISM, "stacktrace": _FRAMES}
    found: dict[str, Any] = _shaped(event, {**_EVENT, "exception": {"values": [error]}})
    return found


def clean_breadcrumb(crumb: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may leave of a breadcrumb: its words, and of its data what the allow-list has."""
    found: dict[str, Any] = _shaped(crumb, _CRUMB)
    return found


def _shaped(value: Any, shape: Any) -> Any:  # noqa: ANN401 - as Sentry's
    if callable(shape):
        return shape(value)
    if isinstance(shape, list):
        return [_shaped(item, shape[0]) for item in value]
    return {key: _shaped(value[key], part) for key, part in shape.items() if value.get(key) is not None}
