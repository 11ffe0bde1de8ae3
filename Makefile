# One command each. Every target makes the environment it needs; nothing else has to be installed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CONSTRAINTS := constraints.txt
# Real clients that the tests run: each where it holds nothing else back.
CLIENTS := tests/clients
SERVE ?= --demo

export PIP_CONSTRAINT := $(abspath $(CONSTRAINTS))
# Two threads on two busy cores are slower than one.
test bench: export OMP_NUM_THREADS := 1

.PHONY: serve test check fix bench clean

serve: $(VENV)/installed
	$(BIN)/calotype serve $(SERVE)

test: $(VENV)/installed-dev $(CLIENTS)/node_modules/installed $(CLIENTS)/litellm/installed
	$(BIN)/python -m pytest $(TESTS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	@echo "Installing Calotype into $(VENV): about a minute the first time."
	$(PIP) install --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) install --editable ".[test,check,bench]"
	@touch $@

$(CLIENTS)/node_modules/installed: $(CLIENTS)/package.json
	cd $(CLIENTS) && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

$(CLIENTS)/litellm/installed: $(CLIENTS)/litellm-requirements.txt
	$(PYTHON) -m venv $(CLIENTS)/litellm
	PIP_CONSTRAINT= $(CLIENTS)/litellm/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(CLIENTS)/node_modules $(CLIENTS)/litellm .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
