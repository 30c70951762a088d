#!/bin/sh
# Runs the conformance suites, or the files named, one file at a time. CONFORMANCE_TARGET=node runs them on the Node control.
set -eu
cd "$(dirname "$0")"
[ -d ../node_modules ] || (cd .. && npm ci --no-audit --no-fund)
[ -d node_modules ] || npm ci --no-audit --no-fund
[ $# -gt 0 ] || set -- *.test.mjs
exec node --test --test-concurrency=1 --test-timeout=180000 --test-reporter="${TEST_REPORTER:-spec}" "$@"
