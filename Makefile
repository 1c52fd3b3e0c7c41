# `make run` and `make test` are all a newcomer needs; everything else is for those who change the code.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test setup check docs unit bench chaos soak lock clean

run: setup              ## the whole pipeline on this machine
	$(BIN)/smartcity run

test: check             ## every test this machine can run
	$(BIN)/python -m pytest tests/unit tests/integration tests/chaos

setup: $(VENV)/.ready   ## .venv from the lock

$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement requirements-dev.lock
	touch $@

.PHONY: setup-dev
setup-dev: $(VENV)/.ready-dev   ## and what tests and checks need

unit: setup-dev         ## the tests that need no service: seconds
	$(BIN)/python -m pytest tests/unit

check: setup-dev        ## style, types, architecture, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typer smartcity.cli.app utils docs --name smartcity | diff docs/cli.md - || (echo "docs/cli.md is old: make docs"; false)

docs: setup-dev         ## generate the command-line reference
	$(BIN)/typer smartcity.cli.app utils docs --name smartcity > docs/cli.md

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11

lock: setup             ## resolve the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) --group dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

bench: setup-dev        ## every benchmark, each a ratio to a named reference in the same run
	for file in bench/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:                  ## remove what the build made, not the data
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

chaos: setup-dev        ## more than fifty kills of real processes: about ten minutes on two quiet cores
	SMARTCITY_CHAOS=long $(BIN)/python -m pytest tests/chaos --durations=10

MINUTES ?= 10
soak: setup-dev         ## stream for MINUTES with a running check
	$(BIN)/python -m tests.chaos.soak --minutes $(MINUTES)
