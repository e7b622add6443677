"""`python -m telemetry pseudonym ID`: what a person is called in telemetry, and where to look for them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from telemetry import links
from telemetry.conversation import ATTRIBUTE as CONVERSATION
from telemetry.pseudonyms import Pseudonyms, chat_key

if TYPE_CHECKING:
    from telemetry.settings import Settings

__all__ = ["report"]

_DAY = 86400.0
_WITHOUT_A_KEY = (
    "TELEMETRY_USER_KEY must be the key of the processes in the environment {environment} (got none): without one each "
    "process draws names of its own, and nobody can be found.\n"
)


def report(settings: Settings, found: str) -> tuple[str, int]:
    """Return the text and the exit code: the names, and links for the last day where Grafana's address is known."""
    if not (settings.user_key or settings.is_development):
        return _WITHOUT_A_KEY.format(environment=settings.environment), 1
    names = Pseudonyms.of(settings)
    user, conversation = names.user(found), names.conversation(chat_key(found))
    lines = [f"user.id {user}", f"{CONVERSATION} {conversation}", f"in Sentry: user.id:{user}"]
    if settings.grafana_url:
        lines += [f"traces: {_traces(settings, user)}", f"turns: {_turns(settings, conversation)}"]
    return "\n".join([*lines, ""]), 0


def _traces(settings: Settings, user: str) -> str:
    source: Literal["tempo", "jaeger"] = "tempo" if settings.tempo_url else "jaeger"
    query = links.spans("user.id", user, source, service=settings.service_name)
    return links.explore(settings.grafana_url, query, source=source, at=time.time(), around=_DAY)


def _turns(settings: Settings, conversation: str) -> str:
    dashboard = f"{settings.grafana_url.rstrip('/')}/d/conversation_dashboard"
    return f"{dashboard}?var-conversation={conversation}&from=now-24h&to=now"
