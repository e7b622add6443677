# ruff: noqa: INP001
# mypy: ignore-errors
"""Bugsink's settings in native mode; runs inside Bugsink's own virtual environment, never in the project's.

Compose does not read this: the image has a settings file of its own, led by the same values as variables.
"""

import os
from pathlib import Path

from bugsink.settings.default import *  # noqa: F403
from bugsink.settings.default import DATABASES

_DATA = Path(os.environ["BUGSINK_DATA_DIR"])

SECRET_KEY = (_DATA / "secret_key").read_text(encoding="utf-8")
DATABASES["default"]["NAME"] = str(_DATA / "db.sqlite3")
DATABASES["snappea"]["NAME"] = str(_DATA / "snappea.sqlite3")
# Events are digested in the request that brings them: no second process, and an event is readable once it is taken.
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
TIME_ZONE = "UTC"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {
    "BASE_URL": os.environ["BUGSINK_BASE_URL"],
    "SINGLE_USER": True,
    "SINGLE_TEAM": True,
    "USER_REGISTRATION": "CB_NOBODY",
    "PHONEHOME": False,
    "MAX_EVENT_AGE_DAYS": 30,
    "MAX_RETENTION_EVENT_COUNT": 100_000,
    # A load test or an error storm on this machine must arrive whole.
    "MAX_EVENTS_PER_PROJECT_PER_5_MINUTES": 100_000,
    "MAX_EVENTS_PER_PROJECT_PER_HOUR": 500_000,
    "MAX_EVENTS_PER_5_MINUTES": 100_000,
    "MAX_EVENTS_PER_HOUR": 500_000,
    "INGEST_STORE_BASE_DIR": str(_DATA / "ingestion"),
}
