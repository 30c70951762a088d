#!/usr/bin/env bash
# Makes sure that what the tests need is there: installs it on Debian and Ubuntu,
# says what is missing elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
note() { missing+=("$1"); }

command -v go >/dev/null || note "Go 1.26 or newer: https://go.dev/dl/"
if command -v node >/dev/null; then
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || note "Node.js 20 or newer (this is $(node --version)): https://nodejs.org/"
else
  note "Node.js 20 or newer, with npm: https://nodejs.org/"
fi
command -v npm >/dev/null || note "npm, which comes with Node.js"

# command → Debian package
packages=()
want() { command -v "$1" >/dev/null || packages+=("$2"); }
want redis-server redis-server
want chromium chromium
[ -x /usr/sbin/nginx ] || want nginx nginx
[ -x /usr/sbin/haproxy ] || want haproxy haproxy
want gcc gcc
want curl curl

if [ ${#packages[@]} -gt 0 ]; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo -n"
  if command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
    echo "setup: installing ${packages[*]}"
    $sudo apt-get update -qq >/dev/null
    # A package must not start a server of its own on this machine.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $sudo apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    note "these programs, by your package manager: ${packages[*]}"
  fi
fi

if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: this is missing:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
fi

# npm ci only where the lock file has changed since the last time.
for folder in test test/peer test/conformance test/browser; do
  stamp=$folder/node_modules/.parley-lock
  cmp -s "$folder/package-lock.json" "$stamp" 2>/dev/null && continue
  echo "setup: installing the npm packages of $folder"
  (cd "$folder" && npm ci --no-audit --no-fund --loglevel=error)
  cp "$folder/package-lock.json" "$stamp"
done
