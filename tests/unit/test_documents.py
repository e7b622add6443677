"""What the documents name is there: links, make targets, commands, files, variables; their Python compiles or runs."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import Field, fields
from functools import cache
from pathlib import Path

import pytest

import telemetry
from grafana.source.alert_catalog import RULES
from grafana.source.boards import BOARDS
from stack import cli as stack_cli
from stack.settings import INTERNAL_PORTS, OPTIONS, PORTS
from telemetry import cli as telemetry_cli
from telemetry.settings import Settings
from telemetry.standard import IGNORED, STANDARD
from tests import documents
from tests.documents import DOCUMENTS, ROOT, blocks

README = documents.README.read_text()
PROTOCOL = "http/protobuf"
WRITTEN_BY_THE_READER = ".env"
EXAMPLE = (ROOT / ".env.example").read_text()
READ_BY_THE_DEMO_ONLY = {"TELEMETRY_PROMETHEUS_URL", "TELEMETRY_JAEGER_URL", "TELEMETRY_TEMPO_URL"} | {
    "TELEMETRY_SENTRY_URL",
    "TELEMETRY_SENTRY_TOKEN",
}
"""Written by `make up`; nobody sets them by hand."""
VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b(?!\.md)")
OF_OTHERS = {"ALERTS_PACE", "PROMETHEUS_MULTIPROC_DIR", "REQUESTS_CA_BUNDLE"}
"""Read by a test, prometheus-client, requests."""
RUN_BY = {
    "README.md": "unit/test_documents.py",
    "DEVELOPMENT_OBSERVABILITY.md": "unit/test_guide.py",
    "TUTORIAL.md": "stack/test_tutorial.py",
    "migrate-from-prometheus-client.md": "unit/test_migration.py",
    "migrate-from-sentry-sdk.md": "unit/test_migration.py",
    "privacy.md": "unit/test_sentinels.py",
}
"""Which test runs the Python of a document; the README's is the tutorial's."""


of_each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@cache
def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings; the second of one name ends in -1."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", documents.prose(document), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


@of_each_document
def test_a_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", documents.prose(document)):
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@of_each_document
def test_a_make_target_that_a_document_names_exists(document: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^|&& )make ([a-z-]+)", document.read_text(), re.MULTILINE))
    assert named <= known


def commands_of(parser: argparse.ArgumentParser) -> set[str]:
    (choices,) = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return set(choices or ())


@of_each_document
@pytest.mark.parametrize("program", [telemetry_cli, stack_cli], ids=["telemetry", "stack"])
def test_a_command_that_a_document_names_exists(document: Path, program: object) -> None:
    name = program.__name__.partition(".")[0]  # type: ignore[attr-defined]
    named = set(re.findall(rf"python -m {name} ([a-z-]+)", document.read_text()))
    assert named <= commands_of(program._parser())  # type: ignore[attr-defined]


@of_each_document
def test_a_file_or_folder_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"`((?:\.|[a-z_]+/)[\w./-]*)`", document.read_text())) - {PROTOCOL, WRITTEN_BY_THE_READER}
    assert [path for path in named if "*" not in path and not (ROOT / path).exists()] == []


@cache
def known_variables() -> set[str]:
    """Names that somebody reads: ours, OpenTelemetry's, the stack's, the Collector's, the demo's, the bench's."""
    ours = {name for field in fields(Settings) for name in field.metadata["variable"].names}
    names = (
        ours
        | {*STANDARD, *IGNORED, *PORTS, *INTERNAL_PORTS, *OPTIONS}
        | set(re.findall(r"^# (\w+)=", EXAMPLE, re.MULTILINE))
    )
    for path in (ROOT / "collector").rglob("*.yaml"):
        names |= set(re.findall(r"\$\{env:(\w+)", path.read_text()))
    for folder in ("examples", "bench", "telemetry"):
        for path in (ROOT / folder).rglob("*.py"):
            names |= set(re.findall(r"[\"$]([A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])\b", path.read_text()))
    return names


