# `make run` and `make test` are all a newcomer needs; everything else is for those who change the code.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: run test setup check unit bench chaos lock clean

run: setup              ## the whole pipeline on this machine
	$(BIN)/smartcity run

test: setup check       ## every test this machine can run
	$(BIN)/python -m pytest

setup: $(VENV)/.ready   ## .venv from the lock

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

unit: setup             ## the tests that need no service: seconds
	$(BIN)/python -m pytest tests/unit

check: setup            ## style, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: setup             ## resolve the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra local --group dev pyproject.toml --output-file requirements.lock

clean:                  ## remove what the build made, not the data
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
