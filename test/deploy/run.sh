#!/bin/sh
# Tests the files of deploy/, or the test files named, one at a time.
set -eu
cd "$(dirname "$0")/.."
[ -d node_modules ] || npm ci --no-audit --no-fund
[ $# -gt 0 ] || set -- deploy/*.test.mjs
exec node --test --test-concurrency=1 --test-reporter="${TEST_REPORTER:-spec}" "$@"
