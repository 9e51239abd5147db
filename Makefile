# Consentgate. `make help` lists what there is; each target creates the environment it needs.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
ORACLES := build/oracles
MUTMUT := build/mutation/mutmut
BIN := $(VENV)/bin
PACKAGES := paillier ledger ledger_service consentgate gateway department_adapter bank_client company_client dev
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
ROWS ?= 200
TEST_PROCESSES ?= 2
.DEFAULT_GOAL := help

.PHONY: help setup demo up down test e2e mutation lint format protos real-data bench clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# The build back end is pinned like everything else: installed first, then used without isolation.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Consentgate needs Python 3.11 or newer; say for example: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make virtual environments here (on Debian: apt install python3-venv)." >&2; exit 1; }

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages of pyproject.toml as pinned in constraints.txt"
	@$(INSTALL) setuptools
	@$(INSTALL) --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages of pyproject.toml, with those for development, as pinned in constraints.txt"
	@$(INSTALL) setuptools
	@$(INSTALL) --no-build-isolation -e '.[dev]'
	@touch $@ $(STAMP)

setup: $(DEV_STAMP) ## Create .venv with everything for development

demo: $(STAMP) ## Run the main job end to end: consent, request, encrypted score, denials
	$(BIN)/python -m dev.demo

up: $(STAMP) ## Start the demo topology and leave it running (build/up/topology.json)
	$(BIN)/python -m dev.up start

down: $(STAMP) ## Stop the topology that `make up` started
	$(BIN)/python -m dev.up stop

test: $(DEV_STAMP) ## Run all tests that need no long-running processes
	$(BIN)/python -m pytest -m 'not e2e and not oracles' -n $(TEST_PROCESSES)

e2e: $(DEV_STAMP) $(ORACLES)/.installed ## Run the tests that start and kill real processes, or ask other people's verifiers
	CONSENTGATE_ORACLES=required $(BIN)/python -m pytest -m 'e2e or oracles'

$(ORACLES)/.installed: tests/conformance/oracles/package.json tests/conformance/oracles/package-lock.json
	@command -v npm >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq nodejs npm >/dev/null; } \
		|| { echo "The end-to-end tests need Node 20 or newer with npm (on Debian: apt install nodejs npm)." >&2; exit 1; }
	@echo "Installing the verifiers of tests/conformance/oracles"
	@mkdir -p $(ORACLES) && cp $^ $(ORACLES)/
	@cd $(ORACLES) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(MUTMUT)/.installed: | $(DEV_STAMP)
	@echo "Installing mutmut in $(MUTMUT)"
	@$(INSTALL) --target $(MUTMUT) mutmut==3.8.1
	@touch $@

mutation: $(DEV_STAMP) $(MUTMUT)/.installed ## Change paillier/ in 200 places, one at a time, and see what no test notices
	PYTHONPATH=$(CURDIR)/$(MUTMUT) $(BIN)/python -m tests.mutation.paillier

lint: $(DEV_STAMP) ## ruff, mypy --strict, import contracts, generated stubs, buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m dev.check_stubs
	$(BIN)/python -m dev.lint_protos

$(PEERS)/.installed: benchmarks/peers.txt
	@echo "Installing the peers of the benchmarks in an environment of their own"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

bench: $(DEV_STAMP) $(PEERS)/.installed ## Measure Paillier engine and ledger against their peers; writes benchmarks/results/
	$(BIN)/python -m benchmarks paillier --save
	$(BIN)/python -m benchmarks ledger --save

format: $(DEV_STAMP) ## Format the code
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

protos: $(DEV_STAMP) ## Regenerate consentgate/v1 from protos/
	$(BIN)/python -m dev.generate_stubs

real-data: $(DEV_STAMP) ## Score real companies through the running system: make real-data DATA=file.arff ROWS=200
	@test -n "$(DATA)" || { echo "Say which file: make real-data DATA=path/to/companies.arff [ROWS=200]" >&2; exit 2; }
	$(BIN)/python -m dev.real_data "$(DATA)" --rows $(ROWS)

clean: ## Stop what `make up` started and remove build products (keeps .venv)
	@if [ -d build/up ] && [ -x $(BIN)/python ]; then $(BIN)/python -m dev.up stop; fi
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
