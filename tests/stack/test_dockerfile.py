"""The Dockerfile's steps, run natively: what each would do in its image happens in a folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import clean_environment
from tests.dockerfile import ROOT, Instruction, instructions

PLACES = ("/app", "/build", "/wheels")


def placed(text: str, image: Path) -> str:
    for place in PLACES:
        text = text.replace(place, f"{image}{place}")
    return text


def build(image: Path) -> None:
    """Carry out every step but what only a container's root can do."""
    folder, environment = image, clean_environment() | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    for step in instructions():
        if step.word == "WORKDIR":
            folder = Path(placed(step.rest, image))
            folder.mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY" and not step.from_stage:
            copy(step, folder)
        elif step.word == "RUN" and not step.rest.startswith("useradd"):
            command = ["sh", "-c", placed(step.rest, image)]
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=500
            )
            assert done.returncode == 0, done.stderr


def copy(step: Instruction, folder: Path) -> None:
    *sources, target = step.paths
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / target).mkdir(exist_ok=True)
            shutil.copy(ROOT / source, folder / target)


def test_its_steps_make_an_application_that_starts(tmp_path: Path) -> None:
    build(tmp_path)
    application = tmp_path / "app"
    for entry in (application / "telemetry", application / "pyproject.toml"):  # stay behind in the first stage
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    command = [
        str(application / ".venv/bin/python"),
        "-c",
        "import examples.health_agent.api, telemetry as t; print(t)",
    ]
    done = subprocess.run(
        command, cwd=application, env=clean_environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout
