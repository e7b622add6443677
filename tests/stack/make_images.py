"""Make stand-ins for the images of compose.yaml from the native parts, under the official names and tags.

For a machine with a Docker engine that can pull nothing: `python -m tests.stack.make_images`. Each holds the program
the official image holds, with its entry point, user and folders as far as compose.yaml relies on them; a shell and
wget only where the official one has them. Needs root, apt-get and debootstrap, and the
Debian release that the images get (bookworm). Grafana and Tempo are in no
registry reached there, so they have no stand-in. PostgreSQL is Debian's, an older version than the tag says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stack import build, settings
from stack.build.recipes import COLLECTOR_VERSION, JAEGER_VERSION, PROMETHEUS_VERSION
from stack.build.venv import locked_version
from stack.parts import POSTGRES_VERSION

_POSTGRES_START = """#!/bin/sh
# As the official entry point does: the first start makes the cluster, the user and the database.
set -eu
PGDATA=/var/lib/postgresql/18/docker
bin=$(echo /usr/lib/postgresql/*/bin)
mkdir -p "$PGDATA" /var/run/postgresql
chown -R postgres: /var/lib/postgresql /var/run/postgresql
as() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  echo "$POSTGRES_PASSWORD" > /tmp/password && chown postgres: /tmp/password
  as "$bin/initdb" --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 -D "$PGDATA"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | as "$bin/postgres" --single -D "$PGDATA" postgres
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$bin/postgres" -D "$PGDATA" -c listen_addresses='*'
"""
_BUGSINK_START = """#!/bin/sh
set -eu
bugsink-manage migrate
bugsink-manage migrate --database=snappea
bugsink-manage prestart
bugsink-runsnappea &
exec gunicorn --bind="0.0.0.0:$PORT" --workers=1 --access-logfile - bugsink.wsgi
"""


def main() -> int:
    """Make all images; the exit code."""
    found = settings.load()
    binaries = build.binaries(found)
    with tempfile.TemporaryDirectory() as folder:
        _go_images(Path(folder), binaries)
        if "--go-only" not in sys.argv:
            _debian_images(Path(folder) / "debian", locked_version(found, "bugsink", "bugsink"))
    return 0


def _go_images(folder: Path, binaries: dict[str, Path]) -> None:
    contrib = _root(folder / "otelcol")
    shutil.copy(binaries["otelcol"], contrib / "otelcol-contrib")
    _import(
        contrib,
        f"otel/opentelemetry-collector-contrib:{COLLECTOR_VERSION}",
        'ENTRYPOINT ["/otelcol-contrib"]',
        "USER 10001:10001",
    )
    prometheus = _with_busybox(_root(folder / "prometheus"))
    shutil.copy(binaries["prometheus"], prometheus / "bin" / "prometheus")
    (prometheus / "prometheus").mkdir()
    os.chown(prometheus / "prometheus", 65534, 65534)
    _import(
        prometheus,
        f"prom/prometheus:v{PROMETHEUS_VERSION}",
        'ENTRYPOINT ["/bin/prometheus"]',
        "USER 65534",
        "VOLUME /prometheus",
        "WORKDIR /prometheus",
    )
    jaeger = _with_busybox(_root(folder / "jaeger"))
    (jaeger / "cmd" / "jaeger").mkdir(parents=True)
    shutil.copy(binaries["jaeger"], jaeger / "cmd" / "jaeger" / "jaeger-linux")
    _import(
        jaeger,
        f"jaegertracing/jaeger:{JAEGER_VERSION}",
        'ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]',
        "USER 10001",
    )


def _root(folder: Path) -> Path:
    (folder / "etc").mkdir(parents=True)
    (folder / "tmp").mkdir()
    (folder / "tmp").chmod(0o1777)
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:\n", encoding="utf-8")
    return folder


def _with_busybox(root: Path) -> Path:
    (root / "bin").mkdir()
    busybox = shutil.copy(_dynamic_busybox(root / "tmp"), root / "bin" / "busybox")
    for library in ("ld-linux-x86-64.so.2", "libc.so.6", "libresolv.so.2"):
        target = root / "lib" / "x86_64-linux-gnu" / library
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path("/lib/x86_64-linux-gnu") / library, target)
    (root / "lib64").symlink_to("lib/x86_64-linux-gnu")
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in listed.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    return root


def _dynamic_busybox(folder: Path) -> Path:
    """Debian's busybox that is linked dynamically: wget of the static one crashes where no name service is."""
    subprocess.run(["apt-get", "download", "--quiet=2", "busybox"], cwd=folder, check=True)
    (package,) = folder.glob("busybox_*.deb")
    subprocess.run(["dpkg-deb", "--extract", package, folder / "busybox"], check=True)
    return folder / "busybox" / "bin" / "busybox"


def _debian_images(root: Path, bugsink_version: str) -> None:
    subprocess.run(["debootstrap", "--variant=minbase", "--include=python3,postgresql", "bookworm", root], check=True)
    _script(root / "usr/local/bin/docker-entrypoint.sh", _POSTGRES_START)
    for program in root.glob("usr/lib/postgresql/*/bin/pg_isready"):
        (root / "usr/local/bin/pg_isready").symlink_to(Path("/") / program.relative_to(root))
    _import(root, f"postgres:{POSTGRES_VERSION}", 'ENTRYPOINT ["docker-entrypoint.sh"]', "VOLUME /var/lib/postgresql")
    _install_bugsink(root)
    _import(
        root,
        f"bugsink/bugsink:{bugsink_version}",
        "WORKDIR /app",
        "ENV PORT=8000",
        "ENV PYTHONPATH=/app:/opt/bugsink",
        "ENV PYTHONUNBUFFERED=1",
        "ENV DJANGO_SETTINGS_MODULE=bugsink_conf",
        'CMD ["/app/start.sh"]',
        "USER 14237:14237",
    )


def _install_bugsink(root: Path) -> None:
    packages, app, data = root / "opt/bugsink", root / "app", root / "data"
    lock = settings.ROOT / "requirements" / "bugsink.lock"
    uv = Path(sys.executable).with_name("uv")
    python = "3.11"  # Debian bookworm's
    command: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--python-version",
        python,
        "--target",
        packages,
        "-r",
        lock,
    ]
    subprocess.run(command, check=True)
    for program in ("bugsink-manage", "bugsink-runsnappea", "gunicorn"):
        text = (packages / "bin" / program).read_text(encoding="utf-8")
        _script(root / "usr/local/bin" / program, "#!/usr/bin/python3\n" + text.partition("\n")[2])
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    app.mkdir()
    _script(app / "start.sh", _BUGSINK_START)
    template = packages / "bugsink" / "conf_templates" / "docker.py.template"
    shutil.copy(template, app / "bugsink_conf.py")
    data.mkdir()
    os.chown(data, 14237, 14237)


def _script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _import(root: Path, name: str, *changes: str) -> None:
    command = ["docker", "import", *(f"--change={change}" for change in changes), "-", name]
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(command, stdin=tar.stdout, stdout=subprocess.DEVNULL, check=True)
    sys.stderr.write(f"made {name}\n")


if __name__ == "__main__":
    sys.exit(main())
