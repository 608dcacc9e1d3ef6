# `make` says what there is. Each target sets up what it needs: a Python 3.11 to 3.13 is enough.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format model samples docs site notebooks benchmark bench lock clean
SHELL := /bin/sh
export PYTHON

venv := .venv
python := $(venv)/bin/python
workers ?= 2
out ?= out

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  (PYTHON=/path/to/python3.12 chooses the interpreter, workers=N the test processes)"

$(venv)/.set-up-run: requirements/run.txt pyproject.toml scripts/set-up.sh
	@scripts/set-up.sh run
	@touch $@

$(venv)/.set-up-dev: requirements/dev.txt pyproject.toml scripts/set-up.sh
	@scripts/set-up.sh dev
	@touch $@ $(venv)/.set-up-run

demo: $(venv)/.set-up-run ## watch a simulated account being drained, and be told
	@$(python) -m drainwatch demo --live

test: $(venv)/.set-up-dev ## run the tests (a few minutes)
	@$(python) -m pytest -n $(workers) --dist worksteal -m "not slow"

test-all: $(venv)/.set-up-dev ## run the tests, the slow ones as well
	@$(python) -m pytest -n $(workers) --dist worksteal

check: $(venv)/.set-up-dev ## look at format, lint, types and the direction of imports
	@failed=; \
	$(python) -m ruff format --check || failed="$$failed format"; \
	$(python) -m ruff check || failed="$$failed lint"; \
	$(python) -m mypy || failed="$$failed types"; \
	$(python) -c 'from importlinter.cli import lint_imports_command as main; main()' --no-logo \
		|| failed="$$failed imports"; \
	if [ -n "$$failed" ]; then echo "check: failed:$$failed"; exit 1; fi

format: $(venv)/.set-up-dev ## put the code in form
	$(python) -m ruff format
	$(python) -m ruff check --fix

model: $(venv)/.set-up-dev ## train models/default anew, to the same bytes (long)
	@$(python) -m drainwatch train --out models/default

samples: $(venv)/.set-up-dev ## write the samples in data/ anew, to the same bytes
	@$(python) -m drainwatch.lab.samples data

site: $(venv)/.set-up-dev ## build the documents as a site in out/site; a warning is an error
	@$(python) scripts/site.py $(out)/site
	@echo "look at it: $(out)/site/index.html"

notebooks: $(venv)/.set-up-dev ## run the notebooks, each in a kernel of its own
	@$(python) -m pytest -q -n $(workers) tests/test_docs.py -k notebook

benchmark: $(venv)/.set-up-dev ## measure what is found, beside other detectors (hours)
	@$(python) -m drainwatch lab bench --ablate --out $(out)/bench

bench: $(venv)/.set-up-dev ## measure the speed of replay and watch, beside scikit-learn and ccxt.pro
	@$(python) benchmarks/replay.py
	@$(python) benchmarks/live.py

docs: $(venv)/.set-up-dev ## write the pages of docs/ that come from code
	@$(python) scripts/reference.py

lock: $(venv)/.set-up-dev ## take up the dependencies of pyproject.toml: uv.lock, then requirements/
	$(python) -m uv lock
	$(python) -m uv export -q --locked --no-emit-project --no-hashes --no-annotate --no-header \
		--no-default-groups --group build --output-file requirements/run.txt
	$(python) -m uv export -q --locked --no-emit-project --no-hashes --no-annotate --no-header \
		--no-default-groups --group dev --output-file requirements/dev.txt

clean: ## remove what was made, .venv included
	rm -rf $(venv) $(out) dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
