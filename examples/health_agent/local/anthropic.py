"""Anthropic's Messages API: text, tool use, prompt cache, rate-limit headers, errors."""

import datetime as dt
import hashlib
import json
from typing import Any, cast
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .brain import Call, Reply, Turn, reply_to
from .service import Ledger, Pace, RateWindow, failure_in, tokens_of

__all__ = ["create_app", "turn_of"]

MEDIAN_SECONDS = {"haiku": 0.5, "sonnet": 1.1}
ERRORS = {
    401: ("authentication_error", "invalid x-api-key"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}
Block = dict[str, Any]


class MessagesApi:
    """The service's state: what is cached, what is left of the limits, what was answered."""

    def __init__(self, pace: Pace) -> None:
        self.pace, self.ledger = pace, Ledger()
        self.requests, self.tokens = RateWindow(limit=1000), RateWindow(limit=400_000)
        self.cached: set[str] = set()

    async def create(self, request: Request) -> Response:
        """Answer POST /v1/messages."""
        raw = await request.body()
        body: dict[str, Any] = json.loads(raw)
        turn = turn_of(body["messages"])
        allowed = "x-api-key" in request.headers or "authorization" in request.headers
        failure = failure_in(turn.said) if allowed else 401
        median = next((seconds for name, seconds in MEDIAN_SECONDS.items() if name in body["model"]), 0.8)
        await self.pace.wait(raw, median if failure is None else 0.1)
        self.ledger.note(failure or 200)
        return self._error(failure) if failure else self._message(body, turn)

    def _message(self, body: dict[str, Any], turn: Turn) -> Response:
        reply = reply_to(turn, frozenset(tool["name"] for tool in body.get("tools", ())))
        usage = self._usage(body, reply)
        content = {
            "id": f"msg_{uuid4().hex[:24]}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": _blocks(reply),
            "stop_reason": "tool_use" if reply.calls else "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }
        return JSONResponse(content, headers=self._headers(sum(usage.values())))

    def _usage(self, body: dict[str, Any], reply: Reply) -> dict[str, int]:
        prefix = json.dumps([body.get("system"), body.get("tools")])
        written, read = self._cache(body["model"] + prefix)
        usage = {
            "input_tokens": tokens_of(json.dumps(body["messages"])) + (0 if written or read else tokens_of(prefix)),
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "output_tokens": tokens_of(json.dumps(_blocks(reply))),
        }
        self.ledger.note_tokens(body["model"], **usage)
        return usage

    def _cache(self, prefix: str) -> tuple[int, int]:
        """Return the tokens written to and read from the prompt cache for a prefix that asks to be cached."""
        if "cache_control" not in prefix:
            return 0, 0
        digest = hashlib.sha256(prefix.encode()).hexdigest()
        known = digest in self.cached
        self.cached.add(digest)
        return (0, tokens_of(prefix)) if known else (tokens_of(prefix), 0)

    def _error(self, status: int) -> Response:
        kind, text = ERRORS[status]
        request_id = f"req_{uuid4().hex[:24]}"
        content = {"type": "error", "error": {"type": kind, "message": text}, "request_id": request_id}
        headers = self._headers(0) | ({"retry-after": "1"} if status == 429 else {})  # noqa: PLR2004
        return JSONResponse(content, status, headers)

    def _headers(self, tokens: int) -> dict[str, str]:
        headers = {"request-id": f"req_{uuid4().hex[:24]}"}
        for name, window, amount in (("requests", self.requests, 1), ("tokens", self.tokens, tokens)):
            left = window.take(amount)
            reset = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=window.resets_in)
            headers[f"anthropic-ratelimit-{name}-limit"] = str(window.limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(left)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset.strftime("%Y-%m-%dT%H:%M:%SZ")
        return headers


def turn_of(messages: list[dict[str, Any]]) -> Turn:
    """Return what the user said last and the tool rounds since then."""
    said, rounds = "", []
    pending: dict[str, Call] = {}
    for message in messages:
        blocks = _as_blocks(message["content"])
        if message["role"] == "assistant":
            pending = {b["id"]: Call(b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"}
            continue
        if results := [b for b in blocks if b["type"] == "tool_result"]:
            rounds.append(tuple((pending[b["tool_use_id"]], _result(b)) for b in results))
        elif texts := [b["text"] for b in blocks if b["type"] == "text"]:
            said, rounds = "\n".join(texts), []
    return Turn(said, tuple(rounds))


def _as_blocks(content: str | list[Block]) -> list[Block]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _result(block: Block) -> object:
    text = "".join(part["text"] for part in _as_blocks(block.get("content", "")) if part["type"] == "text")
    try:
        return cast("object", json.loads(text))
    except ValueError:
        return text


def _blocks(reply: Reply) -> list[Block]:
    texts: list[Block] = [{"type": "text", "text": reply.text}] if reply.text else []
    calls = [_tool_use(call) for call in reply.calls]
    return texts + calls


def _tool_use(call: Call) -> Block:
    return {"type": "tool_use", "id": f"toolu_{uuid4().hex[:24]}", "name": call.tool, "input": call.arguments}


def create_app(pace: Pace) -> Starlette:
    """Return the service."""
    api = MessagesApi(pace)
    return Starlette(
        routes=[Route("/v1/messages", api.create, methods=["POST"]), Route("/control/ledger", api.ledger.show)]
    )
