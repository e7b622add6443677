"""The second tier: traces stay whole, errors and slow ones are kept, all are counted, while gateways come and go."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.gateway.run import ADDING, KILLING, LONG, THREE, TWO, TWO_AGAIN, Pace, Result, run
from bench.gateway.verdict import ABSENT, SPLIT, WHOLE
from stack import build, lint, settings

FOLDER = settings.ROOT / "collector" / "gateway"
VALUES = sorted((FOLDER / "kubernetes").glob("*.yaml"))
STEADY = (TWO, THREE, TWO_AGAIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gateway")


@pytest.fixture(scope="module")
def result(folder: Path) -> Result:
    """Two agents and two gateways; one more is added, one is killed."""
    if subprocess.run([shutil.which("unshare") or "false", "--mount", "true"], check=False).returncode:
        pytest.skip("only root may give the agents an /etc/hosts of their own")
    return run(folder, Pace())


@pytest.mark.parametrize("phase", STEADY)
def test_each_trace_with_an_error_and_each_slow_one_is_stored_whole(result: Result, phase: str) -> None:
    found = result.phases[phase]
    assert found.count(WHOLE, plain=False) == found.count(plain=False) > 20


@pytest.mark.parametrize("phase", STEADY)
def test_no_trace_is_split(result: Result, phase: str) -> None:
    assert result.phases[phase].count(SPLIT) == 0


def test_of_the_rest_about_a_tenth_is_stored(result: Result) -> None:
    kept, rest = (sum(result.phases[phase].count(fate, plain=True) for phase in STEADY) for fate in (WHOLE, ""))
    assert rest > 500
    assert 0.05 < kept / rest < 0.16


def test_a_long_trace_with_a_late_error_is_whole(result: Result) -> None:
    assert result.phases[LONG].count(WHOLE) == 1


def test_spans_are_counted_before_sampling(result: Result) -> None:
    sent = {name: number for name, number in result.sent.items() if name.endswith(TWO)}
    assert {name: result.counted[name] for name in sent} == sent


def test_a_gateway_more_costs_no_more_than_the_traces_that_it_divides(result: Result) -> None:
    # A slow one is slow for neither half; of one with an error the half without the root waits the longest.
    # The agents see a new gateway up to 5 s apart, in which a third of the ids goes two ways: some 12 of 110 at most.
    found = result.phases[ADDING]
    assert found.count(ABSENT, plain=False) + found.count(SPLIT) < found.count(plain=False) / 6


def test_a_killed_gateway_costs_no_more_than_what_it_held(result: Result) -> None:
    found = result.phases[KILLING]
    assert found.count(ABSENT, plain=False) + found.count(SPLIT) < found.count(plain=False) / 2


@pytest.mark.usefixtures("result")
def test_the_guard_in_kubernetes_knows_the_agents_queues(folder: Path) -> None:
    values = yaml.safe_load((FOLDER / "kubernetes" / "agent-values.yaml").read_text(encoding="utf-8"))
    queues = folder / "agent-0" / "collector" / "queue"
    assert sorted(values["initContainers"][0]["args"]) == sorted(path.name for path in queues.iterdir())


@pytest.mark.parametrize("overlay", ["agent.yaml", "gateway.yaml"])
def test_the_collector_takes_its_configuration_with(overlay: str) -> None:
    binary = str(build.gateway(settings.load()))
    files = [f"--config={path}" for path in (FOLDER.parent / "config.yaml", FOLDER / overlay)]
    done = subprocess.run([binary, "validate", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", VALUES, ids=lambda path: path.stem)
def test_the_values_for_kubernetes_set_only_what_the_files_read(path: Path) -> None:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    files = [FOLDER.parent / Path(argument.removeprefix("--config=")).name for argument in _configs(values)]
    texts = [(file if file.exists() else FOLDER / file.name).read_text(encoding="utf-8") for file in files]
    read = set().union(*map(lint.used_variables, texts))
    assert {variable["name"] for variable in values["extraEnvs"]} <= read


def _configs(values: dict[str, Any]) -> list[str]:
    return [argument for argument in values["command"]["extraArgs"] if re.match("--config=", argument)]
