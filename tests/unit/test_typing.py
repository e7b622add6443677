"""What a user of the wheel sees: its type marker, its plugin, and types for all of its public surface."""

from __future__ import annotations

import doctest
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import telemetry

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent
MODULES = [module.name for module in pkgutil.walk_packages(telemetry.__path__, "telemetry.")]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is installed from its wheel, in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [str(SCRIPTS / "uv"), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--offline"]
    subprocess.run([*command, f"--python={sys.executable}", f"--target={folder}", str(ROOT)], check=True)  # noqa: S603
    return folder


def test_the_wheel_has_the_type_marker_and_the_plugin(wheel: Path) -> None:
    assert (wheel / "telemetry" / "py.typed").exists()
    (points,) = wheel.glob("*.dist-info/entry_points.txt")
    assert "[pytest11]\ntelemetry = telemetry.testing" in points.read_text()
    assert not (wheel / "tests").exists()


def test_the_public_surface_is_typed_to_the_last_symbol(wheel: Path) -> None:
    libraries = sysconfig.get_path("purelib")
    command = [str(SCRIPTS / "basedpyright"), "--pythonpath", sys.executable, "--verifytypes", "telemetry"]
    done = subprocess.run(  # noqa: S603
        [*command, "--ignoreexternal", "--outputjson"], cwd=wheel, check=False, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{wheel}{os.pathsep}{libraries}"},
    )  # fmt: skip
    report = json.loads(done.stdout)["typeCompleteness"]
    lacking = [symbol["name"] for symbol in report["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]]
    assert lacking == []
    assert report["completenessScore"] == 1
    assert report["exportedSymbolCounts"]["withKnownType"] > 500


PUBLIC = {
    f"{name}.{member}": found
    for name in telemetry.__all__
    if inspect.isclass(getattr(telemetry, name))
    for member, found in vars(getattr(telemetry, name)).items()
    if not member.startswith("_") and (inspect.isfunction(found) or isinstance(found, (property, classmethod)))
} | {name: getattr(telemetry, name) for name in telemetry.__all__}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_says_what_it_does(name: str) -> None:
    assert len(inspect.getdoc(PUBLIC[name]) or "") > 10


RAISING = {
    name
    for name, found in PUBLIC.items()
    if inspect.isfunction(found) and "raise ValueError" in inspect.getsource(found)
}


@pytest.mark.parametrize("name", sorted(RAISING))
def test_a_public_function_that_raises_says_so(name: str) -> None:
    assert "`ValueError`" in (inspect.getdoc(PUBLIC[name]) or "")


@pytest.mark.parametrize("name", [name for name in MODULES if name != "telemetry.__main__"])
def test_the_examples_in_a_modules_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", [name for name in MODULES if not name.rpartition(".")[2].startswith("_")])
def test_a_modules_list_of_names_is_sorted_and_complete(name: str) -> None:
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert names == sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert [missing for missing in names if not hasattr(module, missing)] == []
