"""OpenAI's chat completions, for photos with a structured answer, and its audio transcriptions."""

import base64
import json
import time
from email.parser import BytesParser
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .media import seen_on, spoken_in
from .service import Ledger, Pace, RateWindow, failure_in, tokens_of

__all__ = ["create_app", "form_files"]

IMAGE_TOKENS = 1105
CACHED_TOKENS = 1024
"""OpenAI caches prompts from 1,024 tokens on, with no request for it."""
ANY_FOOD = '{"foods": [{"name": "mixed plate", "grams": 350, "calories": 520}], "confidence": 0.55}'
MALFORMED = '{"foods": [{"name": "soup", "grams": "a bowl"'
ERRORS = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    529: ("server_error", None, "The engine is currently overloaded."),
}
OVERLOADED = {529: 503}
"""Where Anthropic says 529, OpenAI says 503."""


class OpenAIApi:
    """The service's state: what it has seen, what is left of the limits, what was answered."""

    def __init__(self, pace: Pace) -> None:
        self.pace, self.ledger = pace, Ledger()
        self.requests, self.tokens = RateWindow(limit=500), RateWindow(limit=300_000)
        self.seen_before = False

    async def complete(self, request: Request) -> Response:
        """Answer POST /v1/chat/completions."""
        raw = await request.body()
        body: dict[str, Any] = json.loads(raw)
        seen = _seen(body["messages"])
        if failure := self._failure(request, seen):
            return await self._fail(raw, failure)
        await self.pace.wait(raw, 1.6)
        answer = MALFORMED if "#malformed" in seen else seen or ANY_FOOD
        usage = self._usage(body, answer)
        self.ledger.note(200)
        return JSONResponse(_completion(body, answer, usage), headers=self._headers(usage["total_tokens"]))

    async def transcribe(self, request: Request) -> Response:
        """Answer POST /v1/audio/transcriptions."""
        raw = await request.body()
        words = spoken_in(form_files(request.headers["content-type"], raw).get("file", b""))
        if failure := self._failure(request, words):
            return await self._fail(raw, failure)
        await self.pace.wait(raw, 0.7)
        self.ledger.note(200)
        seconds = max(1, len(words) // 15)
        return JSONResponse(
            {"text": words, "usage": {"type": "duration", "seconds": seconds}}, headers=self._headers(0)
        )

    def _failure(self, request: Request, content: str) -> int | None:
        return failure_in(content) if request.headers.get("authorization") else 401

    async def _fail(self, raw: bytes, failure: int) -> Response:
        await self.pace.wait(raw, 0.1)
        kind, code, text = ERRORS[failure]
        status = OVERLOADED.get(failure, failure)
        self.ledger.note(status)
        content = {"error": {"message": text, "type": kind, "param": None, "code": code}}
        return JSONResponse(content, status, self._headers(0))

    def _usage(self, body: dict[str, Any], answer: str) -> dict[str, Any]:
        texts = json.dumps([body.get("tools"), [m for m in body["messages"] if isinstance(m["content"], str)]])
        prompt, completion = tokens_of(texts) + IMAGE_TOKENS, tokens_of(answer)
        cached = CACHED_TOKENS if self.seen_before else 0
        self.seen_before = True
        self.ledger.note_tokens(body["model"], input_tokens=prompt, output_tokens=completion, cached_tokens=cached)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }

    def _headers(self, tokens: int) -> dict[str, str]:
        headers = {"x-request-id": f"req_{uuid4().hex}", "openai-version": "2020-10-01"}
        for name, window, amount in (("requests", self.requests, 1), ("tokens", self.tokens, tokens)):
            headers[f"x-ratelimit-limit-{name}"] = str(window.limit)
            headers[f"x-ratelimit-remaining-{name}"] = str(window.take(amount))
            headers[f"x-ratelimit-reset-{name}"] = f"{window.resets_in:.0f}s"
        return headers


def _seen(messages: list[dict[str, Any]]) -> str:
    """Return what the last photo shows."""
    seen = ""
    for message in messages:
        for part in message["content"] if isinstance(message["content"], list) else ():
            if part["type"] == "image_url":
                seen = seen_on(base64.b64decode(part["image_url"]["url"].partition(",")[2]))
    return seen


def _completion(body: dict[str, Any], answer: str, usage: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer, "refusal": None}
    if tools := body.get("tools"):
        function = {"name": tools[0]["function"]["name"], "arguments": answer}
        call = {"id": f"call_{uuid4().hex[:24]}", "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
    reason = "tool_calls" if tools else "stop"
    return {
        "id": f"chatcmpl-{uuid4().hex[:29]}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": usage,
    }


def form_files(content_type: str, body: bytes) -> dict[str, bytes]:
    """Return the parts of a multipart form by name."""
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = message.get_payload()
    found: dict[str, bytes] = {}
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, str):
            continue
        name, payload = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found[name] = payload
    return found


def create_app(pace: Pace) -> Starlette:
    """Return the service."""
    api = OpenAIApi(pace)
    return Starlette(
        routes=[
            Route("/v1/chat/completions", api.complete, methods=["POST"]),
            Route("/v1/audio/transcriptions", api.transcribe, methods=["POST"]),
            Route("/control/ledger", api.ledger.show),
        ]
    )
