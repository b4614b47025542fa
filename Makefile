# make demo   the main job: photos and texts to a compared, searchable, verifying model, in ./demo
# make test   all tests
# make check  style, types and the import contract
# make screenshots  the pictures of docs/page.md, after make demo; needs Chromium
# Each makes the virtual environment it needs and uses it again the next time.

VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test check docs screenshots bench clean

demo: $(VENV)/.core
	$(BIN)/lift poc --out demo

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2  # two workers of one thread: half the time on two cores

check: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks examples
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python docs/make_cli.py --check
	$(BIN)/python docs/make_benchmarks.py --check
	$(BIN)/python docs/make_claims.py --check

docs: $(VENV)/.dev
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_benchmarks.py
	$(BIN)/python docs/make_claims.py

screenshots: $(VENV)/.dev
	$(BIN)/python docs/make_screenshots.py

$(BIN)/python:
	@for python in "$${PYTHON:-python3}" python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "making $(VENV) with $$python"; $$python -m venv $(VENV) && exit 0; fi; done; \
	echo "lift needs Python 3.11 or newer: install it, or name it: make PYTHON=/path/to/python3.12 …"; exit 1

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[serve]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) demo build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
