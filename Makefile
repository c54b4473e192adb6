# `make test` and `make demo` each build .venv when it is missing or out of date, then run.
# Another interpreter: make test PYTHON=python3.12
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: test demo lint format bench bench-gpu clean
.NOTPARALLEL:

test: lint
	$(BIN)/pytest

demo: .venv/.installed-demo
	$(BIN)/attractor demo

# PEERS='--peer et-jax=PATH --python et-jax=PYTHON ...' sets published codes beside ours.
bench: .venv/.installed-demo
	$(BIN)/attractor bench $(PEERS)

bench-gpu: .venv/.installed-demo
	$(BIN)/attractor bench --device cuda --output results/gpu $(PEERS)

lint: .venv/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# torch goes first and alone, so that the pin decides which build of it everything else is resolved against;
# the stamp is touched last, so an interrupted install is taken up again.
.venv/.installed-%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[$*]'
	touch $@
