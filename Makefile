# One command from a fresh clone: `make run` or `make test`. Everything lives in .venv.
PYTHON ?= python3
BIN := .venv/bin
# The lock holds every version; each target installs the packages it needs and no others.
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock
# Two files of tests at a time: each process imports torch and needs about 1.5 GB.
ABREAST := --numprocesses 2 --dist loadfile
export DO_NOT_TRACK := 1
export PYTHONUNBUFFERED := 1
# A process that has to compile torch and MONAI anew takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install install-dev install-vendor install-tracking install-notebook \
	run viz notebook test test-slow lint lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint requirements.lock uv

.venv/run.stamp: $(BIN)/uv pyproject.toml requirements.lock
	$(INSTALL) --editable .
	touch $@

.venv/dev.stamp: .venv/run.stamp
	$(INSTALL) --editable '.[dev]'
	touch $@

.venv/vendor.stamp: .venv/run.stamp
	$(INSTALL) --editable '.[vendor]'
	touch $@

.venv/tracking.stamp: .venv/run.stamp
	$(INSTALL) --editable '.[tracking]'
	touch $@

.venv/notebook.stamp: .venv/run.stamp
	$(INSTALL) --editable '.[notebook]'
	touch $@

install: .venv/run.stamp ## Create .venv and install what a run needs
install-dev: .venv/dev.stamp ## Also what development and tests need
install-vendor: .venv/vendor.stamp ## Also readers of scanners' own files
install-tracking: .venv/tracking.stamp ## Also TensorBoard and MLflow, for training_3d.tracking
install-notebook: .venv/notebook.stamp ## Also Jupyter

run: install ## Install, then the whole mission on the phantom
	$(BIN)/kedro run

viz: install ## The pipelines as a graph in the browser
	$(BIN)/kedro viz run

notebook: install-notebook ## Jupyter with the catalog loaded
	$(BIN)/kedro jupyter lab

lint: install-dev ## Format, lint, types, import rules, pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_pages.py
	$(BIN)/python tools/draw_architecture.py --check
	$(BIN)/python tools/list_faults.py --check

test: lint ## Install, lint and run the tests (minutes)
	$(BIN)/pytest $(ABREAST)

test-slow: install-dev ## The long tests as well
	$(BIN)/pytest $(ABREAST) -m ''

lock: $(BIN)/uv ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--fork-strategy fewest --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock

clean: ## Remove the environment and caches (data stay)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
