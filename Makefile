# Crosscurrent: 'make' alone shows what there is.
#   ARGS="..." goes to the verb:  make demo ARGS="--rate 600 --no-browser"
#   PYTHON=... chooses the interpreter; else the first fitting of python3.13, 3.12, 3.11, python3.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/crosscurrent
# grafana-client brings urllib3-future, whose wheel puts itself in the place of urllib3 for everybody: its source does not.
PIP := URLLIB3_NO_OVERRIDE=1 $(BIN)/pip install --no-binary urllib3-future --quiet --disable-pip-version-check --constraint requirements.lock
ARGS ?=
ROUNDS ?= 10
HELPERS := common servers onkafka workers latency publisher soak tsm
MINUTES ?= 60
CITY ?= cities/riverton/city.yaml

.PHONY: help demo up test servers grafana chaos soak compose check bench riverton pictures lock clean distclean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

$(BIN)/python:
	@python=$$(scripts/python.sh) && echo "making $(VENV) with $$python" && $$python -m venv $(VENV)

$(VENV)/plain.stamp: pyproject.toml requirements.lock | $(BIN)/python
	@echo "installing crosscurrent and what it needs into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml requirements.lock | $(BIN)/python
	@echo "installing crosscurrent, what it needs and the tools for tests into $(VENV)"
	@$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/plain.stamp

demo: $(VENV)/plain.stamp ## Play a day of trouble in the demo city and watch it
	@$(BIN)/crosscurrent demo $(ARGS)

up: $(VENV)/plain.stamp ## Watch a city (CITY=city.yaml) with sensors over MQTT
	@$(BIN)/crosscurrent up --city $(CITY) $(ARGS)

test: $(VENV)/dev.stamp ## Run all tests, with real servers (ARGS="-k storm" for some)
	@scripts/servers.sh
	@$(BIN)/python -m pytest $(ARGS)

servers: $(VENV)/dev.stamp ## Run the tests' mosquitto, Kafka and InfluxDB until Ctrl-C, and say where they listen
	@scripts/servers.sh
	@$(BIN)/python -m tests.servers

grafana: ## Build a Grafana for the tests, which they use where it is there (ten minutes)
	@scripts/gobuild.sh grafana

chaos: $(VENV)/dev.stamp ## Kill every part of the system again and again (ROUNDS=10)
	@scripts/servers.sh
	@CROSSCURRENT_CHAOS_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -o faulthandler_timeout=0 tests/runner/test_kill_kafka.py tests/runner/test_alert.py tests/runner/test_sink.py tests/runner/test_feed.py $(ARGS)

soak: $(VENV)/dev.stamp ## Run on Kafka at 5,000 readings a second for an hour (MINUTES=60), and tell what grew
	@scripts/servers.sh
	@PYTHONPATH=. $(BIN)/python benchmarks/soak.py --json --minutes $(MINUTES) $(ARGS)

compose: ## Make the passwords that are missing, and start everything in containers (docs/compose.md)
	@scripts/secrets.sh
	@docker compose up --detach --build

check: $(VENV)/dev.stamp ## Format, lint, types, layers, exported schemas, boards
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted; to format: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH=. $(BIN)/lint-imports
	@$(BIN)/python -m schemas.export --check
	@$(BIN)/crosscurrent grafana build --check

bench: $(VENV)/dev.stamp ## Measure: each number beside a bare loop or a peer
	@scripts/servers.sh
	@for file in $(filter-out $(HELPERS:%=benchmarks/%.py),$(wildcard benchmarks/*.py)); do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

riverton: $(VENV)/dev.stamp ## Make the demo city's limits and recordings anew
	@$(BIN)/crosscurrent commission cities/riverton
	@for day in quiet-day:101 feeder-day:102 storm-day:103 storm-day-faults:103 demo-day:104; do \
		$(BIN)/crosscurrent simulate riverton/$${day%:*} --seed $${day#*:} --out cities/riverton || exit 1; done

pictures: $(VENV)/dev.stamp ## Take the pictures of the console and the boards for the docs
	@scripts/servers.sh
	@PYTHONPATH=. $(BIN)/python scripts/pictures.py
	@PYTHONPATH=. $(BIN)/python scripts/boards.py

lock: ## Choose and pin the versions that we test with
	@scripts/lock.sh

clean: ## Remove what builds and tests left
	@rm -rf build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Remove the virtual environment and cached servers too
	@rm -rf $(VENV) $(CACHE)
