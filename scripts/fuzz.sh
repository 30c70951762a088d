#!/usr/bin/env bash
# Fuzzes every decoder of what comes from outside, with so many inputs each, or
# for a time, as 1m. A crash fails, and Go keeps its input under testdata/fuzz.
# With a time, Go may also fail without one, "context deadline exceeded": a race
# of its own up to 1.26 (golang/go#75804).
set -euo pipefail
cd "$(dirname "$0")/.."
budget=${1:-20000x}
grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9]+' . | sed -E 's|^\./(.*)/[^/]+:[0-9]+:func (.*)$|\1 \2|' | sort -u |
  while read -r folder target; do
    said=$(go test "./$folder" -run '^$' -fuzz "^$target\$" -fuzztime "$budget" -parallel 2 2>&1) ||
      { printf '%s\n' "$said" | tail -n 40 | cut -c 1-500 >&2
        echo "fuzz: $target in $folder failed; run: go test ./$folder -run '^\$' -fuzz '^$target\$'" >&2; exit 1; }
    echo "fuzz: $target, $budget"
  done
