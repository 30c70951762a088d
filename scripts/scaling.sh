#!/usr/bin/env bash
# Counts what a connect and a message make of Redis and MongoDB, into
# docs/BENCHMARKS.md, and calculates docs/SCALING.md from what is there.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin/bench
CGO_ENABLED=0 go build -tags noembed -o bin/bench/parley ./cmd/parley
go build -o bin/bench/ ./test/bench/load ./test/bench/fastmongo
PARLEY_BIN=$PWD/bin/bench/parley node test/bench/count.mjs
go run ./test/bench/scale -write docs/SCALING.md
