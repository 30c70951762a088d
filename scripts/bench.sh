#!/usr/bin/env bash
# Measures Parley and its engine beside others in one run: the ratios count, not
# the numbers. Prints a table; a full run also puts it into docs/BENCHMARKS.md,
# and what follows from it into docs/SCALING.md.
# BENCH_ONLY and its like (test/bench/README.md) measure a part of it.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin/bench
CGO_ENABLED=0 go build -tags noembed -o bin/bench/parley ./cmd/parley # without the embedded databases, as in production
go build -o bin/bench/ ./test/bench/load ./test/bench/engine ./test/bench/floor ./test/bench/fastmongo

# What only the measures of engines need; the packages as setup.sh does it for what tests need.
case ${BENCH_ONLY:-engine} in
  *engine* | *many*)
    (cd test/bench/stock && go build -o ../../../bin/bench/stock .)
    stamp=test/bench/node_modules/.parley-lock
    if ! cmp -s test/bench/package-lock.json "$stamp"; then
      echo "bench: installing the npm packages of test/bench" >&2
      (cd test/bench && npm ci --no-audit --no-fund --loglevel=error)
      cp test/bench/package-lock.json "$stamp"
    fi
    ;;
esac
export PARLEY_BIN=$PWD/bin/bench/parley
exec node test/bench/run.mjs
