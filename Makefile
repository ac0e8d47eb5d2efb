# Everything a contributor runs. Each target brings a fresh clone to its result.

BIN := .venv/bin
# Only files whose hash is in the lists are installed, and no build script of a stranger is run. Where a package has no
# wheel for a platform: make PIP_ONLY_BINARY=:none: ...
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
PIP_ONLY_BINARY ?= :all:
PARALLEL := -n auto --dist worksteal
PYTHON_CODE := kolors_mcp tests examples benchmarks scripts

export PYTHON PIP_ONLY_BINARY
# Many tests start processes; where images of systems forbid byte-code, each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo service test check lint bench bench-compare contract conformance deploy-check browser hosts frameworks decoders fuzz soak service-soak mutants pythons licences lock clean

help:  ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: .venv/run.stamp  ## Dress a person in the sandbox, through a real MCP client (ARGS="--help" for more)
	@$(BIN)/kolors-mcp demo $(ARGS)

service: .venv/service.stamp  ## Install what `.venv/bin/kolors-mcp serve --http` needs, see docs/service.md

# With WHEEL=1 it is the built wheel, installed elsewhere, that answers; only then is its coverage what users get.
test: .venv/$(if $(WHEEL),dev,test).stamp  ## Run the tests (ARGS="tests/jobs" for some; WHEEL=1 COVERAGE=1)
	$(if $(WHEEL),$(BIN)/python scripts/check_wheel.py $(if $(COVERAGE),--coverage) -- $(or $(ARGS),$(PARALLEL)),\
	$(if $(COVERAGE),$(BIN)/coverage run -m pytest $(or $(ARGS),$(PARALLEL)) && $(BIN)/coverage combine --quiet && \
	$(BIN)/coverage report,$(BIN)/pytest $(or $(ARGS),$(PARALLEL))))

check: lint  ## Lint, types, and the tests against the built wheel, with branch coverage
	@$(MAKE) test WHEEL=1 COVERAGE=1

lint: .venv/dev.stamp  ## Lint and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

bench: .venv/test.stamp  ## Measure cold start, calls and memory
	$(BIN)/python -m benchmarks $(ARGS)

bench-compare: .venv/test.stamp  ## Hold the last two runs of the benchmarks against each other
	$(BIN)/python -m benchmarks compare $(ARGS)

conformance: .venv/service.stamp  ## Run the protocol's conformance suite (needs npm and nginx; ARGS="--verbose" shows all)
	@sh scripts/conformance.sh $(ARGS)

deploy-check: .venv/deploy.stamp  ## Check the files in deploy/ (installs Debian's nginx as root)
	@sh tests/deploy/run.sh

browser: .venv/service.stamp  ## Try the fitting room in a real Chromium (needs npm; installs Debian's chromium as root)
	@bash tests/browser/run.sh $(ARGS)

hosts: .venv/service.stamp  ## Run Claude Code, opencode, Codex and Gemini CLI against a mock model (needs npm, nginx, 1.3 GB)
	@bash tests/hosts/run.sh $(ARGS)

frameworks: .venv/test.stamp  ## Run agents of LangChain, OpenAI, Google and others against a mock model (needs npm, 1 GB)
	@sh tests/frameworks/run.sh $(ARGS)

decoders: .venv/test.stamp  ## Hold odd pictures against Chromium and libvips (installs Debian's chromium as root)
	@sh tests/decoders/run.sh $(ARGS)

fuzz: .venv/test.stamp  ## Feed in mutated pictures, pages, Kling answers and tool calls for 60 s (ARGS="--seed 7 --only pages")
	$(BIN)/python -W ignore -m tests.fuzz $(ARGS)

soak: .venv/test.stamp  ## Grant wishes through real servers, kills and a Kling that misbehaves (ARGS="--seed 7 --wishes 2000")
	@$(BIN)/python -m tests.soak $(ARGS)

service-soak: .venv/test.stamp  ## Serve 200 shoppers over HTTP while replicas and the database come and go (needs nginx)
	@$(BIN)/python -m tests.service_soak $(ARGS)

mutants: .venv/test.stamp  ## Change code about money and access in a copy; print what no test notices (ARGS="--seed 7 --number 20")
	@$(BIN)/python scripts/mutants.py $(ARGS)

pythons: .venv/test.stamp  ## Run the tests of what is committed under every other Python that is found (ARGS="tests/jobs")
	@sh scripts/pythons.sh $(ARGS)

contract: .venv/test.stamp  ## Write tests/contract.json anew from the tools as they are
	$(BIN)/python -m tests.support.contract --write

licences: .venv/run.stamp  ## List the licences of everything that the server runs with
	@$(BIN)/python scripts/licences.py

lock: .venv/dev.stamp  ## Renew the lists of pinned packages (ARGS=--keep: only what pyproject.toml makes necessary)
	$(BIN)/python scripts/lock.py $(ARGS)

clean:  ## Remove everything that these targets made
	rm -rf .venv conformance/node_modules dist build .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find $(wildcard $(PYTHON_CODE)) -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment grows in steps, so that a newcomer waits only for what the target needs.
.venv/run.stamp: scripts/make_venv.sh constraints.txt pyproject.toml
	@sh scripts/make_venv.sh
	@echo "Installing kolors-mcp and its pinned dependencies."
	@$(PIP_INSTALL) --require-hashes -r constraints.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/service.stamp: .venv/run.stamp constraints-service.txt
	@echo "Installing what the HTTP service needs."
	@$(PIP_INSTALL) --require-hashes -r constraints-service.txt
	@touch $@

.venv/test.stamp: .venv/service.stamp constraints-test.txt
	@echo "Installing the test tools."
	@$(PIP_INSTALL) --require-hashes -r constraints-test.txt
	@touch $@

.venv/dev.stamp: .venv/test.stamp constraints-dev.txt
	@echo "Installing the linters and the build tools."
	@$(PIP_INSTALL) --require-hashes -r constraints-dev.txt
	@touch $@

.venv/deploy.stamp: .venv/dev.stamp constraints-deploy.txt
	@echo "Installing what checks the files in deploy/."
	@$(PIP_INSTALL) --require-hashes -r constraints-deploy.txt
	@touch $@
