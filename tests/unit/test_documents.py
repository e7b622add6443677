"""What the documents name is there: make targets, files, variables; the code in the README runs."""

from __future__ import annotations

import re
import subprocess
from dataclasses import Field, fields
from pathlib import Path

import pytest

import telemetry
from telemetry.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROTOCOL = "http/protobuf"
EXAMPLE = (ROOT / ".env.example").read_text()
READ_BY_THE_DEMO_ONLY = {"TELEMETRY_PROMETHEUS_URL", "TELEMETRY_JAEGER_URL", "TELEMETRY_TEMPO_URL"} | {
    "TELEMETRY_SENTRY_URL",
    "TELEMETRY_SENTRY_TOKEN",
}
"""Written by `make up`; nobody sets them by hand."""


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))))
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_file_or_folder_that_a_document_names_exists(document: Path) -> None:
    named = re.findall(r"`((?:\.|[a-z_]+/)[\w./-]*)`", document.read_text())
    assert [path for path in named if "*" not in path and path != PROTOCOL and not (ROOT / path).exists()] == []


def test_the_readmes_code_calls_what_the_package_has() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    called = re.findall(r"telemetry\.(\w+)\(", code)
    assert len(called) == 5
    assert set(called) <= set(telemetry.__all__)


def test_the_first_screen_of_the_readme_is_the_two_commands() -> None:
    (first,) = re.findall(r"^# .*?\n\n```bash\n(.*?)```", README, re.DOTALL)
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


@pytest.mark.parametrize("name", [field.metadata["variable"].names[0] for field in fields(Settings)])
def test_every_variable_of_ours_stands_in_the_example_file(name: str) -> None:
    assert name in READ_BY_THE_DEMO_ONLY or re.search(rf"^# {name}=", EXAMPLE, re.MULTILINE), name


NUMBERS = [f for f in fields(Settings) if isinstance(f.default, float) and f.metadata["variable"].names[0][:3] == "TEL"]


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
def test_the_example_file_shows_the_default_of_a_number_of_ours(setting: Field[float]) -> None:
    (shown,) = re.findall(rf"^# {setting.metadata['variable'].names[0]}=(.*)", EXAMPLE, re.MULTILINE)
    assert float(shown) == setting.default
