# Every command that a developer needs. `make demo` and `make test` work on a machine that has
# nothing but Python 3.11 or newer.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
export OMP_WAIT_POLICY = PASSIVE

.PHONY: help demo test test-fast setup format lint types contracts bench bench-balance road bounded shuffle soak fuzz package check clean
.DEFAULT_GOAL := help

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.installed  ## install into .venv and run the demo (about 5 minutes)
	$(BIN)/paretorank demo

setup: $(VENV)/.developer  ## install into .venv with everything that tests need

test: $(VENV)/.developer  ## all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q

test-fast: $(VENV)/.developer  ## tests that take less than ten seconds each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q -m "not slow"

format: $(VENV)/.developer  ## lay out the code
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix --quiet src tests benchmarks

lint: $(VENV)/.developer  ## layout, rules
	$(BIN)/ruff format --check --quiet src tests benchmarks
	$(BIN)/ruff check --quiet src tests benchmarks

types: $(VENV)/.developer  ## static types
	$(BIN)/mypy

contracts: $(VENV)/.developer  ## which package may import which
	$(BIN)/lint-imports

bench: $(VENV)/.developer  ## our training steps against the peers' (installs them; takes long)
	$(BIN)/python benchmarks/speed.py --environments build/bench

bench-balance: $(VENV)/.developer  ## what balancers cost in a step, against the plain sum (takes long)
	$(BIN)/python benchmarks/balance.py --folder build/bench

road: $(VENV)/.developer  ## from Parquet to test AUC, against the peers (takes long)
	$(BIN)/python benchmarks/road.py --environments build/bench

bounded: $(VENV)/.developer  ## memory of ingest and training on 5 and 20 million rows (6 GB of disk)
	$(BIN)/python benchmarks/bounded.py --folder build/bounded

shuffle: $(VENV)/.developer  ## windows of blocks against a permutation of all rows
	$(BIN)/python benchmarks/shuffle.py --folder build/shuffle

soak: $(VENV)/.developer  ## kill ingests and trainings at random moments (takes long)
	$(BIN)/python benchmarks/soak.py --kills 50

fuzz: $(VENV)/.developer  ## 5,000 damaged configurations and 500 damaged files
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/fuzz.py

package: $(VENV)/.developer  ## build the wheel and try it in an empty environment
	rm -rf dist build/wheel-env
	$(BIN)/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv build/wheel-env
	build/wheel-env/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	build/wheel-env/bin/paretorank --help > /dev/null
	cd build && wheel-env/bin/paretorank demo --quick

check: lint types contracts test package  ## everything CI does, in its order

clean:  ## remove what the commands above have made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.developer: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@ $(VENV)/.installed
