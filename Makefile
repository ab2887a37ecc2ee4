# The commands of this project. What they need is installed, pinned, into .tools, except Rust, a C compiler and Python.
# Only `make deploy` calls AWS: the others use a local cloud on 127.0.0.1 and made-up credentials.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The port of the function under `make watch`, and the local cloud's under `make deploy-local`.
PORT = 9000
CLOUD_PORT = 4566
# The sample event of `make invoke`: a name in events/.
EVENT = password
# How `make deploy-local` and `make e2e` have the function built: debug or release.
deploy-local: BUILD = debug
e2e: BUILD = release
# The end-to-end tests to run.
TESTS = tests/e2e
# The part of the benchmarks to run; all of them without one.
PART =
# How many seconds `make fuzz` runs each target, and which targets: all, unless some are named.
SECONDS_EACH = 600
TARGETS =
# The processor of the function that is built: x86_64 or arm64. `make deploy` builds for the one that was saved, if one was.
ARCHITECTURE = x86_64
deploy: ARCHITECTURE = $(or $(shell python3 tools/saved_parameters.py Architecture 2>/dev/null),x86_64)

TOOLS := .tools
NODE := tests/e2e/node
local_cloud := PYTHONPATH=tools $(TOOLS)/local/bin/python -m local_cloud
sam := $(TOOLS)/sam/bin/sam
# For SAM's verbs that need no AWS, and must not look for one.
offline := env -u AWS_PROFILE SAM_CLI_TELEMETRY=0 AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_ACCESS_KEY_ID=test \
  AWS_SECRET_ACCESS_KEY=test AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_DEFAULT_REGION=eu-west-2

.PHONY: help test faults fuzz watch invoke deploy-local logs stop e2e lint build bench deploy clean lock

help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r verb what; do \
	  printf 'make %-13s %s\n' "$$verb" "$$what"; done

test: | needs-cargo needs-cc ## Runs all tests that need only Rust and a C compiler
	@cargo test

fuzz: | needs-cargo needs-cc needs-c++ $(TOOLS)/rust/installed ## Generates requests and compares each response with a model (SECONDS_EACH=600)
	@PATH="$(CURDIR)/$(TOOLS)/rust/bin:$$PATH" tools/fuzz "$(SECONDS_EACH)" $(TARGETS)

faults: build | needs-cargo needs-cc ## Injects every fault into every call and two faults into every two calls, races the deployed binary, steps the clock, freezes the function for a minute
	@FUNCTION="$(CURDIR)/.aws-sam/build/ApiFunction/bootstrap" FREEZE_SECONDS=60 tools/faults

watch: | needs-cargo needs-cc $(TOOLS)/local/installed $(TOOLS)/lambda/installed ## Runs the function on this machine, and rebuilds it at each change (PORT=9000)
	@$(local_cloud) watch --port "$(PORT)"

invoke: | needs-cargo needs-cc $(TOOLS)/local/installed $(TOOLS)/lambda/installed ## Sends one event of events/ to the function (EVENT=password)
	@$(local_cloud) invoke "$(EVENT)"

deploy-local: | needs-cargo needs-cc $(TOOLS)/local/installed $(TOOLS)/lambda/installed $(TOOLS)/sam/installed ## Deploys the whole stack to a local cloud, with demo clients (CLOUD_PORT=4566, BUILD=debug)
	@$(local_cloud) deploy --cloud-port "$(CLOUD_PORT)" --build "$(BUILD)"

logs: | $(TOOLS)/local/installed ## Shows what the function of deploy-local has logged
	@$(local_cloud) logs

stop: ## Ends the local cloud of deploy-local
	@if [ -e $(TOOLS)/local/installed ]; then $(local_cloud) stop; fi

e2e: | needs-cargo needs-cc needs-curl needs-objdump $(TOOLS)/e2e/installed $(TOOLS)/lambda/installed $(TOOLS)/sam/installed $(NODE)/node_modules/installed ## Deploys to a local cloud of its own and tries everything through the API's URL (BUILD=release)
	@BUILD="$(BUILD)" PYTHONPATH=tools $(TOOLS)/e2e/bin/python -m pytest $(TESTS)

lint: | $(TOOLS)/sam/installed ## Validates the template
	@$(offline) $(sam) validate --lint

build: | needs-cargo needs-cc $(TOOLS)/lambda/installed $(TOOLS)/sam/installed ## Builds the function as it is deployed, into .aws-sam (ARCHITECTURE=x86_64)
	@PATH="$(CURDIR)/$(TOOLS)/lambda/bin:$$PATH" $(offline) $(sam) build --parameter-overrides Architecture=$(ARCHITECTURE)
	@case "$$(od -An -tx1 -j18 -N1 .aws-sam/build/ApiFunction/bootstrap | tr -d ' ')" in 3e) built=x86_64;; b7) built=arm64;; *) built=neither;; esac; \
	  if [ "$$built" != "$(ARCHITECTURE)" ]; then \
	    echo "countersign: the function was built for $$built, and not for $(ARCHITECTURE); set ARCHITECTURE=" >&2; exit 1; fi

bench: build | needs-cargo needs-cc ## Measures the cost of a token: each part by itself, the function, load, growth, peers (PART=)
	@cargo build --release --example bare
	@cargo bench $(if $(PART),-- $(PART))

deploy: build ## Deploys to AWS, and prompts for every setting (ARCHITECTURE=x86_64, or what was saved)
	@$(sam) deploy --guided --parameter-overrides "$$(python3 tools/saved_parameters.py Architecture=$(ARCHITECTURE))"

clean: stop ## Removes everything that was built or installed here
	@rm -rf .aws-sam $(NODE)/node_modules benches/peers/node_modules fuzz/target target $(TOOLS)

lock: | needs-python3 ## Pins the requirements of tools/requirements/*.in again
	@python3 -m venv $(TOOLS)/uv && $(TOOLS)/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@cd tools/requirements && for list in *.in; do "$(CURDIR)/$(TOOLS)/uv/bin/uv" pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  "$$list" -o "$${list%.in}.txt"; done

# One Python environment for each list: they disagree on what they need.
$(TOOLS)/%/installed: tools/requirements/%.txt | needs-python3
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "countersign: $$(python3 --version) is too old; install Python 3.11 or newer" >&2; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "countersign: this Python makes no environments; install its venv module (python3-venv)" >&2; exit 1; }
	@echo "countersign: installing what $< names into $(@D), once ..." >&2
	@rm -rf $(@D)
	@python3 -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(NODE)/node_modules/installed: $(NODE)/package-lock.json | $(TOOLS)/e2e/installed
	@echo "countersign: installing what $< names, once ..." >&2
	@cd $(NODE) && PATH="$(CURDIR)/$(TOOLS)/e2e/bin:$$PATH" npm ci --loglevel=error --no-audit --no-fund
	@touch $@

needs-%:
	@command -v $* >/dev/null || { echo "countersign: $* is missing; install $(or $(whence-$*),it)" >&2; exit 1; }

whence-cargo := Rust 1.94.1 or newer (https://rustup.rs)
whence-cc := a C compiler
whence-c++ := a C++ compiler (g++)
whence-objdump := binutils
whence-python3 := Python 3.11 or newer
