# Parley: two commands do everything, `make run` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help run build test lint fmt bench scaling sim chaos faults setup unit fuzz e2e

GOLANGCI  := v2.15.0
VERSION   := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS   := -X main.version=$(VERSION)
export CGO_ENABLED ?= 1

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Run Parley with everything embedded; prints a URL and tokens
	@go build -ldflags '$(LDFLAGS)' -o bin/parley ./cmd/parley
	@exec ./bin/parley serve

build: ## Build bin/parley, and bin/parley-slim without the embedded databases
	go build -trimpath -ldflags '$(LDFLAGS) -s -w' -o bin/parley ./cmd/parley
	CGO_ENABLED=0 go build -trimpath -tags noembed -ldflags '$(LDFLAGS) -s -w' -o bin/parley-slim ./cmd/parley

test: setup lint unit fuzz e2e ## Test everything: linters, units with -race, decoders fuzzed, end to end

setup:
	@./scripts/setup.sh

# The last measures memory, which the race detector uses itself.
unit:
	go vet -tags noembed ./...
	go test -race -shuffle=on -timeout 15m ./...
	go test -run 'Allocation|Idle|Churn' ./adapters/engineio ./adapters/hub
	go test -run Histories ./test/sim -seeds 5

fuzz:
	@./scripts/fuzz.sh

e2e:
	@./scripts/e2e.sh

lint: ## Check style and the import rules of ARCHITECTURE.md
	@./scripts/lint.sh $(GOLANGCI)

fmt: ## Format the Go code
	gofmt -w $$(git ls-files '*.go')

SEEDS ?= 50
export KINDS ADAPTER FIRST LENGTH
sim: ## Let histories happen in which things break: SEEDS=50 FIRST=1 KINDS='redis killed,pod killed' ADAPTER=streams LENGTH=8s
	@SEEDS=$(SEEDS) ./scripts/sim.sh

chaos: ## Break the real thing: SEED=1 MINUTES=2 KINDS='redis killed,pod killed' ADAPTER=redis-streams
	@SEED='$(or $(SEED),1)' MINUTES='$(or $(MINUTES),1)' KINDS='$(KINDS)' ADAPTER='$(or $(ADAPTER),redis)' RUNS='$(or $(RUNS),1)' ./scripts/chaos.sh main.mjs

faults: ## Break it in every way alone and in pairs, and write docs/FAULTS.md: BUDGET=60 MINUTES=1 SEEDS=1,2
	@./scripts/chaos.sh report.mjs

bench: setup ## Measure beside Node, uWebSockets.js, the stock Go library and the raw floor
	@./scripts/bench.sh

scaling: setup ## Count what pods ask of Redis and MongoDB, and calculate docs/SCALING.md
	@./scripts/scaling.sh
