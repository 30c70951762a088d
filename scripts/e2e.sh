#!/usr/bin/env bash
# Builds the server with the race detector and tests it from outside: all
# suites, or those named: e2e conformance interop browser deploy chaos.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p bin
go build -race -o bin/parley-race ./cmd/parley || exit 1
go build -o bin/parley-plain ./cmd/parley || exit 1
go build -o bin/mongod ./test/cmd/mongod || exit 1
go build -race -o bin/bus ./test/cmd/bus || exit 1
go build -o bin/fastmongo ./test/bench/fastmongo || exit 1
export PARLEY_BIN=$PWD/bin/parley-race PARLEY_PLAIN_BIN=$PWD/bin/parley-plain MONGOD_BIN=$PWD/bin/mongod BUS_BIN=$PWD/bin/bus FASTMONGO_BIN=$PWD/bin/fastmongo
[ $# -gt 0 ] || set -- e2e conformance interop browser deploy chaos

# Each suite is bounded as a whole: a test that hangs must not hang the build.
failed=()
run() { # name seconds command…
  local name=$1 seconds=$2
  shift 2
  echo "=== $name"
  timeout --kill-after=20 "$seconds" "$@" || failed+=("$name")
}
for suite in "$@"; do
  case $suite in
    e2e) run e2e 1500 sh test/e2e/run.sh ;;
    conformance) run conformance 600 sh -c 'cd test/conformance && exec node --test --test-concurrency=1 --test-reporter=spec *.test.mjs' ;;
    interop) run interop 1500 node test/interop/run.mjs ;;
    browser) run browser 600 sh -c 'cd test/browser && exec npm test --silent' ;;
    deploy) run deploy 900 sh test/deploy/run.sh ;;
    chaos) run chaos 900 sh test/chaos/run.sh ;;
    *) echo "e2e: there is no suite $suite" >&2; exit 2 ;;
  esac
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "e2e: failed: ${failed[*]}" >&2
  exit 1
fi
