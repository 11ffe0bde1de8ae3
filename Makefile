# One command each. Every target makes the environment it needs; nothing else has to be installed first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CONSTRAINTS := constraints.txt
# Real clients that the tests run: each where it holds nothing else back.
CLIENTS := tests/clients
NODE_CLIENTS := $(CLIENTS) $(CLIENTS)/ai5 $(CLIENTS)/ai6 $(CLIENTS)/ai7
# The npm package, and what its tests run against a real server.
AI_PROVIDER := adapters/calotype-ai-provider
EXAMPLE := adapters/nextjs
EXAMPLE_SOURCE := $(shell find $(EXAMPLE) \( -name node_modules -o -name '.next' -o -name '.builds' \) -prune -o -type f ! -name '*.log' ! -name '*.tsbuildinfo' ! -name next-env.d.ts -print)
SERVE ?= --demo
# Test processes, each with servers of its own; most tests wait more than they work. A file stays in one.
TEST_PROCESSES ?= 2

export PIP_CONSTRAINT := $(abspath $(CONSTRAINTS))
# Two threads on two busy cores are slower than one.
test bench: export OMP_NUM_THREADS := 1

.PHONY: serve example environments test check check-python check-typescript fix bench clean

serve: $(VENV)/installed
	$(BIN)/calotype serve $(SERVE)

# The Next.js app, on http://127.0.0.1:3000, over the server that CALOTYPE_BASE_URL names or `make serve` started.
example: $(EXAMPLE)/.next/BUILD_ID
	cd $(EXAMPLE) && npm run --silent start -- --hostname 127.0.0.1

# All that the tests need. Each waits for a registry most of the time: `make --jobs 4 environments`.
environments: $(VENV)/installed-dev $(NODE_CLIENTS:=/node_modules/installed) $(CLIENTS)/litellm/installed \
		$(AI_PROVIDER)/dist/index.js $(AI_PROVIDER)/integration/node_modules/installed \
		$(CLIENTS)/nextjs/node_modules/installed $(EXAMPLE)/.next/BUILD_ID

test: environments
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --durations 20 $(TESTS)

check: check-python check-typescript

check-python: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The example's types are in part what its build writes.
check-typescript: $(AI_PROVIDER)/dist/index.js $(AI_PROVIDER)/integration/node_modules/installed $(EXAMPLE)/.next/BUILD_ID
	cd $(AI_PROVIDER) && npm run --silent type-check
	cd $(EXAMPLE) && npm run --silent type-check

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

$(NODE_CLIENTS:=/node_modules/installed): %/node_modules/installed: %/package.json
	cd $* && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

$(AI_PROVIDER)/node_modules/installed $(AI_PROVIDER)/integration/node_modules/installed: %/node_modules/installed: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(AI_PROVIDER)/dist/index.js: $(AI_PROVIDER)/node_modules/installed \
		$(wildcard $(AI_PROVIDER)/src/*.ts $(AI_PROVIDER)/src/next/*.ts $(AI_PROVIDER)/tsconfig*.json)
	cd $(AI_PROVIDER) && npm run --silent build

# These hold a copy of the package, which npm would keep.
$(CLIENTS)/nextjs/node_modules/installed: $(CLIENTS)/nextjs/package.json $(AI_PROVIDER)/dist/index.js
	cd $(CLIENTS)/nextjs && rm -rf node_modules && npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

$(EXAMPLE)/node_modules/installed: $(EXAMPLE)/package-lock.json $(AI_PROVIDER)/dist/index.js
	cd $(EXAMPLE) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(EXAMPLE)/.next/BUILD_ID: $(EXAMPLE)/node_modules/installed $(EXAMPLE_SOURCE)
	cd $(EXAMPLE) && NEXT_TELEMETRY_DISABLED=1 npm run --silent build
	@touch $@

$(CLIENTS)/litellm/installed: $(CLIENTS)/litellm-requirements.txt
	$(PYTHON) -m venv $(CLIENTS)/litellm
	PIP_CONSTRAINT= $(CLIENTS)/litellm/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

clean:
	rm -rf $(AI_PROVIDER)/node_modules $(AI_PROVIDER)/integration/node_modules $(AI_PROVIDER)/dist
	rm -rf $(EXAMPLE)/node_modules $(EXAMPLE)/.next $(EXAMPLE)/.builds $(CLIENTS)/nextjs/node_modules $(CLIENTS)/nextjs/.builds
	rm -rf $(VENV) $(NODE_CLIENTS:=/node_modules) $(CLIENTS)/litellm .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
