# Everything runs from a virtual environment that the lock file fills. Needs python3 (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
BENCH_STAMP := .venv/.installed-bench

.DEFAULT_GOAL := help
.PHONY: help setup demo test check audit bench lock clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

setup: $(STAMP)  ## create .venv from the lock file

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "MicroMart needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup  ## boot the platform, play a customer and the staff (ARGS=--exit stops afterwards)
	@$(BIN)/micromart demo $(ARGS)

test: setup  ## run every test against real servers (ARGS="-k name" narrows)
	$(BIN)/python -m pytest $(ARGS)

check: setup  ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup  ## ask PyPI for known vulnerabilities of everything locked; what it cannot tell of fails
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements-bench.lock $(ARGS)

bench: $(BENCH_STAMP)  ## measure against the bare workflow; prints a table, writes bench.json
	@$(BIN)/micromart bench $(ARGS)

# What the gateway is measured beside; nothing else needs it.
$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

lock:  ## resolve the dependencies anew into the lock files
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml -o requirements.lock
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --constraint requirements.lock --extra dev pyproject.toml -o requirements-dev.lock
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --constraint requirements-dev.lock --extra bench pyproject.toml -o requirements-bench.lock
	rm -rf .venv-lock

clean:  ## remove the environment and caches (the data folder stays)
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
