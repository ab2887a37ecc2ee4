# The commands of this project. They install pinned versions of their tools into .tools, except Rust, a C compiler and Python.
# Only `make deploy` calls AWS. The others use a local cloud on 127.0.0.1 and fake credentials.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The port of the function in `make watch`, and of the local cloud in `make deploy-local`.
PORT = 9000
CLOUD_PORT = 4566
# The sample event of `make invoke`: a name in events/.
EVENT = password
# The profile of the function in `make deploy-local` and `make e2e`: debug or release.
deploy-local: BUILD = debug
e2e: BUILD = release
# The end-to-end tests to run.
TESTS = tests/e2e
# The part of the benchmarks to run. Empty means all parts.
PART =
# The tests of `make faults` that `cargo test` runs, too, with the debug build of the function: parts of their names.
RACES = faults:: refresh_model revoked::
# The seconds for which `make fuzz` runs each target, and the targets. Empty means all targets.
SECONDS_EACH = 600
TARGETS =
# The URL of a conformance suite, the issuer that it tests (empty means the local example behind TLS), and the profile of the plans (openid or
# fapi; empty means both).
SUITE = https://localhost:8443
ISSUER =
PROFILE =
# The processor architecture of the function: x86_64 or arm64. `make deploy` uses the saved value, if there is one.
ARCHITECTURE = x86_64
deploy: ARCHITECTURE = $(or $(shell python3 tools/saved_parameters.py Architecture 2>/dev/null),x86_64)

TOOLS := .tools
NODE := tests/e2e/node
local_cloud := PYTHONPATH=tools $(TOOLS)/local/bin/python -m local_cloud
sam := $(TOOLS)/sam/bin/sam
# For SAM commands that do not need AWS and must not search for credentials.
offline := env -u AWS_PROFILE SAM_CLI_TELEMETRY=0 AWS_ENDPOINT_URL=http://127.0.0.1:1 AWS_ACCESS_KEY_ID=test \
  AWS_SECRET_ACCESS_KEY=test AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_DEFAULT_REGION=eu-west-2

.PHONY: help test faults fuzz watch invoke deploy-local logs stop e2e conformance lint build bench dashboard deploy clean lock

help: ## Lists the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r verb what; do \
	  printf 'make %-13s %s\n' "$$verb" "$$what"; done

test: | needs-cargo needs-cc ## Runs all tests that need only Rust and a C compiler
	@cargo test

fuzz: | needs-cargo needs-cc needs-c++ $(TOOLS)/rust/installed ## Generates requests and compares each response with a model (SECONDS_EACH=600)
	@PATH="$(CURDIR)/$(TOOLS)/rust/bin:$$PATH" tools/fuzz "$(SECONDS_EACH)" $(TARGETS)

faults: build | needs-cargo needs-cc ## Injects every fault into every call and two faults into every pair of calls, runs processes of the deployed binary against each other, steps the clock, freezes the function for a minute
	@FUNCTION="$(CURDIR)/.aws-sam/build/ApiFunction/bootstrap" FREEZE_SECONDS=60 tools/faults $(RACES)

watch: | needs-cargo needs-cc $(TOOLS)/local/installed $(TOOLS)/lambda/installed ## Runs the function on this machine, and rebuilds it after each change (PORT=9000)
	@$(local_cloud) watch --port "$(PORT)"

invoke: | needs-cargo needs-cc $(TOOLS)/local/installed $(TOOLS)/lambda/installed ## Sends an event of events/ to the function (EVENT=password)
	@$(local_cloud) invoke "$(EVENT)"

deploy-local: | needs-cargo needs-cc $(TOOLS)/local/installed $(TOOLS)/lambda/installed $(TOOLS)/sam/installed ## Deploys the whole stack to a local cloud, with demo clients (CLOUD_PORT=4566, BUILD=debug)
	@$(local_cloud) deploy --cloud-port "$(CLOUD_PORT)" --build "$(BUILD)"

logs: | $(TOOLS)/local/installed ## Shows the log of the function of deploy-local
	@$(local_cloud) logs

stop: ## Stops the local cloud of deploy-local
	@if [ -e $(TOOLS)/local/installed ]; then $(local_cloud) stop; fi

e2e: | needs-cargo needs-cc needs-chromium needs-curl needs-go needs-jq needs-objdump $(TOOLS)/e2e/installed $(TOOLS)/lambda/installed $(TOOLS)/sam/installed $(NODE)/node_modules/installed ## Deploys to a separate local cloud and runs the end-to-end tests through the URL of the API (BUILD=release)
	@BUILD="$(BUILD)" PYTHONPATH=tools $(TOOLS)/e2e/bin/python -m pytest $(TESTS)

