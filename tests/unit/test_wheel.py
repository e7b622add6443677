"""The distribution by itself: built, installed into an environment of its own, without extras and with each."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import telemetry
from tests.conftest import clean_environment

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
ALSO = {"psycopg": ("psycopg-binary",)}
"""What an extra leaves to the machine: libpq."""
INIT = "import telemetry; telemetry.init(strict=True); telemetry.shutdown(timeout=2)"


def uv(*arguments: object) -> None:
    done = subprocess.run([UV, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--no-build-isolation", f"--python={sys.executable}", f"--out-dir={folder}", ROOT)
    return folder


class Environment:
    """A virtual environment that has the wheel and no package of this project's beside it."""

    def __init__(self, built: Path, folder: Path, extra: str = "") -> None:
        (wheel,) = built.glob("*.whl")
        pins = re.findall(r"^\S+==\S+", (ROOT / "requirements" / "dev.lock").read_text(), re.MULTILINE)
        (folder / "locked.txt").write_text("\n".join(pins))
        self.python = folder / "venv" / "bin" / "python"
        self._folder = folder
        uv("venv", "--quiet", f"--python={sys.executable}", folder / "venv")
        constraint = f"--constraints={folder / 'locked.txt'}"
        uv(
            "pip",
            "install",
            "--quiet",
            f"--python={self.python}",
            constraint,
            f"{wheel}{extra and f'[{extra}]'}",
            *ALSO.get(extra, ()),
        )

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python, away from the sources."""
        environment = clean_environment() | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"} | environ
        return subprocess.run(  # noqa: S603
            [self.python, *arguments], cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="session")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(built, tmp_path_factory.mktemp("alone"))


def test_what_is_distributed_is_the_package_and_its_papers(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].removesuffix(".dist-info") for name in names} == {"telemetry", wheel.stem[:28]}
    assert {name.rpartition("/")[2] for name in names} >= {"py.typed", "LICENSE", "entry_points.txt"}
    with tarfile.open(sdist) as archive:
        papers = {name.split("/")[1] for name in archive.getnames()}
    assert papers == {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "telemetry"}


def test_its_metadata_have_the_one_version_and_the_licence(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        found = email.message_from_bytes(archive.read(name))
    assert found["Version"] == telemetry.__version__
    assert (found["License-Expression"], found["License-File"]) == ("Apache-2.0", "LICENSE")
    assert set(found.get_all("Provides-Extra") or ()) == set(EXTRAS)
    assert str(ROOT) not in str(found)


def test_without_extras_it_starts_and_ends(alone: Environment) -> None:
    done = alone.run("-c", f"{INIT}; print(telemetry.__version__)")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, telemetry.__version__, "")


def _call(code: str) -> tuple[str, ...]:
    return "-c", f"import telemetry; telemetry.{code}"


COMMAND = ("-m", "telemetry")
MISSING = {
    "FastAPI": (_call("instrument_fastapi(object())"), "instrument_fastapi", "fastapi", "fastapi"),
    "Telegram": (_call("instrument_telegram(object())"), "instrument_telegram", "python-telegram-bot", "telegram"),
    "PydanticAI": (_call("instrument_pydantic_ai()"), "instrument_pydantic_ai", "pydantic-ai-slim", "pydantic-ai"),
    "psycopg": (_call("instrument_psycopg()"), "instrument_psycopg", "psycopg", "psycopg"),
    "a pool": (_call("instrument_pool(object())"), "instrument_psycopg", "psycopg", "psycopg"),
    "httpx": (_call("instrument_httpx()"), "instrument_httpx", "httpx", "http-clients"),
    "Sentry": (("-c", INIT), "Sentry (SENTRY_DSN is set)", "sentry-sdk", "sentry"),
    "/metrics": (("-c", INIT), "OTEL_METRICS_EXPORTER=prometheus", "opentelemetry-exporter-prometheus", "prometheus"),
    "doctor": ((*COMMAND, "doctor"), "doctor", "httpx", "http-clients"),
    "trace": ((*COMMAND, "trace", "1" * 32), "trace", "httpx", "http-clients"),
    "losses": ((*COMMAND, "losses"), "losses", "httpx", "http-clients"),
}
ENVIRON = {
    "Sentry": {"SENTRY_DSN": "https://key@localhost/1"},
    "/metrics": {"OTEL_METRICS_EXPORTER": "prometheus"},
    "trace": {"TELEMETRY_JAEGER_URL": "http://127.0.0.1:9"},
    "losses": {"TELEMETRY_PROMETHEUS_URL": "http://127.0.0.1:9"},
}


@pytest.mark.parametrize("case", MISSING)
def test_without_its_extra_a_feature_names_itself_the_package_and_the_command(alone: Environment, case: str) -> None:
    arguments, feature, package, extra = MISSING[case]
    done = alone.run(*arguments, **ENVIRON.get(case, {}))
    assert done.returncode == 1
    expected = f'{feature} needs the package {package}: pip install "health-agent-telemetry[{extra}]"'
    assert done.stderr.strip().splitlines()[-1].endswith(expected)


EXTRAS = {
    "fastapi": "from fastapi import FastAPI; telemetry.instrument_fastapi(FastAPI())",
    "telegram": "from telegram.ext import Application; "
    "telemetry.instrument_telegram(Application.builder().token('1:a').build())",
    "pydantic-ai": "telemetry.instrument_pydantic_ai()",
    "psycopg": "from psycopg_pool import ConnectionPool; telemetry.instrument_pool(ConnectionPool('', open=False))",
    "http-clients": "telemetry.instrument_httpx(); telemetry.instrument_requests()",
    "sentry": "import os; os.environ['SENTRY_DSN'] = 'https://key@localhost/1'",
    "prometheus": "import os; os.environ['OTEL_METRICS_EXPORTER'] = 'prometheus'",
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_all_that_its_feature_needs(built: Path, tmp_path: Path, extra: str) -> None:
    environment = Environment(built, tmp_path, extra)
    done = environment.run("-W", "error", "-c", f"import telemetry; {EXTRAS[extra]}; {INIT}")
    assert (done.returncode, done.stderr) == (0, "")
