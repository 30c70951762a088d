#!/bin/sh
# The part of make test: the checker's own tests, and some minutes of what is known to hold.
set -eu
cd "$(dirname "$0")/.."
[ -d node_modules ] || npm ci --no-audit --no-fund
node --test --test-reporter="${TEST_REPORTER:-spec}" chaos/*.test.mjs
# A machine that is busy holds up what is under way, so that it takes two in a row.
export SEED=1 MINUTES=0.35 TRIES=2 KINDS='resets,vanishings;reloads,slow readers;pod restarted;mongo away,members'
exec node chaos/main.mjs