@of_each_document
def test_a_variable_that_a_document_names_is_read_by_somebody(document: Path) -> None:
    code = [*re.findall(r"`([^`\n]+)`", documents.prose(document)), *(block.text for block in blocks(document, "bash"))]
    named = {name for text in code for name in VARIABLE.findall(text)}
    assert named - known_variables() - OF_OTHERS == set()


@of_each_document
def test_the_python_of_a_document_compiles(document: Path) -> None:
    for block in blocks(document, "python"):
        compile(block.text, block.section, "exec")


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if blocks(path, "python")], ids=lambda path: path.name)
def test_a_test_runs_a_documents_python(document: Path) -> None:
    assert RUN_BY.keys() == {path.name for path in DOCUMENTS if blocks(path, "python")}
    test = (ROOT / "tests" / RUN_BY[document.name]).read_text()
    assert "blocks(" in test or "code_of(" in test or "run_block(" in test or "DOCUMENT" in test


def test_the_first_screen_of_the_readme_is_the_two_commands() -> None:
    (first,) = re.findall(r"^# .*?\n\n```bash\n(.*?)```", README, re.DOTALL)
    assert [line.split("#")[0].strip() for line in first.splitlines()] == ["make demo", "make test"]


def test_the_readmes_code_is_what_the_tutorial_runs() -> None:
    (block,) = blocks(documents.README, "python")
    calls = re.findall(r"telemetry\.(\w+)\(", block.text)
    assert set(calls) <= set(telemetry.__all__)
    (main,) = [block.text for block in blocks(ROOT / "docs/TUTORIAL.md", "python") if block.name == "main.py"]
    assert {f"telemetry.{name}(" for name in calls} - {"telemetry.instrument_pool("} <= set(
        re.findall(r"telemetry\.\w+\(", main)
    )


MEASURED = re.findall(r"^\| [^|]+ \| ([^|]*\d[^|]*) \| ((?!`make faults)[^|]*\]\(docs[^|]*) \|$", README, re.MULTILINE)


@pytest.mark.parametrize(("measured", "where"), MEASURED, ids=[measured[:40] for measured, _ in MEASURED])
def test_a_figure_of_the_readme_stands_in_the_document_that_it_links_to(measured: str, where: str) -> None:
    texts = [(ROOT / path).read_text() for path in re.findall(r"\]\((docs/[\w.-]+)\)", where)]
    figures = re.findall(r"\d[\d,.]*\d%?|\d+%?", measured)
    assert figures
    assert [figure for figure in figures if not any(re.search(rf"(?<!\d){figure}", text) for text in texts)] == []


def test_every_fault_that_was_measured_is_accounted_for() -> None:
    row = r"^\| ([a-zA-Z][^|]*) \|(?: \d+ \|){4} (\d+) \| (\d+) \|"
    rows = re.findall(row, (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)
    assert {tuple(outcome) for _, *outcome in rows} == {("0", "0")}
    assert f"{len(rows)} faults" in README


def test_the_tutorial_counts_what_comes_with_it() -> None:
    words = {"Eight": 8}
    (found,) = re.findall(r"(\w+) dashboards and (\d+) alert rules", (ROOT / "docs/TUTORIAL.md").read_text())
    assert (words[found[0]], int(found[1])) == (len(BOARDS), len(RULES))


@pytest.mark.parametrize("name", [field.metadata["variable"].names[0] for field in fields(Settings)])
def test_every_variable_of_ours_stands_in_the_example_file(name: str) -> None:
    assert name in READ_BY_THE_DEMO_ONLY or re.search(rf"^# {name}=", EXAMPLE, re.MULTILINE), name


NUMBERS = [f for f in fields(Settings) if isinstance(f.default, float) and f.metadata["variable"].names[0][:3] == "TEL"]


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.name)
def test_the_example_file_shows_the_default_of_a_number_of_ours(setting: Field[float]) -> None:
    (shown,) = re.findall(rf"^# {setting.metadata['variable'].names[0]}=(.*)", EXAMPLE, re.MULTILINE)
    assert float(shown) == setting.default
