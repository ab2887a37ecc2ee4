# The verbs of this project. Whatever they need is installed, pinned, into .tools (Rust and Python are not).
# Nothing but `make deploy` ever talks to AWS: the others see a local cloud on 127.0.0.1 and made-up credentials.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The port of the function under `make watch`, and the local cloud's under `make deploy-local`.
PORT ?= 9000
CLOUD_PORT ?= 4566
# The sample event of `make invoke`: a name in events/.
EVENT ?= password
# How the local stack and the end-to-end tests have the function built.
BUILD ?=

TOOLS := .tools
NODE := tests/e2e/node
local := PYTHONPATH=tools $(TOOLS)/local/bin/python -m local

.PHONY: help test watch invoke deploy-local logs stop e2e lint build deploy clean lock

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r verb what; do \
	  printf 'make %-13s %s\n' "$$verb" "$$what"; done

test: | needs-cargo ## All tests that need nothing but Rust
	@cargo test

watch: | $(TOOLS)/local/installed $(TOOLS)/lambda/installed needs-cargo ## The function on this machine, built again at each change (PORT=9000)
	@$(local) watch --port $(PORT)

invoke: | $(TOOLS)/local/installed $(TOOLS)/lambda/installed needs-cargo ## One event of events/ to the function (EVENT=password)
	@$(local) invoke $(EVENT) --port $(PORT)

deploy-local: | $(TOOLS)/local/installed $(TOOLS)/lambda/installed $(TOOLS)/sam/installed needs-cargo ## The whole stack on a local cloud, with demo clients (CLOUD_PORT=4566, BUILD=debug)
	@$(local) deploy --cloud-port $(CLOUD_PORT) --build $(or $(BUILD),debug)

logs: | $(TOOLS)/local/installed ## What the function of deploy-local has logged
	@$(local) logs

stop: ## Ends the local cloud of deploy-local
	@if [ -x $(TOOLS)/local/bin/python ]; then $(local) stop; fi

e2e: | $(TOOLS)/e2e/installed $(TOOLS)/lambda/installed $(TOOLS)/sam/installed $(NODE)/node_modules/installed needs-cargo ## Deploys to a local cloud of its own and tries everything through the API's URL (BUILD=release)
	@BUILD=$(or $(BUILD),release) PYTHONPATH=tools $(TOOLS)/e2e/bin/python -m pytest $(or $(TESTS),tests/e2e)

lint: | $(TOOLS)/sam/installed ## Validates the template
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-2 $(TOOLS)/sam/bin/sam validate --lint

build: | $(TOOLS)/lambda/installed $(TOOLS)/sam/installed needs-cargo ## The function as it is deployed, into .aws-sam
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-west-2 PATH="$(CURDIR)/$(TOOLS)/lambda/bin:$$PATH" $(TOOLS)/sam/bin/sam build

deploy: build ## To AWS, asking for everything (sam deploy --guided)
	@$(TOOLS)/sam/bin/sam deploy --guided

clean: stop ## Removes everything that was built or installed here
	@rm -rf .aws-sam $(NODE)/node_modules target $(TOOLS)

lock: ## Pins what tools/requirements/*.in ask for anew
	@python3 -m venv $(TOOLS)/uv && $(TOOLS)/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@cd tools/requirements && for list in *.in; do $(CURDIR)/$(TOOLS)/uv/bin/uv pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  "$$list" -o "$${list%.in}.txt"; done

# One Python environment for each list: they disagree on what they need.
$(TOOLS)/%/installed: tools/requirements/%.txt
	@command -v python3 >/dev/null || { echo "countersign: python3 is missing; install Python 3.11 or newer" >&2; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "countersign: $$(python3 --version) is too old; install Python 3.11 or newer" >&2; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "countersign: this Python makes no environments; install its venv module (python3-venv)" >&2; exit 1; }
	@echo "countersign: installing what $< names into $(@D), once ..."
	@rm -rf $(@D)
	@python3 -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(NODE)/node_modules/installed: $(NODE)/package-lock.json | $(TOOLS)/e2e/installed
	@echo "countersign: installing what $< names, once ..."
	@cd $(NODE) && PATH="$(CURDIR)/$(TOOLS)/e2e/bin:$$PATH" npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: needs-cargo
needs-cargo:
	@command -v cargo >/dev/null || { echo "countersign: cargo is missing; install Rust 1.94.1 or newer (https://rustup.rs)" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "countersign: cc is missing; install a C compiler" >&2; exit 1; }
