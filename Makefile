# Butakero: make help lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS  := -s -w -X main.release=$(VERSION)
CACHE    := $(or $(BUTAKERO_TEST_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/butakero)
FUZZTIME ?= 20s
DEMO_DIR ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: demo
demo: ## make songs with no account, key or network, and verify them (DEMO_DIR=folder keeps them there)
	@bash scripts/demo.sh $(if $(DEMO_DIR),'$(DEMO_DIR)')

# A tool that can not be installed is named at the end by the checks that need it.
.PHONY: test
test: ## install what the tests need and run everything
	@bash scripts/setup.sh || echo 'make test: going on without what could not be installed'
	@echo 'make test: builds of images, the control plane and KEDA are in make deploy-check'
	@go -C test run ./cmd/check -cache '$(CACHE)'

.PHONY: build
build: ## build butakero, api and worker into bin/
	@mkdir -p bin
	GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/butakero ./cmd/api ./cmd/worker

.PHONY: lint
lint: ## run the linters over both modules
	@bash scripts/setup.sh lint
	'$(CACHE)/bin/golangci-lint' run --allow-serial-runners ./...
	cd test && '$(CACHE)/bin/golangci-lint' run --allow-serial-runners --config ../.golangci.yaml ./...

.PHONY: bench
bench: ## measure, print the table of ratios and write it to docs/benchmarks.md
	@test -f scripts/bench.sh || { echo 'make bench: not there yet, see CHANGELOG.md' >&2; exit 1; }
	@bash scripts/setup.sh ffmpeg
	@bash scripts/setup.sh servers
	@bash scripts/bench.sh

.PHONY: chaos
chaos: ## kill real processes by the hundred on every mix of engines; nothing may be lost
	@bash scripts/setup.sh ffmpeg
	@bash scripts/setup.sh servers
	@go -C test test -count=1 -run 'TestKilled' -v ./chaos | grep -v '^=== '
	@go -C test run ./servers run -- go test -count=1 -timeout 30m -run 'TestChaos' -v ./fleet | grep -v '^=== '

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (20s)
	@bash scripts/fuzz.sh '$(FUZZTIME)'

.PHONY: engines
engines: ## the conformance suites on real servers, started for the run
	@bash scripts/setup.sh servers
	@go -C test run ./servers run -- go test -count=1 ./engines/...

.PHONY: model
model: ## explore every order of events of the protocol; eight mutations must be convicted
	@go -C test run ./cmd/modelcheck

SEEDS ?= 10000
.PHONY: simulate
simulate: ## the fleet in fake time with faults drawn from SEEDS (10000) seeds
	@go -C test test -count=1 -timeout 3h -run 'TestSimulate|TestSeedsRepeat|TestTenThousand' ./simulate -seeds $(SEEDS) -v | grep -v '^=== \|^ *--- PASS'

.PHONY: soak
soak: ## chaos for an hour
	@bash scripts/setup.sh ffmpeg
	@bash scripts/setup.sh servers
	@CHAOS_SECONDS=3600 go -C test run ./servers run -- go test -count=1 -timeout 3h -run 'TestChaos' -v ./fleet | grep -v '^=== '

.PHONY: deploy-check
deploy-check: ## every check of the deployment: real control plane, KEDA, images, compose, Terraform
	@bash scripts/deploy-check.sh

.PHONY: setup
setup: ## install what the tests need (ffmpeg, opus-tools, linters, music), outside the checkout
	@bash scripts/setup.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf bin build
