# `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help install up down status logs access versions audit clean build demo doctor losses trace faults capacity gateway alert-test dashboards panels backtest load test test-unit check bench support catalog snapshot format lock

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/.installed: requirements/bootstrap.lock requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ...")'
	@echo "Installing the Python packages into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes -r requirements/dev.lock
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

install: $(VENV)/.installed  ## the Python packages, into .venv

up: install  ## start the stack, wait until all of it answers; STACK=docker|native
	@$(PY) -m stack up

down: install  ## stop it; data stays
	@$(PY) -m stack down

status: install  ## what runs where, which alerts fire, and whether they are delivered
	@$(PY) -m stack status

logs: install  ## the parts' logs; PART=collector for one
	@$(PY) -m stack logs $(PART)

access: install  ## what listens, who may connect, what it asks for
	@$(PY) -m stack access

versions: install  ## what runs, in which version, and what holds it to that
	@$(PY) -m stack versions

audit: install  ## known vulnerabilities of what is locked; needs PyPI's own address
	@for name in bootstrap bugsink demo dev go load; do $(VENV)/bin/uv tool run --quiet pip-audit==2.10.1 --strict --disable-pip --require-hashes --progress-spinner off -r requirements/$$name.lock; done

build: install  ## build the native parts now, into the user's cache
	@$(PY) -m stack build

clean: install  ## stop it and delete its data
	@$(PY) -m stack clean

demo: up  ## the stack and a minute of real traffic through the health agent
	@$(PY) -m examples.health_agent demo

doctor: install  ## send a span, a metric and an error through and find each again
	@$(PY) -m stack exec $(PY) -m telemetry doctor

losses: install  ## what became of spans, metrics and errors, hop by hop
	@$(PY) -m stack exec $(PY) -m telemetry losses

trace: install  ## a trace as a tree, by its id or an error's: make trace ID=...
	@$(PY) -m stack exec $(PY) -m telemetry trace "$(or $(ID),$(error Which? make trace ID=4bf92f3577b34da6a3ce929d0e0e4736))" $(ARGS)

faults: install  ## break each part while every item is counted: 1 h 45 min
	@$(PY) -m bench.faults --seconds 60
	@$(PY) -m bench.faults --seconds 1800 --only "both stores away"
	@$(PY) -m bench.faults --seconds 600 --seeds 1 2 3

load: up  ## 100 API users and a busy bot, then a report; USERS=100 SECONDS=60
	@$(PY) -m stack exec $(PY) -m bench.load --users $(or $(USERS),100) --seconds $(or $(SECONDS),60) $(ARGS)

capacity: install  ## how many spans and values one Collector takes
	@$(PY) -m bench.faults.capacity

gateway: install  ## agents and gateways, one added and one killed: 10 min
	@$(PY) -m bench.gateway
	@$(PY) -m bench.gateway --steady 300

alert-test: install  ## send a test alert through every channel of alerts
	@$(PY) -m stack alert-test

dashboards: install  ## write dashboards, recording rules and alerts from grafana/source
	@$(PY) -m grafana.source write

panels: install  ## ask the running stack each query of each dashboard
	@$(PY) -m stack exec $(PY) -m grafana.source check

backtest: install  ## the alerts over simulated weeks; writes docs/backtest.md
	@nice $(PY) -m bench.backtest --write

test: install  ## everything: unit, integration, the whole pipeline
	@$(PY) -m pytest

test-unit: install  ## the tests that need no server, in seconds
	@$(PY) -m pytest tests/unit

check: install  ## ruff, strict types, generated files and configurations
	@$(VENV)/bin/ruff check --quiet
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy
	@$(PY) -m telemetry settings --markdown | diff docs/settings.md - || { echo "docs/settings.md is out of date: make catalog"; exit 1; }
	@$(PY) -m stack check

bench: up  ## what we cost beside other libraries; writes docs/performance.md
	@$(PY) -m stack exec $(PY) -m bench.overhead --write

support: install  ## test on lowest and newest versions, 15 min; writes docs/support.md
	@nice $(PY) -m bench.support

snapshot: install  ## write down anew all that the demo emits, by name
	@WRITE_SNAPSHOT=1 $(PY) -m pytest -q tests/stack/test_emitted.py tests/stack/test_collector_config.py

catalog: install  ## write the generated documents anew
	@$(PY) -m telemetry settings --markdown > docs/settings.md
	@$(PY) -m stack redaction
	@$(PY) -m grafana.source write

format: install  ## let ruff format and mend what it can
	@$(VENV)/bin/ruff format --quiet
	@$(VENV)/bin/ruff check --fix --quiet

lock: install  ## lock the newest dependencies, with hashes
	@$(COMPILE) --upgrade pyproject.toml --group dev --all-extras -o requirements/dev.lock
	@$(COMPILE) --no-annotate --constraints requirements/dev.lock pyproject.toml --group demo --all-extras -o requirements/demo.lock
	@for name in bootstrap bugsink go load peers; do $(COMPILE) --upgrade --no-annotate requirements/$$name.in -o requirements/$$name.lock; done