conformance: | needs-cargo needs-cc needs-openssl needs-python3 ## Runs the plans of a conformance suite of the OpenID Foundation (SUITE=https://localhost:8443, ISSUER=, PROFILE=)
	@python3 tests/conformance/run.py --suite "$(SUITE)" --issuer "$(ISSUER)" --profile "$(PROFILE)"

lint: | $(TOOLS)/sam/installed ## Validates the template and those of the examples
	@$(offline) $(sam) validate --lint
	@$(TOOLS)/sam/bin/cfn-lint --regions us-east-1 --template examples/*/*.yaml

build: | needs-cargo needs-cc $(TOOLS)/lambda/installed $(TOOLS)/sam/installed ## Builds the functions as they are deployed, into .aws-sam (ARCHITECTURE=x86_64)
	@# SAM does not show the output of cargo, so cargo builds first: of this package only, as SAM does.
	@PATH="$(CURDIR)/$(TOOLS)/lambda/bin:$$PATH" cargo lambda build --release --package countersign --bin api --bin rotate \
	  $(if $(filter arm64,$(ARCHITECTURE)),--arm64)
	@PATH="$(CURDIR)/$(TOOLS)/lambda/bin:$$PATH" $(offline) $(sam) build --parameter-overrides Architecture=$(ARCHITECTURE)
	@case "$$(od -An -tx1 -j18 -N1 .aws-sam/build/ApiFunction/bootstrap | tr -d ' ')" in 3e) built=x86_64;; b7) built=arm64;; *) built=neither;; esac; \
	  if [ "$$built" != "$(ARCHITECTURE)" ]; then \
	    echo "countersign: the function was built for $$built, not for $(ARCHITECTURE); set ARCHITECTURE=" >&2; exit 1; fi

bench: build | needs-cargo needs-cc ## Measures the cost of a token: each part separately, the function, load, growth, other servers (PART=)
	@cargo build --release --example bare
	@cargo bench --bench tokens $(if $(PART),-- $(PART))

dashboard: | needs-cargo needs-cc $(TOOLS)/local/installed ## Runs the service under load for two minutes, and draws the dashboard of the stack with the data (docs/dashboard.svg)
	@PYTHONPATH=tools $(TOOLS)/local/bin/python -m dashboard

deploy: build ## Deploys to AWS, and prompts for every parameter (ARCHITECTURE=x86_64, or the saved value)
	@$(sam) deploy --guided --parameter-overrides "$$(python3 tools/saved_parameters.py Architecture=$(ARCHITECTURE))"

clean: stop ## Removes everything that was built or installed in this folder
	@rm -rf .aws-sam $(NODE)/node_modules benches/peers/node_modules fuzz/target target $(TOOLS)

lock: | needs-python3 ## Updates the pinned versions of tools/requirements/*.in
	@python3 -m venv $(TOOLS)/uv && $(TOOLS)/uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@cd tools/requirements && for list in *.in; do "$(CURDIR)/$(TOOLS)/uv/bin/uv" pip compile --quiet --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  "$$list" -o "$${list%.in}.txt"; done

# A separate Python environment for each list, because their requirements conflict.
$(TOOLS)/%/installed: tools/requirements/%.txt | needs-python3
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "countersign: $$(python3 --version) is too old; install Python 3.11 or newer" >&2; exit 1; }
	@python3 -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "countersign: this Python cannot create environments; install its venv module (python3-venv)" >&2; exit 1; }
	@echo "countersign: installing the requirements of $< into $(@D), once ..." >&2
	@rm -rf $(@D)
	@python3 -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(NODE)/node_modules/installed: $(NODE)/package-lock.json | $(TOOLS)/e2e/installed
	@echo "countersign: installing the packages of $<, once ..." >&2
	@cd $(NODE) && PATH="$(CURDIR)/$(TOOLS)/e2e/bin:$$PATH" npm ci --loglevel=error --no-audit --no-fund
	@touch $@

needs-%:
	@command -v $* >/dev/null || { echo "countersign: $* is missing; install $(or $(source-of-$*),it)" >&2; exit 1; }

source-of-cargo := Rust 1.94.1 or newer (https://rustup.rs)
source-of-cc := a C compiler
source-of-chromium := Chromium (on Debian the package chromium)
source-of-go := Go with x/oauth2 (on Debian the packages golang-go and golang-golang-x-oauth2-dev)
source-of-c++ := a C++ compiler (g++)
source-of-objdump := binutils
source-of-openssl := OpenSSL
source-of-python3 := Python 3.11 or newer
