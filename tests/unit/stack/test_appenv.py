"""`exec` gives the files' values, the process's own first, and tells which came from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import appenv, settings


def test_a_value_is_told_with_the_file_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SENTRY_RELEASE=1\nENABLE_METRICS=false\n")
    (tmp_path / ".stack").mkdir()
    (tmp_path / ".stack" / "app.env").write_text("SENTRY_DSN=x\nSENTRY_RELEASE=2\nENABLE_METRICS=true\n")
    monkeypatch.setenv("ENABLE_METRICS", "true")
    monkeypatch.delenv("STACK_DATA_DIR", raising=False)
    monkeypatch.delenv("SENTRY_RELEASE", raising=False)
    found = appenv.application_environment(settings.load(root=tmp_path))
    assert (found["SENTRY_RELEASE"], found["SENTRY_DSN"], found["ENABLE_METRICS"]) == ("1", "x", "true")
    assert found["TELEMETRY_ORIGINS"] == ".env=SENTRY_RELEASE;.stack/app.env=SENTRY_DSN"
