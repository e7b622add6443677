"""The Bot API server's memory: updates that wait for the bot, messages the bot sent, files both can read."""

import asyncio
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BOT", "Chats", "Person", "Polling"]

Json = dict[str, Any]

BOT: Json = {"id": 123456789, "is_bot": True, "first_name": "Health coach", "username": "health_coach_bot"}


@dataclass(frozen=True)
class Person:
    """Somebody who writes to the bot; the private chat has the same id."""

    id: int
    name: str

    def as_user(self) -> Json:
        """Return the Bot API's User."""
        return {"id": self.id, "is_bot": False, "first_name": self.name, "username": self.name, "language_code": "en"}

    def as_chat(self) -> Json:
        """Return the Bot API's Chat."""
        return {"id": self.id, "type": "private", "first_name": self.name, "username": self.name}


class Polling(Exception):  # noqa: N818  an outcome of waiting, not a defect
    """Another getUpdates came while this one waited."""


@dataclass
class Chats:
    """Everything the server knows. Methods run on one event loop."""

    updates: list[Json] = field(default_factory=list)
    sent: dict[int, list[Json]] = field(default_factory=lambda: defaultdict(list))
    people: dict[int, Person] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    flood: dict[int, tuple[int, int]] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    poll: int = 0
    ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def message(self, person: Person, **content: Any) -> Json:  # noqa: ANN401  fields of a Bot API object
        """Return a new message that a person wrote."""
        self.people[person.id] = person
        head = {"message_id": next(self.ids), "date": int(time.time())}
        return head | {"from": person.as_user(), "chat": person.as_chat()} | content

    def keep_file(self, data: bytes, extension: str) -> Json:
        """Store a file and return the part of its description that every kind has."""
        name = f"file_{next(self.ids)}.{extension}"
        self.files[name] = data
        return {"file_id": name, "file_unique_id": name, "file_size": len(data)}

    async def receive(self, **update: Json) -> int:
        """Queue an update for the bot and return its id."""
        update_id = next(self.ids)
        async with self.changed:
            self.updates.append({"update_id": update_id, **update})
            self.changed.notify_all()
        return update_id

    async def take_updates(self, offset: int, limit: int, timeout: float) -> list[Json]:  # noqa: ASYNC109  the protocol's own
        """Return the updates from `offset` on, waiting up to `timeout` seconds for one; earlier ones are confirmed."""
        async with self.changed:
            self.poll += 1
            mine = self.poll
            self.changed.notify_all()
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
            await self._wait_until(lambda: self.updates or self.poll != mine, timeout)
            if self.poll != mine:
                raise Polling
            return self.updates[:limit]

    async def send(self, chat_id: int, **content: Any) -> Json:  # noqa: ANN401  fields of a Bot API object
        """Store a message of the bot and return it."""
        chat = self.people[chat_id].as_chat()
        message = {"message_id": next(self.ids), "date": int(time.time()), "from": BOT, "chat": chat, **content}
        async with self.changed:
            self.sent[chat_id].append(message)
            self.changed.notify_all()
        return message

    async def answers(self, chat_id: int, after: int, timeout: float) -> list[Json]:  # noqa: ASYNC109
        """Return the bot's messages to a chat past the first `after`, waiting up to `timeout` seconds for one."""
        async with self.changed:
            await self._wait_until(lambda: len(self.sent[chat_id]) > after, timeout)
            return self.sent[chat_id][after:]

    async def _wait_until(self, predicate: Any, timeout: float) -> None:  # noqa: ANN401, ASYNC109  any truth value
        try:
            async with asyncio.timeout(timeout):
                await self.changed.wait_for(predicate)
        except TimeoutError:
            return
