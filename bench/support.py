"""Which versions this works with: `make support` installs both ends of every range and runs the unit tests on each.

A run is a Python, an end of the ranges (the lowest versions that `pyproject.toml` allows, or the newest there are) and
perhaps a major version of protobuf, in an environment of its own. The results go to `bench/support.json`, from which
`docs/support.md` is written. Interpreters are those that uv finds or can fetch; one that it has not is said to be left
out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS, DOCUMENT = ROOT / "bench" / "support.json", ROOT / "docs" / "support.md"
UV = Path(sys.executable).with_name("uv")
PYTHONS = ("3.11", "3.12", "3.13")
LOWEST, NEWEST = "lowest-direct", "highest"
PROTOBUFS = ("5", "6", "7")
TOOLS = (
    "aiosmtpd", "hypothesis", "loguru", "psycopg[binary]", "pydantic-ai-slim[anthropic,openai]", "pytest",
    "pytest-asyncio", "pyyaml", "structlog", "trustme", "uvicorn", "websockets",
)  # fmt: skip
"""What the tests need beside the package and its extras; no stock instrumentation, whose newest may be an older one."""
NOT_OF_THE_PACKAGE = ("documents", "dockerfile", "load", "support", "typing", "wheel")
"""Tests of this repository's files and tools, and of what is built from them."""
_TIMEOUT_SECONDS = 900


@dataclass(frozen=True)
class Run:
    """What is tried."""

    python: str
    end: str
    protobuf: str = ""

    @property
    def name(self) -> str:
        """As the results are kept."""
        return " ".join(part for part in (self.python, self.end, self.protobuf and f"protobuf {self.protobuf}") if part)


@dataclass(frozen=True)
class Result:
    """What came of it; `versions` of what `pyproject.toml` names, and protobuf's."""

    passed: int
    failed: int
    versions: dict[str, str]


RUNS = [
    *(Run(python, end) for python in PYTHONS for end in (LOWEST, NEWEST)),
    *(Run(PYTHONS[0], NEWEST, protobuf) for protobuf in PROTOBUFS),
]


def project() -> dict[str, Any]:
    """Return `pyproject.toml`'s own table."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def requirements() -> dict[str, tuple[str, str]]:
    """Return each library's range and the extra that brings it, empty where it is always there."""
    groups = {"": project()["dependencies"], **project()["optional-dependencies"]}
    named = [(re.fullmatch(r"([\w.-]+)(?:\[.*?\])?(.*)", text), extra) for extra, group in groups.items()
             for text in group]  # fmt: skip
    return {match[1]: (match[2], extra) for match, extra in named if match}


def tests() -> list[Path]:
    """Return the files of tests that need no more than the package and the tools."""
    files = sorted((ROOT / "tests" / "unit").glob("test_*.py"))
    return [path for path in files if path.stem.removeprefix("test_") not in NOT_OF_THE_PACKAGE]


def carry_out(run: Run, folder: Path) -> Result:
    """Install, test, tell; raises `CalledProcessError` where the versions cannot be had together."""
    python = folder / "venv" / "bin" / "python"
    pins, constraint = folder / "pins.txt", folder / "constraints.txt"
    constraint.write_text(f"protobuf=={run.protobuf}.*\n" if run.protobuf else "")
    _uv("pip", "compile", "pyproject.toml", "--all-extras", f"--resolution={run.end}", f"--python-version={run.python}",
        f"--constraints={constraint}", "--no-header", "--no-annotate", "--no-emit-index-url", "-o", pins)  # fmt: skip
    _uv("venv", f"--python={run.python}", folder / "venv")
    _uv("pip", "install", f"--python={python}", f"--constraints={pins}", "-r", pins, *TOOLS)
    _uv("pip", "install", f"--python={python}", "--no-deps", ROOT)
    # Old versions of others warn of still others; of the newest every warning counts.
    quiet = ["-Wdefault::DeprecationWarning"] if run.end == LOWEST else []
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", *quiet, *map(str, tests())]
    done = subprocess.run(  # noqa: S603 - our own tests
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS
    )
    passed, failed = _counted(done.stdout)
    if failed or not passed:
        sys.stdout.write(f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}\n")
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)", pins.read_text(), re.MULTILINE))
    return Result(passed, failed, {name: versions[name] for name in [*requirements(), "protobuf"]})


def _uv(*arguments: object) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([UV, "--quiet", *map(str, arguments)], cwd=ROOT, check=True, env=environment)  # noqa: S603


def _counted(output: str) -> tuple[int, int]:
    summary = output.strip().rpartition("\n")[2]
    numbers = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|errors?)", summary)}
    return numbers.pop("passed", 0), sum(numbers.values())


def results() -> dict[str, Result]:
    """Return what the runs have come to, by their names."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return {name: Result(**fields) for name, fields in kept.items()}


def keep(run: Run, result: Result) -> None:
    """Write a run's result beside the others'."""
    kept = results() | {run.name: result}
    ordered = {one.name: asdict(kept[one.name]) for one in RUNS if one.name in kept}
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n")


def document() -> str:
    """Return `docs/support.md`, of `pyproject.toml` and the results."""
    kept = results()
    lowest, newest = (kept.get(Run(PYTHONS[0], end).name, Result(0, 0, {})) for end in (LOWEST, NEWEST))
    lines = [_HEAD, "| library | supported | tested from | to | extra |", "|---|---|---|---|---|"]
    lines += [
        f"| {name} | `{supported}` | {lowest.versions.get(name, '?')} | {newest.versions.get(name, '?')} | {extra} |"
        for name, (supported, extra) in requirements().items()
    ]
    lines += [_RUNS, "| Python | versions | protobuf | tests passed | failed |", "|---|---|---|---|---|"]
    for run in RUNS:
        result = kept.get(run.name)
        row = (result.versions["protobuf"], f"{result.passed:,}", result.failed) if result else ("", "not run", "")
        end = "lowest" if run.end == LOWEST else "newest"
        lines.append(f"| {run.python} | {end} | {' | '.join(map(str, row))} |")
    return "\n".join(lines) + "\n"


_HEAD = """\
# Supported versions

Written by `make support`, which installs the lowest versions that `pyproject.toml` allows, and then the newest there
are, and runs the unit tests on both. `python -m telemetry doctor` names what is installed outside these ranges.

Tried on Linux with Python 3.11, 3.12 and 3.13.
"""
_RUNS = "\nWhat was run:\n"


def main() -> int:
    """Carry out the runs that are asked for; returns 1 when a test failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.support", description=__doc__)
    names = [run.name for run in RUNS]
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"only these (all): {', '.join(names)}")
    parser.add_argument("--write-only", action="store_true", help="only write the document from what is known")
    options = parser.parse_args()
    if unknown := set(options.runs) - set(names):
        parser.error(f"a run is one of {', '.join(names)} (got {', '.join(sorted(unknown))})")
    chosen = [] if options.write_only else [run for run in RUNS if run.name in (options.runs or names)]
    failed = sum([_try(run) for run in chosen])
    DOCUMENT.write_text(document())
    return min(failed, 1)


def _try(run: Run) -> int:
    try:
        with tempfile.TemporaryDirectory(prefix="support-") as folder:
            result = carry_out(run, Path(folder))
    except subprocess.CalledProcessError as error:
        print(f"{run.name}: left out, `{' '.join(map(str, error.cmd[2:4]))}` failed", flush=True)
        return 1
    print(f"{run.name}: {result.passed} passed, {result.failed} failed", flush=True)
    keep(run, result)
    return result.failed


if __name__ == "__main__":
    sys.exit(main())
