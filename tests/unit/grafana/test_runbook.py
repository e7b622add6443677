"""Each section of the runbook that a panel leads to is there, and says what to look at and when it is over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grafana.source.boards import BOARDS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/RUNBOOK.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
SOURCES = "".join(path.read_text() for path in (ROOT / "grafana/source").glob("*.py"))
PARTS = ["**Means.**", "1.", "2.", "3.", "```promql", "**Likely.**", "**Do.**", "**Over when**"]
LONGEST_SENTENCE = 25
NAMED = sorted(set(re.findall(r'to_runbook\("([^"]+)"\)', SOURCES)))


@pytest.mark.parametrize("section", NAMED)
def test_a_section_that_a_panel_leads_to_exists(section: str) -> None:
    assert section in SECTIONS


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_a_section_says_what_it_means_where_to_look_what_to_do_and_when_it_is_over(section: str) -> None:
    text = SECTIONS[section]
    parts = r"^(\*\*(?:Means|Likely|Do)\.\*\*|\d\.|```promql|\*\*Over when\*\*) ?"
    assert re.findall(parts, text, re.MULTILINE) == PARTS


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_a_sections_sentences_are_short(section: str) -> None:
    prose = re.sub(r"```.*?```", "", SECTIONS[section], flags=re.DOTALL)
    sentences = re.split(r"(?<=[.:;?])\s+|\n\n", prose)
    assert [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE] == []


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_a_section_it_names_exists(section: str) -> None:
    named = re.findall(r"section \*(.*?)\*", " ".join(SECTIONS[section].split()))
    assert set(named) <= set(SECTIONS)


def test_a_dashboard_it_names_exists() -> None:
    named = re.findall(r"[Dd]ashboard \*(.*?)\*(?: or \*(.*?)\*)?", " ".join(TEXT.split()))
    assert {title for pair in named for title in pair if title} <= {board.title for board in BOARDS}


def test_no_section_is_left_over() -> None:
    assert sorted(SECTIONS) == NAMED
