"""Telegram's Bot API, as far as a polling bot uses it, and a control surface to write to the bot as its users do."""

import base64
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .openai import form_files
from .telegram_chats import BOT, Chats, Person, Polling

__all__ = ["TOKEN", "create_app"]

TOKEN = "123456789:AAlocal_bot_token_that_opens_nothing"  # noqa: S105  of the real form, so that leaks are caught
MAX_TEXT = 4096
CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
Json = dict[str, Any]
Method = Callable[[Json], Awaitable[object]]


class BotApiError(Exception):
    """An answer with `ok` false."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status, self.description, self.parameters = status, description, parameters

    def as_json(self) -> Json:
        """Return the Bot API's error envelope."""
        envelope: Json = {"ok": False, "error_code": self.status, "description": self.description}
        return envelope | ({"parameters": self.parameters} if self.parameters else {})


class BotApi:
    """The methods, each under its Bot API name in `methods`."""

    def __init__(self, chats: Chats) -> None:
        self.chats = chats
        self.calls: Counter[str] = Counter()
        self.methods: dict[str, Method] = {
            "getMe": self.get_me,
            "getUpdates": self.get_updates,
            "sendMessage": self.send_message,
            "editMessageText": self.edit_message,
            "getFile": self.get_file,
        }
        for name in ("sendChatAction", "answerCallbackQuery", "setMyCommands", "deleteWebhook", "logOut", "close"):
            self.methods[name] = self.agree

    async def call(self, request: Request) -> Response:
        """Answer /bot<token>/<method>."""
        name = request.path_params["method"]
        self.calls[name] += 1
        try:
            method = self._method(request.path_params["token"], name)
            return JSONResponse({"ok": True, "result": await method(await _parameters(request))})
        except BotApiError as error:
            return JSONResponse(error.as_json(), error.status)

    def _method(self, token: str, name: str) -> Method:
        if token != TOKEN:
            raise BotApiError(401, "Unauthorized")
        if name not in self.methods:
            raise BotApiError(404, "Not Found")
        return self.methods[name]

    async def download(self, request: Request) -> Response:
        """Answer /file/bot<token>/<path>."""
        data = self.chats.files.get(request.path_params["path"])
        if request.path_params["token"] != TOKEN or data is None:
            return JSONResponse(BotApiError(404, "Not Found").as_json(), 404)
        return Response(data, media_type="application/octet-stream")

    async def agree(self, _parameters: Json) -> bool:
        """Answer the methods that only say yes."""
        return True

    async def get_me(self, _parameters: Json) -> Json:
        """Describe the bot."""
        return BOT | {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}

    async def get_updates(self, parameters: Json) -> list[Json]:
        """Poll, short or long."""
        offset, limit = int(parameters.get("offset", 0)), int(parameters.get("limit", 100))
        try:
            waiting = await self.chats.take_updates(offset, limit, float(parameters.get("timeout", 0)))
        except Polling:
            raise BotApiError(409, CONFLICT) from None
        allowed = parameters.get("allowed_updates") or []
        return [update for update in waiting if not allowed or set(update) & set(allowed)]

    async def send_message(self, parameters: Json) -> Json:
        """Send a text."""
        chat_id, text = int(parameters.get("chat_id", 0)), str(parameters.get("text", ""))
        if chat_id not in self.chats.people:
            raise BotApiError(400, "Bad Request: chat not found")
        self._check_flood(chat_id)
        _check_text(text)
        markup = {"reply_markup": parameters["reply_markup"]} if "reply_markup" in parameters else {}
        return await self.chats.send(chat_id, text=text, **markup)

    async def edit_message(self, parameters: Json) -> Json:
        """Replace the text of one of the bot's messages."""
        _check_text(str(parameters.get("text", "")))
        for message in self.chats.sent[int(parameters.get("chat_id", 0))]:
            if message["message_id"] == int(parameters.get("message_id", 0)):
                message["text"] = parameters["text"]
                return message
        raise BotApiError(400, "Bad Request: message to edit not found")

    async def get_file(self, parameters: Json) -> Json:
        """Say where a file can be fetched."""
        file_id = str(parameters.get("file_id", ""))
        if file_id not in self.chats.files:
            raise BotApiError(400, "Bad Request: invalid file_id")
        size = len(self.chats.files[file_id])
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": file_id}

    def _check_flood(self, chat_id: int) -> None:
        times, seconds = self.chats.flood.get(chat_id, (0, 0))
        if times:
            self.chats.flood[chat_id] = (times - 1, seconds)
            raise BotApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


