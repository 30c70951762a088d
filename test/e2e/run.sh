#!/bin/sh
# Runs the end-to-end suite and what measurements are reported with, or the files named, one file at a time.
set -eu
cd "$(dirname "$0")/.."
[ -d node_modules ] || npm ci --no-audit --no-fund
[ $# -gt 0 ] || set -- e2e/*.test.mjs bench/*.test.mjs
exec node --test --test-concurrency=1 --test-reporter="${TEST_REPORTER:-spec}" "$@"
