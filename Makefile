# Butakero: make help lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS := -s -w -X main.release=$(VERSION)
CACHE   := $(if $(BUTAKERO_TEST_CACHE),$(BUTAKERO_TEST_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/butakero)
FUZZTIME ?= 20s

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: build
build: ## build butakero, api and worker into bin/
	@mkdir -p bin
	GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/butakero ./cmd/api ./cmd/worker

.PHONY: demo
demo: ## make songs with no account, key or network, and verify them
	@bash scripts/demo.sh

.PHONY: setup
setup: ## install what the tests need (ffmpeg, opus-tools, linters, music), outside the checkout
	@bash scripts/setup.sh

.PHONY: test
test: ## install what the tests need and run everything
	@bash scripts/setup.sh
	@go -C test run ./cmd/check -cache '$(CACHE)'

.PHONY: lint
lint: ## run the linter over both modules
	@bash scripts/setup.sh lint
	'$(CACHE)/bin/golangci-lint' run ./...
	cd test && '$(CACHE)/bin/golangci-lint' run --config ../.golangci.yaml ./...

.PHONY: bench
bench: ## measure, print the table of ratios and write it to docs/benchmarks.md
	@bash scripts/setup.sh
	@bash scripts/bench.sh

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (20s)
	@bash scripts/fuzz.sh '$(FUZZTIME)'

.PHONY: chaos
chaos: ## kill -9 the real process 50 times while 200 songs are made; nothing may be lost
	@go -C test test -count=1 -run 'TestKilled' -v ./chaos | grep -v '^=== '

.PHONY: engines model simulate soak
engines model simulate soak:
	@echo "make $@: not there yet, see CHANGELOG.md (Planned)"; exit 1

.PHONY: clean
clean: ## remove what was built
	rm -rf bin build
