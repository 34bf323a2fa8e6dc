# Needs Python 3.11+ (or uv) and nothing else: every target installs what it uses into .venv.
# PYTHON=/path/to/python chooses the interpreter, ARGS="..." adds arguments.

BIN := .venv/bin
DEV := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help run test lint format protos bench campaign clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# At a terminal the server gets a process group of its own (set -m), so that Ctrl-C reaches it alone: make would die of
# the signal rather than report the server's exit code. Elsewhere exec lets the signals sent to make reach the server.
run: .venv/.installed ## Start a server: SQLite in ./data, HTTP on 127.0.0.1:8080
	@if [ -t 0 ]; then set -m; $(BIN)/crossdock serve $(ARGS) || exit $$?; else exec $(BIN)/crossdock serve $(ARGS); fi

test: lint ## Run everything that CI runs: lint, then every test
	@$(BIN)/pytest -n 2 $(ARGS)

lint: $(DEV) ## Check style, formatting and types
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy

format: $(DEV) ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

protos: $(DEV) ## Make the Python code of the protobuf messages
	@$(BIN)/python tools/protos.py

bench: $(DEV) ## Measure throughput and latency, with the raw limit beside each number
	@$(BIN)/crossdock bench $(or $(ARGS),--versus)

campaign: $(DEV) ## Run the tests many times longer (hours); the report goes to ./campaigns
	@CROSSDOCK_CAMPAIGN=1 $(BIN)/pytest -n 2 --timeout 14400 \
		--junitxml "campaigns/$$(date -u +%Y-%m-%dT%H%M%SZ).xml" $(ARGS)

clean: ## Remove .venv, caches and build output; ./data and ./campaigns stay
	@rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
	@find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# Both installs are editable, so that they can share .venv and neither goes stale.
.venv/.installed: pyproject.toml tools/install.sh
	@tools/install.sh -e '.[grpc]'
	@touch $@

$(DEV): pyproject.toml tools/install.sh
	@tools/install.sh -e '.[dev]'
	@touch $@
