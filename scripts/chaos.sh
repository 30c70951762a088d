#!/usr/bin/env bash
# Builds what test/chaos breaks, one pod with the race detector, and runs one of
# its programs: main.mjs or report.mjs.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -d test/node_modules ] || ./scripts/setup.sh
mkdir -p bin
go build -race -o bin/parley-race ./cmd/parley
go build -o bin/parley-plain ./cmd/parley
go build -o bin/mongod ./test/cmd/mongod
export PARLEY_BIN=$PWD/bin/parley-race PARLEY_PLAIN_BIN=$PWD/bin/parley-plain MONGOD_BIN=$PWD/bin/mongod
exec node "test/chaos/$1"
