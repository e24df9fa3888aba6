# Every target sets up what it needs in .venv. Paths are relative, so the folder may have any name.

PYTHON ?= python3
BIN := .venv/bin
ENVIRONMENT := "$(PYTHON)" -B tools/environment.py

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help tour test lint bench docs peers venv python clean
.NOTPARALLEL:

help:
	@echo "make tour    run every recipe pair that can run here, ending in a table"
	@echo "make test    lint, types and the whole test matrix"
	@echo "make lint    ruff and mypy"
	@echo "make bench   measure every mechanism beside raw Python and other libraries"
	@echo "make docs    build the documentation into docs/_build/html"
	@echo "make peers   list the foreign peers that are missing and install them"
	@echo "make venv    only set up .venv (PYTHON=... chooses the interpreter)"
	@echo "make clean   remove what the others made"

tour: venv
	@$(BIN)/ipckit tour

test: venv peers lint
	@"$(PYTHON)" -B tools/matrix.py

lint: venv
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: python
	@$(ENVIRONMENT) .venv test bench
	@$(BIN)/ipckit bench --peers --json docs/_static/bench.json --plot docs/_static/bench.png

docs: python
	@$(ENVIRONMENT) .venv test docs
	@$(BIN)/sphinx-build -W -q -b html docs docs/_build/html

peers: python
	@"$(PYTHON)" -B tools/peers.py

venv: python
	@$(ENVIRONMENT) .venv test

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "ipckit needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1)." >&2; \
		echo "Name another one: make PYTHON=/path/to/python3.11 ..." >&2; \
		exit 1; }

clean:
	rm -rf .venv .venv-* build dist docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	rm -rf src/ipckit.egg-info
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
