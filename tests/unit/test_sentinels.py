"""What is planted is found in whatever form it leaves, and what is not there is not found."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

import telemetry
from telemetry._privacy import Privacy
from telemetry.sentinels import Sentinels, secrets_of
from telemetry.testing import Capture
from tests.conftest import clean_environment

DOCUMENT = Path(__file__).parents[2] / "docs" / "privacy.md"
FORMS = {
    "as it is": str.encode,
    "in capitals": lambda text: text.upper().encode(),
    "in the middle": lambda text: b"\x00\xff" + text.encode() + b"}",
    "hex": lambda text: text.encode().hex().encode(),
    "percent-encoded": lambda text: quote(text, safe="").encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 after one byte": lambda text: base64.b64encode(b"a" + text.encode() + b"bc"),
    "base64 after two bytes": lambda text: base64.b64encode(b"ab" + text.encode() + b"c"),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("text", ["", "12345678:a/b+c d=e"], ids=["planted", "watched"])
def test_a_string_is_found(form: object, text: str) -> None:
    sentinels = Sentinels()
    planted = sentinels.plant("the name")
    sentinels.watch("the key", text)
    assert sentinels.found_in(form(text or planted)) == ["the key" if text else "the name"]  # type: ignore[operator]


def test_what_is_not_there_is_not_found() -> None:
    sentinels = Sentinels()
    sentinels.plant("the name")
    assert sentinels.found_in(Sentinels().plant("the name").encode()) == []


def test_a_string_of_the_run_that_another_process_has_planted_is_found() -> None:
    sentinels = Sentinels()
    assert sentinels.found_in(f"{sentinels.prefix}phone".encode()) == ["another one"]


def test_secrets_of_an_environment_are_known_by_their_names() -> None:
    environ = {
        "OPENAI_API_KEY": "sk-abcdefgh", "DATABASE_URL": "postgresql://a:hunter2secret@h/d", "HOME": "/home/anna",
        "EMPTY_TOKEN": "", "SHORT_KEY": "abc", "SENTRY_DSN": "https://abcdefghijk@h/1", "KEY_FILE": "/run/secrets/key",
    }  # fmt: skip
    assert secrets_of(environ, but={"SENTRY_DSN"}) == {"OPENAI_API_KEY": "sk-abcdefgh", "DATABASE_URL": "hunter2secret"}


def test_the_fixture_tells_where_it_leaves(telemetry_privacy: Privacy) -> None:
    name = telemetry_privacy.plant("the name")
    with telemetry.get_tracer().start_as_current_span("turn", attributes={"note": name}):
        telemetry.record_error(ValueError(name))
    assert telemetry_privacy.leaks() == []
    with Capture() as leaking:
        telemetry.get_tracer().start_span(f"turn of {name}").end()
        telemetry.set_tag("owner", name)
        telemetry.record_error(ValueError())
    telemetry_privacy.capture = leaking
    assert telemetry_privacy.leaks() == ["the name in span 1 of 2", "the name in error 1"]
    telemetry_privacy.capture = Capture()


PROGRAM = """
import os, sys, telemetry
telemetry.init()
text = os.environ["TELEMETRY_SENTINEL"] + "name"
with telemetry.get_tracer().start_as_current_span("turn" + sys.argv[1].format(text), attributes={"note": text}):
    telemetry.record_error(ValueError(text))
telemetry.shutdown()
"""


def check(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "telemetry", "privacy-check", *command],
        env=clean_environment() | environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_command_finds_nothing_in_a_program_that_leaks_nothing() -> None:
    done = check("--", sys.executable, "-c", PROGRAM, "", SHOP_API_KEY="abcdefghijk")
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (0, "the command ended with status 0"), done.stdout + done.stderr
    assert lines[1] == "looked for: strings that begin with $TELEMETRY_SENTINEL, $SHOP_API_KEY"
    assert [line.split()[0] for line in lines[2:] if line.endswith("bytes   nothing")] == ["spans", "metrics", "errors"]


@pytest.mark.parametrize(
    ("form", "found"), [("{}", "another one"), (" of abcdefghijk", "$SHOP_API_KEY")], ids=["planted", "a key"]
)
def test_the_command_finds_what_a_program_leaks(form: str, found: str) -> None:
    done = check("--", sys.executable, "-c", PROGRAM, form, SHOP_API_KEY="abcdefghijk")
    (spans,) = [line for line in done.stdout.splitlines() if line.startswith("spans")]
    assert (done.returncode, spans.partition("FOUND: ")[2]) == (1, found)


WITHOUT = {
    "no telemetry": (("--", sys.executable, "-c", ""), "no telemetry came"),
    "no program": (("--", "no-such-program"), "no-such-program does not run: No such file or directory"),
    "no command": ((), "privacy-check needs a command"),
}


@pytest.mark.parametrize(("command", "said"), WITHOUT.values(), ids=WITHOUT.keys())
def test_a_check_of_nothing_fails(command: tuple[str, ...], said: str) -> None:
    done = check(*command)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


CODE = {
    "as it stands in the document": ('"free"', "1 passed"),
    "with a leak": ("text", "the message in span 1 of 1"),
}


@pytest.mark.parametrize(("tag", "said"), CODE.values(), ids=CODE)
def test_the_documents_test_looks_for_leaks(tmp_path: Path, tag: str, said: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert '"free"' in code
    (tmp_path / "test_app.py").write_text(code.replace('"free"', tag))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603
    assert said in done.stdout, done.stdout + done.stderr
