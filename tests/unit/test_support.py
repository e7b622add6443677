"""The table of supported versions is of this `pyproject.toml`, and every end of every range was tried."""

from __future__ import annotations

import re

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from bench import support
from bench.support import LOWEST, NEWEST, RUNS, Run

REQUIREMENTS = support.requirements()


def test_the_document_is_what_the_results_say() -> None:
    assert support.DOCUMENT.read_text() == support.document(), "make support"


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_run_was_made_and_nothing_failed(run: Run) -> None:
    result = support.results()[run.name]
    assert (result.passed > 1000, result.failed) == (True, 0)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_range_begins_with_what_was_tried(name: str) -> None:
    supported = SpecifierSet(REQUIREMENTS[name][0])
    (floor,) = [one.version for one in supported if one.operator == ">="]
    lowest, newest = (support.results()[Run("3.11", end).name].versions[name] for end in (LOWEST, NEWEST))
    assert Version(lowest).release[:2] == (*Version(floor).release, 0)[:2]
    assert supported.contains(newest, prereleases=True)


def test_every_python_of_the_classifiers_was_tried() -> None:
    named = [one.rpartition(" ")[2] for one in support.project()["classifiers"] if " :: Python :: 3." in one]
    assert named == list(support.PYTHONS)
    assert {run.python for run in RUNS} == set(named)


def test_no_test_that_is_run_there_imports_what_is_not_installed_there() -> None:
    ours = re.compile(r"^(?:from|import) (?:bench|examples|grafana)\b", re.MULTILINE)
    assert len(support.tests()) > 30
    assert [path.name for path in support.tests() if ours.search(path.read_text())] == []


@pytest.mark.parametrize("protobuf", support.PROTOBUFS)
def test_protobuf_was_tried_in_each_major_version(protobuf: str) -> None:
    result = support.results()[Run("3.11", NEWEST, protobuf).name]
    assert result.versions["protobuf"].startswith(f"{protobuf}.")
