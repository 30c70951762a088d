#!/usr/bin/env bash
# Runs the official suites of Engine.IO 4 and Socket.IO 5, and with them the one
# for protocol 3 of socketioxide, against test/official. OFFICIAL_SUITES is a
# folder with checkouts of socketio/socket.io and, where it is there,
# Totodore/socketioxide; their dependencies are installed where that was not
# done. All want port 3000.
set -euo pipefail
cd "$(dirname "$0")/.."
suites=$(cd "${OFFICIAL_SUITES:?a folder with checkouts of socket.io and socketioxide}" && pwd)
work=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
go build -o "$work/" ./test/official/engineio ./test/official/socketio

# against SERVER ALLOW_EIO3 command...
against() {
  local program=$1 eio3=$2
  shift 2
  PORT=3000 ALLOW_EIO3=$eio3 "$work/$program" >"$work/log" 2>&1 &
  server=$!
  for _ in $(seq 100); do grep -q listening "$work/log" && break; sleep 0.1; done
  local ok=0
  "$@" || ok=1
  kill "$server" && wait "$server" || { cat "$work/log" >&2; ok=1; }
  server=
  if grep -q panic "$work/log"; then cat "$work/log" >&2; ok=1; fi
  return $ok
}

v4=$suites/socket.io/docs/engine.io-protocol/v4-test-suite
(cd "$v4" && [ -d node_modules ] || npm --prefix "$v4" ci --silent)
against engineio false env -C "$v4" npx mocha --exit test-suite.js

v5=$suites/socket.io/docs/socket.io-protocol/v5-test-suite
(cd "$v5" && [ -d node_modules ] || npm --prefix "$v5" ci --silent)
against socketio false env -C "$v5" npx mocha --exit test-suite.js

v3=$suites/socketioxide/e2e/engineioxide/test-suites
if [ -d "$v3" ] && ! node --experimental-strip-types --version >/dev/null 2>&1; then
  echo "official: the suite for protocol 3 is TypeScript and wants Node 22; left out"
elif [ -d "$v3" ]; then
  [ -d "$v3/node_modules" ] || npm --prefix "$v3" ci --silent
  # One of its tests wants polls answered with noop before the probe, and what is
  # queued kept back; Node's server sends what is queued.
  against engineio true env -C "$v3" node --experimental-strip-types --test --test-skip-pattern 'should NOOP all polling requests while upgrading' v3.ts
fi
