#!/usr/bin/env bash
# gofmt, then golangci-lint at the version given, built once into bin/.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1
unformatted=$(gofmt -l $(git ls-files -co --exclude-standard '*.go'))
if [ -n "$unformatted" ]; then
  printf 'lint: not formatted (make fmt):\n%s\n' "$unformatted" >&2
  exit 1
fi
tool=bin/golangci-lint-$version
if [ ! -x "$tool" ]; then
  echo "lint: building golangci-lint $version"
  GOBIN=$PWD/bin/.install GOFLAGS= go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version" 2>&1 | grep -v "^go: downloading" || true
  mv bin/.install/golangci-lint "$tool"
fi
"$tool" run ./...
"$tool" run --build-tags noembed ./adapters/embedded/ ./server/ ./cmd/parley/
