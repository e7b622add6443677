# ruff: noqa: INP001
# mypy: ignore-errors
"""Make the tables, the user, the project and the API token, once; print where they are as one JSON line.

Fed to `bugsink-manage shell` on standard input, in both modes; may run any number of times.
"""

import json
import os

from bsmain.models import AuthToken
from django.contrib.auth import get_user_model
from django.core.management import call_command
from projects.models import Project
from teams.models import Team

_NAME = "health-agent"

call_command("migrate", verbosity=0)
call_command("migrate", database="snappea", verbosity=0)
_team, _ = Team.objects.get_or_create(name=_NAME)
_project, _ = Project.objects.get_or_create(slug=_NAME, defaults={"name": _NAME, "team": _team})
_token = AuthToken.objects.filter(description=_NAME).first() or AuthToken.create_full_access(description=_NAME)
_password = os.environ.get("BUGSINK_ADMIN_PASSWORD")
if _password and not get_user_model().objects.exists():
    get_user_model().objects.create_superuser(username="admin@localhost", email="admin@localhost", password=_password)
print("PROVISIONED " + json.dumps({"dsn": _project.dsn, "token": _token.token, "project": _project.id}))  # noqa: T201