class Control:
    """What tests and the demo do: write as a user, read what the bot answered, provoke flood control."""

    def __init__(self, chats: Chats, api: BotApi) -> None:
        self.chats, self.api = chats, api

    async def write(self, request: Request) -> Response:
        """Write to the bot: text, photo, voice, a pressed button, or any fields of a message."""
        body: Json = await request.json()
        person = Person(body["user_id"], body["username"])
        return JSONResponse({"update_id": await self._WRITERS[body["kind"]](self, person, body)})

    async def _text(self, person: Person, body: Json) -> int:
        text: str = body["text"]
        length = len(text.split(maxsplit=1)[0]) if text.startswith("/") else 0
        entities = {"entities": [{"type": "bot_command", "offset": 0, "length": length}]} if length else {}
        kind = "edited_message" if body.get("edited") else "message"
        return await self.chats.receive(**{kind: self.chats.message(person, text=text, **entities)})

    async def _photo(self, person: Person, body: Json) -> int:
        data = base64.b64decode(body["data"])
        sizes = [self.chats.keep_file(data, "jpg") | {"width": w, "height": w * 3 // 4} for w in (320, 1280)]
        return await self.chats.receive(message=self.chats.message(person, photo=sizes))

    async def _any(self, person: Person, body: Json) -> int:
        return await self.chats.receive(message=self.chats.message(person, **body["content"]))

    async def _voice(self, person: Person, body: Json) -> int:
        voice = self.chats.keep_file(base64.b64decode(body["data"]), "oga") | {"duration": 3, "mime_type": "audio/ogg"}
        return await self.chats.receive(message=self.chats.message(person, voice=voice))

    async def _press(self, person: Person, body: Json) -> int:
        message = next(m for m in reversed(self.chats.sent[person.id]) if "reply_markup" in m)
        data = message["reply_markup"]["inline_keyboard"][0][body.get("button", 0)]["callback_data"]
        head = {"id": str(message["message_id"]), "chat_instance": str(person.id), "from": person.as_user()}
        return await self.chats.receive(callback_query=head | {"message": message, "data": body.get("text") or data})

    _WRITERS = {"text": _text, "photo": _photo, "voice": _voice, "press": _press, "any": _any}  # noqa: RUF012  a table, not state

    async def answers(self, request: Request) -> Response:
        """Return what the bot sent to a chat, waiting for it."""
        after, timeout = int(request.query_params.get("after", 0)), float(request.query_params.get("timeout", 0))
        return JSONResponse(await self.chats.answers(int(request.path_params["chat_id"]), after, timeout))

    async def flood(self, request: Request) -> Response:
        """Make the next messages to a chat fail with 429."""
        body: Json = await request.json()
        self.chats.flood[body["chat_id"]] = (body.get("times", 1), body["retry_after"])
        return JSONResponse({})

    async def state(self, _request: Request) -> Response:
        """Return the calls by method and the number of updates the bot has not confirmed."""
        return JSONResponse({"calls": self.api.calls, "pending": len(self.chats.updates)})


async def _parameters(request: Request) -> Json:
    """Read parameters as the Bot API takes them: query, form or JSON; objects in forms are JSON themselves."""
    raw, kind = await request.body(), request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        body: Json = json.loads(raw or b"{}")
        return dict(request.query_params) | body
    if kind.startswith("multipart/form-data"):
        form = {name: value.decode(errors="replace") for name, value in form_files(kind, raw).items()}
    else:
        form = dict(parse_qsl(raw.decode(), keep_blank_values=True))
    return {name: _value(name, text) for name, text in (dict(request.query_params) | form).items()}


def _value(name: str, text: str) -> Any:  # noqa: ANN401  any JSON
    return json.loads(text) if name in {"reply_markup", "allowed_updates", "commands", "entities"} else text


def _check_text(text: str) -> None:
    if not text.strip():
        raise BotApiError(400, "Bad Request: message text is empty")
    if len(text) > MAX_TEXT:
        raise BotApiError(400, "Bad Request: message is too long")


def create_app() -> Starlette:
    """Return the server with no chats yet."""
    chats = Chats()
    api = BotApi(chats)
    control = Control(chats, api)
    return Starlette(
        routes=[
            Route("/bot{token}/{method}", api.call, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", api.download),
            Route("/control/updates", control.write, methods=["POST"]),
            Route("/control/chats/{chat_id}/messages", control.answers),
            Route("/control/flood", control.flood, methods=["POST"]),
            Route("/control/state", control.state),
        ]
    )
