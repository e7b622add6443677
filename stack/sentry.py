"""Bugsink, the local Sentry: its database, the project, the DSN and the API token, made once."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from stack.errors import StackError
from stack.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["Access", "keep_secret_key", "kept_access", "native_environment", "provision"]

_FOLDER = ROOT / "stack" / "bugsink"


@dataclass(frozen=True)
class Access:
    """How applications and tools reach the local Sentry."""

    dsn: str
    token: str
    project: int
    made_for: str  # address and version; another one needs a new look


def native_environment(settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    """What Bugsink's processes need natively."""
    return {
        "DJANGO_SETTINGS_MODULE": "bugsink_conf",
        "PYTHONPATH": str(_FOLDER),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BUGSINK_DATA_DIR": str(settings.data / "bugsink"),
        "BUGSINK_BASE_URL": settings.url("BUGSINK_PORT"),
        "BUGSINK_ADMIN_PASSWORD": secrets.get("BUGSINK_ADMIN_PASSWORD", ""),
    }


def keep_secret_key(settings: Settings, secrets: Mapping[str, str]) -> None:
    """Write Bugsink's secret key where its settings file reads it: an environment is easier to look into."""
    data = settings.data / "bugsink"
    data.mkdir(parents=True, exist_ok=True)
    key = data / "secret_key"
    key.touch(mode=0o600)
    key.write_text(secrets["BUGSINK_SECRET_KEY"], encoding="utf-8")


def kept_access(settings: Settings) -> Access | None:
    """The access made earlier, None if there is none."""
    try:
        return Access(**json.loads(_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def provision(settings: Settings, shell: Sequence[str], environment: Mapping[str, str], *, version: str) -> Access:
    """Make database, project and token through `bugsink-manage shell`, unless an earlier run did it all."""
    made_for = f"{settings.url('BUGSINK_PORT')} {version}"
    kept = kept_access(settings)
    if kept and kept.made_for == made_for:
        return kept
    script = (_FOLDER / "provision.py").read_text(encoding="utf-8")
    done = subprocess.run(
        shell, input=script, env=dict(environment), cwd=settings.data, capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("PROVISIONED ")]
    if not lines:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise StackError("Bugsink's project could not be made.", detail=words, todo="`make clean` starts it afresh.")
    access = Access(**json.loads(lines[0].removeprefix("PROVISIONED ")), made_for=made_for)
    _keep(_file(settings), access)
    return access


def _file(settings: Settings) -> Path:
    return settings.data / "bugsink-access.json"


def _keep(path: Path, access: Access) -> None:
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(asdict(access)), encoding="utf-8")
    part.replace(path)
