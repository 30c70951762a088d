#!/usr/bin/env bash
# Measures a release build against a Node server of the same flow and a bare
# WebSocket server, in one run: the ratios count, not the numbers.
set -euo pipefail
cd "$(dirname "$0")/.."
go build -trimpath -o bin/parley ./cmd/parley
go build -o bin/mongod ./test/cmd/mongod
export PARLEY_BIN=$PWD/bin/parley MONGOD_BIN=$PWD/bin/mongod
exec node test/bench/run.mjs "$@"
