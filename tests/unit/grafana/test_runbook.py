"""Each section of the runbook that a panel leads to is there, and says what to look at and when it is over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/RUNBOOK.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
SOURCES = "".join(path.read_text() for path in (ROOT / "grafana/source").glob("*.py"))
NAMED = sorted(set(re.findall(r'to_runbook\("([^"]+)"\)', SOURCES)))


@pytest.mark.parametrize("section", NAMED)
def test_a_section_that_a_panel_leads_to_exists(section: str) -> None:
    assert section in SECTIONS


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_a_section_has_three_looks_a_query_and_an_end(section: str) -> None:
    text = SECTIONS[section]
    assert re.findall(r"^(\d)\. ", text, re.MULTILINE) == ["1", "2", "3"]
    assert text.count("```promql") == 1
    assert "Over when" in text or "over when" in " ".join(text.split())


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_a_section_it_names_exists(section: str) -> None:
    named = re.findall(r"section \*(.*?)\*", " ".join(SECTIONS[section].split()))
    assert set(named) <= set(SECTIONS)


def test_no_section_is_left_over() -> None:
    assert sorted(SECTIONS) == NAMED
