# The commands of this project; each sets up what it needs. PYTHON names the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed

.PHONY: help report test lab check test-slow proof proof-tables proof-speed reference lock logs clean

help:
	@echo "make report     make every report of the demo lab; pages in reports/"
	@echo "make lab        open JupyterLab on the demo lab"
	@echo "make test       the fast tests"
	@echo "make check      lint, types, import rules"
	@echo "make test-slow  browser, crash, fuzz and simulation tests (needs Chromium)"
	@echo "make proof      benchmarks and full tables, written to docs/proof/: hours; or, one by one,"
	@echo "                proof-tables (simulations) and proof-speed (needs a quiet machine)"
	@echo "make reference  every public name out of its docstring; pages in reports/reference/"
	@echo "make lock       choose versions anew (needs uv)"

$(READY): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

report: $(READY)
	$(BIN)/aiops-lab demo demo-lab
	$(BIN)/aiops-lab report --lab demo-lab --out reports
	@echo "Open $(CURDIR)/reports/index.html"

lab: $(READY)
	$(BIN)/aiops-lab demo demo-lab
	$(BIN)/aiops-lab open --lab demo-lab

test: $(READY)
	$(BIN)/python -m pytest -n 2

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow -n 2 --dist loadscope --durations=15

proof: proof-tables proof-speed

proof-tables: $(READY)
	WHOLE=1 $(BIN)/python -m pytest -m slow -n 2 --dist loadscope -rP --durations=25 \
	  tests/ship tests/stats tests/watch tests/target tests/respond

proof-speed: $(READY)
	$(BIN)/python -m pytest -m proof -s

reference: $(READY)
	$(BIN)/python docs/reference.py reports/reference

lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --quiet --custom-compile-command "make lock" --group dev pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) reports demo-lab dist
